"""Renders what the store knows: the standing of targets as a report in one of the formats, written whole or not at all."""

import os
import re
import tempfile
from collections.abc import Collection, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditor import __version__
from auditor.core.model import Assessment, Inspection, PolicyText, Standing, TargetText, Waiver
from auditor.errors import StoreError
from auditor.report.formats import FORMATS, SUFFIXES
from auditor.report.html import compiled_page
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


def write_all(shown: View, places: Sequence[tuple[str, Path]]) -> None:
    """Write the report in each format to its path. All of them are rendered before the first is written: none is there beside one that failed.

    Raises:
        StoreError: One cannot be written; it stands as it did before.
    """
    for content, path in [(render(shown, form), path) for form, path in places]:
        write(content, path)


def write_report(shown: View, folder: Path) -> Path:
    """Write the HTML report into `folder` and return its path: one a day by the newest observation in it, the last one stands.

    Raises:
        StoreError: It cannot be written.
    """
    (path,) = write_reports(shown, folder, ["html"])
    return path


def write_reports(shown: View, folder: Path, forms: Sequence[str]) -> list[Path]:
    """The same in each of `forms`.

    Raises:
        StoreError: One cannot be written.
    """
    name = f"smtp-report-{shown.as_of.date().isoformat() if shown.as_of else 'empty'}"
    places = [(form, folder / f"{name}.{SUFFIXES[form]}") for form in forms]
    write_all(shown, places)
    return [path for _, path in places]


def reports_before(day: date, folder: Path) -> list[Path]:
    """The reports in `folder` that are of a day before `day`, the oldest first; never one of the newest day, and no file that is not named as
    ours are.

    Raises:
        StoreError: The folder cannot be read; one that is not there has no reports.
    """
    try:
        there = (
            [path for path in folder.iterdir() if _DATED.fullmatch(path.name) and path.is_file() and not path.is_symlink()] if folder.exists() else []
        )
    except OSError as failure:
        raise StoreError(f"{folder}: cannot be read: {failure.strerror}", hint="who may look into the folder?") from failure
    dated = sorted(there, key=lambda path: path.name)  # their dates sort as text does
    newest = dated[-1].name[:_TO_DAY] if dated else ""
    return [path for path in dated if path.name[:_TO_DAY] < min(newest, f"smtp-report-{day.isoformat()}")]


_DATED = re.compile(rf"smtp-report-[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\.({'|'.join(map(re.escape, SUFFIXES.values()))})")
_TO_DAY = len("smtp-report-2026-11-17")
