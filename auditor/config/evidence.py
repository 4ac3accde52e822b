"""`evidence` in `auditor.yaml`: with what the record is signed, and which authority dates it. None is asked unless it is named."""

from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import Field

from auditor.config.values import Duration, Secret, Strict, Text, anchored, beside
from auditor.core.addresses import proxy_fault, url_fault
from auditor.core.model import SigningFiles, StampAuthority
from auditor.errors import ConfigError
from auditor.yamlfile import YamlFile


class SignerForm(Strict):
    certificate: Text | None = None
    key: Text | None = None
    pkcs12: Text | None = None
    passphrase: Secret | None = None
    chain: Text | None = None


class TsaForm(Strict):
    url: Text
    roots: Text
    chain: Text | None = None
    ca_file: Text | None = None
    proxy: Text | None = None
    timeout: Annotated[Duration, Field(le=120)] = 30
    insecure_http: bool = False


def signing_of(source: YamlFile, form: SignerForm, folder: Path) -> SigningFiles:
    """The signer's files, paths written out.

    Raises:
        ConfigError: It is not said where key and certificate are, or said twice.
    """
    is_pem = form.certificate is not None and form.key is not None
    has_either = form.certificate is not None or form.key is not None
    if (form.pkcs12 is not None and has_either) or (form.pkcs12 is None and not is_pem):
        hint = "certificate: signer.pem and key: signer.key, or pkcs12: signer.p12"
        raise ConfigError(f"{source.where('evidence', 'signer')}: evidence.signer: give `certificate` and `key`, or `pkcs12` alone", hint=hint)
    return SigningFiles(
        certificate=_path(form.certificate, folder),
        key=_path(form.key, folder),
        pkcs12=_path(form.pkcs12, folder),
        passphrase=anchored(form.passphrase, folder) if form.passphrase else None,
        chain=_path(form.chain, folder),
    )


def authority_of(source: YamlFile, form: TsaForm, folder: Path) -> StampAuthority:
    """The time-stamping authority, paths written out.

    Raises:
        ConfigError: Its address, or the proxy's, is none.
    """

    def refuse(key: str, message: str) -> NoReturn:
        raise ConfigError(f"{source.where('evidence', 'tsa', key)}: evidence.tsa: {message}", hint="https://tsa.example.org/timestamp")

    if fault := url_fault(form.url, insecure_http=form.insecure_http):
        refuse("url", f"url {fault}")
    if form.proxy is not None and (fault := proxy_fault(form.proxy)):
        refuse("proxy", fault)
    return StampAuthority(
        url=form.url,
        roots=str(beside(folder, form.roots)),
        chain=_path(form.chain, folder),
        ca_file=_path(form.ca_file, folder),
        proxy=form.proxy,
        timeout_s=form.timeout,
        insecure_http=form.insecure_http,
    )


def _path(text: str | None, folder: Path) -> str | None:
    return str(beside(folder, text)) if text else None
