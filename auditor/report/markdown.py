"""The report as Markdown (GitHub's), for pull requests and chat: the verdict, the figures, what fails and how to mend it, what was not seen.

It is short on purpose: passes are counted, and past `MAX_CHARACTERS` the rest is counted as well (a comment on GitHub takes 65 536). Texts from
elsewhere cannot become markup, a link or a mention: they are escaped, or stand as code.
"""

import re
from collections.abc import Iterable, Iterator

from auditor.core.waiver import until
from auditor.report.results import policies, results, run_id, trouble_text
from auditor.report.safetext import prose, safe
from auditor.report.shown import ShownChange, ShownFinding, ShownTarget, Status, Unknown, View
from auditor.report.statuses import STATUSES, Answer
from auditor.report.wording import count, listed

MAX_CHARACTERS = 60_000
VALUE_LIMIT = 200


def render_markdown(view: View) -> bytes:
    """The report as Markdown in UTF-8."""
    head, foot = "\n".join(_head(view)), _foot(view)
    body, left_out = fitting(_body(view), room=MAX_CHARACTERS - len(head) - len(foot))
    more = [f"{left_out} more left out here; the other formats have everything."] if left_out else []
    return ("\n\n".join([head, *body, *more, foot]) + "\n").encode()


def fitting(blocks: Iterable[str], *, room: int) -> tuple[list[str], int]:
    """The first of `blocks` that have room in so many characters, each with the empty line before it, and how many were left out."""
    kept, left_out = [], 0
    for block in blocks:
        room -= len(block) + len("\n\n")
        if room < 0:
            left_out += 1
        else:
            kept.append(block)
    return kept, left_out


def escaped(text: str) -> str:
    """`text` on one line, as words that Markdown leaves as they are: no markup, HTML, entity or table in it."""
    return _BLOCK.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", safe(prose(text))))


_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$]")
_BLOCK = re.compile(r"\A([0-9]*)([-+=#.)])")
"""What would make a heading, a list or a rule of a line that begins with it."""


def _head(view: View) -> Iterator[str]:
    yield f"### {view.status.glyph} {words(view.verdict)}"
    yield ""
    yield words(f"{view.title}, {view.period}")
    yield ""
    counts = view.counts
    figures = (
        (Answer.FAIL, counts.fail),
        (Answer.NOT_EVALUATED, counts.not_evaluated - counts.standing_limits),
        (Answer.STANDING_LIMIT, counts.standing_limits),
        (Answer.ERROR, counts.error),
        (Answer.WAIVED, counts.waived),
        (Answer.PASS, counts.passed),
        (Answer.NOT_APPLICABLE, counts.not_applicable),
    )
    yield "| result | number |"
    yield "|---|---:|"
    for answer, number in figures:
        yield f"| {STATUSES[answer].status.glyph} {STATUSES[answer].words} | {number} |"
    yield f"| together | {counts.results} |"


def _body(view: View) -> Iterator[str]:
    for warning in view.warnings:
        yield f"> ⚠ {words(warning)}"
    for shown in (*view.drift, *view.changes):
        yield _change(shown)
    for target in view.targets:
        yield f"#### {target.status.glyph} {words(target.name)}: {words(target.sentence)}"
        yield from _target(target)


def _target(target: ShownTarget) -> Iterator[str]:
    if target.trouble:
        yield words(trouble_text(target.trouble))
    yield from map(_failing, target.failing)
    yield from map(_waived, target.waived)
    yield from map(_unknown, target.unknown)


def _failing(shown: ShownFinding) -> str:
    severity = f" ({shown.severity})" if shown.severity else ""
    lines = [f"- {shown.status.glyph} **{words(shown.rule.id)}** {words(shown.rule.title)}{severity}"]
    lines += [f"  - {code(leaf.fact)}: expected {code(leaf.expected)}, observed {code(leaf.observed)}" for leaf in shown.leaves]
    lines += [f"  - Fix: {words(shown.rule.remediation)}"] if shown.rule.remediation else []
    return "\n".join(lines)


def _waived(shown: ShownFinding) -> str:
    line = f"- {shown.status.glyph} **{words(shown.rule.id)}** {words(shown.rule.title)} is waived"
    waiver = shown.waiver
    return f"{line} {until(waiver)}: {words(waiver.reason)} (owner {words(waiver.owner)})" if waiver else line


def _unknown(group: Unknown) -> str:
    standing = ", a standing limit" if group.is_standing else ""
    names = words(listed([shown.rule.id for shown in group.findings]))
    return f"- {Status.UNKNOWN.glyph} {count(len(group.findings), 'rule')} not evaluated{standing}: {words(group.reason)} ({names})"


def _change(shown: ShownChange) -> str:
    change = shown.change
    moved = f"{words(shown.target)}: {code(change.field)} {shown.word} from {code(change.before)} to {code(change.after)}"
    return f"- {shown.status.glyph} {moved}, {words(shown.happened)}"


def _foot(view: View) -> str:
    judged = policies(view)
    named = [f"{words(policy.name)} {policy.version}, SHA-256 {code(policy.digest)}" for policy in judged[:_NAMED]]
    more = f" and {len(judged) - _NAMED} more" if len(judged) > _NAMED else ""
    return f"<sub>Run {code(run_id(view, results(view)))}. Policy: {'; '.join(named) or 'none'}{more}.</sub>"


_NAMED = 10
"""Policies; targets with variables of their own have one each."""


# --- texts from elsewhere -----------------------------------------------------------------------------------------


def words(text: str) -> str:
    """A text within a line: escaped, or as code where GitHub would make a link, a mention or a reference of it."""
    told = safe(prose(text), limit=4 * VALUE_LIMIT)
    return _code(told) if _LINKED.search(told) else escaped(told)


def code(text: str) -> str:
    """A value from elsewhere as code: nothing in it is anything but itself."""
    return _code(safe(text, limit=VALUE_LIMIT))


def _code(text: str) -> str:
    """With a fence longer than any run of backticks in it. A blank at either end keeps a backtick there off the fence; Markdown takes it away."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if not text or text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{blank}{text}{blank}{fence}"


_LINKED = re.compile(r"@|://|\bwww\.|#[0-9]|\bGH-[0-9]|\b[0-9a-f]{7,40}\b|:[a-z0-9_+-]+:", re.IGNORECASE)
