"""The shipped policies, profiles as Command sends them, and short ways to judge one by the other."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

from auditor import datatables, policyfile, resources
from auditor.command import wire
from auditor.core.assess import facts_of
from auditor.core.derived import with_derived
from auditor.core.evaluate import CompiledPolicy, judge
from auditor.core.model import Finding, RuleOutcome, Snapshot
from auditor.core.policy import OUTSIDE
from auditor.policyfile.rules import WrittenRule
from tests.factories import KEY, observation, snapshot

POLICIES = resources.folder("policies")
CONTROLS = policyfile.load_controls(POLICIES / "data" / "controls.yaml")
BOOK = policyfile.load([POLICIES], target_names=None, controls=CONTROLS, tables=datatables.load())
WRITTEN: dict[str, WrittenRule] = {written.rule.id: written for name in BOOK.names() for written in BOOK.policy(name).written}

# The catalogue: the owner's three, CFG-001 to CFG-035 less CFG-007 (it needs a probe), OAU-001 to OAU-012; CFG-036 finds a profile of defaults.
IDS = {f"SMTP-{number:03}" for number in range(1, 4)} | {f"OAU-{number:03}" for number in range(1, 13)}
IDS |= {f"CFG-{number:03}" for number in range(1, 37)} - {"CFG-007"}
IDS |= {"DRF-001", "DRF-002", "DRF-003", "DRF-004", "DRF-005", "DRF-006"}
STRICT_ALONE = {
    "DRF-003",
    "DRF-005",
    "DRF-006",
    "CFG-019",
    "CFG-021",
    "CFG-024",
    "CFG-026",
    "CFG-029",
    "CFG-034",
    "OAU-002",
    "OAU-007",
    "OAU-008",
    "OAU-011",
}
IN_FORCE = {"recommended": IDS - STRICT_ALONE, "strict": IDS}

MASK = "*" * 20
STORED: dict[str, Any] = {"SecretValue": MASK, "Parameters": {}, "Provider": None}
IN_PAM: dict[str, Any] = {"SecretValue": None, "Parameters": {"SecretId": "2001"}, "Provider": 1}

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
V2_BASIC = {**V2_PAM, **dict.fromkeys(("ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders"))}
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

DAY = date(2026, 11, 23)


def compiled(policy: str = "recommended", **own: Any) -> CompiledPolicy:
    """The policy as it judges a target: rules about the installation are not among its rules."""
    whole = BOOK.effective(policy, target="prod", labels={}, own=own)
    return BOOK.compile(replace(whole, rules=tuple(rule for rule in whole.rules if not rule.is_of_the_installation)))


AUDITED = {
    name: fact for name, fact in facts_of(observation(snapshot()), labels=(), previous=None, org_domain=lambda _: None).items() if name in OUTSIDE
}
"""What the audit itself knows at a first read, with nothing approved."""


def read(body: object, *, api_version: int = 2) -> Snapshot:
    snapshot = wire.parse(json.dumps(body).encode(), api_version=api_version, fingerprint=KEY.of)
    assert isinstance(snapshot, Snapshot)
    return snapshot


def findings(body: object, *, api_version: int = 2, policy: str = "recommended", as_of: date = DAY, **own: Any) -> dict[str, Finding]:
    facts = with_derived(AUDITED | read(body, api_version=api_version).facts, BOOK.tables)
    return {finding.rule: finding for finding in judge(compiled(policy, **own), facts, as_of=as_of)}


def failed(body: object, *, api_version: int = 2, policy: str = "recommended", as_of: date = DAY, **own: Any) -> dict[str, str]:
    """The rules that fail, with their severity."""
    found = findings(body, api_version=api_version, policy=policy, as_of=as_of, **own).values()
    return {finding.rule: str(finding.severity) for finding in found if finding.outcome is RuleOutcome.FAIL}
