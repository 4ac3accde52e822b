"""The shipped policies: sound, complete, and right about whole profiles as Command sends them."""

import json
import os
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from auditor import datatables, policyfile, resources
from auditor.command import wire
from auditor.core.derived import with_derived
from auditor.core.evaluate import CompiledPolicy, judge
from auditor.core.model import Fact, Finding, RuleOutcome, Severity, Snapshot, State
from auditor.policyfile.rules import WrittenRule
from tests.factories import KEY

POLICIES = resources.folder("policies")
CONTROLS = policyfile.load_controls(POLICIES / "data" / "controls.yaml")
BOOK = policyfile.load([POLICIES], target_names=None, controls=CONTROLS, tables=datatables.load())
RECOMMENDED = BOOK.policy("recommended")
WRITTEN: dict[str, WrittenRule] = {written.rule.id: written for name in BOOK.names() for written in BOOK.policy(name).written}

IDS = {"SMTP-001", "SMTP-002", "SMTP-003", "CFG-035", "CFG-017", "CFG-022", "CFG-028"}
IDS |= {f"CFG-{number:03}" for number in (*range(1, 7), *range(8, 13))}

MASK = "*" * 20
STORED = {"SecretValue": MASK, "Parameters": {}, "Provider": None}
IN_PAM = {"SecretValue": None, "Parameters": {"SecretId": "2001"}, "Provider": 1}

V1_BASIC: dict[str, Any] = {
    "Host": "smtp.corp.com",
    "Id": 1,
    "Port": 587,
    "RelayAuthenticationType": 2,
    "RelayUsername": "CORP\\svc-mail",
    "SenderAccount": "pki@corp.com",
    "SenderName": "Certificate Services",
    "UseSSL": True,
}
V2_PAM = {**V1_BASIC, "RelayUsername": IN_PAM, "RelayPassword": IN_PAM}
V2_BASIC = {
    **V2_PAM,
    "RelayUsername": STORED,
    "RelayPassword": STORED,
    **dict.fromkeys(("ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders")),
}
V2_WITHHELD = {name: value for name, value in V2_BASIC.items() if name != "RelayPassword"}
V2_ANONYMOUS = {**V2_BASIC, "RelayAuthenticationType": 0, "RelayUsername": None, "RelayPassword": None, "Host": "relay.corp.com"}
V2_OAUTH = {
    **V2_BASIC,
    "Host": "smtp.office365.com",
    "RelayAuthenticationType": 3,
    "RelayUsername": None,
    "RelayPassword": None,
    "ClientId": STORED,
    "ClientSecret": IN_PAM,
    "TokenEndpoint": "https://login.microsoftonline.com/3f2504e0-4f89-41d3-9a0c-0305e82c3301/oauth2/v2.0/token",
    "Scope": "https://outlook.office365.com/.default",
    "RequestHeaders": [{"Name": "X-Tenant", "Value": "pki"}],
}


def compiled(**own: Any) -> CompiledPolicy:
    return BOOK.compile(BOOK.effective("recommended", target="prod", labels={}, own=own))


def read(body: object, *, api_version: int = 2) -> Snapshot:
    snapshot = wire.parse(json.dumps(body).encode(), api_version=api_version, fingerprint=KEY.of)
    assert isinstance(snapshot, Snapshot)
    return snapshot


def findings(body: object, *, api_version: int = 2, **own: Any) -> dict[str, Finding]:
    facts = with_derived(read(body, api_version=api_version).facts, BOOK.tables)
    return {finding.rule: finding for finding in judge(compiled(**own), facts, as_of=date(2026, 11, 23))}


def failed(body: object, *, api_version: int = 2, **own: Any) -> dict[str, str]:
    """The rules that fail, with their severity."""
    found = findings(body, api_version=api_version, **own).values()
    return {finding.rule: str(finding.severity) for finding in found if finding.outcome is RuleOutcome.FAIL}


# --- form -----------------------------------------------------------------------------------------------------------


def test_recommended_has_the_rules_that_it_was_asked_to_have() -> None:
    assert {rule.id for rule in RECOMMENDED.rules} == IDS == set(WRITTEN)


def test_lint_has_no_doubt() -> None:
    assert policyfile.lint(BOOK) == []


