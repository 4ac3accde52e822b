"""Good profiles under the shipped sets: nothing fails, whatever the user has told; and what days and approvals change about that."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from auditor import datatables
from auditor.core import assess
from auditor.core.derived import with_derived
from auditor.core.evaluate import judge
from auditor.core.model import Fact, RuleOutcome, State, Verdict
from tests.policies.profiles import (
    BOOK,
    DAY,
    IN_FORCE,
    POLICIES,
    STORED,
    V1_BASIC,
    V2_ANONYMOUS,
    V2_BASIC,
    V2_OAUTH,
    V2_PAM,
    compiled,
    failed,
    findings,
    read,
)

PASSWORD, NAME = {"CFG-027"}, {"CFG-025"}  # not evaluated where the answer does not show the password's place, or the user name
V1_LIMITS = {"CFG-027", "CFG-028"}
OAUTH_IN_V1 = {"OAU-001", "OAU-003", "OAU-004", "OAU-006", *V1_LIMITS}
GOOD: dict[str, tuple[dict[str, Any], int, set[str], set[str]]] = {
    # the body, its version, and what recommended and strict on top of it cannot see
    "oauth": (V2_OAUTH, 2, set(), {"CFG-019", "OAU-011"}),
    "oauth over implicit TLS": ({**V2_OAUTH, "Port": 465, "Host": "smtp.corp.com"}, 2, set(), {"OAU-011"}),
    "oauth read through v1": ({**V1_BASIC, "RelayAuthenticationType": 3, "RelayUsername": None}, 1, OAUTH_IN_V1, {"OAU-007", "OAU-008", "OAU-011"}),
    "basic": (V2_BASIC, 2, NAME, {"CFG-024", "CFG-026"}),
    "basic, password withheld": (
        {name: value for name, value in V2_BASIC.items() if name != "RelayPassword"},
        2,
        {"CFG-028", *NAME, *PASSWORD},
        {"CFG-024", "CFG-026"},
    ),
    "basic in 25.1": (V2_PAM, 2, {"CFG-028", *NAME}, {"CFG-024", "CFG-026"}),
    "basic in v1": (V1_BASIC, 1, V1_LIMITS, set()),
    "basic in v1 with SenderAddress": ({**V1_BASIC, "SenderAddress": "pki@corp.com"}, 1, V1_LIMITS, set()),
    "basic in v1 from PAM": ({**V1_BASIC, "RelayUsername": "UnsupportedPAMSecret"}, 1, {*V1_LIMITS, *NAME}, {"CFG-024", "CFG-026"}),
    "anonymous relay": (V2_ANONYMOUS, 2, set(), set()),
    "anonymous relay in v1": ({**V1_BASIC, "RelayAuthenticationType": 0, "RelayUsername": None}, 1, {"CFG-028"}, set()),
}


@pytest.mark.parametrize("policy", IN_FORCE)
@pytest.mark.parametrize("name", GOOD)
def test_a_good_profile_fails_nothing_and_has_standing_limits_alone(name: str, policy: str) -> None:
    body, api_version, limited, besides = GOOD[name]
    found = findings(body, api_version=api_version, policy=policy, anonymous_relays=["corp.com"])
    unseen = {rule for rule, finding in found.items() if finding.outcome is RuleOutcome.NOT_EVALUATED}
    assert unseen == (limited | besides if policy == "strict" else limited)
    assert all(found[rule].standing for rule in unseen)
    assert {finding.outcome for rule, finding in found.items() if rule not in unseen} == {RuleOutcome.PASS, RuleOutcome.NOT_APPLICABLE}
    assert assess.verdict(tuple(found.values())) is Verdict.COMPLIANT


@pytest.mark.parametrize("name", GOOD)
def test_what_a_user_can_tell_about_a_good_profile_turns_nothing_into_a_failure(name: str) -> None:
    body, api_version, *_ = GOOD[name]
    told: dict[str, Any] = {
        "anonymous_relays": ["corp.com"],
        "approved_hosts": ["smtp.office365.com", "smtp.corp.com", "relay.corp.com"],
        "sender_domains": ["corp.com"],
        "approved_idps": ["login.microsoftonline.com"],
        "idp_tenant": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "client_secret_expires_on": "2027-06-30",
        "command_service_accounts": ["svc-command"],
        "personal_pattern": r"[a-z]+\.[a-z]+",
        "require_pam": True,
    }
    found = findings(body, api_version=api_version, policy="strict", **told)
    assert {rule for rule, finding in found.items() if finding.outcome is RuleOutcome.FAIL} == set()
    assert not [leaf for finding in found.values() for leaf in finding.applies if leaf.fact.startswith("$") and leaf.state is State.UNSET]


def test_a_secret_that_command_keeps_is_advice_until_somebody_decides_otherwise() -> None:
    basic = {**V2_BASIC, "RelayUsername": STORED, "RelayPassword": STORED}
    oauth = {**V2_OAUTH, "ClientSecret": STORED}
    for body in (basic, oauth):
        assert failed(body) == {"CFG-027": "info"}
        assert assess.verdict(tuple(findings(body).values())) is Verdict.COMPLIANT
        assert failed(body, policy="strict") == {"CFG-027": "low"}
        assert failed(body, require_pam=True) == failed(body, policy="strict", require_pam=True) == {"CFG-027": "medium"}


# --- your data, days, approvals ---------------------------------------------------------------------------------------

ATTESTED = "2026-12-31"


@pytest.mark.parametrize(
    ("rule", "own", "changes"),
    [
        ("CFG-013", {"approved_hosts": ["smtp.corp.com"]}, {}),
        ("CFG-018", {"sender_domains": ["corp.de"]}, {}),
        ("OAU-005", {"approved_idps": ["idp.corp.com"]}, {}),
        ("OAU-005", {"approved_idps": ["login.microsoftonline.com"], "idp_tenant": "corp.com"}, {}),
        ("OAU-012", {"client_secret_expires_on": ATTESTED}, {}),
    ],
)
def test_a_rule_waits_for_your_data_and_then_judges(rule: str, own: dict[str, Any], changes: dict[str, Any]) -> None:
    late = date(2026, 12, 1)
    waiting = findings({**V2_OAUTH, **changes}, as_of=late)[rule]
    assert waiting.outcome is RuleOutcome.NOT_APPLICABLE
    assert f"${next(iter(own))}" in {leaf.fact for leaf in waiting.applies}
    assert rule in failed({**V2_OAUTH, **changes}, as_of=late, **own)


EXCHANGE_BASIC = {**V2_BASIC, "Host": "smtp.office365.com"}


@pytest.mark.parametrize(
    ("as_of", "severity"),
    [
        (date(2026, 10, 1), "medium"),
        (date(2026, 10, 2), "high"),  # 90 days before the day on which Basic is turned off
        (date(2026, 10, 3), "high"),
        (date(2026, 12, 30), "high"),
        (date(2026, 12, 31), "high"),
        (date(2027, 1, 1), "high"),
        (date(2030, 1, 1), "high"),  # Microsoft has announced no day of removal, so nothing is critical yet
    ],
)
def test_basic_with_exchange_online_is_rated_by_the_day(as_of: date, severity: str) -> None:
    assert failed(EXCHANGE_BASIC, as_of=as_of) == {"CFG-030": severity}


@pytest.mark.parametrize(
    ("as_of", "severity"),
    [(date(2027, 9, 29), "high"), (date(2027, 9, 30), "high"), (date(2027, 10, 1), "critical"), (date(2028, 2, 29), "critical")],
)
def test_the_day_of_removal_is_a_line_in_the_provider_table(tmp_path: Path, as_of: date, severity: str) -> None:
    for name in ("providers.yaml", "freemail.yaml"):
        text = (POLICIES / "data" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("basic_ends_on: null  ", "basic_ends_on: 2027-09-30  ", 1), encoding="utf-8")
    facts = with_derived(read(EXCHANGE_BASIC).facts, datatables.load(tmp_path))
    found = {finding.rule: finding for finding in judge(compiled(), facts, as_of=as_of)}
    assert str(found["CFG-030"].severity) == severity


@pytest.mark.parametrize(
    ("as_of", "fails"), [(date(2026, 11, 30), False), (date(2026, 12, 1), True), (date(2026, 12, 31), True), (date(2027, 1, 1), True)]
)
def test_a_client_secret_is_due_thirty_days_before_its_last(as_of: date, fails: bool) -> None:
    assert failed(V2_OAUTH, as_of=as_of, client_secret_expires_on=ATTESTED) == ({"OAU-012": "medium"} if fails else {})


@pytest.mark.parametrize(("approved", "outcome"), [(1, RuleOutcome.PASS), (2, RuleOutcome.FAIL), (None, RuleOutcome.NOT_APPLICABLE)])
def test_the_id_is_held_against_the_approved_one(approved: int | None, outcome: RuleOutcome) -> None:
    baseline = {} if approved is None else {"baseline.Id": Fact(State.VALUE, approved)}
    facts = with_derived({**read(V2_BASIC).facts, **baseline}, BOOK.tables)
    assert {finding.rule: finding.outcome for finding in judge(compiled("strict"), facts, as_of=DAY)}["CFG-034"] is outcome
