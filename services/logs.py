"""The log: one JSON object a line on standard error, for machines first.

Who comes in: the doors, once, with a level. Who goes out: structlog and the standard library's
loggers, both without a clinical value, a subject or the text of an exception (which may quote
either): an exception is logged as its class and the places it passed.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

# Keys that name what must never be written, whoever tries.
FORBIDDEN = frozenset(
    {"subject", "subjects", "value", "values", "data", "evidence", "detail", "note", "title"}
    | {"body", "facts", "payload", "content", "query", "authorization", "key", "secret"}
)
LEVELS = ("debug", "info", "warning", "error", "critical")

# Alembic says at every look at the schema which database it sees, Celery of every doorbell that it
# came and went.
_TALKATIVE = ("alembic", "celery.worker.strategy", "celery.app.trace")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def frames(error: BaseException) -> list[str]:
    """Where `error` passed, outermost first: file, line and function, no locals, no text."""
    stack = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in stack]


def chain(error: BaseException) -> list[str]:
    """The class names of `error` and of what caused it, outermost first."""
    names: list[str] = []
    current: BaseException | None = error
    while current is not None and len(names) < 10:
        names.append(f"{type(current).__module__}.{type(current).__qualname__}")
        current = current.__cause__ or current.__context__
    return names


def _redact(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """Drop what must never be written; `redacted` tells that somebody tried."""
    tried = sorted(FORBIDDEN & entry.keys())
    for name in tried:
        del entry[name]
    if tried:
        entry["redacted"] = tried
    return entry


def _only_places(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """Turn exception information into class names and places."""
    given = entry.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        entry["error"] = chain(error)
        entry["frames"] = frames(error)
    return entry


def _unquoted(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """Of a library's record about an exception only what the library wrote, not what it put in.

    Celery puts the exception's own text there.
    """
    record: logging.LogRecord | None = entry.get("_record")
    if record is not None and record.exc_info:
        entry["event"] = str(record.msg)
    return entry


def catch_strays() -> None:
    """In a process of ours: what ends a thread, or all, is logged too, and not quoted."""

    def of_process(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        get("process").critical("ended", exc_info=error)

    def of_thread(stray: threading.ExceptHookArgs) -> None:
        name = stray.thread.name if stray.thread else None
        get("thread").critical("ended", thread=name, exc_info=stray.exc_value)

    sys.excepthook = of_process
    threading.excepthook = of_thread


def _as_json(_: WrappedLogger, __: str, entry: EventDict) -> str:
    """One line; what orjson does not know is written as its type's name, never as its text."""
    line = orjson.dumps(entry, default=lambda other: f"<{type(other).__name__}>")
    return line.decode()


def configure(level: str = "info") -> None:
    """Set up logging for this process; a second call replaces the first."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _only_places,
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shared))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Nobody reads these from a record, and finding the caller costs more than writing the line
    # (the switches of Python's own how-to on logging).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001


def _formatter(shared: list[structlog.typing.Processor]) -> logging.Formatter:
    """The same processors for loggers of the standard library."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_unquoted, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _as_json],
    )


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one room."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
