"""Tells the story of a week: three simulated Command servers, audited day by day over real HTTPS in the story's own time.

What is told is what the auditor found; nothing of it is written here in advance.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from auditor import config, publish
from auditor.app import App
from auditor.app.places import now
from auditor.core.baseline import approvable
from auditor.core.model import Approval, Assessment, EventState, RuleOutcome, SecretRef, Verdict
from auditor.errors import SecretError, UsageError
from auditor.report.sentences import of_event
from auditor.report.wording import between, moment
from auditor.simulator import ca
from auditor.simulator.accounts import READ_AUDIT_LOG, READ_SYSTEM_SETTINGS
from auditor.simulator.command import Simulator
from auditor.simulator.profile import COMMAND_24_4, in_pam
from auditor.simulator.server import ServerTls, serve

_USER = r"NORDWERK\svc-auditor"
_CLIENT = "smtp-auditor"

_CONFIG = """\
# The configuration of the demo. Its servers existed only while the demo ran; `auditor show` and `auditor report` work on what it recorded.
targets:
- name: prod-eu
  url: {prod_eu}
  owner: PKI Europe
  labels: {{env: prod, region: eu}}
  auth: {{type: oauth, token_url: "{prod_eu}/oauth2/token", client_id: {client}, client_secret: env:DEMO_CLIENT_SECRET, scopes: [command.read]}}
- name: prod-us
  url: {prod_us}
  owner: PKI Americas
  labels: {{env: prod, region: us}}
  attribution: true
- name: lab
  url: {lab}
  owner: PKI Engineering
  labels: {{env: lab}}
defaults:
  auth: {{type: basic, username: '{user}', password: env:DEMO_PASSWORD}}
  ca_file: demo-ca.pem
  policy: site
  attempts: 1
  timeout: 10s
  schedule: {{cron: "0 9 * * *"}}
policies: [policies]
report: {{folder: .}}
"""

_POLICY = """\
policy: site
title: The recommended rules, and relays of ours alone
version: 1
extends: [recommended]
vars:
  our_relays: {type: [host], default: [smtp.nordwerk-industrie.eu, smtp.office365.com], about: Hosts that may carry our certificate mail}
rules:
- id: SITE-001
  title: Host is a relay of ours
  severity: high
  require: {Host: $our_relays}
  rationale: Whoever runs the relay reads every notification, and gets the relay credentials with the first of them.
  remediation: >-
    System Settings > SMTP Configuration: put the approved host back. Find out who changed it, and change the relay password:
    it must be taken as known.
  controls: {nist-800-53r5: [CM-3, CM-6]}
  examples:
  - passes: {Host: SMTP.Nordwerk-Industrie.eu.}
  - fails: {Host: smtp.nordwerk-1ndustrie.eu}
  - fails: {Host: null}
"""


@dataclass
class _Clock:
    """The story's time: it stands at the hour of the day that is told, and runs with ours from there."""

    day: datetime
    begun: datetime

    def turn_to(self, day: datetime) -> None:
        self.day, self.begun = day, now()

    def __call__(self) -> datetime:
        return self.day + (now() - self.begun)


