"""Renders what the store knows: the standing of targets as a report in one of the formats, written whole or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from auditor import __version__
from auditor.core.model import Assessment, Inspection, PolicyText, Standing, TargetText, Waiver
from auditor.core.period import parse_period
from auditor.errors import StoreError
from auditor.report.formats import FORMATS
from auditor.report.html import compiled_page
from auditor.report.summary import Summary, summary
from auditor.report.view import View, view
from auditor.report.wording import moment

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


def summary_of(store: "Store", shown: View, targets: Sequence[TargetText], *, named: str, content: bytes, at: datetime) -> Summary:
    """What a report comes to, with the coverage of the last week that is over at `at` and the ledger's head: for a mail that brings it."""
    week, instant = parse_period("last-week", today=at.astimezone(UTC).date()), timedelta(microseconds=1)
    found = (store.coverage(target.name, after=week.start - instant, until=week.end - instant) for target in targets)
    return summary(
        shown,
        coverage=[covered for covered in found if covered is not None],
        period=f"{week.first:%G-W%V}",
        head=store.head(),
        named=named,
        sha256=hashlib.sha256(content).hexdigest(),
        on=at.astimezone(UTC).date(),
    )


def write_report(shown: View, folder: Path) -> Path:
    """Write the HTML report into `folder` and return its path: one a day by the newest observation in it, the last one stands.

    Raises:
        StoreError: It cannot be written.
    """
    path = folder / f"smtp-report-{shown.as_of.date().isoformat() if shown.as_of else 'empty'}.html"
    write(render(shown, "html"), path)
    return path
