"""`auditor db`: the database, its schema, its size and its care."""

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.common import Settings
from auditor.cli.rows import form_option, print_json
from auditor.errors import SecretError, UsageError
from auditor.report.safetext import safe
from auditor.report.wording import iso, moment

if TYPE_CHECKING:
    from auditor.config import Config
    from auditor.retention import Removed
    from auditor.store.condition import Stats


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.pass_obj
def status(settings: Settings) -> int:
    """Say which database is used and whether its schema fits this edition (exit 2 where it does not)."""
    settings.configure_logging()
    from auditor.store import schema

    config = settings.load_config()
    found = schema.status(config.database_url)
    click.echo(f"database: {config.database}")
    click.echo(f"schema:   {found.current or 'none'} (this edition: {found.head}): {found.state}")
    return 0 if found.state in ("current", "missing") else 2


@db.command()
@click.pass_obj
def upgrade(settings: Settings) -> None:
    """Bring the database to this edition's schema; a copy is made beside it first."""
    settings.configure_logging()
    from auditor.store import schema

    config = settings.load_config()
    click.echo(schema.upgrade(config.database_url))


@db.command()
@click.option("--keep", metavar="DAYS", help="How long a read is kept, in days (else as `retention` says, else 400d).")
@click.option("--keep-delivered", metavar="DAYS", help="How long a notice is kept after it was delivered (else as `retention` says, else 90d).")
@click.option("--dry-run", is_flag=True, help="Say what would go, and write nothing.")
@form_option
@click.pass_obj
def prune(settings: Settings, keep: str | None, keep_delivered: str | None, dry_run: bool, form: str) -> int:
    """Remove old reads, delivered notices and reports.

    Reads alone go, documents that nothing refers to any more, and notices that were delivered. Every other record of the ledger stays whole, and of
    a read its digest and link: the ledger says what was removed and still verifies, and coverage stays as it was. Kept whatever their age: of each
    target the newest read, the newest that saw its profile, and those that open drift events began with; and the newest report.

    Exit code 74: something could not be removed.
    """
    settings.configure_logging()
    from auditor import publish, retention
    from auditor.app.places import now
    from auditor.app.secrets import os_account
    from auditor.config import KEEP_DELIVERED_S, Retention
    from auditor.store.store import Store

    config, at = settings.load_config(), now()
    usual = config.retention or Retention(keep_reads_s=KEEP_READS_S, keep_delivered_s=KEEP_DELIVERED_S)
    keeping = Retention(
        keep_reads_s=_days_s("--keep", keep) if keep is not None else usual.keep_reads_s,
        keep_delivered_s=_days_s("--keep-delivered", keep_delivered) if keep_delivered is not None else usual.keep_delivered_s,
    )
    said = f"{keeping.keep_reads_s // 86400}d"
    with Store.open(config.database_url, create=False) as store:
        if dry_run:
            done = retention.foresee(store, config.report_folder, keeping, at=at)
        else:
            recorder = {"account": os_account(), "host": platform.node()}
            done = retention.remove(store, config.report_folder, keeping, at=at, reason=f"older than {said}", recorder=recorder)
            if done.reports:
                publish.refresh_index(config.report_folder)
    if form == "json":
        print_json(_pruned_document(done, dry_run))
    else:
        _tell_pruned(done, dry_run, said)
    return 74 if done.troubles else 0


@db.command()
@form_option
@click.pass_obj
def stats(settings: Settings, form: str) -> None:
    """Say how large it is and how fast it grows.

    And how large it will be in a year, if nothing is pruned.
    """
    settings.configure_logging()
    from auditor.app.places import now
    from auditor.store.store import Store

    config = settings.load_config()
    with Store.open(config.database_url, create=False) as store:
        found = store.stats(now())
    if form == "json":
        print_json(_stats_document(found, config))
    else:
        _tell_stats(found, config)


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@form_option
@click.pass_obj
def backup(settings: Settings, file: Path, form: str) -> None:
    """Copy the database to a new FILE.

    Checks go on meanwhile. It says what has to be kept with the copy; a FILE that exists is not overwritten.
    """
    settings.configure_logging()
    from auditor.store.store import Store

    config = settings.load_config()
    with Store.open(config.database_url, create=False) as store:
        seq, link = store.backup(file.absolute())
    key_id, why = _key_id(config)
    if form == "json":
        key = {"reference": str(config.fingerprint_key), "id": key_id}
        print_json({"backup": str(file.absolute()), "ledger_head": _head(seq, link), "fingerprint_key": key, "configuration": str(config.file)})
        return
    place = config.fingerprint_key.name if config.fingerprint_key.kind == "file" else str(config.fingerprint_key)
    of_key = f"fingerprint key, id {key_id}" if key_id else f"fingerprint key, {why}"
    _say("Keep together; without the key, fingerprints of then and now cannot be compared:")
    _say(f"  [ ] {file.absolute()}")
    _say(f"  [ ] {place}  ({of_key})")
    _say(f"  [ ] {config.file}")
    _say("Keep elsewhere, for `auditor ledger verify --expect-head`:")
    _say(f"  [ ] {_head(seq, link)}")


