"""`auditor baseline`: which values were approved by whom, and what a server says instead."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.common import Settings, opened, print_bytes
from auditor.cli.rows import form_option, print_json
from auditor.core.baseline import Stand, approvable, is_in_force, stands, stay_revoked, text_fault
from auditor.core.baseline import baseline as in_force
from auditor.core.drift import said
from auditor.core.model import PROFILE_FIELDS, Approval, ProfileField
from auditor.errors import UsageError, did_you_mean
from auditor.report.profile import claim
from auditor.report.safetext import safe
from auditor.report.wording import iso, moment

if TYPE_CHECKING:
    from auditor.app import App

by_option = click.option("--by", required=True, help="Who approves or revokes; your account is recorded beside it.")
reason_option = click.option("--reason", required=True, help="Why.")


@click.group()
def baseline() -> None:
    """Approve values, and see what differs from them.

    The approved value of a field is no deviation; any other is, also the one that it had before.
    """


@baseline.command()
@click.argument("target")
@click.option("--field", "names", multiple=True, help="Only this field, such as Port; repeatable.")
@by_option
@reason_option
@click.option("--ticket", help="Where it was decided.")
@click.option("--expires", metavar="DATE", help="The last day that it holds, through its end (UTC).")
@click.pass_obj
def approve(settings: Settings, target: str, names: tuple[str, ...], by: str, reason: str, ticket: str | None, expires: str | None) -> None:
    """Approve what TARGET was last seen to say. Every field, or those named."""
    settings.configure_logging()
    for name in names:
        if name not in PROFILE_FIELDS:
            raise UsageError(f"no field is called {name!r}", hint=did_you_mean(name, PROFILE_FIELDS, else_say=", ".join(PROFILE_FIELDS)))
    claims = _checked(by=by, reason=reason, **({"ticket": ticket} if ticket is not None else {}))
    with opened(settings) as app:
        _refuse_beside_folder(app)
        (chosen,) = app.select([target], {})
        until = _last_day(expires, app.clock()) if expires is not None else None
        seen = app.store.last_observed(chosen.name)
        if seen is None:
            raise UsageError(f"{chosen.name} was never read, so there is nothing to approve", hint=f"`auditor check {chosen.name}` reads it")
        seen_at, snapshot = seen
        if not snapshot.configured:
            raise UsageError(f"{chosen.name} has no mail profile, so there is nothing to approve", hint=f"as seen {moment(seen_at)}")
        values = {name: approvable(name, snapshot) for name in names or PROFILE_FIELDS}
        refused = {name: why for name, why in values.items() if isinstance(why, str)}
        if names and refused:
            raise UsageError(f"there is no value to approve: {_listed(refused)}", hint=f"as seen {moment(seen_at)}")
        given = [
            Approval(target=chosen.name, field=name, value=value, approved_at=app.clock(), expires=until, **claims)
            for name, value in values.items()
            if isinstance(value, ProfileField)
        ]
        _refuse_again(app, chosen.name, given)
        new = app.approve(given)
    end = f", through {until} (UTC)" if until else ""
    _echo(f"{chosen.name}, as seen {moment(seen_at)}: approved by {by}{end}" if new else f"{chosen.name}: these values are approved already")
    for approval in new:
        _echo(f"  {approval.field:<24} {said(approval.field, approval.value)}")
    if refused:
        _echo(f"not approved, for there is no value to approve: {_listed(refused)}")


@baseline.command()
@click.argument("target")
@form_option
@click.pass_obj
def show(settings: Settings, target: str, form: str) -> None:
    """Show what is approved for TARGET, by whom, and how it stands."""
    settings.configure_logging()
    with opened(settings) as app:
        (chosen,) = app.select([target], {})
        approved, _, rows = _standing(app, chosen.name)
    if form == "json":
        print_json({"target": chosen.name, "exists": bool(approved), "fields": rows})
        return
    for row in rows:
        _echo(f"{row['field']:<24} {row['approved']}  [{_words(row)}]")
        _echo(f"{'':<24} {_claim(approved[row['field']])}")
        if row["stands"] == "differs":
            _echo(f"{'':<24} now: {row['seen']}")
    open_fields = [name for name in PROFILE_FIELDS if name not in approved]
    _echo(f"not approved: {', '.join(open_fields)}" if approved else _nothing(chosen.name))


@baseline.command()
@click.argument("target")
@form_option
@click.pass_obj
def diff(settings: Settings, target: str, form: str) -> int:
    """Show where TARGET differs from what was approved.

    Exit code 1: it differs; 3: nothing is approved, or nothing was seen; 4: some could not be compared.
    """
    settings.configure_logging()
    with opened(settings) as app:
        (chosen,) = app.select([target], {})
        approved, found, rows = _standing(app, chosen.name)
    told = [row for row in rows if row["stands"] != "holds"]
    if form == "json":
        print_json({"target": chosen.name, "exists": bool(approved), "fields": told})
    elif not approved:
        _echo(_nothing(chosen.name))
    else:
        for row in told:
            _echo(f"{row['field']} {_words(row)}: approved {row['approved']}, now {row['seen']}")
            _echo(f"  {_claim(approved[row['field']])}")
        if not told:
            _echo(f"{chosen.name} says what was approved: {', '.join(approved)}")
    if not found:
        return 3
    return 1 if Stand.DIFFERS in found.values() else 0 if set(found.values()) == {Stand.HOLDS} else 4


@baseline.command()
@click.argument("target")
@form_option
@click.pass_obj
def history(settings: Settings, target: str, form: str) -> None:
    """Show every approval ever recorded for TARGET, oldest first."""
    settings.configure_logging()
    with opened(settings) as app:
        (chosen,) = app.select([target], {})
        approvals = app.store.approvals(chosen.name)
        states = _states(approvals, app.clock())
    if form == "json":
        print_json([_document(approval) | {"state": states[approval.digest]} for approval in approvals])
        return
    for approval in approvals:
        _echo(f"{approval.digest[:12]} {approval.field}: {said(approval.field, approval.value)}  [{states[approval.digest]}]")
        _echo(f"  {_claim(approval)}")
        recorded = f"recorded {iso(approval.recorded_at or approval.approved_at)} by {approval.account} on {approval.host}"
        _echo(f"  approved {moment(approval.approved_at)}; {recorded}")
        if revoked := approval.revoked:
            _echo(f"  revoked {moment(revoked.at)} by {revoked.by} ({revoked.account} on {revoked.host}): {revoked.reason}")
    if not approvals:
        _echo(_nothing(chosen.name))


@baseline.command()
@click.argument("approval", metavar="DIGEST")
@by_option
@reason_option
@click.pass_obj
def revoke(settings: Settings, approval: str, by: str, reason: str) -> None:
    """Take an approval back. DIGEST is how its digest begins, as `history` shows it; an older one that still holds is in force again."""
    settings.configure_logging()
    _checked(by=by, reason=reason)
    with opened(settings) as app:
        _refuse_beside_folder(app)
        known = [a for target in app.config.targets for a in app.store.approvals(target.name)]
        found = [a for a in known if len(approval) >= 8 and a.digest.startswith(approval.lower())]
        if len(found) != 1:
            raise UsageError(f"{approval[:64]!r} names no approval to revoke", hint="`auditor baseline history TARGET` shows them; 8 digits or more")
        (named,) = found
        if named.revoked:
            raise UsageError(f"{named.digest[:12]} was revoked by {named.revoked.by}, {moment(named.revoked.at)}")
        app.revoke(named.digest, by=by, reason=reason)
        again = in_force(app.store.approvals(named.target), app.clock()).get(named.field)
    _echo(f"{named.target}: {named.field} {said(named.field, named.value)} is approved no more")
    _echo(f"in force again: {said(again.field, again.value)}; {_claim(again)}" if again else f"no value of {named.field} is approved now")


@baseline.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("-o", "path", type=click.Path(path_type=Path, dir_okay=False), help="The file to write (else stdout).")
@click.pass_obj
def export(settings: Settings, targets: tuple[str, ...], path: Path | None) -> None:
    """Write every recorded approval as YAML, revoked ones too."""
    settings.configure_logging()
    from auditor import baselinefile, publish

    with opened(settings) as app:
        text = baselinefile.dump([a for target in app.select(targets, {}) for a in app.store.approvals(target.name)])
    if path is None:
        print_bytes(text.encode())
    else:
        publish.write(text.encode(), path)


@baseline.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_obj
def import_(settings: Settings, files: tuple[Path, ...]) -> None:
    """Record the approvals in FILES. Those on record already are left as they are."""
    settings.configure_logging()
    from auditor import baselinefile

    with opened(settings) as app:
        _refuse_beside_folder(app)
        names, at = [target.name for target in app.config.targets], app.clock()
        given = [approval for path in files for approval in baselinefile.load(path, targets=names, at=at)]
        new = app.approve(given)
        revoked = stay_revoked(given, [a for name in dict.fromkeys(a.target for a in given) for a in app.store.approvals(name)])
    _echo(f"{len(new)} new, {len(given) - len(new)} on record already")
    for approval in revoked:
        _echo(f"revoked on record, and stays so: {approval.target} {approval.field} {said(approval.field, approval.value)}, {_claim(approval)}")
    if revoked:
        _echo("to approve it again, say why in its reason or ticket")


# --- what they share ----------------------------------------------------------------------------------------------


def _standing(app: "App", target: str) -> tuple[dict[str, Approval], dict[str, Stand], list[dict[str, Any]]]:
    """The approvals in force of `target`, how each stands by the newest observed state, and both in words."""
    approved, seen = in_force(app.store.approvals(target), app.clock()), app.store.last_observed(target)
    found = stands(seen[1], approved) if seen else dict[str, Stand]()
    rows = [
        _document(approval) | {"stands": found[name].value if seen else "not_read", "seen": said(name, seen[1].field(name)) if seen else None}
        for name, approval in approved.items()
    ]
    return approved, found, rows


def _document(approval: Approval) -> dict[str, Any]:
    revoked = approval.revoked
    return approval.document() | {
        "digest": approval.digest,
        "approved": said(approval.field, approval.value),
        "approved_at": iso(approval.approved_at),
        "recorded": {"at": approval.recorded_at and iso(approval.recorded_at), "account": approval.account, "host": approval.host},
        "revoked": revoked and {"by": revoked.by, "reason": revoked.reason, "at": iso(revoked.at), "account": revoked.account, "host": revoked.host},
    }


def _states(approvals: Sequence[Approval], at: datetime) -> dict[str, str]:
    newest = {approval.digest for approval in in_force(approvals, at).values()}
    return {
        a.digest: "in force" if a.digest in newest else "replaced" if is_in_force(a, at) else "revoked" if a.revoked else "expired" for a in approvals
    }


def _checked(**claims: str) -> dict[str, Any]:
    for name, text in claims.items():
        if fault := text_fault(text):
            raise UsageError(f"--{name} {fault}")
    return claims


def _last_day(text: str, at: datetime) -> date:
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None  # it takes 2026-W01-1, too
    except ValueError:
        day = None
    if day is None or day < at.date():
        raise UsageError(f"--expires {text[:32]!r} is not a day to come", hint="a day is written 2026-12-31; it counts through its end, UTC")
    return day


def _refuse_beside_folder(app: "App") -> None:
    if app.config.baselines is not None:
        hint = "`auditor baseline export` shows the form; what is to end gets `revoked: {by: ..., reason: ...}` there"
        raise UsageError(f"approvals live in {app.config.baselines}: edit the file there, it is read at the next start", hint=hint)


def _refuse_again(app: "App", target: str, given: list[Approval]) -> None:
    """What was revoked, or has given way to a newer approval, does not come back by being said again in the same words: it is on record already."""
    recorded = app.store.approvals(target)
    known, now = {approval.digest for approval in recorded}, in_force(recorded, app.clock())
    revoked = stay_revoked(given, recorded)
    replaced = [a for a in given if a.digest in known and a not in revoked and a.field in now and now[a.field].value != a.value]
    for what, again in (("revoked", revoked), ("replaced", replaced)):
        if again:
            hint = "say in --reason or --ticket why it is given again"
            raise UsageError(f"this very approval of {', '.join(approval.field for approval in again)} was {what}", hint=hint)


def _claim(approval: Approval) -> str:
    return f"{claim(approval)}: {approval.reason}"


def _words(row: Mapping[str, Any]) -> str:
    return str(row["stands"]).replace("_", " ")


def _nothing(target: str) -> str:
    return f"nothing is approved for {target}; `auditor baseline approve {target} --by NAME --reason TEXT` approves what it says now"


def _listed(refused: Mapping[str, str]) -> str:
    return "; ".join(f"{name} ({why})" for name, why in refused.items())


def _echo(text: str) -> None:
    """Say it on one line: what a server or a file says can begin none of its own."""
    click.echo(safe(text))
