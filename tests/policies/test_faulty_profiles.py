"""Profiles with a fault under the shipped sets: the rules that are about it fail, at their severity, and no others."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from auditor.core.derived import with_derived
from auditor.core.evaluate import judge
from auditor.core.model import Fact, RuleOutcome, Severity, State
from tests.policies.profiles import (
    BOOK,
    DAY,
    IN_FORCE,
    IN_PAM,
    STORED,
    V1_BASIC,
    V2_ANONYMOUS,
    V2_BASIC,
    V2_OAUTH,
    compiled,
    failed,
    findings,
    read,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"UseSSL": False}, {"SMTP-001": "high", "CFG-002": "critical"}),
        ({"RelayAuthenticationType": 2, "RelayUsername": IN_PAM, "UseSSL": False}, {"SMTP-001": "high", "CFG-001": "critical"}),
        ({"RelayAuthenticationType": 2}, {"CFG-023": "high"}),
        ({"RelayUsername": STORED}, {"CFG-023": "low"}),
        ({"RelayPassword": IN_PAM}, {"CFG-023": "low"}),
        ({"Port": 25}, {"SMTP-002": "medium", "CFG-005": "medium", "CFG-006": "low"}),
        ({"Port": 2525}, {"SMTP-002": "medium", "CFG-006": "low"}),
        ({"Port": 8025}, {"SMTP-002": "medium", "CFG-006": "medium"}),
        ({"Port": 0}, {"SMTP-002": "medium", "CFG-006": "high"}),
        ({"Port": 65536}, {"SMTP-002": "medium", "CFG-006": "high"}),
        ({"Port": "587"}, {"SMTP-002": "medium", "CFG-005": "medium", "CFG-006": "high"}),
        ({"Port": 465, "UseSSL": False}, {"SMTP-001": "high", "CFG-002": "critical", "CFG-004": "high"}),
        ({"RelayAuthenticationType": 1}, {"CFG-008": "medium"}),
        ({"Host": "smtp.office365.com", "Port": 465}, {"CFG-033": "medium"}),
        ({"Host": "smtp-legacy.office365.com"}, {"CFG-031": "high"}),
        ({"Host": "smtp.gmail.com", "RelayAuthenticationType": 2, "RelayUsername": IN_PAM}, {"CFG-032": "high"}),
        ({"Host": "smtp.0ffice365.com"}, {"CFG-015": "high"}),
        ({"Host": "smtp.\u0441\u043erp.com"}, {"CFG-009": "medium", "CFG-014": "high"}),
        ({"Host": "SMTP.corp.com"}, {"CFG-016": "low"}),
        ({"Host": "smtp.corp.com\u200b"}, {"CFG-009": "medium", "CFG-016": "high"}),
        ({"Host": "mail"}, {"CFG-009": "medium"}),
        ({"Host": None}, {"CFG-009": "high", "CFG-012": "medium"}),
        ({"Host": "10.1.2.3"}, {"CFG-009": "medium", "CFG-010": "high"}),
        ({"Host": "localhost"}, {"CFG-009": "medium", "CFG-011": "high"}),
        ({"Host": "smtp.corp.local"}, {"CFG-011": "high"}),
        ({"Host": "[::1]"}, {"CFG-009": "medium", "CFG-010": "high", "CFG-011": "high"}),
        ({"Host": "smtp.keyexample.com"}, {"CFG-012": "medium"}),
        ({"SenderAccount": "jsmith@keyexample.com"}, {"CFG-012": "medium"}),
        ({"TokenEndpoint": "https://login.contoso.com/t"}, {"CFG-012": "medium"}),
        ({"SenderAccount": None}, {"CFG-017": "high", "OAU-001": "high"}),
        ({"SenderAccount": "PKI <pki@corp.com>"}, {"CFG-017": "high", "OAU-001": "high"}),
        ({"SenderAccount": "corp.pki@gmail.com"}, {"CFG-020": "high"}),
        ({"SenderName": None}, {"CFG-022": "medium"}),
        ({"SenderName": "a" * 65}, {"CFG-022": "medium"}),
        ({"SenderName": "Microsoft  "}, {"CFG-022": "medium"}),
        ({"SenderName": "PayPal Support"}, {"CFG-022": "medium"}),
        ({"SenderName": "PKI\r\nBcc: x"}, {"CFG-022": "high"}),
        ({"SenderName": ["PKI"]}, {"CFG-022": "high"}),
        ({"ClientSecret": {"SecretValue": "hunter2", "Parameters": {}, "Provider": None}}, {"CFG-027": "info", "CFG-028": "critical"}),
        ({"Comment": "password at " + "smtp://svc:" + "hunter2@mail.corp.com"}, {"CFG-028": "critical"}),
        ({"RequestHeaders": [{"Name": "X-Tenant", "Value": None}]}, {}),
        ({"RequestHeaders": [{"Name": "Cookie", "Value": "pki"}]}, {"OAU-009": "high"}),
        ({"RequestHeaders": [{"Name": "X-A", "Value": "a"}, {"Name": "x-a", "Value": "b"}]}, {"OAU-010": "low"}),
        ({"RequestHeaders": [{"Name": "X-A", "Value": "a\nX-B: b"}]}, {"OAU-010": "high"}),
        ({"RequestHeaders": [{"Name": "X-Forwarded-Client-Cert", "Value": "pki"}]}, {"OAU-010": "low"}),
        ({"ClientId": None}, {"OAU-001": "high"}),
        ({"TokenEndpoint": None}, {"OAU-001": "high"}),
        ({"TokenEndpoint": "http://idp.corp.com/token"}, {"OAU-003": "critical"}),
        ({"TokenEndpoint": "https://idp.corp.com:8443/token"}, {"OAU-004": "high"}),
        ({"TokenEndpoint": "https://login.xn--pypal-4ve.com/token"}, {"OAU-004": "high"}),
        ({"TokenEndpoint": "https://login.xn--mail-.com/token"}, {"OAU-004": "high"}),
        ({"TokenEndpoint": "https://login.rnicrosoftonline.com/common/oauth2/v2.0/token"}, {"OAU-004": "high"}),
        ({"TokenEndpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/token"}, {"OAU-006": "high"}),
    ],
)
def test_each_fault_of_a_profile_fails_its_rules_and_no_others(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert failed({**V2_OAUTH, "Host": "smtp.corp.com", **changes}) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Host": "mx.partner.com"}, {"CFG-019": "low"}),
        ({"SenderAccount": "administrator@corp.com"}, {"CFG-021": "medium"}),
        ({"SenderAddress": "pki@corp.com"}, {"CFG-029": "low"}),
        ({"SenderAddress": "old@corp.com"}, {"CFG-029": "medium"}),
        ({"Scope": "https://graph.microsoft.com/.default"}, {"OAU-007": "medium"}),
        ({"Host": "smtp.office365.com", "Scope": "mail"}, {"OAU-007": "medium"}),
        ({"Audience": "https://login.microsoftonline.com/"}, {"OAU-008": "low"}),
        ({"ClientId": {**STORED, "SecretValue": "your-client-id"}}, {"OAU-011": "low"}),
        ({"ClientId": {**STORED, "SecretValue": "3f2504e0-4f89-41d3-9a0c-0305e82c3301\u2003"}}, {"OAU-011": "low"}),
    ],
)
def test_what_strict_alone_finds(changes: dict[str, Any], expected: dict[str, str]) -> None:
    body = {**V2_OAUTH, "Host": "smtp.corp.com", **changes}
    assert failed(body) == {}
    assert failed(body, policy="strict") == expected


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("CORP\\svc-mail", {}),
        ("pki@corp.com", {}),
        ("CORP\\\\svc-mail", {"CFG-024": "low"}),
        ("svc-mail@corp.com", {"CFG-026": "low"}),
        ("CORP\\Administrator", {"CFG-025": "high"}),
    ],
)
def test_a_user_name_in_clear_is_looked_at(user: str, expected: dict[str, str]) -> None:
    assert failed({**V1_BASIC, "RelayUsername": user}, api_version=1, policy="strict") == expected


def test_a_secret_in_the_place_of_the_client_id_is_no_client_id() -> None:
    secret = "ghp_" + "x7Kq2Lm9Tr4Vw8Yz1Bc5Nd6Pf3Gh0Js" + "AbCdE"
    found = failed({**V2_OAUTH, "Host": "smtp.corp.com", "ClientId": {**STORED, "SecretValue": secret}}, policy="strict")
    assert found == {"CFG-028": "critical", "OAU-011": "low"}


@pytest.mark.parametrize("host", ["smtp.\u0441\u043e\u0440\u0440.com", "smtp.xn--n1aeab.com"])
def test_a_name_all_in_one_foreign_alphabet_is_a_homograph_of_the_relay_it_reads_like(host: str) -> None:
    body = {**V2_OAUTH, "Host": host}
    assert "CFG-014" not in failed(body)
    assert failed(body, approved_hosts=["smtp.copp.com"])["CFG-014"] == "high"
    assert "CFG-014" not in failed(body, approved_hosts=["smtp.copp.com", "smtp.xn--n1aeab.com"])


def test_oauth_leftovers_are_found_by_strict() -> None:
    assert failed({**V2_BASIC, "ClientSecret": IN_PAM}, policy="strict") == {"OAU-002": "low"}


DEFAULTS = {**V2_ANONYMOUS, "Host": None, "Port": 25, "SenderAccount": None, "SenderName": None, "UseSSL": False}


def test_a_profile_of_all_defaults_fails_where_it_should_and_is_called_one() -> None:
    assert failed(DEFAULTS) == {
        "SMTP-001": "high",
        "SMTP-002": "medium",
        "SMTP-003": "high",
        "CFG-003": "high",
        "CFG-009": "high",
        "CFG-012": "medium",
        "CFG-017": "medium",
        "CFG-022": "medium",
        "CFG-036": "info",
    }


@pytest.mark.parametrize("changes", [{"Port": 587}, {"UseSSL": True}, {"SenderAccount": "pki@corp.com"}, {"RelayAuthenticationType": 2}])
def test_a_profile_that_somebody_began_to_set_up_is_none_of_defaults(changes: dict[str, Any]) -> None:
    assert findings({**DEFAULTS, **changes})["CFG-036"].outcome is RuleOutcome.PASS


@pytest.mark.parametrize("field", ["Port", "UseSSL", "SenderAccount", "RelayAuthenticationType"])
def test_a_field_that_is_missing_makes_no_profile_of_defaults(field: str) -> None:
    body = {name: value for name, value in DEFAULTS.items() if name != field}
    assert findings(body)["CFG-036"].outcome is RuleOutcome.NOT_APPLICABLE


def test_an_anonymous_relay_on_port_25_fails_by_the_house_rules_alone() -> None:
    assert failed({**V2_ANONYMOUS, "Port": 25}) == {"SMTP-002": "medium", "SMTP-003": "high"}


def test_the_house_rule_on_anonymous_relays_gives_way_to_those_that_are_named_and_no_others() -> None:
    assert failed(V2_ANONYMOUS) == failed(V2_ANONYMOUS, anonymous_relays=["corp.net"]) == {"SMTP-003": "high"}
    assert failed(V2_ANONYMOUS, anonymous_relays=["corp.com"]) == {}
    assert failed({**V2_ANONYMOUS, "Host": None}, anonymous_relays=["corp.com"])["SMTP-003"] == "high"


def test_vars_make_room_for_what_is_wanted() -> None:
    assert failed({**V2_ANONYMOUS, "UseSSL": False}, internal_domains=["corp.com"])["CFG-003"] == "medium"
    assert "CFG-006" not in failed({**V2_OAUTH, "Port": 2587}, allowed_ports=[465, 587, 2587])
    assert "CFG-011" not in failed({**V2_OAUTH, "Host": "smtp.corp.local"}, allow_local_relay=True)
    assert "CFG-011" not in failed({**V2_OAUTH, "Host": "smtp.corp.local"}, special_use_domains=["localhost"])


# --- what is not there ------------------------------------------------------------------------------------------------


def test_without_a_profile_one_rule_fails_and_no_other_applies() -> None:
    found = findings(None)
    assert {name: finding.outcome for name, finding in found.items()} == {
        **dict.fromkeys(IN_FORCE["recommended"] - {"DRF-004"}, RuleOutcome.NOT_APPLICABLE),
        "CFG-035": RuleOutcome.FAIL,
    }
    assert found["CFG-035"].severity is Severity.HIGH


def test_after_a_failed_read_nothing_passes_and_nothing_fails() -> None:
    unread = Fact(State.INCONCLUSIVE, reason="unreachable")
    facts = with_derived(dict.fromkeys(read(V2_OAUTH).facts, unread), BOOK.tables)
    found = {finding.rule: finding.outcome for finding in judge(compiled(), facts, as_of=DAY)}
    waiting = {"CFG-013", "CFG-018", "OAU-005", "OAU-012"}  # for data of the user's, whatever a server says
    assert {rule for rule, outcome in found.items() if outcome is RuleOutcome.NOT_APPLICABLE} == waiting
    assert {outcome for rule, outcome in found.items() if rule not in waiting} == {RuleOutcome.NOT_EVALUATED}


NEEDS = {
    "UseSSL": {"SMTP-001", "CFG-002", "CFG-004"},
    "Port": {"SMTP-002", "CFG-005", "CFG-006"},
    "RelayAuthenticationType": {"SMTP-003", "CFG-008", "CFG-023", "CFG-027", "OAU-001", "OAU-003", "OAU-004", "OAU-006", "OAU-007"},
    "Host": {"CFG-009", "CFG-010", "CFG-011", "CFG-012", "CFG-014", "CFG-015", "CFG-016", "CFG-019", "CFG-031"},
    "SenderAccount": {"CFG-012", "CFG-017", "CFG-019", "CFG-020", "CFG-021", "OAU-001"},
    "SenderName": {"CFG-022"},
    "ClientId": {"OAU-001", "OAU-011"},
    "ClientSecret": {"CFG-027", "OAU-001"},
    "TokenEndpoint": {"OAU-001", "OAU-003", "OAU-004", "OAU-006"},
    "Scope": {"OAU-007"},
    "Audience": {"OAU-008"},
    "RequestHeaders": {"OAU-009", "OAU-010"},
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
RIGHTLY = {("SenderAccount", "null"): {"CFG-012"}, ("SenderName", "a string"): {"CFG-022"}, ("Scope", "a string"): {"OAU-007"}}
RIGHTLY |= {("ClientSecret", leaked): {"OAU-001"} for leaked in ("number", "a string", "blank")}  # it is set; that it was sent, CFG-028 says
for odd in ("a string", "blank"):  # such a Host is no address, no placeholder and no trap; that it is no name either, CFG-009 says
    RIGHTLY |= {("Host", odd): NEEDS["Host"] - {"CFG-009", "CFG-019"} - ({"CFG-016"} if odd == "blank" else set())}
    RIGHTLY |= {("SenderAccount", odd): {"CFG-012"}, ("ClientId", odd): {"OAU-001"}, ("TokenEndpoint", odd): {"OAU-001"}}
MAY_BE_UNSET = {("Audience", "null"), ("RequestHeaders", "null"), ("RequestHeaders", "list")}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("field", NEEDS)
def test_no_rule_passes_on_a_field_that_is_not_what_it_must_be(field: str, bad: str) -> None:
    body = {**V2_OAUTH, "Port": 465, "Host": "smtp.corp.com", field: BAD[bad]}
    if BAD[bad] is ...:
        del body[field]
    passing = {name for name, finding in findings(body, policy="strict").items() if finding.outcome is RuleOutcome.PASS}
    assert passing & NEEDS[field] == RIGHTLY.get((field, bad), set())
    assert failed(body, policy="strict") or passing >= NEEDS[field] or (field, bad) in MAY_BE_UNSET


# --- the vendor's contract ------------------------------------------------------------------------------------------

CONTRACTS = Path(os.environ.get("AUDITOR_CONTRACTS") or Path(__file__).parents[3] / "shared") / "command-api" / "fixtures"


@pytest.mark.skipif(not CONTRACTS.is_dir(), reason="the vendor's contract data is not here (AUDITOR_CONTRACTS)")
def test_samples_out_of_the_manual_fail_as_placeholders() -> None:
    bodies = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in CONTRACTS.glob("synthetic-smtp-*.json")}
    assert len(bodies) == 7
    for name, body in bodies.items():
        found = failed(body, api_version=1 if "-v1-" in name else 2)
        anonymous = {"SMTP-001": "high", "SMTP-002": "medium", "SMTP-003": "high", "CFG-003": "high"} if re.search("anonymous", name) else {}
        stored = {"CFG-027": "info"} if "local-secret" in name else {}
        assert found == {"CFG-012": "medium", **anonymous, **stored}
