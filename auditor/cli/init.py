"""`auditor init`: a commented configuration, JSON Schemas for editors, and a fingerprint key."""

import json
from pathlib import Path

import click

from auditor.errors import ConfigError, UsageError

_TEMPLATE = """\
# yaml-language-server: $schema=auditor.schema.json
#
# What the auditor watches. Relative paths count from this file's folder. Secrets never stand here: say where they are,
# as env:NAME, file:PATH, credential:NAME (what systemd hands over, with LoadCredential=), keyring:SERVICE/NAME,
# or kfutil:PROFILE/KEY (docs/kfutil.md).
# Check what is understood with `auditor targets list`, and that all is in order with `auditor doctor`.

targets:
- name: prod
  url: https://command.example.org      # scheme, host and port; the path is api_path
  owner: pki-team@example.org
  labels: {env: prod}
  # policy: recommended                 # `auditor policy list` shows what there is
  # vars: {allowed_ports: [587]}        # settings of the policy for this server alone
  # schedule: {cron: "0 6 * * mon-fri", timezone: Europe/Berlin}
  # volatile: [SenderName]              # fields whose changes are no drift; a field that no version documents is unknown:NAME
  # paused_until: 2026-12-31            # no read is owed through that day (UTC); a pause has a reason
  # paused_reason: moved to another host
  # retired_on: 2027-01-31              # not audited from that day on; its record stays
  # renamed_from: old-name              # the history of old-name goes on under this name

# What holds for every target unless it says otherwise.
defaults:
  api_path: KeyfactorAPI
  # An account with the permission System Settings: Read, and no other.
  auth:
    type: oauth
    token_url: https://idp.example.org/oauth2/token
    client_id: smtp-auditor
    client_secret: env:COMMAND_CLIENT_SECRET
    scopes: []
    # audience: https://command.example.org
    # method: client_secret_post        # client_secret_basic unless you say so
  # auth: {type: basic, username: 'CORP\\svc-auditor', password: file:command.password}
  # auth: {type: token, token: env:COMMAND_TOKEN}
  schedule: {every: 15m}
  # ca_file: corporate-root.pem         # trusted besides the operating system's roots
  # client_certificate: {certificate: client.pem, key: client.key, passphrase: env:CLIENT_KEY_PASSPHRASE}
  # proxy: http://proxy.example.org:3128
  timeout: 30s                          # for one whole request
  attempts: 3                           # only what can pass is tried again
  backoff: 6h                           # after a 401 or 403: Command logs every denied call
  # attribution: true                   # who changed the profile, by Command's audit log; needs the permission Auditing: Read
  # pam_providers: true                 # which vault keeps a secret; needs the permission PAM: Read

database: auditor.db
fingerprint_key: file:auditor.key       # keep it with your backups of the database
policies: []                            # folders with policies of your own
# waivers: waivers.yaml                 # accepted failures; this file is used without being named (`auditor waiver draft TARGET/RULE`)
# baselines: approved                   # approved values live in this folder, as `auditor baseline export` writes them
vars: {}                                # settings of the policies for every server, such as internal_domains: [corp.example]
report:
  folder: reports
  schedule: {cron: "0 6 * * mon", timezone: UTC}
  # timezone: Europe/Berlin          # whose days and weeks a report counts; else UTC
  # due_days: {critical: 7, high: 30}   # how soon a failure is to be mended
spread: 60s                             # targets on one schedule are read up to this much apart
late_after: 5m                          # a read that begins later than this after its time counts as late
workers: 16                             # reads side by side
grace: 30s                              # how long the daemon waits for running reads when it is stopped
# health: {listen: 127.0.0.1:9464}      # /healthz and /metrics of the daemon; on another address with token: env:NAME
# retention: {keep_reads: 400d, keep_delivered: 90d}  # what the daemon removes each day; nothing is removed without it (docs/care.md)
# evidence:                             # sign the ledger's head, and have it dated (docs/evidence.md); `auditor ledger checkpoint`
#   signer: {certificate: evidence-signer.pem, key: evidence-signer.key}   # `auditor evidence init-key` makes one; or pkcs12: FILE
#   tsa: {url: "https://tsa.example.org/timestamp", roots: tsa-root.pem}   # a time-stamping authority (RFC 3161)
# events: events.ndjson                 # every result of every run, a line of JSON each, for a SIEM
# heartbeat: env:HEARTBEAT_URL          # called after each complete sweep: whoever listens there notices when that stops

# Who is told of what changes, once (docs/alerts.md); `auditor alerts test` sends a message through each channel.
# alerts:
#   minimum: low                        # what a channel takes unless it says otherwise
#   reminder: 7d                        # what stays open is called to mind
#   quiet_hours: {from: "22:00", to: "06:00", timezone: Europe/Berlin}
#   coverage_below: 95                  # percent of the owed reads of a week
#   channels:
#   - name: operators
#     type: mail
#     host: smtp2.example.org           # not the relay that Command sends through: alerts must not depend on what is watched
#     username: auditor
#     password: env:RELAY_PASSWORD
#     from: auditor@example.org
#     to: [pki-team@example.org]
#     report: attached                  # the report of the daemon comes by mail: attached, linked or none
#     report_link: https://reports.example.org/smtp/   # where the folder of reports can be fetched: for linked, and for a file that is too large
#   - {name: tickets, type: webhook, minimum: high, url: "https://tickets.example.org/hooks/smtp", secret: file:webhook.secret}
#   - {name: siem, type: syslog, host: log.example.org}
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="[FOLDER]")
@click.option("--from-kfutil", is_flag=True, help="Take server and account from KEYFACTOR_* or a command_config.json.")
@click.option("--profile", metavar="NAME", help="With --from-kfutil: this profile of the file, whatever the environment says.")
def init(folder: Path, from_kfutil: bool, profile: str | None) -> None:
    """Write a commented auditor.yaml into FOLDER (this one unless named), JSON Schemas for editors, and a fingerprint key.

    With --from-kfutil it has the server that the vendor's tools know; secrets stay where they are. Nothing that exists is overwritten.
    """
    from auditor import config, publish, resources
    from auditor.app.secrets import fingerprint_key
    from auditor.core.model import SecretRef
    from auditor.waiverfile import SCHEMA_NAME

    if profile is not None and not from_kfutil:
        raise UsageError("--profile goes with --from-kfutil")
    files = {
        **(_from_kfutil(folder, profile) if from_kfutil else {folder / config.FILE_NAME: _TEMPLATE.encode()}),
        folder / "auditor.schema.json": (json.dumps(config.json_schema(), indent=1) + "\n").encode(),
        folder / SCHEMA_NAME: (resources.folder("policies") / "data" / SCHEMA_NAME).read_bytes(),
    }
    for path in files:
        if path.exists():
            raise UsageError(f"{path} exists and is not overwritten", hint="move it away, or name another folder: auditor init FOLDER")
    for path, content in files.items():
        publish.write(content, path)
        click.echo(path)
    key = folder / "auditor.key"
    fingerprint_key(SecretRef("file", str(key)))
    click.echo(key)
    put = "" if from_kfutil else f"put your server into {folder / config.FILE_NAME}, then "
    click.echo(f"\nNext: {put}`auditor targets list` and `auditor doctor`.", err=True)


def _from_kfutil(folder: Path, profile: str | None) -> dict[Path, bytes]:
    """The files that say what the vendor's tools know, by where they belong.

    Raises:
        ConfigError: They know no server that can be audited.
    """
    from auditor import config, yamlfile
    from auditor.app.places import refuse_skip_verify, vendors_server
    from auditor.cli.common import say

    refuse_skip_verify()
    found = vendors_server(profile=profile)
    if found is None:
        raise ConfigError("neither KEYFACTOR_HOSTNAME nor a command_config.json is there", hint="`auditor init` writes an example to fill in")
    for warning in found.warnings:
        say(f"warning: {warning}")
    path = folder / config.FILE_NAME
    ca_file = Path(found.ca_name()) if found.ca_pem else None
    text = "# yaml-language-server: $schema=auditor.schema.json\n" + found.as_yaml(ca_file=ca_file, schedule="15m")
    config.understood(yamlfile.parse(text, path=str(path), error=ConfigError), path.absolute())  # refused before anything is written
    return {path: text.encode(), **({folder / ca_file: (found.ca_pem or "").encode()} if ca_file else {})}
