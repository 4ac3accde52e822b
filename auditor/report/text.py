"""The report as plain text for a terminal or a mail: the verdict, what fails and how to mend it, what was not looked at and why."""

from collections.abc import Iterable, Iterator

from auditor.core.waiver import until
from auditor.report.layout import COLOURS, Lines, Style, cells, plain
from auditor.report.safetext import safe
from auditor.report.shown import ShownChange, ShownFinding, ShownTarget, ShownWaiver, Status, Unknown, View
from auditor.report.wording import count, listed

_VALUE_LIMIT = 400


def render_text(view: View, *, width: int = 80, style: Style = plain) -> str:
    """The report in lines of at most `width` terminal cells (30 at the least). With one target it has the profile, too."""
    return "\n".join(_Writer(max(width, 30), style).report(view)) + "\n"


class _Writer(Lines):
    """Writes the report."""

    def report(self, view: View) -> Iterator[str]:
        period = "" if view.period in view.title else f" · {view.period}"
        yield from self.wrapped(f"{view.title}{period}", style={"dim": True})
        yield ""
        yield from self.wrapped(f"{view.status.glyph} {view.verdict}", indent="  ", first="", style=self.coloured(view.status))
        yield ""
        yield from self._tiles(view)
        yield from self.wrapped(view.reconciliation, style={"dim": True})
        for warning in view.warnings:
            yield ""
            yield from self.wrapped(f"! {warning}", indent="  ", first="", style=self.coloured(Status.FAIL))
        yield from self._changes(view)
        for target in view.targets:
            yield from self._target(target, is_alone=len(view.targets) == 1)
        if view.waivers:
            yield from ("", self.style("Waivers", bold=True))
        for waiver in view.waivers:
            yield from self._waiver(waiver)
        for needed in view.needed_vars:
            yield ""
            rules = f"{listed(needed.rules)} {'waits' if len(needed.rules) == 1 else 'wait'}"
            yield from self.wrapped(f"– {rules} for your data: set the var {needed.name}.", indent="  ", first="")
        if view.policies:
            yield ""
            for shown in view.policies:
                policy = shown.policy
                yield from self.wrapped(f"Policy {policy.name} {policy.version}, SHA-256 {policy.digest}", style={"dim": True})

    def _tiles(self, view: View) -> Iterator[str]:
        counts = view.counts
        tiles = (
            (Status.FAIL, counts.fail, "failing"),
            (Status.UNKNOWN, counts.unknown, "not evaluated"),
            (Status.WAIVED, counts.waived, "waived"),
            (Status.PASS, counts.passed, "passing"),
        )
        pieces = [(f"{status.glyph} {number} {word}", self.coloured(status) if number else {"dim": True}) for status, number, word in tiles]
        if sum(cells(piece) + 3 for piece, _ in pieces) - 3 <= self.width:
            yield "   ".join(self.style(piece, **style) for piece, style in pieces)
        else:
            yield from (self.style(piece, **style) for piece, style in pieces)

    def _changes(self, view: View) -> Iterator[str]:
        if not view.targets:
            return
        if view.drift:
            yield from ("", self.style("Open drift", bold=True))
        for shown in view.drift:
            yield from self._change(shown)
        yield from ("", self.style("Since the previous read", bold=True))
        for shown in view.changes:
            yield from self._change(shown)
        for line in view.compared:
            yield from self.wrapped(f"– {line}", indent="  ", first="")
        if view.earlier:
            yield from ("", self.style("Recorded before that", bold=True))
        for shown in view.earlier:
            yield from self._change(shown)

    def _change(self, shown: ShownChange) -> Iterator[str]:
        change = shown.change
        rated = f", {change.severity.value}" if shown.status is Status.FAIL else ""
        yield from self.wrapped(
            f"{shown.status.glyph} {shown.target}: {change.field} {shown.word}{rated}", indent="  ", first="", style=self.coloured(shown.status)
        )
        yield from self.labelled("was", safe(change.before, limit=_VALUE_LIMIT), column=10)
        yield from self.labelled("now", safe(change.after, limit=_VALUE_LIMIT), column=10)
        yield from self.labelled("when", shown.happened, column=10)
        for text in shown.told:
            yield from self.labelled("note", safe(text, limit=_VALUE_LIMIT), column=10)

    def _target(self, target: ShownTarget, *, is_alone: bool) -> Iterator[str]:
        rule = self.width - cells(safe(target.name)) - 1
        yield ""
        *above, last = self.wrapped(target.name, style={"bold": True})
        yield from (*above, f"{last} {'─' * rule}" if rule > 0 else last)
        if not is_alone:
            yield from self.wrapped(f"{target.status.glyph} {target.sentence}", indent="  ", first="", style=self.coloured(target.status))
        yield from self.wrapped(_where(target), style={"dim": True})
        if trouble := target.trouble:
            yield from ("", *self.wrapped(trouble.message, indent="  "))
            if trouble.hint:
                yield from self.labelled("Do", trouble.hint, column=6, indent="  ")
            yield from self.wrapped(trouble.last_seen, indent="  ")
        for shown in target.failing:
            yield from self._finding(shown)
        yield from self._rest(target)
        if is_alone and target.profile:
            yield from self._profile(target)

    def _finding(self, shown: ShownFinding) -> Iterator[str]:
        severity, rule = shown.severity.value if shown.severity else "", shown.rule
        yield ""
        style = self.coloured(shown.status)
        yield from self.wrapped(f"{shown.status.glyph} {severity} {rule.id} {rule.title}", indent="  ", first="", style=style)
        for leaf in shown.leaves:
            var = f" (your {leaf.var})" if leaf.var else ""
            yield from self.wrapped(leaf.fact, indent="    ", style={"bold": True})
            yield from self.labelled("expected", f"{safe(leaf.expected, limit=_VALUE_LIMIT)}{var}", column=16, indent="      ")
            yield from self.labelled("observed", safe(leaf.observed, limit=_VALUE_LIMIT), column=16, indent="      ")
        if shown.rated:
            yield from self.labelled("For", f"{shown.severity}: {', and '.join(shown.rated)}", column=9)
        if rule.rationale:
            yield from self.labelled("Why", rule.rationale, column=9)
        if rule.remediation:
            yield from self.labelled("Fix", rule.remediation, column=9)
        if rule.references:
            yield from self.labelled("See", "; ".join(rule.references), column=9)

    def _waiver(self, shown: ShownWaiver) -> Iterator[str]:
        lead = f"{shown.status.glyph} {shown.word}: {shown.review.waiver.rule} on {shown.scope}, {shown.until}"
        yield from self.wrapped(lead, indent="  ", first="", style=self.coloured(shown.status))
        for _, text in shown.review.concerns:
            yield from self.wrapped(f"! {text}", indent="    ", first="  ")

    def _rest(self, target: ShownTarget) -> Iterator[str]:
        """What did not fail, by outcome and reason."""
        lines: list[tuple[Status, str]] = [(Status.WAIVED, _waived(shown)) for shown in target.waived]
        lines += [(Status.UNKNOWN, f"{_not_evaluated(group)}: {_ids(group.findings)}") for group in target.unknown]
        if target.passing:
            lines.append((Status.PASS, f"{count(len(target.passing), 'rule')} passing: {_ids(target.passing)}"))
        if target.not_applicable:
            lines.append((Status.NEUTRAL, f"{count(len(target.not_applicable), 'rule')} not applicable: {_ids(target.not_applicable)}"))
        if lines:
            yield ""
        for status, line in lines:
            yield from self.wrapped(f"{status.glyph} {line}", indent="  ", first="", style={"fg": COLOURS[status]})

    def _profile(self, target: ShownTarget) -> Iterator[str]:
        yield from ("", self.style("Profile", bold=True))
        if target.profile_note:
            yield from self.wrapped(target.profile_note, indent="  ")
        if target.baseline:
            yield from self.wrapped(target.baseline, indent="  ")
        for row in target.profile:
            if len(row.fields) > 1:
                yield from self.wrapped(f"{', '.join(row.fields)}: {row.words}", indent="  ", style={"dim": True})
            else:
                column = min(27, self.width // 3)
                yield from self.labelled(row.fields[0], safe(row.words, limit=_VALUE_LIMIT), column=column, indent="  ")
                if row.approval:
                    style = self.coloured(Status.FAIL if row.differs else Status.NEUTRAL)
                    yield from self.wrapped(safe(row.approval, limit=_VALUE_LIMIT), indent=" " * column, style=style)


def _where(target: ShownTarget) -> str:
    assessment = target.standing.assessment
    if assessment is None:
        return target.standing.target.url
    collected = dict(target.collected)
    said = [f"Command {version}" for label, version in collected.items() if label == "Command version"]
    said += [f"API v{assessment.observation.collection.api_version}"] if assessment.observation.collection.api_version else []
    return " · ".join([target.standing.target.url, *said, f"read {collected['Read'].partition(', in ')[0]}"])


def _waived(shown: ShownFinding) -> str:
    said = f"{shown.severity.value if shown.severity else ''} {shown.rule.id} {shown.rule.title} is waived".strip()
    waiver = shown.waiver
    return f"{said} {until(waiver)}: {waiver.reason} (owner {waiver.owner}, approved by {waiver.approved_by})" if waiver else said


def _not_evaluated(group: Unknown) -> str:
    reason = f"a standing limit ({group.reason})" if group.is_standing else group.reason
    return f"{count(len(group.findings), 'rule')} not evaluated, {reason}"


def _ids(findings: Iterable[ShownFinding]) -> str:
    return ", ".join(shown.rule.id for shown in findings)
