"""The words for times, spans, numbers and outcomes; those for evidence are `core.words`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from auditor.core.coverage import Tally
from auditor.core.model import ReadOutcome
from auditor.core.period import Period
from auditor.core.safetext import safe

READ_WORDS: Mapping[ReadOutcome, str] = {
    ReadOutcome.OBSERVED: "read",
    ReadOutcome.NOT_CONFIGURED: "no mail profile configured",
    ReadOutcome.DNS_FAILED: "name not found in DNS",
    ReadOutcome.UNREACHABLE: "unreachable",
    ReadOutcome.TIMEOUT: "timed out",
    ReadOutcome.TLS_FAILED: "TLS not trusted",
    ReadOutcome.REDIRECTED: "redirected elsewhere",
    ReadOutcome.UNAUTHENTICATED: "sign-in refused",
    ReadOutcome.FORBIDDEN: "access denied",
    ReadOutcome.NOT_FOUND: "no Command API found",
    ReadOutcome.REJECTED: "request rejected",
    ReadOutcome.UNSUPPORTED_VERSION: "API version not supported",
    ReadOutcome.THROTTLED: "throttled",
    ReadOutcome.SERVER_ERROR: "server error",
    ReadOutcome.MALFORMED: "answer not understood",
    ReadOutcome.TOO_LARGE: "answer too large",
    ReadOutcome.CREDENTIAL_MISSING: "credential missing",
    ReadOutcome.BACKING_OFF: "held back after a denial",
}

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def read_words(outcome: str) -> str:
    """What a read ended in, in words; an outcome that is not known stands as it is."""
    return READ_WORDS[ReadOutcome(outcome)] if outcome in set(ReadOutcome) else outcome.replace("_", " ")


_LONG = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# --- times --------------------------------------------------------------------------------------------------------


_ZONE: ContextVar[str] = ContextVar("zone", default="UTC")


@contextmanager
def by_clocks_of(zone: str) -> Iterator[None]:
    """Within this, times are said by the clocks of `zone`, and in UTC beside it: a report's zone is that of all of its sentences."""
    token = _ZONE.set(zone)
    try:
        yield
    finally:
        _ZONE.reset(token)


def moment(at: datetime) -> str:
    """`Tue 17 Nov 2026 09:15 UTC`, in English whatever the locale; `... 10:15 CET (09:15 UTC)` by the clocks of another zone."""
    own = at.astimezone(UTC)
    if _ZONE.get() == "UTC":
        return f"{_day(own)} {own:%H:%M} UTC"
    local = at.astimezone(ZoneInfo(_ZONE.get()))
    return f"{_day(local)} {local:%H:%M} {local.tzname()} ({_beside(local, own)}{own:%H:%M} UTC)"


def short(at: datetime) -> str:
    """`22 Nov 09:15`, for a table whose page names year and zone."""
    local = at.astimezone(ZoneInfo(_ZONE.get()) if _ZONE.get() != "UTC" else UTC)
    return f"{local.day} {_MONTHS[local.month - 1]} {local:%H:%M}"


def day(on: date) -> str:
    """`Tue 17 Nov 2026`."""
    return _day(datetime(on.year, on.month, on.day, tzinfo=UTC))


def span(first: date, last: date) -> str:
    """`16 to 22 November 2026`, `30 November to 6 December 2026`; one day by itself."""
    end = f"{last.day} {_LONG[last.month - 1]} {last.year}"
    if first == last:
        return end
    if first.year != last.year:
        return f"{first.day} {_LONG[first.month - 1]} {first.year} to {end}"
    return f"{first.day}{'' if first.month == last.month else f' {_LONG[first.month - 1]}'} to {end}"


def period_words(period: Period) -> str:
    """The period as a title has it: `week 47 of 2026, 16 to 22 November 2026 (UTC)`."""
    days, zone = span(period.first, period.last), "UTC" if period.zone == "UTC" else f"{period.zone}, UTC beside it"
    year, _, week = period.key.partition("-W")
    return f"week {int(week)} of {year}, {days} ({zone})" if week else f"{days} ({zone})"


