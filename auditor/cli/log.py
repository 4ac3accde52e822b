"""Logging for an operator: event, target, id, figures; to stderr, as text or as JSON lines. Bodies, headers and secrets are never logged."""

import logging
import sys
from datetime import UTC, datetime

from auditor.report.safetext import safe

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(*, level: int, as_json: bool) -> None:
    """Set up the root logger once for this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_formatter() if as_json else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Of libraries warnings alone: the DEBUG lines of httpcore and urllib3 hold Authorization headers, and paths that are secrets
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("auditor").setLevel(level)


def _stamp(record: logging.LogRecord) -> str:
    """When the record was made, in UTC."""
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extras = " ".join(f"{key}={safe(str(value))}" for key, value in vars(record).items() if key not in _STANDARD)
        line = f"{_stamp(record)} {record.levelname.lower():7} {record.name}: {safe(record.getMessage())}"
        if record.exc_info:
            extras += f" exception={record.exc_info[0].__name__ if record.exc_info[0] else ''}"
        return f"{line} {extras}".rstrip()


def _json_formatter() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    class _JsonFormatter(JsonFormatter):
        def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's own signature
            return _stamp(record)

        def formatException(self, ei: object) -> str:  # noqa: N802 - logging's own name
            return ei[0].__name__ if isinstance(ei, tuple) and ei[0] else ""

    return _JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"asctime": "at", "levelname": "level", "name": "logger", "message": "event"},
    )
