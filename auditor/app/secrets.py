"""Secrets behind references, and the key of the installation."""

import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from auditor import kfutil
from auditor.core.fingerprint import KEY_BYTES, FingerprintKey
from auditor.core.model import (
    SecretRef,
)
from auditor.errors import ConfigError, SecretError, StoreError

if TYPE_CHECKING:
    pass

log = logging.getLogger("auditor.app")


MAX_SECRET_BYTES = 64 * 1024


def read_secret(ref: SecretRef) -> str:
    """The secret behind `ref`, as it is now; one newline at the end of a file is not part of it.

    Raises:
        SecretError: There is none, or it is empty, not UTF-8 or too large. The message names the reference alone.
    """
    return _SECRETS[ref.kind](ref)


def _of_environment(ref: SecretRef) -> str:
    value = os.environ.get(ref.name, "")
    if not value:
        raise SecretError(f"{ref}: the environment variable is not set or empty", hint=f"set {ref.name} for the account that runs the auditor")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SecretError(f"{ref}: not UTF-8", hint="the environment holds bytes of another encoding") from None
    return value


def _of_file(ref: SecretRef) -> str:
    is_credential = ref.kind == "credential"
    try:
        with (_credential(ref) if is_credential else Path(ref.name)).open("rb") as stream:
            raw = stream.read(MAX_SECRET_BYTES + 1)
    except OSError as failure:
        hint = "create it, readable for the account that runs the auditor alone"
        hint = f"the unit hands it over: LoadCredential={ref.name}:/PATH/OF/THE/SECRET" if is_credential else hint
        raise SecretError(f"{ref}: cannot be read: {failure.strerror or type(failure).__name__}", hint=hint) from None
    if len(raw) > MAX_SECRET_BYTES:
        raise SecretError(f"{ref}: larger than {MAX_SECRET_BYTES} bytes", hint="is this the right file?")
    try:
        value = raw.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretError(f"{ref}: not UTF-8", hint="save the file as UTF-8") from None
    if not value:
        raise SecretError(f"{ref}: the file is empty", hint="put the secret into it")
    return value


def _credential(ref: SecretRef) -> Path:
    """Where systemd put the credential that the unit loads for this process alone (systemd.exec(5), LoadCredential=)."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        hint = f"that is a unit's, with LoadCredential={ref.name}:/PATH/OF/THE/SECRET; in a shell, systemd-run hands one over with -p"
        raise SecretError(f"{ref}: this process was given no credentials (CREDENTIALS_DIRECTORY is not set)", hint=hint)
    return Path(folder) / ref.name


def _of_keyring(ref: SecretRef) -> str:
    try:
        keyring, errors = import_module("keyring"), import_module("keyring.errors")  # an extra: most installations have no use for it
    except ImportError:
        raise SecretError(f"{ref}: the package `keyring` is not installed", hint="pip install 'smtp-auditor[keyring]'") from None
    service, _, name = ref.name.partition("/")
    try:
        value = keyring.get_password(service, name)
    except errors.KeyringError as failure:  # its words could be anything
        hint = "is the keyring unlocked for the account that runs the auditor?"
        raise SecretError(f"{ref}: the keyring gives no answer ({type(failure).__name__})", hint=hint) from None
    if not isinstance(value, str) or not value:
        hint = f"`keyring set {service} {name}`, as the account that runs the auditor"
        raise SecretError(f"{ref}: the keyring has no such entry", hint=hint)
    return value


def _of_vendors_file(ref: SecretRef) -> str:
    try:
        return kfutil.secret(ref.name)
    except ConfigError as failure:
        raise SecretError(f"{ref}: {failure}", hint=failure.hint) from None


_SECRETS: Mapping[str, Callable[[SecretRef], str]] = {
    "env": _of_environment,
    "file": _of_file,
    "credential": _of_file,
    "keyring": _of_keyring,
    "kfutil": _of_vendors_file,
}


def fingerprint_key(ref: SecretRef) -> FingerprintKey:
    """The installation's fingerprint key. A key file that does not exist is made, for its owner alone to read.

    Raises:
        SecretError: The reference leads nowhere, or to what is no key.
    """
    path = Path(ref.name)
    if ref.kind == "file" and not path.exists():
        _create_key(path)
    text = read_secret(ref)
    try:
        return FingerprintKey(bytes.fromhex(text))
    except ValueError:
        raise SecretError(f"{ref}: not a fingerprint key", hint=f"a key is {KEY_BYTES * 2} hexadecimal digits; `auditor init` makes one") from None


def _create_key(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # for its owner alone (0600)
        with os.fdopen(handle, "w", encoding="ascii", newline="\n") as stream:
            stream.write(os.urandom(KEY_BYTES).hex() + "\n")
        try:
            Path(temporary).rename(path) if os.name == "nt" else os.link(temporary, path)  # either fails where there is a key already
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as failure:
        if path.is_file():
            return  # another process was first; its key is the key
        raise StoreError(f"{path}: the fingerprint key cannot be written: {failure.strerror}", hint="is the folder writable?") from failure


def os_account() -> str:
    """The account that this process runs under, by the operating system; the environment, which anybody can set, is not asked."""
    try:
        import pwd
    except ImportError:  # Windows
        return os.getlogin()
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"
