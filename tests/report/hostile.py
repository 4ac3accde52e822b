"""What a hostile server, or a careless author, could put into any text: planted in every field that a report shows."""

from dataclasses import replace
from typing import Any

from auditor.core.model import Direction, FieldChange, JsonType, RuleOutcome, Severity, Standing, UnknownField, Waiver
from tests.factories import KEY, snapshot
from tests.report.standings import FAILS, FAILS_TOO, LIMITED, POLICY, UNSEEN, WAITS, WAIVED, WAIVER, standing, unread

VALUES = (
    "<script>document.title='owned'</script>",
    "</style><style>body{display:none}</style>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "a\u202egnp.exe",
    "one\u2028two\u2029three",
    "\x1b[2J\x1b]0;owned\x07",
    "javascript:alert(1)",
    "x" * 200,
    "邮件服务器.例子 почта.пример.рф بريد.مثال דואר",
    "a\u200bb\ufeff\ue000\U000e0041",
    "e" + "\u0301" * 40,
    "line\r\nbreak\ttab",
)


def hostile(value: str) -> Standing:
    """A target that carries `value` wherever a text from elsewhere can stand."""
    leaves = tuple(replace(FAILS.because[0], fact=fact, actual=value, expected=value, var=value) for fact in ("Host", value))
    condition = replace(FAILS.applies[0], fact="SenderName", actual=value)
    limit = replace(LIMITED.because[0], reason=value)
    change = FieldChange(field=value, kind="value", direction=Direction.REDIRECTION, before=value, after=value, severity=Severity.CRITICAL)
    extra = UnknownField(name=value, sent=JsonType.TEXT, length="17-64", fingerprint=KEY.of("x", "y"))
    texts: dict[str, Any] = dict.fromkeys(("Host", "SenderAccount", "SenderName", "TokenEndpoint", "Scope", "Audience"), value)
    one = standing(
        value,
        replace(FAILS, because=leaves, applies=(condition,)),
        replace(FAILS_TOO, outcome=RuleOutcome.ERROR, detail=value),
        replace(UNSEEN, because=(replace(UNSEEN.because[0], reason=value),)),
        replace(WAITS, applies=(replace(WAITS.applies[0], fact=f"${value}"),)),
        replace(LIMITED, because=(limit,)),
        replace(WAIVED, rule="CFG-028"),
        seen=snapshot(others={"unknown": (extra,)}, **texts),
        changes=(change,),
        target={"owner": value, "labels": ((value, value),), "insecure_skip_verify": True, "insecure_http": True},
        collection={"account": value, "product_version": value, "correlation_id": value, "collector_host": value},
    )
    assert one.assessment is not None
    one = replace(one, assessment=replace(one.assessment, waivers=hostile_waivers(value, *one.assessment.waivers)))
    rules = [
        replace(rule, title=f"{rule.id} {value}", rationale=value, remediation=value, references=(value,), controls=((value, (value,)),))
        for rule in POLICY.rules
    ]
    return replace(one, policy=replace(POLICY, name=value, title=value, rules=tuple(rules), vars=((value, [value]),)))


def hostile_waivers(value: str, *waivers: Waiver) -> tuple[Waiver, ...]:
    """`waivers`, or one, that carry `value` in each text."""
    texts: dict[str, Any] = dict.fromkeys(("reason", "owner", "requested_by", "approved_by", "ticket", "risk"), value)
    return tuple(replace(waiver, targets=(value,), labels=((value, value),), **texts) for waiver in waivers or (WAIVER,))


def hostile_trouble(value: str) -> Standing:
    """A read that failed with `value` in what is said of it."""
    one = unread(f"lab {value}")
    assert one.assessment is not None
    observation = replace(one.assessment.observation, message=value, hint=value)
    return replace(one, assessment=replace(one.assessment, observation=observation))