@pytest.mark.parametrize("name", BOOK.names())
def test_every_example_comes_out_as_it_says(name: str) -> None:
    assert [result for result in policyfile.run_examples(BOOK, name) if not result.ok] == []


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_every_rule_shows_what_passes_what_fails_and_how_bad_that_is(written: WrittenRule) -> None:
    outcomes = {example.outcome for example in written.examples}
    assert outcomes >= {RuleOutcome.PASS, RuleOutcome.FAIL}
    assert written.rule.when is None or RuleOutcome.NOT_APPLICABLE in outcomes
    shown = {example.severity for example in written.examples if example.outcome is RuleOutcome.FAIL}
    assert shown >= {rating.severity for rating in written.rule.ratings}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_every_rule_says_why_and_what_to_do_and_supports_controls(written: WrittenRule) -> None:
    rule = written.rule
    for text in (rule.title, rule.rationale, rule.remediation):
        assert text == " ".join(text.split())
    assert 60 < len(rule.rationale) < 700
    assert 60 < len(rule.remediation) < 700
    assert "System Settings > SMTP Configuration" in rule.remediation
    assert len(rule.title) < 60
    assert not rule.title.endswith(".")
    assert dict(rule.controls).keys() >= {"nist-800-53r5", "iso-27001-2022", "soc2", "cis-8.1"}


# References that somebody has looked up: RFCs with what they say there, and the vendor's pages.
LOOKED_UP = {
    "RFC 2606",
    "RFC 4616",
    "RFC 4954 section 4",
    "RFC 5321 section 2.3.5",
    "RFC 5321 section 4.1.2",
    "RFC 5322 section 2.2.1",
    "RFC 6409 section 3.1",
    "RFC 6409 section 4.3",
    "RFC 6761",
    "RFC 7628 section 3",
    "RFC 7817",
    "RFC 8314 section 3.3",
    "RFC 8314 section 4",
    "RFC 8314 section 5.2",
    "Keyfactor Command Reference Guide: SMTP Configuration",
    "Keyfactor Web APIs Reference Guide: GET SMTP",
}


def test_every_reference_was_looked_up() -> None:
    assert all(written.rule.references for written in WRITTEN.values())
    assert {reference for written in WRITTEN.values() for reference in written.rule.references} <= LOOKED_UP


def test_every_control_id_is_one_of_its_framework() -> None:
    for written in WRITTEN.values():
        for framework, ids in written.rule.controls:
            assert CONTROLS.frameworks[framework] >= set(ids)


def test_the_control_table_has_its_frameworks_and_bundles() -> None:
    assert set(CONTROLS.bundles) == set("TASPCRLENXVI")
    assert {framework for bundle in CONTROLS.bundles.values() for framework in bundle} | {"cis-m365-7.0.0"} == set(CONTROLS.frameworks)
    assert CONTROLS.bundles["A"]["nist-800-53r5"] == ("IA-5", "IA-5(1)(c)", "IA-5(6)", "SC-8(1)")


def test_every_policy_but_recommended_speaks_of_configured_profiles_alone() -> None:
    unguarded = {written.rule.id for written in WRITTEN.values() if written.rule.guard is None}
    assert unguarded == {"CFG-035"}


def test_no_line_of_a_policy_is_long() -> None:
    long = [path.name for path in POLICIES.glob("*.yaml") for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 150]
    assert long == []


# --- good profiles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "api_version", "limited"),
    [
        (V2_OAUTH, 2, set()),
        (V2_BASIC, 2, set()),
        (V2_WITHHELD, 2, {"CFG-028"}),
        (V2_PAM, 2, {"CFG-028"}),
        (V1_BASIC, 1, {"CFG-028"}),
        ({**V1_BASIC, "SenderAddress": "pki@corp.com"}, 1, {"CFG-028"}),
        ({**V1_BASIC, "RelayUsername": "UnsupportedPAMSecret"}, 1, {"CFG-028"}),
        ({**V2_OAUTH, "Port": 465, "Host": "smtp.corp.com"}, 2, set()),
    ],
    ids=["oauth", "basic", "withheld", "v2 of 25.1", "v1", "v1 with SenderAddress", "v1 with PAM", "implicit TLS"],
)
def test_a_good_profile_fails_nothing_and_has_standing_limits_alone(body: object, api_version: int, limited: set[str]) -> None:
    found = findings(body, api_version=api_version).values()
    assert {finding.rule for finding in found if finding.outcome is RuleOutcome.NOT_EVALUATED} == limited
    assert all(finding.standing for finding in found if finding.outcome is RuleOutcome.NOT_EVALUATED)
    good = {RuleOutcome.PASS, RuleOutcome.NOT_APPLICABLE}
    assert {finding.outcome for finding in found if finding.rule not in limited} == good


