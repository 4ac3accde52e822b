"""Finds what keeps an audit from working: one line each check, with what to do next where it is not fine.

It reads and asks, and records nothing: no database or key is made, a denial starts no back-off, and a success ends none. A back-off on record is
heeded, as a read heeds it. Each target is sent one GET of its profile (a second one by a server that has version 1 alone) without further attempts,
and what `attribution` and `pam_providers` add.
"""

import os
import re
import shutil
import sqlite3
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from auditor import baselinefile
from auditor.app import App
from auditor.app.secrets import fingerprint_key
from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import (
    BasicAuth,
    ClientCertificate,
    ClientCredentials,
    Memory,
    Observation,
    ReadOutcome,
    SecretRef,
    StaticToken,
    Target,
    TrailOutcome,
)
from auditor.core.slots import next_slot, offset_of
from auditor.errors import AuditorError

if TYPE_CHECKING:
    from auditor.command.client import Reader
    from auditor.exchange.connection import Peer

LOW_DISK_BYTES, NO_DISK_BYTES = 500 * 1000 * 1000, 20 * 1000 * 1000
"""A year of one target on a quarter of an hour is some 10 MB; with less than the second figure a backup or an upgrade fails."""
MAX_CLOCK_OFFSET = timedelta(minutes=1)
"""Tokens and certificates bear this much, and a change is still laid to the right minute; a Date header is good to a second."""
RENEW_WITHIN = timedelta(days=14)
"""A certificate that ends sooner is named."""
KEEP_AT_LEAST = timedelta(days=366)
"""Retention that keeps less is named: those who audit an auditor ask for a year."""
WORKERS = 16
_OWN = "key and database are its own"


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one check found. `target` is empty for the installation; `next_step` is there wherever the status is warn or fail."""

    target: str = ""
    name: str
    status: Status
    said: str
    next_step: str = ""


WRITTEN = ("configuration", "policies", "waivers", "baselines")
"""The checks of what people write; where one fails nothing would be audited, and no server is asked."""


def exit_code(checks: Sequence[Check]) -> int:
    """2 where what people write is wrong, 1 where anything else failed, else 0: a warning does not fail."""
    failed = [check.name for check in checks if check.status is Status.FAIL]
    return 2 if any(name in WRITTEN for name in failed) else 1 if failed else 0


def unreadable(failure: AuditorError) -> Check:
    """The check of a configuration that could not be loaded."""
    return Check(name="configuration", status=Status.FAIL, said=str(failure), next_step=failure.hint or "mend the line that is named")


def check_up(app: App, names: Sequence[str], *, offline: bool, force: bool = False) -> Iterator[Check]:
    """Check the installation, then those targets that are named, or all that are not retired; no server is asked if `offline`.

    With `force` a server that lately denied access is asked all the same.

    Raises:
        UsageError: A name is not configured.
    """
    targets = app.select(names, {})
    count = len(app.config.targets)
    yield _ok("configuration", f"{app.config.file} is understood: {count} target{'' if count == 1 else 's'}")
    written = list(_written(app))
    yield from written
    key, about_key = _key(app)
    memory_of, about_store = _store(app)
    yield from (about_key, about_store, disk(app.config.database.parent))
    yield from _outward(app)
    yield from (_schedules(app), _retention(app))
    yield from _evidence(app)
    faulty = any(check.status is Status.FAIL for check in written)
    reader = None if offline or faulty or key is None else app.reader(key)
    why = "" if reader or offline else "not asked: see above"
    with ThreadPoolExecutor(max_workers=min(WORKERS, len(targets))) as pool:
        for found in pool.map(lambda target: list(_target(app, target, reader, memory_of, why=why, force=force)), targets):
            yield from found


# --- the installation ---------------------------------------------------------------------------------------------


def _written(app: App) -> Iterator[Check]:
    """Policies, and what is checked against them; each only if those before are right."""

    def policies() -> str:
        judging = app.judge
        return f"{len(judging.book.names())} policies; in use: {', '.join(sorted({target.policy for target in app.config.targets}))}"

    def waivers() -> str:
        return f"{len(app.waiver_file.waivers)} waivers in {app.waiver_file.path}" if app.config.waivers else "no file of waivers"

    def baselines() -> str:
        if app.config.baselines is None:
            return "no folder; values are approved on the command line"
        given = baselinefile.load_folder(app.config.baselines, targets=[target.name for target in app.config.targets], at=app.clock())
        return f"{len(given)} approvals in {app.config.baselines}"

    for name, look in (("policies", policies), ("waivers", waivers), ("baselines", baselines)):
        try:
            yield _ok(name, look())
        except AuditorError as failure:
            yield _fail(name, str(failure), failure.hint or "mend the line that is named")
            if name == "policies":
                return


def _outward(app: App) -> Iterator[Check]:
    """Channels, heartbeat and health: whether what they need is there. Nothing is sent."""
    alerts, health, heartbeat = app.config.alerts, app.config.health, app.config.heartbeat
    if alerts.channels:
        try:
            yield _ok("channels", f"{', '.join(app.channels)}; `auditor alerts test` sends a message through each")
        except AuditorError as failure:
            yield _fail("channels", str(failure), failure.hint or "mend the line that is named")
    given = [getattr(channel, one.name) for channel in alerts.channels for one in fields(channel)]
    given += [one.passphrase for one in given if isinstance(one, ClientCertificate)]
    given += [health and health.token, heartbeat and heartbeat.url]
    yield from _secrets(app, [one for one in given if isinstance(one, SecretRef)])
    for outward in (*alerts.channels, *filter(None, [heartbeat])):
        yield from _certificates(app, getattr(outward, "ca_file", None), getattr(outward, "client_certificate", None))


def _schedules(app: App) -> Check:
    """Whether anything is owed at all: without a schedule nothing is overdue, no slot is missed, and a daemon does not start."""
    targets = [target for target in app.config.targets if not target.is_retired(app.clock().date())]
    scheduled = sum(target.schedule is not None for target in targets)
    if scheduled:
        return _ok("schedules", f"{scheduled} of {len(targets)} targets {'has' if scheduled == 1 else 'have'} one")
    step = "give `schedule: {every: 15m}` under `defaults`; a timer or crontab line that runs `auditor check` serves it as well"
    said = "no target has one: no read is owed, none is ever missed, and `auditor daemon` does not start"
    return Check(name="schedules", status=Status.WARN, said=said, next_step=step)


def _retention(app: App) -> Check:
    """What a daemon removes each day; less than a year of reads is named, since it cannot be had back."""
    keeping = app.config.retention
    if keeping is None:
        return _ok("retention", "nothing is removed unless somebody runs `auditor db prune`")
    reads, delivered = (timedelta(seconds=kept).days for kept in (keeping.keep_reads_s, keeping.keep_delivered_s))
    said = f"a daemon removes reads and reports after {reads} days, delivered notices after {delivered}"
    if timedelta(days=reads) < KEEP_AT_LEAST:
        step = f"set `retention.keep_reads` to {KEEP_AT_LEAST.days}d or more if anybody may ask for evidence of a whole year"
        return Check(name="retention", status=Status.WARN, said=said, next_step=step)
    return _ok("retention", said)


def _evidence(app: App) -> Iterator[Check]:
    """Whether the signer can sign, and roots are there to verify time stamps by. No authority is asked."""
    if app.config.evidence is None:
        return
    from auditor.app.evidence import signer_of
    from auditor.evidence.openssl import program

    given, authority = app.config.evidence.signer, app.config.evidence.tsa
    try:
        signer = signer_of(app)
        signer.require_valid(app.clock())
    except AuditorError as failure:
        yield _fail("signer", str(failure), failure.hint or "mend what is named")
    else:
        own = "self-signed, " if signer.is_self_signed else ""
        said = f"{signer.subject}, {own}SHA-256 {signer.fingerprint}, until {signer.certificate.not_valid_after_utc:%Y-%m-%d}"
        key = Path(given.pkcs12 or given.key or "")
        if os.name == "posix" and key.stat().st_mode & 0o077:
            yield Check(name="signer", status=Status.WARN, said=f"{key}: others than its owner may read it", next_step=f"chmod 600 {key}")
        elif signer.certificate.not_valid_after_utc - app.clock() < RENEW_WITHIN:
            yield Check(name="signer", status=Status.WARN, said=said, next_step="have it renewed; what it signed before goes on to hold")
        else:
            yield _ok("signer", said)
    if authority is None:
        step = "name a time-stamping authority in `evidence.tsa`: without one, whoever has the key can sign a rewritten record, and date it back"
        yield Check(name="time stamps", status=Status.WARN, said="nobody dates checkpoints", next_step=step)
        return
    faults = [fault for path in (authority.roots, authority.chain) if path and (fault := _roots_fault(path))]
    if faults:
        yield _fail("time stamps", faults[0], "give PEM files of certificates")
    elif program() is None:
        step = "install openssl; a time stamp that came is kept, and not verified here"
        yield Check(name="time stamps", status=Status.WARN, said="this machine has no openssl", next_step=step)
    else:
        yield _ok("time stamps", f"of {authority.url}, verified by the roots in {authority.roots}; it is asked with the next checkpoint")


def _roots_fault(path: str) -> str:
    from auditor.evidence.cms import certificates

    try:
        certificates(path)
    except AuditorError as failure:
        return str(failure)
    return ""


def _key(app: App) -> tuple[FingerprintKey | None, Check]:
    """The fingerprint key, or one thrown away where there is none yet; None where what is there is no key."""
    try:
        return _key_there(app)
    except OSError as failure:
        return None, _fail(
            "fingerprint key", f"{app.config.fingerprint_key}: {failure.strerror}", f"run this as the account that runs the auditor: {_OWN}"
        )


def _key_there(app: App) -> tuple[FingerprintKey | None, Check]:
    ref = app.config.fingerprint_key
    if ref.kind == "file" and not Path(ref.name).exists():
        new = FingerprintKey(os.urandom(32))
        if app.config.database.exists():
            step = "put it back from the backup: fingerprints under a new key are not comparable with those on record"
            return new, Check(name="fingerprint key", status=Status.WARN, said=f"{ref}: not there, and there is a database", next_step=step)
        return new, _ok("fingerprint key", f"{ref}: not there yet; the first check makes it")
    try:
        key = fingerprint_key(ref)
    except AuditorError as failure:
        return None, _fail("fingerprint key", str(failure), failure.hint or "put the key back from the backup")
    if ref.kind == "file" and os.name == "posix" and Path(ref.name).stat().st_mode & 0o077:
        step = f"chmod 600 {ref.name}"
        return key, Check(name="fingerprint key", status=Status.WARN, said=f"{ref}: others than its owner may read it", next_step=step)
    return key, _ok("fingerprint key", f"{ref}: there")


def _store(app: App) -> tuple[Callable[[str], Memory], Check]:
    """What is remembered of a target, and how the database is; it is opened for reading alone, and made by nobody."""
    try:
        return _store_there(app)
    except OSError as failure:
        return lambda _: Memory(), _fail(
            "store", f"{app.config.database}: {failure.strerror}", f"run this as the account that runs the auditor: {_OWN}"
        )


def _store_there(app: App) -> tuple[Callable[[str], Memory], Check]:
    from sqlalchemy import create_engine

    from auditor.store import schema, sqlite
    from auditor.store.store import Store

    path = app.config.database
    nothing: Callable[[str], Memory] = lambda _: Memory()  # noqa: E731
    if not path.exists():
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            return nothing, _fail("store", f"{path}: cannot be made", "make its folder, writable for the account that runs the auditor")
        return nothing, _ok("store", f"{path}: not there yet; the first check makes it")
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True), hide_parameters=True)
    try:
        with sqlite.store_errors(path), engine.connect() as connection:
            found = schema.status_in(connection)
        schema.require_current(path, found)
        remembered: dict[str, Memory] = {}
        if found.state is schema.SchemaState.CURRENT:
            store = Store(path, engine)
            remembered = {target.name: store.memory(target.name) for target in app.config.targets}
    except AuditorError as failure:
        return nothing, _fail("store", str(failure), failure.hint or "see docs/care.md")
    finally:
        engine.dispose()
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return nothing, _fail("store", f"{path}: may not be written", "file and folder must be writable for the account that runs the auditor")
    said = f"{path}: schema {found.current}; its contents are `auditor ledger verify`'s matter" if found.current else f"{path}: empty"
    return lambda name: remembered.get(name, Memory()), _ok("store", said)


def disk(folder: Path, *, low: int = LOW_DISK_BYTES, none: int = NO_DISK_BYTES) -> Check:
    """How much room there is where `folder` is, in bytes: under `low` is a warning, under `none` a failure."""
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    status = Status.FAIL if free < none else Status.WARN if free < low else Status.OK
    step = "make room; `auditor db prune` removes old reads, `auditor db stats` tells how fast it grows" if status is not Status.OK else ""
    return Check(name="disk", status=status, said=f"{free / 1e9:.1f} GB free in {there}", next_step=step)


# --- one target ---------------------------------------------------------------------------------------------------


def _target(app: App, target: Target, reader: "Reader | None", memory_of: Callable[[str], Memory], *, why: str, force: bool) -> Iterator[Check]:
    own = [_schedule(app, target), *_secrets(app, _refs(target)), *_certificates(app, target.ca_file, target.client_certificate)]
    if reader is not None and any(check.status is Status.FAIL for check in own):
        reader, why = None, "not asked: see above"
    if reader is not None:
        own += _asked(app, target, reader, memory_of(target.name), force=force)
    elif why:
        own.append(Check(name="server", status=Status.SKIPPED, said=why))
    yield from (replace(check, target=target.name) for check in own)


def _schedule(app: App, target: Target) -> Check:
    at = app.clock()
    if target.is_retired(at.date()):
        return _ok("schedule", f"retired on {target.retired_on}: not read")
    if target.is_paused(at.date()):
        return _ok("schedule", f"paused through {target.paused_until}: {target.paused_reason}")
    if target.schedule is None:
        return _ok("schedule", "none: it is read when somebody runs `auditor check`, and no read is owed")
    offset_s = offset_of(target.name, spread_s=app.config.spread_s)
    slot = next_slot(target.schedule, at, offset_s=offset_s)
    when = f"next read at {slot.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if slot else "no read within five years"
    spread = f" ({offset_s} s after its time, by `spread`)" if offset_s else ""
    return _ok("schedule", f"{when}{spread}; by the daemon, or by the next `auditor check` of cron")


def _refs(target: Target) -> list[SecretRef]:
    match target.auth:
        case BasicAuth(password=ref) | ClientCredentials(client_secret=ref) | StaticToken(token=ref):
            refs = [ref]
    certificate = target.client_certificate
    return [*refs, certificate.passphrase] if certificate is not None and certificate.passphrase is not None else refs


def _secrets(app: App, refs: Iterable[SecretRef]) -> Iterator[Check]:
    for ref in refs:
        try:
            app.secret(ref)
        except AuditorError as failure:
            yield _fail("secret", str(failure), failure.hint or "put the secret where the configuration says")
        else:
            yield _ok("secret", f"{ref}: found")


def _certificates(app: App, ca_file: str | None, ours: ClientCertificate | None) -> Iterator[Check]:
    from auditor.exchange.connection import TlsContexts
    from auditor.exchange.trouble import Trouble

    named = [path for path in (ca_file, ours and ours.certificate) if path]
    if not named:
        return
    try:
        passphrase = app.secret(ours.passphrase) if ours is not None and ours.passphrase is not None else None
        TlsContexts().get(ca_file=ca_file, certificate=ours.certificate if ours else None, key=ours.key if ours else None, passphrase=passphrase)
    except AuditorError:
        return  # the secret is not there, which has its own line
    except Trouble as trouble:
        yield _fail("certificates", trouble.message, trouble.hint)
    else:
        yield _ok("certificates", f"{', '.join(named)}: can be used")


# --- asking a server ----------------------------------------------------------------------------------------------

_STAGES = ("credential", "token", "dns", "connection", "tls", "answer", "api", "login", "permission", "profile")
"""On the way to a profile, in order; each needs those before. `token` is for OAuth alone."""

_BREAKS_AT = {
    ReadOutcome.CREDENTIAL_MISSING: "credential",
    ReadOutcome.DNS_FAILED: "dns",
    ReadOutcome.TLS_FAILED: "tls",
    ReadOutcome.UNSUPPORTED_VERSION: "api",
    ReadOutcome.UNAUTHENTICATED: "login",
    ReadOutcome.FORBIDDEN: "permission",
}
"""Where a read of this outcome came to an end; of others it depends on how far it came."""


def _asked(app: App, target: Target, reader: "Reader", memory: Memory, *, force: bool) -> Iterator[Check]:
    once = replace(target, attempts=1, pam_providers=False)
    observation, _, peer = reader.examine(once, memory, force=force)
    broken = _broken_at(observation, target, peer, memory)
    for stage in _STAGES:
        if stage == "token" and not isinstance(target.auth, ClientCredentials):
            continue
        yield _stage(app, target, stage, observation, peer, broken)
        if stage == "tls":
            yield _clock(observation)
    version = observation.collection.api_version
    if observation.outcome.is_observed and target.attribution:
        yield _audit_log(app, once, reader, observation)
    if observation.outcome.is_observed and target.pam_providers and version is not None:
        yield _pam(app, once, reader, observation, memory, version=version, force=force)


def _broken_at(observation: Observation, target: Target, peer: "Peer", memory: Memory) -> str | None:
    """The stage that failed; None where the profile was seen, or is not configured."""
    outcome, asked = observation.outcome, observation.collection.attempts > 0
    if outcome.is_observed:
        return None
    if outcome is ReadOutcome.BACKING_OFF:
        return "permission" if memory.denied_as is ReadOutcome.FORBIDDEN else "login"
    if not asked and outcome is not ReadOutcome.CREDENTIAL_MISSING and isinstance(target.auth, ClientCredentials):
        return "token"
    if outcome in _BREAKS_AT:
        return _BREAKS_AT[outcome]
    if outcome in (ReadOutcome.UNREACHABLE, ReadOutcome.TIMEOUT):
        if peer.address is None:
            return "connection"
        if target.url.startswith("https:") and peer.tls_version is None:
            # a proxy that refuses is no matter of TLS
            return "connection" if outcome is ReadOutcome.UNREACHABLE else "tls"
    return "answer"


def _stage(app: App, target: Target, stage: str, observation: Observation, peer: "Peer", broken: str | None) -> Check:
    from auditor.exchange.trouble import WAITING

    if stage == broken:
        return _fail(stage, observation.message, observation.hint.removesuffix(f"; {WAITING}"))
    if broken is not None and (_STAGES.index(stage) > _STAGES.index(broken) or not _is_seen(stage, observation, peer)):
        return Check(name=stage, status=Status.SKIPPED, said="no request was made" if observation.collection.attempts == 0 else "did not come to it")
    seen = observation.collection
    match stage:
        case "credential":
            return _ok(stage, f"{seen.auth_method} as {seen.account}")
        case "token":
            return _ok(stage, "the token endpoint gave one")
        case "dns":
            return _ok(stage, "the proxy's name has an address" if _is_proxied(target) else "the name has an address")
        case "connection":
            return _ok(stage, f"{'through the proxy' if _is_proxied(target) else 'to'} {peer.address}")
        case "tls":
            return _tls(target, peer, at=app.clock())
        case "answer":
            return _ok(stage, f"Command answers{f' (correlation id {seen.correlation_id})' if seen.correlation_id else ''}")
        case "api":
            offered = f", offered are {seen.supported_versions}" if seen.supported_versions else ""
            return _ok(stage, f"version {seen.api_version} of /SMTP{offered}; Command {seen.product_version or 'names no product version'}")
        case "login":
            return _ok(stage, f"{seen.account} is taken")
        case "permission":
            return _ok(stage, "System Settings: Read is there")
        case _:
            return _profile(observation)


def _is_seen(stage: str, observation: Observation, peer: "Peer") -> bool:
    """Whether a stage before the one that failed was gone through, and not passed over."""
    asked = observation.collection.attempts > 0
    return {"credential": True, "token": asked, "dns": asked, "connection": peer.address is not None, "tls": peer.address is not None}.get(
        stage, asked
    )


def _is_proxied(target: Target) -> bool:
    from auditor.command.session import proxy_for

    return proxy_for(target, target.url) is not None


def _profile(observation: Observation) -> Check:
    if observation.outcome is ReadOutcome.NOT_CONFIGURED:
        step = "set up mail in System Settings > SMTP Configuration; until then rule CFG-035 fails"
        return Check(name="profile", status=Status.WARN, said=observation.message, next_step=step)
    return _ok("profile", "a mail profile was read; `auditor check` judges it")


def _tls(target: Target, peer: "Peer", *, at: datetime) -> Check:
    from cryptography import x509

    from auditor.exchange.trouble import printable

    if peer.tls_version is None:
        step = "for a try on this machine alone; else use https"
        return Check(name="tls", status=Status.WARN, said="plain http (insecure_http)", next_step=step)
    subject, left = "a certificate that cannot be read", None
    if peer.chain:
        with suppress(ValueError):  # whatever a server sends that was not verified
            leaf = x509.load_der_x509_certificate(peer.chain[0])
            subject, left = printable(leaf.subject.rfc4514_string(), 120), leaf.not_valid_after_utc - at
    said = f"{peer.tls_version}, {subject}" + (f", {left // timedelta(days=1)} days left" if left is not None else "")
    if target.insecure_skip_verify:
        step = "name the root of a private authority in ca_file, and take insecure_skip_verify out"
        return Check(name="tls", status=Status.WARN, said=f"{said}; not verified (insecure_skip_verify)", next_step=step)
    said = f"{said}; {_root(target, peer)}"
    if left is not None and left < RENEW_WITHIN:
        return Check(name="tls", status=Status.WARN, said=said, next_step="have the server's certificate renewed before it ends")
    return _ok("tls", said)


def _root(target: Target, peer: "Peer") -> str:
    """Which root ended the chain."""
    if target.ca_file is not None and len(peer.chain) > 0:
        text = Path(target.ca_file).read_text(encoding="ascii", errors="replace")
        blocks = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL)
        for block in blocks:
            with suppress(ValueError):
                if ssl.PEM_cert_to_DER_cert(block) == peer.chain[-1]:
                    return f"trusted by ca_file {target.ca_file}"
    return "trusted by the system's roots"


def _clock(observation: Observation) -> Check:
    seen = observation.collection
    if seen.status is None:
        return Check(name="clock", status=Status.SKIPPED, said="no answer that bears a Date")
    if seen.clock_offset_ms is None:
        step = "have whatever answers send Date; without it no change can be laid to anybody for sure"
        return Check(name="clock", status=Status.WARN, said="the answer bears no Date", next_step=step)
    offset = timedelta(milliseconds=seen.clock_offset_ms)
    ahead = f"the server's clock is {abs(offset.total_seconds()):.0f} s {'ahead of' if offset > timedelta(0) else 'behind'} ours"
    if abs(offset) > MAX_CLOCK_OFFSET:
        return Check(name="clock", status=Status.WARN, said=ahead, next_step="compare both clocks with a time server (NTP)")
    return _ok("clock", ahead)


def _audit_log(app: App, target: Target, reader: "Reader", observation: Observation) -> Check:
    from auditor.command.auditlog import PERMISSION

    until = app.clock()
    after = until - timedelta(minutes=1)
    trail = reader.audit_trail(target, after=after, until=until, product_version=observation.collection.product_version)
    match trail.outcome:
        case TrailOutcome.READ:
            return _ok("audit log", "Auditing: Read is there")
        case TrailOutcome.NOT_PERMITTED:
            return _fail(
                "audit log", trail.message, f"give the account's role the permission Auditing: Read ({PERMISSION}), or turn `attribution` off"
            )
        case _:
            return _fail("audit log", trail.message, "the profile is read all the same; turn `attribution` off if this edition has no such log")


def _pam(app: App, target: Target, reader: "Reader", observation: Observation, memory: Memory, *, version: int, force: bool) -> Check:
    from auditor.command.pam import NOT_PERMITTED, PERMISSION, Unseen

    step = f"give the account's role the permission PAM: Read ({PERMISSION}), or turn `pam_providers` off"
    if not force and memory.pam_denied_until is not None and app.clock() < memory.pam_denied_until:
        until = f"{memory.pam_denied_until:%Y-%m-%d %H:%M} UTC"
        return _fail("pam providers", f"not asked: access was denied, the next try is due on {until}", f"{step}; `--force` asks at once")
    found = reader.pam_providers(target, version=version, product_version=observation.collection.product_version)
    if found is NOT_PERMITTED:
        return _fail("pam providers", NOT_PERMITTED.reason, step)
    if isinstance(found, Unseen):
        return _fail("pam providers", found.reason, "the profile is read all the same; turn `pam_providers` off if this edition has no such list")
    return _ok("pam providers", f"PAM: Read is there; providers listed: {len(found)}")


def _ok(name: str, said: str) -> Check:
    return Check(name=name, status=Status.OK, said=said)


def _fail(name: str, said: str, next_step: str) -> Check:
    return Check(name=name, status=Status.FAIL, said=said, next_step=next_step)
