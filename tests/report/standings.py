"""Arranges standings for reports: a policy of six rules, findings of every outcome, targets in every state."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from auditor.core.model import (
    Assessment,
    Collection,
    Direction,
    Fact,
    FieldChange,
    Finding,
    JsonType,
    Judgement,
    Leaf,
    Level,
    Observation,
    PolicyText,
    ReadOutcome,
    RuleOutcome,
    RuleText,
    SecretPlace,
    Severity,
    Shape,
    Snapshot,
    Standing,
    State,
    TargetText,
    Verdict,
    Waiver,
)
from auditor.core.subject import Subject
from tests.factories import KEY, NOT_OFFERED, UNSET, snapshot

AT = datetime(2026, 11, 17, 9, 30, tzinfo=UTC)
EARLIER = AT - timedelta(minutes=15)

RULES = (
    RuleText(
        id="CFG-001",
        subject=Subject.TRANSPORT,
        title="Basic authentication runs over TLS",
        rationale="The relay password crosses the network as base64.\nWhoever listens can use it.",
        remediation="Turn on Use SSL in System Settings, SMTP Configuration, then change the relay password.",
        references=("RFC 4954 section 4", "https://www.rfc-editor.org/rfc/rfc8314"),
        controls=(("iso-27001-2022", ("8.24",)), ("nist-800-53r5", ("SC-8", "IA-5(1)(c)"))),
    ),
    RuleText(id="CFG-006", subject=Subject.TRANSPORT, title="Port is a submission port", rationale="Others relay.", remediation="Use 465 or 587."),
    RuleText(id="CFG-009", subject=Subject.HOST, title="Host is a fully qualified domain name"),
    RuleText(id="CFG-013", subject=Subject.HOST, title="Host is an approved relay"),
    RuleText(id="CFG-028", subject=Subject.SECRETS, title="No secret is sent in clear"),
    RuleText(id="OAU-003", subject=Subject.OAUTH, title="Token endpoint is https"),
)
POLICY = PolicyText(
    name="recommended", title="What is recommended", version=1, digest="9c41e0" + "0" * 58, rules=RULES, vars=(("allowed_ports", [465, 587]),)
)

USE_SSL = Leaf(at="require/UseSSL/equals", fact="UseSSL", operator="equals", expected=True, level=Level.FALSE, state=State.VALUE, actual=False)
PORT = Leaf(
    at="require/Port/in", fact="Port", operator="in", expected=[465, 587], var="allowed_ports", level=Level.FALSE, state=State.VALUE, actual=25
)
IS_BASIC = Leaf(
    at="when/RelayAuthenticationType/equals",
    fact="RelayAuthenticationType",
    operator="equals",
    expected=2,
    level=Level.TRUE,
    state=State.VALUE,
    actual=2,
)
UNASKED = Leaf(at="when/$approved_hosts/set", fact="$approved_hosts", operator="set", expected=True, level=Level.FALSE, state=State.VALUE, actual=[])
BEYOND_V1 = Leaf(
    at="require/TokenEndpoint.scheme/equals",
    fact="TokenEndpoint.scheme",
    operator="equals",
    expected="https",
    level=Level.UNSEEN,
    state=State.NOT_OFFERED,
    reason="API v1 cannot show this",
)
NOT_LEARNT = Leaf(
    at="require/Host/format", fact="Host", operator="format", expected="fqdn", level=Level.UNSEEN, state=State.INCONCLUSIVE, reason="SERVFAIL"
)


def finding(rule: str, outcome: RuleOutcome = RuleOutcome.PASS, severity: Severity | None = None, **others: Any) -> Finding:
    return Finding(rule=rule, outcome=outcome, as_of=date(2026, 11, 17), severity=severity, **others)


WAIVER = Waiver(
    rule="CFG-006",
    targets=("partner",),
    reason="Their relay moves to 587 in spring.",
    owner="mail team",
    requested_by="mail team",
    approved_by="ciso@corp.example",
    approved_on=date(2026, 10, 1),
    ticket="SEC-1234",
    risk="Others on that network can read the mail.",
    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
)


PASSES = tuple(finding(rule.id) for rule in RULES)
FAILS = finding("CFG-001", RuleOutcome.FAIL, Severity.CRITICAL, because=(USE_SSL,), applies=(IS_BASIC,))
FAILS_TOO = finding("CFG-006", RuleOutcome.FAIL, Severity.LOW, because=(PORT,))
WAIVED = finding("CFG-006", RuleOutcome.WAIVED, Severity.LOW, because=(PORT,))
UNSEEN = finding("CFG-009", RuleOutcome.NOT_EVALUATED, Severity.MEDIUM, because=(NOT_LEARNT,))
WAITS = finding("CFG-013", RuleOutcome.NOT_APPLICABLE, applies=(UNASKED,))
BROKE = finding("CFG-028", RuleOutcome.ERROR, detail="KeyError")
LIMITED = finding("OAU-003", RuleOutcome.NOT_EVALUATED, Severity.HIGH, standing=True, because=(BEYOND_V1,))

TLS_OFF = FieldChange(field="UseSSL", kind="value", direction=Direction.DOWNGRADE, before="true", after="false", severity=Severity.CRITICAL)


def findings(*instead: Finding) -> tuple[Finding, ...]:
    """One result a rule, in rule order: a pass unless given otherwise."""
    by_rule = {each.rule: each for each in (*PASSES, *instead)}
    return tuple(by_rule[rule.id] for rule in RULES)


def standing(
    name: str = "prod-eu",
    *instead: Finding,
    verdict: Verdict | None = None,
    at: datetime = AT,
    seen: Snapshot | None = None,
    changes: tuple[FieldChange, ...] = (),
    previous_at: datetime | None = EARLIER,
    target: dict[str, Any] | None = None,
    collection: dict[str, Any] | None = None,
) -> Standing:
    """A target that was read: all rules pass but for `instead`; the verdict follows from the outcomes unless given.

    What is waived failed, and a waiver was laid over it.
    """
    profile = seen or snapshot()
    results = findings(*instead)
    waived = {each.rule for each in results if each.outcome is RuleOutcome.WAIVED}
    judged = tuple(replace(each, outcome=RuleOutcome.FAIL) if each.rule in waived else each for each in results)
    return Standing(
        target=TargetText(name=name, url=f"https://command-{name[:40]}.example.org/KeyfactorAPI", **(target or {})),
        assessment=Assessment(
            observation=Observation(
                target=name,
                outcome=ReadOutcome.OBSERVED,
                started_at=at,
                ended_at=at + timedelta(milliseconds=412),
                snapshot=profile,
                collection=Collection(**(_COLLECTION | {"url": f"https://command-{name[:40]}.example.org/KeyfactorAPI/SMTP"} | (collection or {}))),
            ),
            judgement=Judgement(key="k" * 64, policy_digest=POLICY.digest, findings=judged),
            verdict=verdict or _verdict(results),
            waivers=tuple(replace(WAIVER, rule=rule) for rule in sorted(waived)),
            changes=changes,
            previous_digest="b" * 64 if previous_at else None,
            previous_at=previous_at,
        ),
        policy=POLICY,
        last_seen=at,
        last_snapshot=profile,
    )


def unread(
    name: str = "lab",
    outcome: ReadOutcome = ReadOutcome.FORBIDDEN,
    *,
    at: datetime = AT,
    last_seen: datetime | None = AT - timedelta(days=3),
    seen: Snapshot | None = None,
) -> Standing:
    """A target whose newest read was trouble: no rule was evaluated."""
    leaf = Leaf(
        at="require/UseSSL/equals",
        fact="UseSSL",
        operator="equals",
        expected=True,
        level=Level.UNSEEN,
        state=State.INCONCLUSIVE,
        reason=outcome.value,
    )
    results = tuple(finding(rule.id, RuleOutcome.NOT_EVALUATED, Severity.HIGH, because=(leaf,)) for rule in RULES)
    return Standing(
        target=TargetText(name=name, url=f"https://command-{name}.example.org/KeyfactorAPI"),
        assessment=Assessment(
            observation=Observation(
                target=name,
                outcome=outcome,
                started_at=at,
                ended_at=at + timedelta(seconds=1),
                collection=Collection(**(_COLLECTION | {"status": 403, "product_version": None, "tls_leaf_sha256": None})),
                message="command answered 403: our account may not read the SMTP profile",
                hint="give the account's role the permission `/system_settings/read/`",
            ),
            judgement=Judgement(key="k" * 64, policy_digest=POLICY.digest, findings=results),
            verdict=Verdict.INDETERMINATE,
        ),
        policy=POLICY,
        last_seen=last_seen,
        last_snapshot=(seen or snapshot()) if last_seen else None,
    )


def never(name: str = "new") -> Standing:
    return Standing(target=TargetText(name=name, url=f"https://command-{name}.example.org/KeyfactorAPI"))


def v1_snapshot(**fields: Any) -> Snapshot:
    """A Basic profile as API v1 shows it."""
    beyond = dict.fromkeys(("RelayPassword", "ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders"), NOT_OFFERED)
    own: dict[str, Any] = {"RelayAuthenticationType": 2, "RelayUsername": "stored", "RelayUsername.text": "CORP\\svc-relay", "Port": 25}
    return snapshot(shape=Shape.V1, others={"secrets": {}}, **(beyond | own | fields))


def basic_snapshot(**fields: Any) -> Snapshot:
    """A Basic profile as v2 shows it, the password in PAM."""
    place = SecretPlace(provider=3, parameters=(("SecretId", KEY.of("RelayPassword.SecretId", "7")),))
    own: dict[str, Any] = {
        "RelayAuthenticationType": 2,
        "RelayUsername": "stored",
        "RelayPassword": "pam",
        **dict.fromkeys(("ClientId", "ClientSecret", "TokenEndpoint", "Scope"), UNSET),
        "Audience": Fact(State.ILL_TYPED, 7, JsonType.INTEGER),
    }
    return snapshot(others={"secrets": {"RelayPassword": place}}, **(own | fields))


_COLLECTION: dict[str, Any] = {
    "url": "https://command.example.org/KeyfactorAPI/SMTP",
    "api_version": 2,
    "status": 200,
    "clock_offset_ms": 300,
    "product_version": "25.5.1",
    "supported_versions": "1.0, 2",
    "correlation_id": "6f1f9b52-37ab-4b0e-9d7b-0a9a1f0c5a11",
    "remote_address": "192.0.2.7:443",
    "tls_leaf_sha256": "ab" * 32,
    "tls_version": "TLSv1.3",
    "tls_verified": True,
    "account": "svc-audit",
    "auth_method": "OAuth client credentials",
    "collector_host": "audit01",
    "collector_version": "0.1.0",
    "attempts": 1,
    "body_bytes": 912,
}


def _verdict(results: tuple[Finding, ...]) -> Verdict:
    outcomes = {each.outcome for each in results if not each.standing}
    if RuleOutcome.FAIL in outcomes:
        return Verdict.NON_COMPLIANT
    if outcomes & {RuleOutcome.NOT_EVALUATED, RuleOutcome.ERROR}:
        return Verdict.INDETERMINATE
    return Verdict.COMPLIANT_WITH_WAIVERS if RuleOutcome.WAIVED in outcomes else Verdict.COMPLIANT
