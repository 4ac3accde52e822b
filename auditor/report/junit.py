"""The report as JUnit XML, for a build that has to stop: one suite a target, one case a rule. It suits Jenkins' schema and Ant's alike.

What could not be evaluated is an error there, and a run without any result is one, too: a gate opens for what was seen, and for nothing else.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from auditor.core.waiver import until
from auditor.report.results import NO_TIME, TOOL, Result, policies, results, run_id, trouble_text
from auditor.report.safetext import prose, safe
from auditor.report.shown import View
from auditor.report.statuses import Element
from auditor.report.wording import iso

NOTHING = "nothing was audited"


def render_junit(view: View) -> bytes:
    """The report as one XML document in UTF-8, `testsuites` at its root."""
    rows = results(view)
    suites = [list(suite) for _, suite in groupby(rows, key=lambda row: row.key[:2])]
    properties = _properties(view, run_id(view, rows))
    written = [line for number, suite in enumerate(suites) for line in _suite(number, suite, properties)] or list(_empty(properties))
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *written, "</testsuites>", ""]).encode()


def _properties(view: View, run: str) -> list[str]:
    pairs = [("run_id", run), ("engine_version", view.engine_version), ("period", view.period), ("verdict", view.verdict)]
    pairs += [("policy", f"{policy.name} {policy.version}, SHA-256 {policy.digest}") for policy in policies(view)]
    return ["<properties>", *(f"<property{_attributes(name=name, value=value)}/>" for name, value in pairs), "</properties>"]


def _suite(number: int, rows: Sequence[Result], properties: Iterable[str]) -> Iterator[str]:
    first = rows[0]
    elements = [row.told.junit for row in rows]
    observation = first.observation
    took = (observation.ended_at - observation.started_at).total_seconds() if observation else 0
    yield (
        "<testsuite"
        + _attributes(
            name=first.subject,
            package=first.key[0],
            id=number,
            hostname=observation.collection.collector_host if observation else "",
            timestamp=iso(first.at)[: len("2026-11-17T09:30:01")],  # Ant's schema takes no zone; all times here are UTC
            time=f"{max(took, 0):.3f}",
            tests=len(rows),
            failures=elements.count(Element.FAILURE),
            errors=elements.count(Element.ERROR),
            skipped=elements.count(Element.SKIPPED),
        )
        + ">"
    )
    yield from properties
    for row in rows:
        yield from _case(row)
    yield f"<system-out>{_text(_seen(first))}</system-out>"
    yield f"<system-err>{_text(_trouble(first))}</system-err>"
    yield "</testsuite>"


def _case(row: Result) -> Iterator[str]:
    opening = "<testcase" + _attributes(name=f"{row.rule.id} {row.rule.title}", classname=row.subject, time="0.000")
    element = row.told.junit
    if element is None:
        yield f"{opening}/>"
        return
    kind = {} if element is Element.SKIPPED else {"type": row.severity.value if row.severity and element is Element.FAILURE else row.answer.value}
    yield f"{opening}>"
    yield f"<{element}{_attributes(message=_message(row), **kind)}>" + "\n".join(map(_text, _advice(row))) + f"</{element}>"
    yield "</testcase>"


def _message(row: Result) -> str:
    waiver = row.shown.waiver
    said = f"waived: {waiver.id}, {until(waiver)}" if waiver else row.told.words
    return f"{said}: {row.reason}" if row.reason else said


def _advice(row: Result) -> Iterator[str]:
    """What a person needs who sees the case alone."""
    yield f"{row.shown.id} ({row.severity.value if row.severity else 'no severity'})"
    for leaf in row.shown.leaves:
        yield f"{leaf.fact}: expected {leaf.expected}, observed {leaf.observed}"
    waiver = row.shown.waiver
    excuse = f"{waiver.reason} (owner {waiver.owner}, approved by {waiver.approved_by})" if waiver else ""
    for label, text in (("Waived", excuse), ("Why", row.rule.rationale), ("Fix", row.rule.remediation), ("See", "; ".join(row.rule.references))):
        if text:
            yield f"{label}: {prose(text)}"


def _seen(row: Result) -> str:
    observation = row.observation
    if observation is None:
        return row.target.standing.target.url if row.target else "the auditor's own record"
    return f"{observation.collection.method} {observation.collection.url}, snapshot SHA-256 {row.snapshot_digest or 'none'}"


def _trouble(row: Result) -> str:
    trouble = row.target.trouble if row.target else None
    return trouble_text(trouble) if trouble else ""


def _empty(properties: Iterable[str]) -> Iterator[str]:
    """A suite that fails: a build must not pass because nobody was asked."""
    counts = {"tests": 1, "failures": 0, "errors": 1, "skipped": 0}
    at = iso(NO_TIME)[:-1]
    yield f"<testsuite{_attributes(name=TOOL, package=TOOL, id=0, hostname='', timestamp=at, time='0.000', **counts)}>"
    yield from properties
    yield f"<testcase{_attributes(name=NOTHING, classname=TOOL, time='0.000')}>"
    yield f"<error{_attributes(message=NOTHING, type='empty')}></error>"
    yield "</testcase>"
    yield "<system-out></system-out>"
    yield "<system-err></system-err>"
    yield "</testsuite>"


# --- XML ----------------------------------------------------------------------------------------------------------


def _attributes(**values: object) -> str:
    """Attributes with their leading blank; where the schema asks for some text and there is none, the one that it names."""
    return "".join(f' {name}="{_text(str(value)).strip() or _INSTEAD.get(name, "")}"' for name, value in values.items())


_INSTEAD = {"hostname": "localhost", "name": "-"}


def _text(text: str) -> str:
    """As XML 1.0 can carry it: it has no way to write most control characters or half a surrogate pair, so they are spelt out."""
    return safe(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