def tell(folder: Path) -> Iterator[str]:
    """Play the week into `folder` and tell it line by line: `auditor.yaml`, `auditor.db` and `report.html` are there at the end.

    The database of an earlier demo in `folder` is replaced. Every server is gone once the last line is told.

    Raises:
        StoreError: `folder` cannot be written.
        UsageError: It holds an installation that is not a demo's.
    """
    _refuse_other(folder)
    monday = datetime.combine(now().date() - timedelta(days=now().weekday() + 7), time(9), tzinfo=UTC)
    clock = _Clock(monday, now())
    passwords = {"DEMO_PASSWORD": secrets.token_urlsafe(18), "DEMO_CLIENT_SECRET": secrets.token_urlsafe(18)}
    servers = _servers(clock, passwords)
    with ExitStack() as stack:
        urls, root = _serve(stack, servers)
        _write_files(folder, urls, root)
        settings = config.load(folder / config.FILE_NAME)
        yield "A week of three Keyfactor Command servers, simulated on this machine and audited over HTTPS:"
        clock.turn_to(monday - timedelta(days=1))
        with App(settings, clock=clock, secret=_from(passwords)) as app:
            for target in app.config.targets:
                app.auditor.audit(target, at=clock())
            app.approve(_approvals(app))
        yield f"\n{(monday - timedelta(days=1)).strftime('%a %d %b')}  All three are read for the first time, and what prod-eu says is approved."
        for number, (happens, event) in enumerate(_WEEK):
            day = monday + timedelta(days=number)
            clock.turn_to(day - _EVENING_BEFORE)
            happens(servers)
            clock.turn_to(day)
            yield f"\n{day.strftime('%a %d %b')}  {event}"
            if happens is _asleep:
                continue
            with App(settings, clock=clock, secret=_from(passwords)) as app:
                for target in app.config.targets:
                    yield f"  {_told(app.auditor.audit(target, at=clock()))}"
        with App(settings, clock=clock, secret=_from(passwords)) as app:
            app.note(
                about=f"gap:lab/{monday + timedelta(days=3):%Y-%m-%dT%H:%M}Z", by="PKI Engineering", text="The account is being repaired, CHG-2050."
            )
            app.write_report(asked="this-week", folder=folder, stem="report")
            shown = app.view(app.config.targets)
            yield from _looking_back(app, monday, clock())
        yield f"\n{shown.verdict}"
    yield f"\nreport:   {folder / 'report.html'}\ndatabase: {folder / 'auditor.db'}"
    typed = f"auditor --config {folder / config.FILE_NAME}"
    yield f"\nTry next:\n  {typed} show prod-us\n  {typed} coverage --period last-week\n  {typed} ledger verify\n  auditor init"


_EVENING_BEFORE = timedelta(hours=14, minutes=27)
"""What happens, happens so long before the next read."""


def _approvals(app: App) -> Iterator[Approval]:
    """Where the mail of prod-eu goes, approved as it was seen."""
    seen = app.store.last_observed("prod-eu")
    assert seen is not None
    for name in ("Host", "Port", "UseSSL"):
        value = approvable(name, seen[1])
        assert not isinstance(value, str)
        yield Approval(
            target="prod-eu", field=name, value=value, by="M. Keller", reason="as it was set up", ticket="CHG-2041", approved_at=app.clock()
        )


# --- the week -----------------------------------------------------------------------------------------------------

Servers = dict[str, Simulator]


def _nothing(servers: Servers) -> None:
    pass


def _tls_off(servers: Servers) -> None:
    with servers["prod_us"].editing(user=r"NORDWERK\jsmith") as profile:
        profile["UseSSL"] = False


def _denied(servers: Servers) -> None:
    servers["lab"].deny()


def _redirected(servers: Servers) -> None:
    servers["prod_us"].smtp["Host"] = "smtp.nordwerk-1ndustrie.eu"  # past Command's own pages: its audit log does not have it


def _asleep(servers: Servers) -> None:
    """Nobody runs the auditor."""


def _repaired(servers: Servers) -> None:
    with servers["prod_us"].editing(user=r"NORDWERK\mlopez") as profile:
        profile["UseSSL"] = True


_WEEK: tuple[tuple[Callable[[Servers], None], str], ...] = (
    (_nothing, "Three servers, each in its own way in order."),
    (_tls_off, "On prod-us somebody turns TLS off."),
    (_nothing, "Nothing changes."),
    (_denied, "On lab the auditor's account loses its permission."),
    (_redirected, "On prod-us the host is pointed elsewhere: one letter is now a digit. Nobody did that in Command's own pages."),
    (_asleep, "The machine that runs the auditor is down."),
    (_repaired, "On prod-us TLS is turned on again."),
)


def _servers(clock: Callable[[], datetime], passwords: dict[str, str]) -> Servers:
    sender = {"SenderAccount": "pki-alerts@nordwerk-industrie.eu", "SenderName": "Certificate Services"}
    basic = {
        **sender,
        "Host": "smtp.nordwerk-industrie.eu",
        "Port": 587,
        "RelayAuthenticationType": 2,
        "RelayUsername": in_pam(1, SecretId="2001"),
        "RelayPassword": in_pam(1, SecretId="2002"),
        "UseSSL": True,
        **dict.fromkeys(("ClientId", "ClientSecret", "TokenEndpoint", "Scope")),
    }
    servers = {
        "prod_eu": Simulator(clock=clock),
        "prod_us": Simulator(clock=clock),
        "lab": Simulator(release=COMMAND_24_4, clock=clock),
    }
    for name in ("prod_us", "lab"):
        with servers[name].editing() as profile:
            profile.update(basic)
        permissions = [READ_SYSTEM_SETTINGS, READ_AUDIT_LOG] if name == "prod_us" else [READ_SYSTEM_SETTINGS]
        servers[name].accounts.add_user(_USER, passwords["DEMO_PASSWORD"], permissions=permissions)
    servers["prod_eu"].accounts.add_client(_CLIENT, passwords["DEMO_CLIENT_SECRET"], scopes=["command.read"])
    return servers


