"""What the configuration says of evidence, put to work: checkpoints of the ledger, made, dated and judged."""

import platform
from typing import TYPE_CHECKING

from auditor import __version__, attest
from auditor.app.secrets import os_account
from auditor.config import Config
from auditor.core.model import SigningFiles, StampAuthority
from auditor.core.slots import newest_slot
from auditor.errors import ConfigError

if TYPE_CHECKING:
    from auditor.app import App
    from auditor.evidence.cms import Signer
    from auditor.evidence.stamp import Stamp
    from auditor.store.store import Store

NO_SIGNER = "`auditor evidence init-key` makes one to begin with, and says what it is worth; docs/evidence.md has the setting"


def signer_of(app: "App") -> "Signer":
    """Who signs, read anew from its files.

    Raises:
        ConfigError: None is configured.
        EvidenceError, SecretError: It cannot be used.
    """
    from auditor.evidence import cms

    return cms.load(_files(app.config), secret=app.secret)


def make_checkpoint(app: "App") -> int:
    """Sign the ledger's head and record it; returns the number of the checkpoint, which is not dated yet.

    Raises:
        ConfigError, EvidenceError, SecretError: There is no signer, or none that can be used now.
        StoreError: It cannot be recorded.
    """
    signer = signer_of(app)
    return attest.checkpoint(app.store, signer, at=app.clock(), recorder=_recorder(), version=__version__)


def stamp_missing(app: "App") -> dict[int, str]:
    """Have all checkpoints dated that are not, as `attest.stamp_missing`; without an authority none are.

    Raises:
        StoreError: It cannot be recorded.
    """
    authority = authority_of(app.config)
    if authority is None:
        return {}
    from auditor.evidence import stamp
    from auditor.exchange.connection import TlsContexts

    contexts = TlsContexts()

    def ask(whom: StampAuthority, content: bytes) -> "Stamp":
        return stamp.ask(whom, content, contexts=contexts, version=__version__)

    return attest.stamp_missing(app.store, authority, ask, clock=app.clock, recorder=_recorder())


def serve_due(app: "App") -> tuple[int | None, dict[int, str]]:
    """Make the checkpoint that the schedule owes by now, if any, and have dated what is not: the number of the new one, and as `stamp_missing`.

    Raises:
        EvidenceError, SecretError: The signer cannot be used.
        StoreError: The record cannot be read or written.
    """
    if app.config.evidence is None:
        return None, {}
    slot, (newest, are_dated) = newest_slot(app.config.evidence.schedule, app.clock()), app.store.newest_checkpoint()
    made = make_checkpoint(app) if slot is not None and (newest is None or newest < slot) else None
    return made, {} if made is None and are_dated else stamp_missing(app)


def judge_checkpoints(store: "Store", settings: Config, *, number: int | None = None) -> list[attest.Judged]:
    """What each checkpoint on record is worth today, or the one of this `number`.

    Raises:
        StoreError: One is not as it was recorded.
    """
    return attest.judge(store, authority_of(settings), number=number)


def authority_of(settings: Config) -> StampAuthority | None:
    """The time-stamping authority, where one is configured."""
    return settings.evidence.tsa if settings.evidence else None


def _files(settings: Config) -> SigningFiles:
    if settings.evidence is None:
        raise ConfigError(f"{settings.file}: nothing says who signs (`evidence.signer`)", hint=NO_SIGNER)
    return settings.evidence.signer


def _recorder() -> dict[str, str]:
    return {"account": os_account(), "host": platform.node()}
