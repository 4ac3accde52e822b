"""Renders what the store knows: the standing of targets as a report in one of the formats, written whole or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor import __version__
from auditor.core.course import Course, failing_since, kept_waivers
from auditor.core.ledger import Kind
from auditor.core.model import Assessment, Inspection, PolicyText, Severity, Standing, TargetText, Waiver
from auditor.core.period import Period
from auditor.core.waiver import in_scope
from auditor.errors import StoreError
from auditor.report.edition import NAMED, WHOLE, Edition, Section
from auditor.report.formats import FORMATS
from auditor.report.gather import Gathering
from auditor.report.happenings import Naming
from auditor.report.html import compiled_page, render_edition, render_fitted, render_target
from auditor.report.index import INDEX, SERVERS, figures_of_page, is_on_all, last_day, render_fleet_csv, render_index
from auditor.report.lanes import lines
from auditor.report.summary import Summary, summary
from auditor.report.view import View, anchor_of, shown_target, view
from auditor.report.wording import by_clocks_of, checkpoint_words, lasting, moment, period_words, tally_words

if TYPE_CHECKING:
    from auditor.store.store import Store


def view_of(store: "Store", targets: Sequence[TargetText], waivers: Sequence[Waiver] = (), *, inspection: Inspection | None = None) -> View:
    """Where `targets` stand by the store, and how `waivers` stand to them; a target that was never read stands there as such."""
    return view(standings(store, targets), engine_version=__version__, in_file=waivers, inspection=inspection)


def view_at(store: "Store", target: TargetText, at: datetime) -> View | None:
    """Where `target` stood by the last read at or before `at`, as it was recorded: findings, and the waivers that were laid over them then.

    None where it was not read by then.
    """
    standing = store.standing_at(target.name, at)
    if standing is None or standing.assessment is None:
        return None
    return view([standing], engine_version=__version__, period=f"as recorded by {moment(at)}", in_file=standing.assessment.waivers)


def standings(store: "Store", targets: Sequence[TargetText]) -> list[Standing]:
    """Where `targets` stand by the store, in their order; of one that was never read that is all there is to say."""
    known = {standing.target.name: standing for standing in store.standings([target.name for target in targets])}
    return [known.get(target.name, Standing(target=target)) for target in targets]


def view_of_one(assessment: Assessment, target: TargetText, policy: PolicyText) -> View:
    """An assessment that is in no store, such as that of a saved body."""
    observation = assessment.observation
    standing = Standing(target=target, assessment=assessment, policy=policy, last_seen=observation.started_at, last_snapshot=observation.snapshot)
    return view([standing], engine_version=__version__)


def render(shown: View, form: str) -> bytes:
    """The report in the format called `form`, one of `FORMATS`."""
    return FORMATS[form](shown)


def get_ready(forms: Collection[str]) -> None:
    """Do beforehand what rendering in these formats needs and no data: while servers are waited for, it costs nothing."""
    if "html" in forms:
        compiled_page()


def write(content: bytes, path: Path) -> None:
    """Write `content` to `path` whole or not at all; folders are made as needed.

    Raises:
        StoreError: It cannot be written; what stood there before still stands.
    """
    try:
        path = path.resolve()  # a link stays one
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # /dev/stdout, a pipe: nothing there that could be replaced
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as failure:
        raise StoreError(f"{path}: cannot be written: {failure.strerror}", hint="is the folder writable, and is there room?") from failure


def write_all(shown: View, places: Sequence[tuple[str, Path]]) -> None:
    """Write the report in each format to its path. All of them are rendered before the first is written: none is there beside one that failed.

    Raises:
        StoreError: One cannot be written; it stands as it did before.
    """
    for content, path in [(render(shown, form), path) for form, path in places]:
        write(content, path)


def summary_of(store: "Store", edition: Edition, *, named: str, content: bytes) -> Summary:
    """What a report on a period, written as `content`, comes to, with the ledger's head as it is now: for a mail that brings it."""
    assert edition.over is not None
    with by_clocks_of(edition.over.period.zone):
        return summary(edition, head=store.head(), checkpoint=_checkpoint(store), named=named, sha256=hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Commission:
    """A report that is asked for: on which servers and which period, with what the configuration says of failures that are to be mended.

    `stem` is the name of its file, less the ending. `again` is the command that makes it again. `is_whole`: on all servers that were watched, and so
    on what concerns none of them, too. `index`: the list of all reports in the folder is to name it.
    """

    targets: tuple[TargetText, ...]
    period: Period
    stem: str
    due_days: Mapping[Severity, int]
    inspection: Inspection | None = None
    again: str = ""
    is_whole: bool = True
    index: bool = True

    def concerns(self, waiver: Waiver) -> bool:
        """Whether the report is to tell of `waiver`: one on a part of the servers says nothing of the others."""
        return self.is_whole or any(in_scope(waiver, target=target.name, labels=dict(target.labels)) for target in self.targets)


def write_edition(store: "Store", asked: Commission, folder: Path) -> tuple[Path, Edition]:
    """Write the HTML report on a period into `folder`, with the list of all that are there, and return its path and what stands in it.

    The report of a fleet has a page for each server beside it, and a CSV. The same data gives the same bytes.

    Raises:
        StoreError: It cannot be written.
    """
    with by_clocks_of(asked.period.zone):
        made = edition_on(store, asked)
        path = folder / f"{asked.stem}.html"
        if made.is_fleet:
            _write_pages(store, asked, made, folder)
            made = replace(made, csv=f"{asked.stem}{SERVERS}")
        page, made = render_fitted(made, due_days=asked.due_days)
        if made.is_fleet:
            write(render_fleet_csv(made), folder / made.csv)
        write(page, path)
    if asked.index:
        write_index(folder)
    return path, made


def page_on(store: "Store", asked: Commission) -> bytes:
    """The HTML report on a period, whole in itself: for whoever wants no file. Nothing lies beside it, so that of a fleet no name leads anywhere."""
    with by_clocks_of(asked.period.zone):
        return render_edition(edition_on(store, replace(asked, stem="", index=False)), due_days=asked.due_days)


def view_on(store: "Store", asked: Commission) -> View:
    """Where the targets stood by the last read of each in or before the period, with the waivers that were in `waivers.yaml` when it was over."""
    at = asked.period.end - timedelta(microseconds=1)
    found = (store.standing_at(target.name, at) for target in asked.targets)
    known = [standing or Standing(target=target) for standing, target in zip(found, asked.targets, strict=True)]
    kept = kept_waivers(store.records_of(Kind.WAIVERS, before=asked.period.end))
    in_file = [one.waiver for one in kept if one.until is None and asked.concerns(one.waiver)]
    return view(known, engine_version=__version__, period=period_words(asked.period), in_file=in_file, inspection=asked.inspection)


def refresh_index(folder: Path) -> None:
    """Write the list of the reports in `folder` anew, where there is one: some of them were removed.

    Raises:
        StoreError: It cannot be written, or a report not be read.
    """
    if (folder / INDEX).is_file():
        write_index(folder)


def write_index(folder: Path) -> None:
    """Write the list of the reports that are in `folder`.

    Raises:
        StoreError: It cannot be written, or a report not be read.
    """
    write(render_index(figures_in(folder)), folder / INDEX)


def edition_on(store: "Store", asked: Commission) -> Edition:
    """The report on a period, from what is recorded and without a clock."""
    period, names = asked.period, [target.name for target in asked.targets]
    as_of = max(period.start, min(period.end, store.newest_known() or period.start))
    is_fleet = len(names) > WHOLE
    kept = kept_waivers(store.records_of(Kind.WAIVERS, before=period.end))
    gathering = Gathering(
        as_of=as_of,
        period=period,
        due_days=asked.due_days,
        naming=Naming(href=_leading(asked, is_fleet=is_fleet)),
        notes=store.notes(),
        kept=[one for one in kept if one.holds_within(period.start, period.end) and asked.concerns(one.waiver)],
    )
    sections: dict[str, Section] = {}
    known = set()
    for course in store.courses(names, start=period.start, end=period.end):
        known.add(course.name)
        gathering.add(course.standing, course)
        if not is_fleet:
            sections[course.name] = _section(course, asked, as_of)
    for target in asked.targets:
        if target.name not in known:
            gathering.add(Standing(target=target))
            sections[target.name] = Section(target=shown_target(Standing(target=target), as_of))
    rows = gathering.ordered()
    if is_fleet:
        chosen = [row.name for row in rows if row.needs_reading][:WHOLE]
        for course in store.courses(chosen, start=period.start, end=period.end):
            sections[course.name] = _section(course, asked, as_of)
    seq, link = store.head_before(period.end)
    over = gathering.over(
        period,
        head=f"{seq}:{link.hex()}",
        checkpoint=_checkpoint(store, before=period.end),
        documents=store.policy_documents(gathering.switched),
        population=_population(store, asked),
        index=f"{INDEX}#{asked.period.key}" if asked.index else "",
        again=asked.again,
    )
    return gathering.edition(
        engine_version=__version__,
        period=period_words(period),
        sections=[sections[row.name] for row in rows if row.name in sections],
        inspection=asked.inspection,
        over=over,
    )


def _checkpoint(store: "Store", *, before: datetime | None = None) -> str:
    """What the newest checkpoint says, with its time stamp; of what was made `before` then, if that is given. Empty where there is none."""

    def is_in(body: dict[str, Any]) -> bool:
        return before is None or datetime.fromisoformat(body["at"]) < before

    made, stamps = store.entries(kind=Kind.CHECKPOINT), store.entries(kind=Kind.STAMP)
    newest = next((one for one in reversed(made) if one.body and "signature" in one.body and is_in(one.body)), None)
    if newest is None or newest.body is None:
        return ""
    times = [one.body["time"] for one in stamps if one.body and one.body.get("checkpoint") == newest.seq and "time" in one.body and is_in(one.body)]
    return checkpoint_words(newest.body, stamped=times[-1] if times else None)


def _leading(asked: Commission, *, is_fleet: bool) -> Callable[[str], str]:
    """Where the name of a server leads: to its section, or to its page where there are pages."""
    if not is_fleet:
        return lambda name: f"#{anchor_of(name)}.server"
    return lambda name: f"{asked.stem}/{anchor_of(name)}.html" if asked.stem else ""


def _section(course: Course, asked: Commission, as_of: datetime) -> Section:
    covered = course.coverage.total if course.coverage and course.coverage.total.expected else None
    target = shown_target(course.standing, as_of)
    since = {}
    for shown in (*target.failing, *target.waived):
        first = failing_since(course.phases, shown.rule.id)
        if first is not None:
            since[shown.rule.id] = (lasting(as_of - first), moment(first))
    return Section(
        target=target,
        lines=lines(course, asked.period, as_of=as_of),
        coverage=f"{covered.read:,} of {covered.expected:,} owed reads came to something: {tally_words(covered)}" if covered else "",
        since=since,
    )


def _write_pages(store: "Store", asked: Commission, made: Edition, folder: Path) -> None:
    """A page for each server of a fleet, one after the other."""
    assert made.over is not None
    names = [target.name for target in asked.targets]
    for course in store.courses(names, start=asked.period.start, end=asked.period.end):
        page = render_target(_section(course, asked, made.over.as_of), title=made.title, period=made.period, back=f"../{asked.stem}.html")
        write(page, folder / asked.stem / f"{anchor_of(course.name)}.html")
    for target in asked.targets:
        path = folder / asked.stem / f"{anchor_of(target.name)}.html"
        if not path.exists():  # never on record
            section = Section(target=shown_target(Standing(target=target), made.over.as_of))
            write(render_target(section, title=made.title, period=made.period, back=f"../{asked.stem}.html"), path)


_POPULATION = {"added": "added", "left": "taken out", "retired": "retired", "renamed": "renamed", "paused": "paused", "rescheduled": "rescheduled"}


def _population(store: "Store", asked: Commission) -> list[str]:
    """Where the list of servers comes from, and who of them joined and left in the period."""
    said, period, mine = [], asked.period, {target.name for target in asked.targets}
    configurations = store.records_of(Kind.CONFIGURATION, before=period.end)
    if configurations:
        newest = configurations[-1]
        said.append(f"by the configuration with SHA-256 {newest['digest'][:16]}…, on record since {moment(datetime.fromisoformat(newest['at']))}")
    names, acts = store.names_by_number(), dict[str, dict[str, datetime]]()
    for body in store.records_of(Kind.TARGET, before=period.end):
        at = datetime.fromisoformat(body["at"])
        if at >= period.start and body.get("act") in _POPULATION:
            acts.setdefault(body["act"], {})[str(body.get("name") or names.get(body["target"], f"target {body['target']}"))] = at
    for act, word in _POPULATION.items():
        its = [f"{name} (on record {moment(at)})" for name, at in sorted(acts.get(act, {}).items()) if asked.is_whole or name in mine]
        if its:
            said.append(f"{word} in the period: {', '.join(its[:NAMED])}{f' and {len(its) - NAMED} more' if len(its) > NAMED else ''}")
    return said


def figures_in(folder: Path) -> list[dict[str, Any]]:
    """What the reports in `folder` say of themselves, the oldest first; a file that is none of ours, or says nothing, is passed over.

    Raises:
        StoreError: The folder cannot be read.
    """
    found = []
    try:
        pages = (path for path in folder.iterdir() if path.suffix == ".html" and is_on_all(path.name) and last_day(path.name))
        there = sorted(path for path in pages if path.is_file() and not path.is_symlink())
    except OSError as failure:
        raise StoreError(f"{folder}: cannot be read: {failure.strerror}", hint="who may look into the folder?") from failure
    for path in there:
        try:
            with path.open("rb") as stream:
                figures = figures_of_page(stream.read(_HEAD_BYTES).decode("utf-8", "replace"))
        except OSError as failure:
            raise StoreError(f"{path}: cannot be read: {failure.strerror}", hint="who may read the reports?") from failure
        if figures is not None:
            found.append({**figures, "file": path.name})
    return sorted(found, key=lambda one: (str(one["last"]), str(one["first"]), str(one["file"])))


_HEAD_BYTES = 16 * 1024
