"""Logs: one event a line, constant text with facts as fields, for people at a terminal and as JSON everywhere else.

Rooms call `structlog.get_logger(__name__)`. What is bound by `structlog.contextvars.bound_contextvars(reference=...)`
stands on each line that is written meanwhile, by libraries too.
"""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]

REDACTED = "…"
_SECRET_KEY = re.compile(r"passw|secret|token|credential|authorization|api_?key", re.IGNORECASE)
_SUBADDRESS = re.compile(r"([^\s@<>+]+(?:\+|%2B))[^\s@<>]+@", re.IGNORECASE)  # books+secret@, in links books%2Bsecret@
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/@]+@")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and newline: a peer may write to no terminal

# What libraries say of every job, request and command. At "info", Procrastinate alone writes two lines a job.
_LIBRARY_LEVELS: Mapping[str, Level] = {
    "aiohttp.access": "warning",
    "apscheduler": "warning",
    "mail.log": "warning",
    "procrastinate": "warning",
}
_MAIL_LOG = "mail.log"  # aiosmtpd's; at DEBUG it writes the text of every mail


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, and how it looks. Logs go to the standard error."""

    level: Level = "info"
    """The least that is written: debug, info, warning or error."""
    style: Literal["auto", "console", "json"] = "auto"
    """`console` is for people, `json` for programs; `auto` is console at a terminal and JSON elsewhere."""
    levels: Mapping[str, Level] = field(default_factory=dict)
    """The least for single libraries: `{ procrastinate = "info" }`."""


def set_up_logs(settings: LogSettings, *, stream: TextIO, is_final: bool = False) -> None:
    """Send our events and those of all libraries to `stream`. Can be called again; the last call counts.

    After a call that `is_final` it cannot: each logger is made once, and a line takes a quarter less.
    """
    is_console = settings.style == "console" or (settings.style == "auto" and stream.isatty())
    facts: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[Processor] = [
        structlog.processors.format_exc_info,  # plain text: the richer ones print local variables, so secrets and mails
        redact,
        _console_renderer(stream) if is_console else structlog.processors.JSONRenderer(serializer=_to_json),
    ]
    structlog.configure(
        processors=[*facts, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=lambda *names: _Logger(stream, *names),
        cache_logger_on_first_use=is_final,
    )
    _route_libraries(settings, stream, facts=facts, rendering=rendering)


_encoder = json.JSONEncoder(ensure_ascii=False, default=str)  # `json.dumps` would make one for each line


def _to_json(event: EventDict, **_: Any) -> str:
    return _encoder.encode(event)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Processor: secrets out of all fields, by their name or by their form; control characters out of all texts."""
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: str, value: Any) -> Any:
    if _is_secret(key):
        return REDACTED
    match value:
        case str():
            return _redacted_text(value)
        case bool() | int() | float() | None:
            return value
        case Mapping():
            return {str(inner): _redacted(str(inner), item) for inner, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(key, item) for item in value]
    return _redacted_text(str(value))


@functools.lru_cache(maxsize=1024)  # the same few names on every line
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _redacted_text(text: str) -> str:
    if "@" in text and ("+" in text or "%" in text):  # most addresses have neither, and need no search
        text = _SUBADDRESS.sub(rf"\1{REDACTED}@", text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1{REDACTED}@", text)
    return text if text.isprintable() else _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


class _Logger(structlog.WriteLogger):
    """Writes lines at once, and knows its name for `add_logger_name`. Half the cost of going through `logging`."""

    def __init__(self, stream: TextIO, name: str = "") -> None:
        super().__init__(stream)
        self.name = name


class _LibraryHandler(logging.StreamHandler[TextIO]):
    """Ours among the handlers of the root logger."""


def _console_renderer(stream: TextIO) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _route_libraries(
    settings: LogSettings, stream: TextIO, *, facts: list[Processor], rendering: list[Processor]
) -> None:
    handler = _LibraryHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=facts,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _LibraryHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    for name, level in {**_LIBRARY_LEVELS, **settings.levels}.items():
        logging.getLogger(name).setLevel(level.upper())
    mail_log = logging.getLogger(_MAIL_LOG)
    mail_log.setLevel(max(mail_log.level, logging.INFO))
    logging.captureWarnings(True)