@db.command()
@form_option
@click.pass_obj
def check(settings: Settings, form: str) -> int:
    """Look for damage and edits.

    In the file itself, its references, documents against their digests, the ledger, drift events against their records; for documents that nothing
    refers to; and at who may open the files. The first fault of each kind is named.

    Exit code 1: something does not hold; 74: the database cannot be read.
    """
    settings.configure_logging()
    from auditor.store.store import Store

    config = settings.load_config()
    key = [Path(config.fingerprint_key.name)] if config.fingerprint_key.kind == "file" else []
    with Store.open(config.database_url, create=False) as store:
        found = store.check(key)
    flaws = {flaw.kind: flaw for flaw in found.flaws}
    if form == "json":
        told = [{"kind": flaw.kind, "what": flaw.what, "more": flaw.more} for flaw in found.flaws]
        print_json({"database": str(config.database), "looked_at": list(found.kinds), "faults": told})
    else:
        _say(f"database: {config.database}")
        for kind in found.kinds:
            flaw = flaws.get(kind)
            more = f" (and {flaw.more} more)" if flaw and flaw.more else ""
            _say(f"  {kind:<11} {flaw.what if flaw else 'ok'}{more}")
    return 1 if flaws else 0


KEEP_READS_S = 400 * 86400
"""Who is asked for a year's evidence after its end still has it."""


def _days_s(option: str, keep: str) -> int:
    match = re.fullmatch(r"([0-9]{1,5})d", keep)
    if match is None or int(match[1]) < 1:
        raise UsageError(f"{option} {keep}: not a number of days", hint="write it as 400d; at least 1d")
    return int(match[1]) * 86400


def _key_id(config: "Config") -> tuple[str | None, str]:
    """The id of the fingerprint key, or why there is none to tell; a key that is not there is not made."""
    from auditor.app.secrets import fingerprint_key

    ref = config.fingerprint_key
    if ref.kind == "file" and not Path(ref.name).exists():
        return None, "not there: it is made by the first check"
    try:
        return fingerprint_key(ref).id, ""
    except SecretError as failure:
        return None, f"not readable: {failure}"


def _pruned_document(removed: "Removed", dry_run: bool) -> dict[str, Any]:
    done = removed.pruned
    return {
        "dry_run": dry_run,
        "before": iso(done.before),
        "removed": dict(done.removed),
        "reports": [str(path) for path in removed.reports],
        "kept_older": done.kept,
        "checkpoint": _head(*done.checkpoint) if done.checkpoint else None,
        "troubles": dict(removed.troubles),
    }


def _tell_pruned(removed: "Removed", dry_run: bool, keep: str) -> None:
    done = removed.pruned
    if done.checkpoint:
        _say("Checkpoint; keep it elsewhere, for `auditor ledger verify --expect-head`:")
        _say(f"  {_head(*done.checkpoint)}")
    _say(f"{'Would remove' if dry_run else 'Removed'} what is older than {keep} (before {moment(done.before)}):")
    for name, count in done.removed.items():
        _say(f"  {'reads' if name == 'observations' else name:<12} {count:>9}")
    _say(f"  {'reports':<12} {len(removed.reports):>9}")
    if done.kept:
        _say(f"Older, and kept because something needs it: {done.kept} {'read' if done.kept == 1 else 'reads'}")
    for name, what in removed.troubles.items():
        _say(f"Trouble: {name}: {what}")


def _stats_document(found: "Stats", config: "Config") -> dict[str, Any]:
    return {
        "database": str(config.database),
        "tables": {name: {"rows": size.rows, "bytes": size.bytes} for name, size in found.tables.items()},
        "file_bytes": found.file,
        "unused_bytes": found.unused,
        "free_on_disk_bytes": found.free_on_disk,
        "bytes_per_read": found.per_read,
        "reads_per_day": found.reads_per_day,
        "growth_bytes_per_day": found.growth_per_day,
        "bytes_in_a_year": found.in_a_year,
        "oldest_read": iso(found.oldest) if found.oldest else None,
        "newest_read": iso(found.newest) if found.newest else None,
    }


def _tell_stats(found: "Stats", config: "Config") -> None:
    _say(f"database: {config.database}")
    _say(f"  {'table':<16} {'rows':>10} {'size':>12}")
    for name, size in found.tables.items():
        _say(f"  {name:<16} {size.rows:>10} {_size(size.bytes):>12}")
    reads = f"{moment(found.oldest)} to {moment(found.newest)}" if found.oldest and found.newest else "none"
    rows = {
        "file": f"{_size(found.file)}, of which {_size(found.unused)} is used again before it grows",
        "free on disk": _size(found.free_on_disk),
        "reads": reads,
        "one read": f"{_size(found.per_read)} with index and record in the ledger",
        "growth": f"{_size(found.growth_per_day)} and {found.reads_per_day:.1f} reads a day, over the last 30 days",
        "in a year": f"{_size(found.in_a_year)} in use, if nothing is pruned",
    }
    for name, said in rows.items():
        _say(f"{name:<13} {said}")


def _head(seq: int, link: bytes) -> str:
    return f"{seq}:{link.hex()}"


def _size(count: float | None) -> str:
    """Bytes for a person; a dash where they are not known."""
    if count is None:
        return "-"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def _say(line: str) -> None:
    click.echo(safe(line))
