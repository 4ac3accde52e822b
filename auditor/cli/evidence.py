"""`auditor evidence`: a key to begin with, and time stamps that are made good later."""

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.common import Settings, opened, say
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.core.model import SecretRef

WORTH = """\
What this key is worth: it is self-signed. Whoever has the file can sign, and anybody can make another one in this name. It proves that checkpoints
were signed with this key, and nothing about whose it is; so give its SHA-256 to those who will verify, by another way than the evidence comes.
A certificate of your PKI, or a key in hardware, is worth more. Alone it stops nobody who runs the auditor from signing a rewritten record:
against that stand a time-stamping authority (`evidence.tsa`), and heads that others keep."""


@click.group()
def evidence() -> None:
    """Look after what makes the record stand up without the auditor: the signer's key, and time stamps."""


@evidence.command("init-key")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="[FOLDER]")
@click.option("--name", help="Whom the certificate names (else the auditor on this host).")
@click.option("--passphrase", "reference", metavar="REFERENCE", help="Encrypt the key with the secret that this refers to: env:NAME, file:PATH, ...")
def init_key(folder: Path, name: str | None, reference: str | None) -> None:
    """Write a new key and its self-signed certificate into FOLDER (this one unless named), and say what they are worth.

    Nothing that exists is overwritten.
    """
    from auditor import publish
    from auditor.app.places import now
    from auditor.app.secrets import read_secret
    from auditor.evidence.starter import make

    certificate, key = folder / "evidence-signer.pem", folder / "evidence-signer.key"
    for path in (certificate, key):
        if path.exists():
            raise UsageError(f"{path} exists and is not overwritten", hint="old checkpoints name its certificate; move it away, or name a folder")
    name = f"SMTP auditor on {platform.node()}"[:64] if name is None else name
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise UsageError("--name: 1 to 64 printable characters")
    made = make(name, at=now(), passphrase=read_secret(_reference(reference)) if reference else None)
    publish.write(made.key_pem, key)
    publish.write(made.certificate_pem, certificate)
    click.echo(f"{key}\n{certificate}\nSHA-256 {made.fingerprint}")
    passphrase = f", passphrase: {reference}" if reference else ""
    say(f"Into auditor.yaml: evidence: {{signer: {{certificate: {certificate}, key: {key}{passphrase}}}}}")
    click.echo(WORTH, err=True)


def _reference(text: str) -> "SecretRef":
    from auditor.config.values import secret_ref

    try:
        return secret_ref(text)
    except ValueError as wrong:
        raise UsageError(f"--passphrase: {wrong}") from None


@evidence.command()
@click.pass_obj
def stamp(settings: Settings) -> int:
    """Have the checkpoints dated that are not yet. Exit code 1: one could not be; the rest is left to the next time."""
    settings.configure_logging()
    from auditor.app import evidence as wiring

    with opened(settings) as app:
        if wiring.authority_of(app.config) is None:
            raise UsageError(f"{app.config.file}: no time-stamping authority is named (`evidence.tsa`)", hint="docs/evidence.md has the setting")
        done = wiring.stamp_missing(app)
    for number, trouble in done.items():
        click.echo(f"checkpoint {number}: {'not stamped' if trouble else 'stamped'}")
        if trouble:
            say(f"error: {trouble}")
    if not done:
        click.echo("every checkpoint is stamped")
    return 1 if any(done.values()) else 0