def tally_words(tally: Tally) -> str:
    """What became of the slots that were owed: `670 on time, 0 late, 2 failed, 0 missed`."""
    return f"{tally.on_time:,} on time, {tally.late:,} late, {tally.failed:,} failed, {tally.missed:,} missed"


def between(start: datetime, end: datetime) -> str:
    """`between Tue 17 Nov 2026 09:15 and 09:30 UTC`; to the second where the minute is the same."""
    if start > end:
        return f"by {moment(end)}, after a read of {moment(start)}: the clock was set back in between"
    clock = "%H:%M:%S" if start.replace(second=0, microsecond=0) == end.replace(second=0, microsecond=0) else "%H:%M"
    zone = ZoneInfo(_ZONE.get()) if _ZONE.get() != "UTC" else UTC
    begun, ended = start.astimezone(zone), end.astimezone(zone)
    if begun.date() != ended.date() or begun.utcoffset() != ended.utcoffset():
        return f"between {moment(start)} and {moment(end)}"
    said = f"between {_day(begun)} {begun.strftime(clock)} and {ended.strftime(clock)} {ended.tzname()}"
    if zone is UTC:
        return said
    own = start.astimezone(UTC)
    return f"{said} ({_beside(begun, own)}{own.strftime(clock)} and {end.astimezone(UTC).strftime(clock)} UTC)"


def _beside(local: datetime, own: datetime) -> str:
    """The day in UTC, where it is another one."""
    return "" if local.date() == own.date() else f"{_day(own)} "


def happened(start: datetime | None, end: datetime) -> str:
    """When something happened that two reads lie around: `between ... and ...`; `before ...` where there was no read that showed another state."""
    return between(start, end) if start is not None else f"before {moment(end)}"


def lasted(first: datetime, last: datetime) -> str:
    """When reads from `first` to `last` saw something: `Tue 17 Nov 2026 09:15 UTC`, or `from ... to ...` where it is not the same minute."""
    return moment(last) if moment(first) == moment(last) else f"from {moment(first)} to {moment(last)}"


def iso(at: datetime) -> str:
    """ISO 8601 in UTC with a Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def lasting(span: timedelta) -> str:
    """A span in its largest whole unit: `6 days`, `3 hours`, `40 seconds`."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return count(seconds // size, unit)
    return count(seconds, "second")


def _day(at: datetime) -> str:
    return f"{_DAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]} {at.year}"


# --- numbers and lists --------------------------------------------------------------------------------------------


def count(number: int, noun: str) -> str:
    """`1 server`, `3 servers`, `1,200 servers`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def framework(key: str) -> str:
    """The name of a framework of controls as its readers write it."""
    return _FRAMEWORKS.get(key) or key


_FRAMEWORKS = {
    "cis-8.1": "CIS 8.1",
    "cis-m365-7.0.0": "CIS M365 7.0.0",
    "disa-stig": "DISA STIG",
    "dora": "DORA",
    "dora-rts-2024-1774": "DORA RTS",
    "hipaa": "HIPAA 45 CFR",
    "iso-27001-2022": "ISO 27001:2022",
    "nis2": "NIS2",
    "nis2-ir-2024-2690": "NIS2 IR 2024/2690",
    "nist-800-53r5": "NIST 800-53 r5",
    "nist-csf-2.0": "NIST CSF 2.0",
    "pci-dss-4.0.1": "PCI DSS 4.0.1",
    "soc2": "SOC 2",
}
"""As short as a label has to be; the keys are those of `policies/data/controls.yaml`."""


def checkpoint_words(body: Mapping[str, Any], *, stamped: str | None) -> str:
    """What the record `body` of a signed checkpoint says, with the time that its stamp names, as ISO 8601; None where it has none."""
    dated = f"time stamp of {moment(datetime.fromisoformat(stamped))}" if stamped else "not stamped"
    signer = f"{safe(str(body['subject']))} (certificate SHA-256 {body['signer']})"
    return f"Checkpoint of {moment(datetime.fromisoformat(body['at']))}: {body['seq']}:{body['link']}, signed by {signer}, {dated}."
