"""One report in which everything occurs that a format has to tell, and the files that each format makes of it (`specimens/`).

`python -m tests.report.specimen` writes them anew; whoever does reads the difference before it is committed.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from auditor.core.baseline import approvable
from auditor.core.model import (
    Approval,
    Direction,
    Drift,
    DriftEvent,
    Fact,
    FieldChange,
    Inspection,
    Leaf,
    Level,
    Moved,
    PolicyText,
    ProfileField,
    RuleOutcome,
    RuleText,
    Severity,
    Standing,
    State,
    Waiver,
)
from auditor.report.shown import View
from auditor.report.view import view
from tests.factories import snapshot
from tests.report.standings import (
    AT,
    BROKE,
    EARLIER,
    FAILS,
    IS_BASIC,
    LIMITED,
    PORT,
    RULES,
    TLS_OFF,
    UNSEEN,
    WAITS,
    WAIVED,
    WAIVER,
    finding,
    never,
    standing,
    unread,
    v1_snapshot,
)

FOLDER = Path(__file__).with_name("specimens")
ENGINE = "1.2.3"

HOST = Leaf(
    at="require/Host/in",
    fact="Host",
    operator="in",
    expected=["smtp.corp.example"],
    var="our_relays",
    level=Level.FALSE,
    state=State.VALUE,
    actual="smtp.corp.example.evil.example",
)

STRICT = PolicyText(
    name="strict",
    title="What is strict",
    version=4,
    digest="57a1c7" + "0" * 58,
    rules=(
        *RULES[:3],
        RuleText(
            id="CFG-013",
            title="Host is an approved relay, see #12 @ops",
            rationale="Who runs the relay reads the mail.",
            remediation="Put the host back in `System Settings`.",
            references=("Change advisory board",),
            controls=(("nist-800-53r5", ("CM-3", "AC-2(12)", "not a control")), ("soc2", ("CC6.1",))),
        ),
        *RULES[4:],
    ),
    vars=(("our_relays", ["smtp.corp.example"]),),
)
OWN = PolicyText(
    name="installation",
    title="The record",
    version=1,
    digest="0fa1" + "0" * 60,
    rules=(
        RuleText(id="DRF-004", title="The record is ours alone", rationale="Others could edit it.", remediation="chmod 600"),
        RuleText(id="DRF-007", title="The ledger verifies"),
        RuleText(id="DRF-008", title="The record can be judged"),
    ),
)

BARE = Waiver(
    rule="CFG-009",
    targets=("prod-us",),
    reason="An address will do, until the move.",
    owner="mail team",
    approved_by="ciso@corp.example",
    expires_at=datetime(2026, 12, 1, 17, 0, tzinfo=UTC),
)

_MOVED = FieldChange(
    field="Host",
    kind="value",
    direction=Direction.REDIRECTION,
    before="smtp.corp.example",
    after="smtp.corp.example.evil.example",
    severity=Severity.CRITICAL,
)


def _us() -> Standing:
    one = standing(
        "prod-us",
        finding("CFG-013", RuleOutcome.FAIL, Severity.MEDIUM, because=(HOST, PORT)),
        finding("CFG-006", RuleOutcome.FAIL, Severity.INFO, because=(PORT,)),
        replace(WAIVED, rule="CFG-009", severity=Severity.HIGH),
        at=AT + timedelta(minutes=2),
        previous_at=None,
        collection={"collector_host": "", "api_version": 1, "account": None, "product_version": None},
    )
    assert one.assessment is not None
    event = DriftEvent(
        target="prod-us",
        change=_MOVED,
        reference=ProfileField(fact=Fact.of(State.VALUE, "smtp.corp.example")),
        value=ProfileField(fact=Fact.of(State.VALUE, "smtp.corp.example.evil.example")),
        is_deviation=True,
        is_change=False,
        not_before=EARLIER,
        not_after=AT,
        number=7,
    )
    assessment = replace(one.assessment, waivers=(BARE,), drift=Drift(open=(event,)))
    return replace(one, assessment=assessment, policy=STRICT)


def _eu() -> Standing:
    target = {"owner": "PKI", "labels": (("env", "prod"), ("tier", "1"))}
    one = standing("prod-eu", FAILS, WAIVED, UNSEEN, WAITS, BROKE, LIMITED, changes=(TLS_OFF,), target=target)
    assert one.assessment is not None
    return replace(one, assessment=replace(one.assessment, observation=replace(one.assessment.observation, slot=AT - timedelta(seconds=9))))


def specimen() -> View:
    """Four targets (one denied, one never read), two policies, every outcome, two waivers, drift, and findings about the installation."""
    own = (
        finding(
            "DRF-004",
            RuleOutcome.FAIL,
            Severity.CRITICAL,
            because=(replace(HOST, fact="store.readable_by_others", operator="equals", expected=False, actual=True, var=None),),
        ),
        finding("DRF-007"),
        finding("DRF-008", RuleOutcome.ERROR, detail="KeyError"),
    )
    return view(
        [_us(), unread("lab"), never("new"), _eu()],
        engine_version=ENGINE,
        in_file=[WAIVER, BARE],
        inspection=Inspection(findings=own, policy=OWN),
    )


def sound() -> View:
    """One target, and nothing to say against it."""
    return view([standing("prod-eu")], engine_version=ENGINE)


def alone() -> View:
    """One target as API v1 shows it, with approved values, a past that moved, odd names, and a waiver that nothing needs."""
    profile = v1_snapshot(SenderName="Bürö \x7f \u202e", Host="mail.example")
    then = approvable("Host", snapshot(Host="smtp.corp.example"))
    port = approvable("Port", v1_snapshot())
    assert then is not None
    assert port is not None
    by: dict[str, Any] = {"target": "prod-ü", "by": "Ada", "reason": "moved", "approved_at": EARLIER}
    one = standing(
        "prod-ü",
        replace(FAILS, severity_because=(IS_BASIC,)),
        replace(LIMITED, rule="CFG-009"),
        LIMITED,
        WAITS,
        seen=profile,
        target={"insecure_skip_verify": True},
        collection={"server_date": AT, "api_version": 1},
    )
    return view(
        [
            replace(
                one,
                approvals=(
                    Approval(field="Host", value=then, **by),
                    Approval(field="Port", value=port, ticket="CHG-1", expires=date(2026, 12, 31), **by),
                ),
                moved=(Moved(not_before=EARLIER - timedelta(days=2), not_after=EARLIER - timedelta(days=1), changes=(TLS_OFF,)),),
            )
        ],
        engine_version=ENGINE,
        period="2026-W47",
        title="Mail profiles, 2026-W47",
        in_file=[replace(WAIVER, targets=("prod-ü",))],
    )


def marked(text: str, **style: object) -> str:
    """How a terminal would be asked to show it, in words."""
    return f"<{','.join(f'{name}={value}' for name, value in sorted(style.items()))}>{text}</>"


def unseen() -> View:
    """One target, never read."""
    return view([never("new")], engine_version=ENGINE)


def nothing() -> View:
    """No target at all."""
    return view([], engine_version=ENGINE)


VIEWS: Mapping[str, Callable[[], View]] = {"report": specimen, "alone": alone, "sound": sound, "unseen": unseen, "nothing": nothing}


def expected(name: str, form: str) -> bytes:
    """What the format makes of the view, as it was looked at and committed."""
    from auditor.report.formats import SUFFIXES

    return (FOLDER / f"{name}.{SUFFIXES[form]}").read_bytes()


FORMS = ("text", "markdown", "json", "ndjson", "csv", "sarif", "junit", "ocsf", "oscal", "prometheus")
"""Those whose files are kept: the page is looked at in a browser."""


NARROW = "{}.narrow.txt"
"""The text in 44 cells, each piece with its style."""


if __name__ == "__main__":
    from auditor.report.formats import FORMATS, SUFFIXES
    from auditor.report.text import render_text

    for name, make in VIEWS.items():
        for form in FORMS:
            (FOLDER / f"{name}.{SUFFIXES[form]}").write_bytes(FORMATS[form](make()))
        (FOLDER / NARROW.format(name)).write_bytes(render_text(make(), width=44, style=marked).encode())
