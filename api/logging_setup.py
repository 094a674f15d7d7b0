"""The process's log on stderr, for people or as one JSON object a line.

What a client sent is in none of it: exceptions appear as their kind and where they happened,
without their message, which could quote it.
"""

import json
import logging
import time
import traceback
from logging.config import dictConfig
from typing import Any, Literal

from api.request_id import current_request_id
from api.stream_protocol import worth_logging

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

_FIELDS = ("route", "method", "status", "duration_ms")
"""What the line of a request has besides its message."""


class TextFormatter(logging.Formatter):
    """`2026-11-22T20:07:31.005Z INFO neurosense.access [id] POST /analyze/text 200 9.1 ms`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line, and the stack of its exception."""
        identity = f"[{current_request_id()}] " if current_request_id() else ""
        text = f"{_time(record)} {record.levelname} {record.name} {identity}{record.getMessage()}"
        return "\n".join(filter(None, (text, _exception(record))))


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, request_id, message, and what a request has."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": current_request_id(),
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if stack := _exception(record):
            line["exception"] = stack
        return json.dumps(line)


def configure(log_format: Format, level: Level) -> None:
    """Set up the whole process's logging, uvicorn's and the libraries' too."""
    # What each record would be asked for, and no line shows.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    formatter = JsonFormatter if log_format == "json" else TextFormatter
    ours = {"level": level.upper()}
    dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": formatter}},
            "filters": {"clients": {"()": lambda: worth_logging}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            # Libraries only when something is wrong: at lower levels some log what they handle.
            "root": {"level": "ERROR" if level == "error" else "WARNING", "handlers": ["stderr"]},
            "loggers": {
                "neurosense": ours,
                "uvicorn": ours,
                "uvicorn.error": {"filters": ["clients"]},
                "python_multipart": {"level": "CRITICAL"},  # warns with the bytes it does not like
            },
        }
    )


def _time(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _exception(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    kind, _, where = record.exc_info
    return f"{kind.__name__}\n{''.join(traceback.format_tb(where))}".rstrip()
