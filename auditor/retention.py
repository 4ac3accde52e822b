"""Removes what is older than is kept: reads with the documents that only they referred to, delivered notices, and reports. For whoever asks: a daemon
each day, a person by hand; what it came to is told alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.config import Retention
from auditor.errors import StoreError
from auditor.report.index import SERVERS, last_day

if TYPE_CHECKING:
    from auditor.store.care import Pruned
    from auditor.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What went, or would go. `troubles` tells by table, or by path of a report, what could not be done; the rest was."""

    pruned: "Pruned"
    reports: tuple[Path, ...]
    troubles: Mapping[str, str]


def foresee(store: "Store", reports: Path, keeping: Retention, *, at: datetime) -> Removed:
    """What `remove` would do at `at`; nothing is written.

    Raises:
        StoreError: The database or the folder of reports cannot be read.
    """
    before = at - timedelta(seconds=keeping.keep_reads_s)
    pruned = store.prunable(before=before, delivered_before=at - timedelta(seconds=keeping.keep_delivered_s))
    return Removed(pruned=pruned, reports=tuple(reports_before(before.date(), reports)), troubles=pruned.troubles)


def remove(
    store: "Store",
    reports: Path,
    keeping: Retention,
    *,
    at: datetime,
    reason: str,
    recorder: Mapping[str, str],
    go_on: Callable[[], bool] = lambda: True,
) -> Removed:
    """Remove from `store`, and from the folder `reports`, what is older at `at` than `keeping` says; `reason` and `recorder` go into the ledger.

    `go_on` is asked between transactions: where it says no, the rest is left to the next time.

    Raises:
        StoreError: The database cannot be read, or not be written at all; or the folder of reports cannot be read.
    """
    before = at - timedelta(seconds=keeping.keep_reads_s)
    old = reports_before(before.date(), reports)
    delivered_before = at - timedelta(seconds=keeping.keep_delivered_s)
    pruned = store.prune(before=before, delivered_before=delivered_before, at=at, reason=reason, recorder=recorder, go_on=go_on)
    troubles = dict(pruned.troubles)
    gone = []
    for path in old if go_on() else ():
        try:
            for beside in companions(path):
                beside.rmdir() if beside.is_dir() else beside.unlink()
            path.unlink()
            gone.append(path)
        except OSError as failure:
            troubles[str(path)] = failure.strerror or type(failure).__name__
    return Removed(pruned=pruned, reports=tuple(gone), troubles=troubles)


def reports_before(day: date, folder: Path) -> list[Path]:
    """The reports in `folder` on what was before `day`, in any format, the oldest first; never the newest, and no file that is not named as ours are.

    Raises:
        StoreError: The folder cannot be read; one that is not there has no reports.
    """
    try:
        there = list(folder.iterdir()) if folder.exists() else []
        dated = [(on, path.name, path) for path in there if (on := last_day(path.name)) and path.is_file() and not path.is_symlink()]
    except OSError as failure:
        raise StoreError(f"{folder}: cannot be read: {failure.strerror}", hint="who may look into the folder?") from failure
    newest = max(((on, _stem(path)) for on, _, path in dated), default=None)
    return [path for on, _, path in sorted(dated) if on < day and (on, _stem(path)) != newest]


def _stem(report: Path) -> str:
    """The name of a report less its ending, which can have two parts (`.ocsf.ndjson`)."""
    return report.name.partition(".")[0]


def companions(report: Path) -> list[Path]:
    """What lies beside a report and belongs to it: the CSV and the pages of a fleet, then their folder."""
    if report.suffix != ".html":
        return []
    beside, pages = report.with_name(report.stem + SERVERS), report.with_suffix("")
    found = [beside] if beside.is_file() and not beside.is_symlink() else []
    if pages.is_dir() and not pages.is_symlink():
        found += [*sorted(path for path in pages.iterdir() if path.suffix == ".html" and path.is_file() and not path.is_symlink()), pages]
    return found
