"""What stands in a log line, and what never does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot.logs import LogSettings, set_up_logs

EARLY = structlog.get_logger("bot.early")  # as the rooms make theirs: before anything is set up


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A stream for logs; afterwards logging is as it was before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    for name in ("aiohttp.access", "apscheduler", "mail.log", "procrastinate"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_event_is_one_line_of_json_with_its_facts(stream: io.StringIO) -> None:
    set_up_logs(LogSettings(), stream=stream)

    EARLY.info("mail accepted", mail_from="jane@example.org", size_bytes=12, note="two\nlines")

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "mail accepted",
        "level": "info",
        "logger": "bot.early",
        "mail_from": "jane@example.org",
        "size_bytes": 12,
        "note": "two\nlines",
    }


def test_reference_stands_on_our_lines_and_on_those_of_libraries(stream: io.StringIO) -> None:
    set_up_logs(LogSettings(), stream=stream)

    with structlog.contextvars.bound_contextvars(reference="K7Q29-FDM3X"):
        EARLY.info("mail accepted")
        logging.getLogger("procrastinate").warning("job %s", 7)
    EARLY.info("mail accepted")

    assert [line.get("reference") for line in lines(stream)] == ["K7Q29-FDM3X", "K7Q29-FDM3X", None]
    assert lines(stream)[1]["event"] == "job 7"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("books+hush@example.org", "books+…@example.org"),
        ("<Books+hush.hush-1@example.org> SIZE=3", "<Books+…@example.org> SIZE=3"),
        ("a+b@x.org, c@x.org, d+e@y.org", "a+…@x.org, c@x.org, d+…@y.org"),
        ('"books+hush"@example.org', '"books+…@example.org'),
        ("mailto:books%2Bhush@example.org?subject=1%2B1", "mailto:books%2B…@example.org?subject=1%2B1"),
        ("postgresql://inkpost:hush@db/inkpost", "postgresql://inkpost:…@db/inkpost"),
        ("redis://:hush@cache:6379/0", "redis://:…@cache:6379/0"),
        ("jane@example.org wrote 1+1", "jane@example.org wrote 1+1"),
        (("books+hush@example.org", 3), ["books+…@example.org", 3]),
        ({"rcpt": ["books+hush@example.org"], "password": "hush"}, {"rcpt": ["books+…@example.org"], "password": "…"}),
        (ValueError("no books+hush@example.org"), "no books+…@example.org"),
        (b"books+hush@example.org", "b'books+…@example.org'"),
    ],
)
def test_secret_in_a_field_is_cut_out(stream: io.StringIO, value: object, written: object) -> None:
    set_up_logs(LogSettings(), stream=stream)

    EARLY.info("something", fact=value)

    assert lines(stream)[0]["fact"] == written


@pytest.mark.parametrize("name", ["password", "relay_password", "secret", "api_key", "Authorization", "access_token"])
def test_field_with_the_name_of_a_secret_is_cut_out(stream: io.StringIO, name: str) -> None:
    set_up_logs(LogSettings(), stream=stream)

    EARLY.info("something", **{name: "hush"})

    assert lines(stream)[0][name] == "…"


def test_secret_in_an_exception_or_a_librarys_text_is_cut_out(stream: io.StringIO) -> None:
    set_up_logs(LogSettings(), stream=stream)

    try:
        raise ValueError("no user books+hush@example.org")
    except ValueError:
        EARLY.exception("job failed")
        logging.getLogger("library").exception("no %s", "books+hush@example.org")

    assert "no user books+…@example.org" in lines(stream)[0]["exception"]
    assert "no user books+…@example.org" in lines(stream)[1]["exception"]
    assert "+hush" not in stream.getvalue()


def test_console_is_for_people(stream: io.StringIO) -> None:
    set_up_logs(LogSettings(style="console"), stream=stream)

    EARLY.warning("relay is slow", seconds=3, said="wait\nabit")

    (line,) = stream.getvalue().splitlines()
    assert "relay is slow" in line
    assert "seconds=3" in line
    assert not line.startswith("{")


def test_final_call_has_each_logger_made_once(stream: io.StringIO) -> None:
    log = structlog.get_logger("bot.late")
    set_up_logs(LogSettings(), stream=stream, is_final=True)
    log.info("first", token="secret")
    made = log.bind
    log.info("second")

    assert log.bind is made
    assert [line["event"] for line in lines(stream)] == ["first", "second"]
    assert "secret" not in stream.getvalue()


def test_terminal_is_a_console_unless_told_otherwise(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "isatty", lambda: True)
    set_up_logs(LogSettings(), stream=stream)
    EARLY.info("as console")
    set_up_logs(LogSettings(style="json"), stream=stream)
    EARLY.info("as json")

    first, second = stream.getvalue().splitlines()
    assert not first.startswith("{")
    assert json.loads(second)["event"] == "as json"


@pytest.mark.parametrize("style", ["console", "json"])
def test_peer_cannot_write_to_the_operators_terminal(stream: io.StringIO, style: Any) -> None:
    set_up_logs(LogSettings(style=style), stream=stream)

    EARLY.info("hello from \x1b[31m", helo="evil\x1b]0;owned\x07\x9b1m")
    logging.getLogger("library").warning("said %s", "\x1b[2J")

    assert "evil" in stream.getvalue()
    assert not set(stream.getvalue()) & {"\x1b", "\x07", "\x9b"}


def test_level_holds_for_us_and_for_libraries(stream: io.StringIO) -> None:
    set_up_logs(LogSettings(level="warning"), stream=stream)

    EARLY.info("unseen")
    EARLY.warning("seen")
    logging.getLogger("library").info("unseen")
    logging.getLogger("library").warning("seen")

    assert [line["event"] for line in lines(stream)] == ["seen", "seen"]


def test_single_library_has_a_level_of_its_own(stream: io.StringIO) -> None:
    set_up_logs(LogSettings(level="info", levels={"procrastinate": "info"}), stream=stream)

    logging.getLogger("procrastinate.worker").info("started job")
    logging.getLogger("apscheduler.scheduler").info("added job")

    assert [line["event"] for line in lines(stream)] == ["started job"]


def test_text_of_mails_is_never_logged_by_aiosmtpd(stream: io.StringIO) -> None:
    set_up_logs(LogSettings(level="debug", levels={"mail.log": "debug"}), stream=stream)

    logging.getLogger("mail.log").debug("DATA readline: Dear Jane")
    logging.getLogger("mail.log").info("connection lost")

    assert [line["event"] for line in lines(stream)] == ["connection lost"]


def test_second_set_up_replaces_the_first(stream: io.StringIO) -> None:
    set_up_logs(LogSettings(), stream=stream)
    set_up_logs(LogSettings(), stream=stream)

    logging.getLogger("library").warning("once")

    assert [line["event"] for line in lines(stream)] == ["once"]
