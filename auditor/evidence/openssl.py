"""Verifies with the `openssl` program: what it says, anybody can have it say on another machine.

It is started without a shell, is given files of a folder of its own, and ends within a bounded time.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from auditor.core.safetext import safe

TIMEOUT_S = 20.0
"""One verification takes some 10 ms."""
_SAID = 300


def program() -> str | None:
    """Where the program is; None where this machine has none."""
    return shutil.which("openssl")


def signature_fault(openssl: str, content: bytes, signature: bytes, *, signer: str) -> str:
    """What is wrong with a detached CMS signature of `content`; empty where it holds and is by the certificate with the fingerprint `signer`.

    Whether that certificate is to be trusted is not asked: it is known by its fingerprint, so that a signature holds after the signer has changed.
    """
    with tempfile.TemporaryDirectory(prefix="auditor-") as folder:
        files = _written(folder, {"content": content, "signature": signature})
        found, out = str(Path(folder, "signer.pem")), str(Path(folder, "out"))
        arguments = ("-verify", "-binary", "-inform", "DER", "-in", files["signature"], "-content", files["content"], "-noverify")
        if fault := _fault(openssl, ["cms", *arguments, "-signer", found, "-out", out]):
            return fault
        return "" if _fingerprints(Path(found)) == [signer] else "it was signed by another certificate than is on record"


def stamp_fault(openssl: str, content: bytes, reply: bytes, *, roots: str, chain: str | None = None, at: datetime | None = None) -> str:
    """What is wrong with the time stamp `reply` for `content`; empty where it holds, by a certificate of a root in the PEM file `roots`.

    Certificates are judged as of `at`, or as of now.
    """
    with tempfile.TemporaryDirectory(prefix="auditor-") as folder:
        files = _written(folder, {"content": content, "reply": reply})
        more = ["-untrusted", chain] if chain else []
        when = ["-attime", str(int(at.timestamp()))] if at else []
        return _fault(openssl, ["ts", "-verify", "-data", files["content"], "-in", files["reply"], "-CAfile", roots, *more, *when])


def _fault(openssl: str, arguments: Sequence[str]) -> str:
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "LD_LIBRARY_PATH")}
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and of the arguments none is from outside but paths of the configuration
            [openssl, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False, env={**environment, "LC_ALL": "C"}
        )
    except subprocess.TimeoutExpired:
        return f"openssl did not end within {TIMEOUT_S:g} s"
    except OSError as failure:
        return f"openssl cannot be started: {failure.strerror}"
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.decode("ascii", errors="replace").splitlines() if line.strip()]
    said = next((line for line in lines if "rror:" in line), lines[0] if lines else f"exit code {done.returncode}")
    return f"openssl: {safe(said)[:_SAID]}"


def _fingerprints(path: Path) -> list[str]:
    from cryptography import x509

    from auditor.evidence.cms import fingerprint

    try:
        return [fingerprint(one) for one in x509.load_pem_x509_certificates(path.read_bytes())]
    except (OSError, ValueError):
        return []


def _written(folder: str, contents: Mapping[str, bytes]) -> dict[str, str]:
    for name, content in contents.items():
        Path(folder, name).write_bytes(content)
    return {name: str(Path(folder, name)) for name in contents}
