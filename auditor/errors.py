"""The errors that are ours to raise: what went wrong, where, and what to do about it.

Trouble with an audited server is never one of these: it is the outcome of an observation (`core.model.ReadOutcome`).
"""

from collections.abc import Iterable


class AuditorError(Exception):
    """Something that a person has to mend. `str(error)` names thing, place and finding; `hint` says what to do.

    Neither text may hold a secret: both reach terminals and logs.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AuditorError):
    """The command line asks for what cannot be done."""


class DocumentError(AuditorError):
    """A YAML file of ours is not what it must be; the message begins with `FILE:LINE: `."""


class ConfigError(DocumentError):
    """The configuration is wrong, or names something that is not there."""


class PolicyError(DocumentError):
    """A policy is wrong; it was not used, not even in part."""


class SecretError(AuditorError):
    """A reference to a secret leads nowhere. Its message names the reference, never a value."""


class EvidenceError(AuditorError):
    """Something cannot be signed, dated or verified: a key, a certificate, or a time-stamping authority is not what it must be."""


class StoreError(AuditorError):
    """The database or another file of ours cannot be read or written."""


class InstanceError(AuditorError):
    """Another daemon is at work on the same database."""


class SchemaError(StoreError):
    """The database was made by another edition of the auditor: older (upgrade it) or newer (refused)."""


def did_you_mean(word: str, choices: Iterable[str], *, else_say: str = "") -> str:
    """A hint that names the choice nearest to `word`, or `else_say` where none is near."""
    from difflib import get_close_matches

    by_folded = {choice.casefold(): choice for choice in sorted(choices)}
    folded = word.casefold()
    near = get_close_matches(folded, by_folded, n=1, cutoff=0.6) or [choice for choice in by_folded if len(folded) > 2 and choice.startswith(folded)]
    return f"did you mean {by_folded[near[0]]!r}?" if near else else_say
