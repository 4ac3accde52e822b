"""`auditor ledger`: the chain over all that was recorded."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.common import Settings, opened, say
from auditor.cli.rows import form_option, print_json
from auditor.core.ledger import Kind
from auditor.errors import StoreError, UsageError

if TYPE_CHECKING:
    from auditor.attest import Judged
    from auditor.store.ledger import Entry
    from auditor.store.store import Store


@click.group()
def ledger() -> None:
    """Verify and read the ledger: one record for every read, every slot that was missed, and every change of what is asked, waived or approved.

    Each link follows from all before it. Whoever knows an earlier head (SEQ:HASH) from elsewhere can tell whether the ledger was rewritten.
    """


@ledger.command()
@click.option("--expect-head", "heads", multiple=True, metavar="SEQ:HASH", help="A head known from elsewhere, such as an earlier mail; repeatable.")
@form_option
@click.pass_obj
def verify(settings: Settings, heads: tuple[str, ...], form: str) -> int:
    """Compute every digest and link again. Exit code 1: something was changed, taken out or put in; the first such record is named."""
    settings.configure_logging()
    expected = [_head(text) for text in heads]
    with _store(settings) as store:
        fault = document = None
        try:
            found = store.verify()
        except StoreError as damaged:
            fault = document = str(damaged)
        else:
            fault = f"record {found.fault.seq}: {found.fault.what}" if found.fault else None
            missed = _unexpected(store, expected) if fault is None else None
            fault = fault or missed
    if form == "json":
        told = {} if document else {"records": found.records, "pruned": found.pruned, "head": f"{found.seq}:{found.head.hex()}"}
        print_json({"verifies": fault is None, "fault": fault, **told})
        return 0 if fault is None else 1
    from auditor.report.safetext import safe

    if fault is not None:
        click.echo(f"the ledger does not verify: {safe(fault)}")
        if not document:
            click.echo(f"the {found.records} records before it do; the last good head is {found.seq}:{found.head.hex()}")
        return 1
    pruned = f", the bodies of {found.pruned} reads were pruned" if found.pruned else ""
    known = f"; {len(expected)} known heads are in it" if expected else ""
    click.echo(f"{found.records} records verify{pruned}{known}\nhead {found.seq}:{found.head.hex()}")
    return 0


@ledger.command()
@form_option
@click.pass_obj
def head(settings: Settings, form: str) -> None:
    """Print the head as SEQ:HASH: to be kept where nobody who can write the database can change it."""
    settings.configure_logging()
    with _store(settings) as store:
        seq, link = store.head()
    if form == "json":
        print_json({"seq": seq, "hash": link.hex()})
    else:
        click.echo(f"{seq}:{link.hex()}")


@ledger.command()
@form_option
@click.pass_obj
def checkpoint(settings: Settings, form: str) -> int:
    """Sign the head, have the signature dated, and keep both. Needs `evidence` in the configuration.

    Exit code 1: it was signed and kept, and could not be dated; `auditor evidence stamp` tries again.
    """
    settings.configure_logging()
    from auditor.app import evidence

    with opened(settings) as app:
        number = evidence.make_checkpoint(app)
        troubles = {of: trouble for of, trouble in evidence.stamp_missing(app).items() if trouble}
        [made] = evidence.judge_checkpoints(app.store, app.config, number=number)
    row = _row(made)
    if form == "json":
        print_json(row)
    else:
        _tell(row)
    for trouble in troubles.values():
        say(f"error: {trouble}")
    return 1 if troubles or made.faults else 0


@ledger.command()
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write their files there, for openssl.")
@form_option
@click.pass_obj
def checkpoints(settings: Settings, folder: Path | None, form: str) -> int:
    """List the signed checkpoints, and say of each whether signature and time stamp hold. Exit code 1: one does not.

    Compare the signer's fingerprint with what you were told by another way: whoever can write the database can sign with a key of their own.
    """
    settings.configure_logging()
    from auditor.app import evidence

    config = settings.load_config()
    from auditor.store.store import Store

    with Store.open(config.database_url, create=False) as store:
        found = evidence.judge_checkpoints(store, config)
    rows = [_row(one) for one in found]
    if folder is not None:
        for path in _write_files(found, folder):
            say(f"written: {path}")
    if form == "json":
        print_json(rows)
    else:
        for row in rows:
            _tell(row)
    return 1 if any(one.faults for one in found) else 0


def _row(judged: "Judged") -> dict[str, Any]:
    from auditor.report.wording import iso

    one = judged.checkpoint
    return {
        "checkpoint": one.number,
        "at": iso(one.at),
        "head": f"{one.sealed.seq}:{one.sealed.link}",
        "signer": one.sealed.subject,
        "sha256": one.sealed.signer,
        "stamped": [iso(stamp.time) for stamp in one.stamps],
        "state": judged.state,
        "holds": not judged.faults,
    }


def _tell(row: dict[str, Any]) -> None:
    from auditor.report.safetext import safe

    click.echo(f"checkpoint {row['checkpoint']} of {row['at']}: {safe(row['state'])}")
    click.echo(f"  head     {row['head']}")
    click.echo(f"  signer   {safe(row['signer'])}, SHA-256 {row['sha256']}")
    click.echo(f"  stamped  {', '.join(row['stamped']) or 'no'}")


def _write_files(found: "list[Judged]", folder: Path) -> list[Path]:
    """Write what was signed, signatures and time stamps, byte for byte; returns the paths."""
    from auditor import publish

    files: dict[Path, bytes] = {}
    for one in (judged.checkpoint for judged in found):
        name = f"{one.number:07}.json"
        files |= {folder / name: one.sealed.statement, folder / f"{name}.p7s": one.sealed.signature}
        for place, stamp in enumerate(one.stamps):
            files[folder / f"{name}.p7s{f'.{place + 1}' if place else ''}.tsr"] = stamp.reply
    for path, content in files.items():
        publish.write(content, path)
    return list(files)


@ledger.command()
@click.option("-n", "newest", type=click.IntRange(1, 100_000), default=20, show_default=True, help="So many of the newest records.")
@click.option("--after", type=click.IntRange(0), default=0, help="Only records behind this number.")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="Only records of this kind.")
@form_option
@click.pass_obj
def show(settings: Settings, newest: int, after: int, kind: str | None, form: str) -> None:
    """Print records, the oldest first. As JSON: one record a line, with digest and link, as they are hashed."""
    settings.configure_logging()
    with _store(settings) as store:
        found = store.entries(after=after, newest=newest, kind=Kind(kind) if kind else None)
        named = [entry.body for entry in store.entries(kind=Kind.TARGET) if entry.body and "name" in entry.body]
    if form == "json":
        import json

        for entry in found:
            body = {"seq": entry.seq, "kind": entry.kind.value, "digest": entry.digest.hex(), "link": entry.link.hex(), "record": entry.body}
            click.echo(json.dumps(body))
        return
    from auditor.report.safetext import safe

    names = {body["target"]: body["name"] for body in named}
    for entry in found:
        click.echo(f"{entry.seq:>7}  {_at(entry)}  {entry.kind.value:<13}  {safe(_told(entry, names))}")


def _told(entry: "Entry", names: dict[int, str]) -> str:
    """What a record says, in one line; a target by the name that it has now."""
    if entry.body is None:
        return "(body pruned)"
    body: dict[str, Any] = entry.body
    who = names.get(body.get("target", 0), body.get("target"))
    match entry.kind:
        case Kind.SLOT | Kind.CHECK:
            slot = f", for the slot of {body['slot']}" if body.get("slot") else ", unscheduled"
            return f"{who}: {body['outcome']}, {body['verdict'].replace('_', ' ')}{slot}"
        case Kind.DRIFT:
            change = body["change"]
            return f"{who}: event {body['event']} {body['act']}: {change['field']} {change['before']} -> {change['after']}"
        case _:
            told = {"target": who} if "target" in body else {}
            known = {key: value for key, value in body.items() if key not in ("schema", "kind", "at") and not isinstance(value, dict | list)}
            return ", ".join(f"{key} {value}" for key, value in (known | told).items() if value is not None)


def _at(entry: "Entry") -> str:
    return str(entry.body["at"])[:19] + "Z" if entry.body else " " * 20


def _head(text: str) -> tuple[int, str]:
    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-fA-F]{64})", text)
    if match is None:
        raise UsageError(f"--expect-head {text[:100]}: a head is SEQ:HASH, as `auditor ledger head` prints it")
    return int(match[1]), match[2].lower()


def _unexpected(store: "Store", heads: list[tuple[int, str]]) -> str | None:
    for seq, link in heads:
        known = store.entries(after=seq - 1, oldest=1) if seq else ()
        if not known or known[0].seq != seq:
            return f"record {seq}: it is known from elsewhere, and the ledger ends before it"
        if known[0].link.hex() != link:
            return f"record {seq}: its link is not the one known from elsewhere: the ledger was rewritten up to there"
    return None


@contextmanager
def _store(settings: Settings) -> "Iterator[Store]":
    """The database as it is: nothing is brought up to date, so that what is verified is what was there."""
    from auditor.store.store import Store

    with Store.open(settings.load_config().database_url, create=False) as store:
        yield store
