"""Policies loaded and checked against a configuration, and judgements of what is in no store."""

import logging
import os
import platform
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor import __version__, config, datatables, policyfile, resources
from auditor.app.places import now
from auditor.audit import Judge
from auditor.core.assess import Past
from auditor.core.fingerprint import KEY_BYTES, FingerprintKey
from auditor.core.model import (
    Assessment,
    Collection,
    Observation,
    PolicyText,
    ReadOutcome,
    SecretRef,
    Snapshot,
    StaticToken,
    Target,
    TargetText,
)
from auditor.errors import PolicyError, UsageError, did_you_mean

if TYPE_CHECKING:
    pass

log = logging.getLogger("auditor.app")


def load_judge(settings: config.Config | None, *, framework: str | None = None, draft: Path | None = None) -> Judge:
    """The shipped policies and those of the configuration, ready to judge every configured target.

    With a `framework`, by the rules alone that support one of its controls. Policies of `draft`, a file or a folder, replace those of their names.

    Raises:
        PolicyError: One of them is wrong, or the configuration names a policy or a var that does not exist.
    """
    book = policy_book(settings, draft=draft)
    if settings is None:
        return Judge(book=book, framework=framework)
    judge = Judge(book=book, vars=settings.vars, target_vars=settings.target_vars, framework=framework)
    for number, target in enumerate(settings.targets):
        if target.policy not in book.names():
            hint = did_you_mean(target.policy, book.names(), else_say=f"there are: {', '.join(sorted(book.names()))}")
            raise PolicyError(f"{settings.where(target.name, 'policy')}: target {target.name}: no policy is called {target.policy!r}", hint=hint)
        for place, values, layer in (
            (("vars",), settings.vars, "installation"),
            (("targets", number, "vars"), settings.target_vars[target.name], "own"),
        ):
            for name, value in values.items():  # one by one, so that a message can name the line
                alone: dict[str, Any] = {layer: {name: value}}
                try:
                    book.effective(target.policy, target=target.name, labels=dict(target.labels), **alone)
                except PolicyError as wrong:
                    raise PolicyError(f"{settings.source.where(*place, name)}: {wrong}", hint=wrong.hint) from None
        judge.policy_for(target)
    return judge


def policy_book(settings: config.Config | None, *, draft: Path | None = None) -> policyfile.PolicyBook:
    """All policies: the shipped ones and those in the configured folders, each replaced by the one of its name in `draft`.

    Raises:
        PolicyError: One of them is wrong.
    """
    if not draft and not (settings and settings.policy_folders):
        shipped = _shipped_book()
        return policyfile.PolicyBook(shipped.policies, shipped.tables, shipped.controls)
    return _book_in(settings.policy_folders if settings else (), draft=draft, target_names=[t.name for t in settings.targets] if settings else None)


@cache
def _shipped_book() -> policyfile.PolicyBook:
    """The shipped policies, which do not change while the program runs: a daemon takes up a configuration in half the time."""
    return _book_in((), draft=None, target_names=None)


def _book_in(folders: Sequence[Path], *, draft: Path | None, target_names: Sequence[str] | None) -> policyfile.PolicyBook:
    shipped = resources.folder("policies")
    return policyfile.load(
        [shipped, *folders],
        target_names=target_names,
        controls=policyfile.load_controls(shipped / "data" / "controls.yaml"),
        tables=datatables.load(shipped / "data"),
        draft=draft,
    )


MAX_SAVED_BYTES = 64 * 1024
SAVED = "a saved answer"
"""Whom a saved answer is judged as: no configured target can be called so, and none lends it policy or vars."""


def judge_saved(
    body: Path, policy_name: str, settings: config.Config | None, *, framework: str | None = None
) -> tuple[Assessment, TargetText, PolicyText]:
    """Judge a saved answer of `GET /SMTP` by the policy called `policy_name`: offline, nothing stored, fingerprints under a key thrown away.

    A file that cannot be read is an outcome like that of a server that cannot.

    Raises:
        UsageError: There is no such policy.
        PolicyError: One of the policies is wrong.
    """
    judge = load_judge(settings, framework=framework)
    if policy_name not in judge.book.names():
        hint = did_you_mean(policy_name, judge.book.names(), else_say=f"there are: {', '.join(sorted(judge.book.names()))}")
        raise UsageError(f"no policy is called {policy_name!r}", hint=hint)
    target = Target(name=SAVED, url=body.name, auth=StaticToken(token=SecretRef("env", "none")), policy=policy_name)
    observation = observe_saved(body, at=now())
    assessment = judge.assess(observation, target, past=Past())
    policy = PolicyText.from_document(judge.policy_for(target).policy.document())
    return assessment, TargetText(name="saved", url=body.name), policy


def observe_saved(body: Path, *, at: datetime) -> Observation:
    """What the saved answer of `GET /SMTP` in `body` says, as if read at `at`. A file that cannot be read is trouble, like a server that cannot."""
    try:
        with body.open("rb") as stream:
            raw = stream.read(MAX_SAVED_BYTES + 1)
    except OSError as failure:
        raw, (outcome, snapshot, message) = b"", (ReadOutcome.NOT_FOUND, None, f"{body} cannot be read: {failure.strerror}")
    else:
        outcome, snapshot, message = _parsed(raw)
    return Observation(
        target="saved",
        outcome=outcome,
        started_at=at,
        ended_at=at,
        snapshot=snapshot,
        message=message,
        hint="" if snapshot else "save the body of GET /SMTP as it came, as JSON",
        collection=Collection(method="file", url=body.name, collector_host=platform.node(), collector_version=__version__, body_bytes=len(raw)),
    )


def _parsed(raw: bytes) -> tuple[ReadOutcome, Snapshot | None, str]:
    from auditor.command import wire

    if len(raw) > MAX_SAVED_BYTES:
        return ReadOutcome.TOO_LARGE, None, f"the file is larger than {MAX_SAVED_BYTES} bytes; a mail profile is below 2 KiB"
    seen = wire.parse(raw, api_version=None, fingerprint=FingerprintKey(os.urandom(KEY_BYTES)).of)
    if isinstance(seen, wire.Unreadable):
        return ReadOutcome.MALFORMED, None, f"the file is no answer of GET /SMTP: {seen.reason}"
    return (ReadOutcome.OBSERVED, seen, "") if seen.configured else (ReadOutcome.NOT_CONFIGURED, seen, "no mail profile is configured")
