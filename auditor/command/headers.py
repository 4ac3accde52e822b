"""What is kept of the headers of Command's answers: hostile texts, of which only those of known form are taken."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

from auditor.command import words
from auditor.exchange.connection import Answer


def told(answer: Answer, now: datetime) -> dict[str, Any]:
    """The fields of the Collection that an answer received at `now` fills."""
    found: dict[str, Any] = {"status": answer.status, "body_bytes": len(answer.body)}
    for name, (header, form) in _KEPT.items():
        value = answer.headers.get(header, "")
        found[name] = value if re.fullmatch(form, value) else None
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", "")[:64])
        server_date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return found | {"server_date": None, "clock_offset_ms": None}
    return found | {"server_date": server_date, "clock_offset_ms": (server_date - now) // timedelta(milliseconds=1)}


def is_unsupported(answer: Answer, version: int) -> bool:
    """Whether Command says that it does not offer this API version."""
    if answer.status not in (400, 404, 405, 406):
        return False
    listed = {part.strip().partition(".")[0] for part in answer.headers.get("Api-Supported-Versions", "")[:100].split(",")} - {""}
    return words.names_version(answer.body) or (bool(listed) and str(version) not in listed)


def are_commands(answer: Answer) -> bool:
    """Whether it was Command that answered, not something in front of it."""
    return any(name == "api-supported-versions" or name.startswith("x-keyfactor-") for name in answer.headers)


_KEPT: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "product_version": ("X-Keyfactor-Product-Version", r"[0-9A-Za-z.+-]{1,100}"),
        "supported_versions": ("Api-Supported-Versions", r"[0-9A-Za-z., -]{1,100}"),
        "correlation_id": ("X-Keyfactor-Correlation-Id", r"[0-9A-Za-z-]{1,64}"),
    }
)
"""Fields of the Collection, the headers they come from, and the only form in which a value is kept."""
