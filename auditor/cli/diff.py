"""`auditor diff`: how two states of one profile differ, by what is recorded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings, opened, print_bytes, print_text, say
from auditor.cli.when import parse_when
from auditor.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from auditor.app import App
    from auditor.core.beside import Beside
    from auditor.core.history import Snapshots, Stretch
    from auditor.core.model import Target
    from auditor.report.difference import Difference, ShownField, Side

FORMAT_NAMES = ("text", "json", "csv", "html")
_WORDS = ("baseline", "previous")
_MIN_DIGITS = 8


@click.command()
@click.argument("target")
@click.option("--from", "start", metavar="WHEN", help="The state as last seen then: a day (its begin, UTC) or an instant with offset.")
@click.option("--to", "end", metavar="WHEN", help="The same for the other state: a day (its end, UTC) or an instant; else the newest.")
@click.option("--against", metavar="WHAT", help="baseline, previous (the default), the digest of a snapshot (8 digits or more), or another target.")
@click.option("--format", "form", type=click.Choice(FORMAT_NAMES), default="text", show_default=True)
@click.pass_obj
def diff(settings: Settings, target: str, start: str | None, end: str | None, against: str | None, form: str) -> int:
    """Show field by field what TARGET says otherwise than before, with both values as sent. No server is asked.

    Without options: the newest state against the one before it. Exit code 0: nothing differs; 1: something does; 3: there is nothing to compare;
    4: nothing differs, but a part could not be compared.
    """
    settings.configure_logging()
    if start is not None and against is not None:
        raise UsageError("--from and --against both say what to compare with: give one of them")
    span = _Span(
        start=parse_when(start, option="--from", ends=False) if start is not None else None,
        end=parse_when(end, option="--to", ends=True) if end is not None else None,
    )
    if span.start and span.end and span.start > span.end:
        raise UsageError("--from is later than --to")
    with opened(settings) as app:
        (chosen,) = app.select([target], {})
        found = _compared(app, chosen, span, against or "previous")
    if isinstance(found, str):
        say(found)
        return 3
    from auditor.report.difference import FORMATS, render_text

    if form == "text":
        print_text(lambda **how: render_text(found, **how))
    else:
        print_bytes(FORMATS[form](found))
    return found.exit_code


@dataclass(frozen=True)
class _Span:
    start: datetime | None
    end: datetime | None


def _compared(app: "App", target: "Target", span: _Span, against: str) -> "Difference | str":
    """The two states side by side, or why there are none."""
    from auditor.core.beside import beside
    from auditor.report.difference import Difference

    kind, other = _named(app, target, against)
    past = app.store.stretches(target.name, by=span.end)
    if not past:
        return not_seen(app, target.name, span.end)
    snapshot_of = cache(app.store.snapshot)
    after = snapshot_of(past[-1].digest)
    if kind == "baseline":
        return _against_baseline(app, target, span, past, snapshot_of)
    notes: list[str] = []
    if kind == "digest":
        before = _of_digest(app, target.name, other)
    elif kind == "target":
        others = app.store.stretches(other, by=span.end)
        if not others:
            return not_seen(app, other, span.end)
        before = _seen(other, others[-1])
        notes.append(f"Two servers: direction and severity are those of a change from what {other} says to what {target.name} says.")
    elif span.start is not None:
        prior = app.store.stretches(target.name, by=span.start)
        if not prior:
            return not_seen(app, target.name, span.start)
        before = _seen(target.name, prior[-1])
        if before.digest == past[-1].digest and len(past) > len(prior):
            notes.append(f"It changed in between and came back: `auditor history {target.name}` tells how.")
    elif len(past) == 1:
        return f"{target.name} showed one state only, since {_moment(past[0].first_seen)}: there is nothing to compare it with"
    else:
        before = _seen(target.name, past[-2])
    assert before.digest is not None
    org_domain = app.judge.tables.org_domain
    found = beside(snapshot_of(before.digest), after, org_domain=org_domain, volatile=target.volatile)
    if target.volatile:
        notes.append(f"Volatile by configuration, never drift: {', '.join(target.volatile)}.")
    return Difference(
        target=target.name,
        before=before,
        after=_seen(target.name, past[-1]),
        fields=tuple(_timed(one, past, snapshot_of) for one in found),
        labels=("was", "now") if before.target == target.name else (before.target, target.name),
        volatile=target.volatile,
        notes=tuple(notes),
    )


def _of_digest(app: "App", target: str, digest: str) -> "Side":
    """The state with this digest: as the target itself showed it last, else as another one did."""
    own = [stretch for stretch in app.store.stretches(target) if stretch.digest == digest]
    if own:
        return _seen(target, own[-1])
    (seen,) = app.store.snapshots_like(digest)
    return _side(f"{seen.target}, snapshot {digest[:12]}", seen.target, digest, last=seen.last_seen)


def _named(app: "App", target: "Target", against: str) -> tuple[str, str]:
    """What `against` names: its kind, and the digest or the target where it is one."""
    if against in _WORDS:
        return against, ""
    names = [one.name for one in app.config.targets]
    if against == target.name:
        raise UsageError(f"--against {against}: that is the target itself", hint="--from and --to compare it with what it was")
    if against in names:
        return "target", against
    digits = against.lower()
    if not re.fullmatch(r"[0-9a-f]{1,64}", digits):
        choices = [*_WORDS, *names]
        raise UsageError(
            f"--against {against[:64]!r} names nothing to compare with",
            hint=did_you_mean(against, choices, else_say=f"{', '.join(choices)}, or the digest of a snapshot"),
        )
    if len(digits) < _MIN_DIGITS:
        raise UsageError(f"--against {digits}: give {_MIN_DIGITS} digits of the digest or more")
    known = app.store.snapshots_like(digits)
    if not known:
        raise UsageError(f"--against {digits}: no snapshot has a digest that begins so", hint="`auditor history TARGET --format json` has them")
    if len(known) > 1:
        raise UsageError(f"--against {digits}: several snapshots begin so", hint=", ".join(one.digest[:16] for one in known[:5]))
    return "digest", known[0].digest


def _against_baseline(app: "App", target: "Target", span: _Span, past: "Sequence[Stretch]", snapshot_of: "Snapshots") -> "Difference | str":
    from auditor.core.baseline import baseline
    from auditor.core.beside import beside_approved
    from auditor.core.model import PROFILE_FIELDS
    from auditor.report.difference import Difference

    at = span.end or app.clock()
    approved = baseline(app.store.approvals(target.name), at)
    if not approved:
        return f"nothing is approved for {target.name}; `auditor baseline approve {target.name} --by NAME --reason TEXT` approves what it says now"
    found = beside_approved(approved, snapshot_of(past[-1].digest), org_domain=app.judge.tables.org_domain, volatile=target.volatile)
    unapproved = [name for name in PROFILE_FIELDS if name not in approved]
    notes = [f"Not approved, so not compared: {', '.join(unapproved)}."] if unapproved else []
    if target.volatile:
        notes.append(f"Volatile by configuration, never drift: {', '.join(target.volatile)}.")
    return Difference(
        target=target.name,
        before=_side(f"approved values of {target.name}, in force {_moment(at)}", target.name),
        after=_seen(target.name, past[-1]),
        fields=tuple(_timed(one, past, snapshot_of) for one in found),
        labels=("approved", "now"),
        volatile=target.volatile,
        notes=tuple(notes),
    )


def not_seen(app: "App", target: str, by: datetime | None) -> str:
    """Why there is no state of `target` to show, in a sentence."""
    known = app.store.history(target)
    if known.stretches:
        return f"{target} was not seen by {_moment(by or app.clock())}; the first read that saw it is of {_moment(known.stretches[0].first_seen)}"
    if known.first_read is None:
        return f"{target} was never read; `auditor check {target}` reads it"
    return f"no read has seen the profile of {target}; `auditor history {target}` tells what became of them"


def _seen(target: str, stretch: "Stretch") -> "Side":
    from auditor.report.difference import seen_words

    words = seen_words(target, stretch.digest, first=stretch.first_seen, last=stretch.last_seen)
    return _side(words, target, stretch.digest, first=stretch.first_seen, last=stretch.last_seen)


def _side(words: str, target: str, digest: str | None = None, *, first: datetime | None = None, last: datetime | None = None) -> "Side":
    from auditor.report.difference import Side

    if first is None and last is not None:
        words = f"{words}, last seen {_moment(last)}"
    return Side(words=words, target=target, digest=digest, first_seen=first, last_seen=last)


def _timed(one: "Beside", past: "Sequence[Stretch]", snapshot_of: "Snapshots") -> "ShownField":
    """The field, with the interval in which it took on what it says now; of what only may differ there is none."""
    from auditor.core.beside import Relation
    from auditor.core.history import taken_on
    from auditor.report.difference import ShownField

    if one.relation in (Relation.REWRITTEN, Relation.NOT_COMPARABLE):
        return ShownField(field=one)
    not_before, not_after = taken_on(one.subject, past, snapshot_of)
    return ShownField(field=one, not_before=not_before, not_after=not_after)


def _moment(at: datetime) -> str:
    from auditor.report.wording import moment

    return moment(at)