def _serve(stack: ExitStack, servers: Servers) -> tuple[dict[str, str], bytes]:
    """Put every server on a free port; their URLs, and the root that they are trusted by."""
    authority = ca.PrivateCa.create(at=now())
    issued = authority.issue(["127.0.0.1", "localhost"], valid_from=now() - timedelta(hours=1), valid_until=now() + timedelta(days=1))
    tls = ServerTls(certificate_pem=issued.certificate_pem, key_pem=issued.key_pem)
    return {name: stack.enter_context(serve(server, tls=tls)) for name, server in servers.items()}, authority.certificate_pem


def _refuse_other(folder: Path) -> None:
    """An installation of somebody's own is never overwritten: only what an earlier demo wrote."""
    file = folder / config.FILE_NAME
    is_demo = file.is_file() and file.read_bytes().startswith(_CONFIG.partition("\n")[0].encode())
    others = [path for path in (file, folder / "auditor.db", folder / "policies") if path.exists()]
    if others and not is_demo:
        raise UsageError(f"{others[0]} exists and is not a demo's", hint="name another folder: auditor demo -o FOLDER")


def _write_files(folder: Path, urls: dict[str, str], root: bytes) -> None:
    for name in ("auditor.db", "auditor.db-wal", "auditor.db-shm"):
        (folder / name).unlink(missing_ok=True)
    publish.write(root, folder / "demo-ca.pem")
    publish.write(_POLICY.encode(), folder / "policies" / "site.yaml")
    publish.write(_CONFIG.format(**urls, user=_USER, client=_CLIENT).encode(), folder / config.FILE_NAME)


def _from(passwords: dict[str, str]) -> Callable[[SecretRef], str]:
    def secret(ref: SecretRef) -> str:
        if ref.name not in passwords:
            raise SecretError(f"{ref}: not part of the demo")
        return passwords[ref.name]

    return secret


# --- in words -----------------------------------------------------------------------------------------------------

_GLYPHS = {Verdict.COMPLIANT: "✓", Verdict.COMPLIANT_WITH_WAIVERS: "✓", Verdict.NON_COMPLIANT: "✗", Verdict.INDETERMINATE: "?"}


def _looking_back(app: App, first: datetime, at: datetime) -> Iterator[str]:
    """What the record tells of the week: drift with its intervals, and which reads were owed."""
    yield "\nDrift, as the record has it:"
    for target in app.config.targets:
        for event in reversed(app.store.events(target.name)):
            change = event.change
            happened = between(event.not_before, event.not_after) if event.not_before else f"by {moment(event.not_after)}"
            yield f"  {target.name} {change.field}: {change.before} → {change.after} ({change.direction.value}, {change.severity.value})"
            yield f"    {happened}; {'open' if event.state is EventState.OPEN else event.state.value}"
            yield from (f"    {line}" for line in of_event(event))
    yield "\nReads that were owed:"
    for target in app.config.targets:
        covered = app.store.coverage(target.name, after=first - timedelta(hours=1), until=at)
        if covered is not None:
            total = covered.total
            counts = f"{total.on_time} on time, {total.late} late, {total.failed} failed, {total.missed} missed"
            yield f"  {target.name:8} {total.expected} = {counts}"


def _told(found: Assessment) -> str:
    line = f"{_GLYPHS[found.verdict]} {found.observation.target:8}"
    if found.observation.snapshot is None:
        return f"{line} not evaluated: {found.observation.message}"
    failed = [finding.rule for finding in found.findings if finding.outcome is RuleOutcome.FAIL]
    moved = "; ".join(f"{change.field} {change.before} → {change.after} ({change.direction.value})" for change in found.changes)
    return f"{line} {'fails ' + ', '.join(failed) if failed else 'meets the policy'}{'; changed: ' + moved if moved else ''}"