# --- profiles with a fault ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"UseSSL": False}, {"SMTP-001": "high", "CFG-002": "critical"}),
        ({"RelayAuthenticationType": 2, "UseSSL": False}, {"SMTP-001": "high", "CFG-001": "critical"}),
        ({"Port": 25}, {"SMTP-002": "medium", "CFG-005": "medium", "CFG-006": "low"}),
        ({"Port": 2525}, {"SMTP-002": "medium", "CFG-006": "low"}),
        ({"Port": 8025}, {"SMTP-002": "medium", "CFG-006": "medium"}),
        ({"Port": 0}, {"SMTP-002": "medium", "CFG-006": "high"}),
        ({"Port": 65536}, {"SMTP-002": "medium", "CFG-006": "high"}),
        ({"Port": "587"}, {"SMTP-002": "medium", "CFG-005": "medium", "CFG-006": "high"}),
        ({"Port": 465, "UseSSL": False}, {"SMTP-001": "high", "CFG-002": "critical", "CFG-004": "high"}),
        ({"RelayAuthenticationType": 1}, {"CFG-008": "medium"}),
        ({"Host": "mail"}, {"CFG-009": "medium"}),
        ({"Host": None}, {"CFG-009": "high", "CFG-012": "medium"}),
        ({"Host": "10.1.2.3"}, {"CFG-009": "medium", "CFG-010": "high"}),
        ({"Host": "localhost"}, {"CFG-009": "medium", "CFG-011": "high"}),
        ({"Host": "smtp.corp.local"}, {"CFG-011": "high"}),
        ({"Host": "[::1]"}, {"CFG-009": "medium", "CFG-010": "high", "CFG-011": "high"}),
        ({"Host": "smtp.keyexample.com"}, {"CFG-012": "medium"}),
        ({"SenderAccount": "jsmith@keyexample.com"}, {"CFG-012": "medium"}),
        ({"TokenEndpoint": "https://login.contoso.com/t"}, {"CFG-012": "medium"}),
        ({"SenderAccount": None}, {"CFG-017": "high"}),
        ({"SenderAccount": "PKI <pki@corp.com>"}, {"CFG-017": "high"}),
        ({"SenderName": None}, {"CFG-022": "medium"}),
        ({"SenderName": "a" * 65}, {"CFG-022": "medium"}),
        ({"SenderName": "PKI\r\nBcc: x"}, {"CFG-022": "high"}),
        ({"SenderName": ["PKI"]}, {"CFG-022": "high"}),
        ({"ClientSecret": {"SecretValue": "hunter2", "Parameters": {}, "Provider": None}}, {"CFG-028": "critical"}),
        ({"Comment": "password at " + "smtp://svc:" + "hunter2@mail.corp.com"}, {"CFG-028": "critical"}),
        ({"RequestHeaders": [{"Name": "X-Tenant", "Value": None}]}, {}),
    ],
)
def test_each_fault_of_a_profile_fails_its_rules_and_no_others(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert failed({**V2_OAUTH, **changes}) == expected


def test_a_profile_of_all_defaults_fails_where_it_should() -> None:
    defaults = {**V2_ANONYMOUS, "Host": None, "Port": 25, "SenderAccount": None, "SenderName": None, "UseSSL": False}
    assert failed(defaults) == {
        "SMTP-001": "high",
        "SMTP-002": "medium",
        "SMTP-003": "high",
        "CFG-003": "high",
        "CFG-009": "high",
        "CFG-012": "medium",
        "CFG-017": "medium",
        "CFG-022": "medium",
    }


def test_an_anonymous_relay_on_port_25_fails_by_the_house_rules_alone() -> None:
    assert failed({**V2_ANONYMOUS, "Port": 25}) == {"SMTP-002": "medium", "SMTP-003": "high"}


def test_vars_make_room_for_what_is_wanted() -> None:
    assert failed({**V2_ANONYMOUS, "UseSSL": False}, internal_domains=["corp.com"])["CFG-003"] == "medium"
    assert "CFG-006" not in failed({**V2_OAUTH, "Port": 2587}, allowed_ports=[465, 587, 2587])
    assert "CFG-011" not in failed({**V2_OAUTH, "Host": "smtp.corp.local"}, allow_local_relay=True)
    assert "CFG-011" not in failed({**V2_OAUTH, "Host": "smtp.corp.local"}, special_use_domains=["localhost"])


def test_without_a_profile_one_rule_fails_and_no_other_applies() -> None:
    found = findings(None)
    assert {name: finding.outcome for name, finding in found.items()} == {
        **dict.fromkeys(IDS, RuleOutcome.NOT_APPLICABLE),
        "CFG-035": RuleOutcome.FAIL,
    }
    assert found["CFG-035"].severity is Severity.HIGH


def test_after_a_failed_read_nothing_passes_and_nothing_fails() -> None:
    unread = Fact(State.INCONCLUSIVE, reason="unreachable")
    facts = with_derived(dict.fromkeys(read(V2_OAUTH).facts, unread), BOOK.tables)
    assert {finding.outcome for finding in judge(compiled(), facts, as_of=date(2026, 11, 23))} == {RuleOutcome.NOT_EVALUATED}


NEEDS = {
    "UseSSL": {"SMTP-001", "CFG-002", "CFG-004"},
    "Port": {"SMTP-002", "CFG-005", "CFG-006"},
    "RelayAuthenticationType": {"SMTP-003", "CFG-008"},
    "Host": {"CFG-009", "CFG-010", "CFG-011", "CFG-012"},
    "SenderAccount": {"CFG-012", "CFG-017"},
    "SenderName": {"CFG-022"},
}
BAD: dict[str, Any] = {
    "missing": ...,
    "null": None,
    "list": [],
    "object": {},
    "a list of one": ["x"],
    "number": 587.5,
    "a string": "true",
    "blank": " ",
}
RIGHTLY = {("SenderAccount", "null"): {"CFG-012"}, ("SenderName", "a string"): {"CFG-022"}}
for odd in ("a string", "blank"):  # such a Host is no address, and no placeholder; that it is no name either, CFG-009 says
    RIGHTLY |= {("Host", odd): {"CFG-010", "CFG-011", "CFG-012"}, ("SenderAccount", odd): {"CFG-012"}}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("field", NEEDS)
def test_no_rule_passes_on_a_field_that_is_not_what_it_must_be(field: str, bad: str) -> None:
    body = {**V2_OAUTH, "Port": 465, "Host": "smtp.corp.com", field: BAD[bad]}
    if BAD[bad] is ...:
        del body[field]
    passing = {name for name, finding in findings(body).items() if finding.outcome is RuleOutcome.PASS}
    assert passing & NEEDS[field] == RIGHTLY.get((field, bad), set())
    assert failed(body) or passing >= NEEDS[field]


# --- the vendor's contract ------------------------------------------------------------------------------------------

CONTRACTS = Path(os.environ.get("AUDITOR_CONTRACTS") or Path(__file__).parents[3] / "shared") / "command-api" / "fixtures"


@pytest.mark.skipif(not CONTRACTS.is_dir(), reason="the vendor's contract data is not here (AUDITOR_CONTRACTS)")
def test_samples_out_of_the_manual_fail_as_placeholders() -> None:
    bodies = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in CONTRACTS.glob("synthetic-smtp-*.json")}
    assert len(bodies) == 7
    for name, body in bodies.items():
        found = failed(body, api_version=1 if "-v1-" in name else 2)
        anonymous = {"SMTP-001": "high", "SMTP-002": "medium", "SMTP-003": "high", "CFG-003": "high"} if re.search("anonymous", name) else {}
        assert found == {"CFG-012": "medium", **anonymous}
