"""Logging for an operator: event, target, id, figures; to stderr, as text or as JSON lines. Bodies, headers and secrets are never logged."""

import logging
import sys
import time

from auditor.report.safetext import safe

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(*, level: int, as_json: bool) -> None:
    """Set up the root logger once for this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_formatter() if as_json else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("httpx", "httpcore", "hpack", "apscheduler", "alembic", "sqlalchemy"):
        # httpcore's DEBUG lines hold request headers, Authorization among them
        logging.getLogger(name).setLevel(logging.WARNING)


class _TextFormatter(logging.Formatter):
    converter = time.gmtime  # noqa: TID251 - a converter of given times, no clock

    def format(self, record: logging.LogRecord) -> str:
        extras = " ".join(f"{key}={safe(str(value))}" for key, value in vars(record).items() if key not in _STANDARD)
        line = f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%SZ')} {record.levelname.lower():7} {record.name}: {safe(record.getMessage())}"
        if record.exc_info:
            extras += f" exception={record.exc_info[0].__name__ if record.exc_info[0] else ''}"
        return f"{line} {extras}".rstrip()


def _json_formatter() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    class _JsonFormatter(JsonFormatter):
        converter = time.gmtime  # noqa: TID251 - a converter of given times, no clock

        def formatException(self, ei: object) -> str:  # noqa: N802 - logging's own name
            return ei[0].__name__ if isinstance(ei, tuple) and ei[0] else ""

    return _JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"asctime": "at", "levelname": "level", "name": "logger", "message": "event"},
        datefmt="%Y-%m-%dT%H:%M:%SZ",
    )
