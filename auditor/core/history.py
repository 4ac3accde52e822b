"""What was seen of one target over time: states and how long each was shown, reads in vain, names; and what follows for one field. Pure.

The order is that of recording: it survives a clock that is set back, so a stretch can begin "before" the one that it follows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from auditor.core.beside import as_sent, key_ids
from auditor.core.drift import difference, shown
from auditor.core.model import Approval, DriftEvent, Moved, ProfileField, ReadOutcome, Snapshot, State

Snapshots = Callable[[str], Snapshot]
"""The snapshot with this digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Good reads in a row that showed one and the same state: when the first of them had its answer, when the last one began, how many there were."""

    digest: str
    first_seen: datetime
    last_seen: datetime
    reads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Reads in a row that did not show the profile. `before` is the last good read, None where there was none; `after` the next, None if it lasts."""

    outcomes: tuple[ReadOutcome, ...]
    first: datetime
    last: datetime
    reads: int
    before: datetime | None
    after: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that is recorded of one target, each kind oldest first. `names` are the former ones, with the time until which each was used."""

    target: str
    first_read: datetime | None = None
    stretches: tuple[Stretch, ...] = ()
    spells: tuple[Spell, ...] = ()
    events: tuple[DriftEvent, ...] = ()
    moved: tuple[Moved, ...] = ()
    approvals: tuple[Approval, ...] = ()
    names: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One value of a field and how long reads showed it; `written` has each way in which it was sent, where there was more than one."""

    value: ProfileField
    first_seen: datetime
    last_seen: datetime
    reads: int
    written: tuple[str, ...] = ()


def values(subject: str, stretches: Sequence[Stretch], snapshot_of: Snapshots) -> tuple[Held, ...]:
    """The values of a field over time, by the comparison that tells drift. A value that comes back stands there again."""
    found: list[Held] = []
    ways: list[list[str]] = []
    for one in stretches:
        value = shown(snapshot_of(one.digest), subject)
        way = as_sent(subject, value)
        if found and _is_same(subject, found[-1].value, value):
            last = found[-1]
            found[-1] = Held(value=last.value, first_seen=last.first_seen, last_seen=one.last_seen, reads=last.reads + one.reads)
            ways[-1].append(way)
        else:
            found.append(Held(value=value, first_seen=one.first_seen, last_seen=one.last_seen, reads=one.reads))
            ways.append([way])
    return tuple(
        Held(value=held.value, first_seen=held.first_seen, last_seen=held.last_seen, reads=held.reads, written=_several(ways[index]))
        for index, held in enumerate(found)
    )


def taken_on(subject: str, stretches: Sequence[Stretch], snapshot_of: Snapshots) -> tuple[datetime | None, datetime]:
    """When the field took on what the last of `stretches`, of which there is one at least, shows: after the first time, by the second one.

    The first is None where no other value was ever seen. Reads that could not show the field lie within the interval.
    """
    *past, last = stretches
    value, by = shown(snapshot_of(last.digest), subject), last.first_seen
    for one in reversed(past):
        seen = shown(snapshot_of(one.digest), subject)
        if seen.fact.state is State.NOT_OFFERED and value.fact.state is not State.NOT_OFFERED:
            continue
        if not _is_same(subject, seen, value):
            return one.last_seen, by
        by = one.first_seen
    return None, by


def _is_same(subject: str, old: ProfileField, new: ProfileField) -> bool:
    """Fingerprints under another key are another value here: what cannot be compared is not told to have lasted."""
    return difference(subject, old, new) is None and (key_ids(old) == key_ids(new) or not (key_ids(old) and key_ids(new)))


def _several(ways: list[str]) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(ways))
    return distinct if len(distinct) > 1 else ()
