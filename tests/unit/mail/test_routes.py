"""The table of routes: which rule applies, in which order, and that the page is made of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.mail.authenticity import OurAddresses
from core.mail.commands import read_commands
from core.mail.forwarding import ForwardingRequest, read_forwarding_request
from core.mail.grammar import Grammar
from core.mail.message import Author, ParsedMessage
from core.mail.routes import (
    OF_A_READER,
    OF_ANYBODY,
    Arrival,
    Route,
    routing_page,
    way_of_a_reader,
    ways_of_anybody,
)
from core.values import BookFormat, Envelope
from handlers._registry import build_grammar, load_handlers
from tests.support.command_mails import attachment, mail

OURS = OurAddresses(domains=frozenset({"ours.example"}), local_parts=frozenset({"books"}))
ALIAS = "n-abcdefgh23456789"
LINK = "https://mail-settings.google.com/mail/vf-%5BANGjd%5D-x9"
BELOW = (
    "\n\n---------- Forwarded message ---------\nFrom: Bob <bob@x.example>\nSubject: Boats\n\nThe boats were found.\n"
)


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return build_grammar(load_handlers())


def by(address: str, subject: str = "", body: str = "", **fields: str) -> ParsedMessage:
    headers = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return replace(mail(subject, body), author=Author(address), headers=headers)


def ways(message: ParsedMessage, *, rcpt: str = "books@ours.example", mail_from: str = "x@x.example") -> list[Route]:
    arrival = Arrival(message=message, envelope=Envelope(mail_from, (rcpt,)), ours=OURS)
    return [found.route for found in ways_of_anybody(arrival)]


def way(message: ParsedMessage, grammar: Grammar) -> Route:
    arrival = Arrival(
        message=message, envelope=Envelope("x@x.example", ()), ours=OURS, commands=read_commands(message, grammar)
    )
    return way_of_a_reader(arrival).route


GMAIL = by("forwarding-noreply@google.com", "(#48291) Gmail Forwarding Confirmation", f"code 482910377\n{LINK}")


@pytest.mark.parametrize(
    ("message", "options", "expected"),
    [
        (GMAIL, {}, [Route.FORWARDING, Route.SILENCE]),
        (GMAIL, {"rcpt": f"books+{ALIAS}@ours.example"}, [Route.FORWARDING, Route.LETTER, Route.SILENCE]),
        (by("a@x.example", "list"), {"rcpt": f"{ALIAS}@ours.example"}, [Route.LETTER]),
        (by("a@x.example", "list"), {"rcpt": f"books+{ALIAS}@other.example"}, []),
        (by("a@x.example", "list"), {"rcpt": f"other+{ALIAS}@ours.example"}, []),
        (by("a@x.example", List_Id="<x>"), {}, [Route.SILENCE]),
        (by("a@x.example"), {"mail_from": ""}, [Route.REPORT, Route.SILENCE]),
        (
            by("do-not-reply@amazon.com", "Your Kindle document", "E999 Send to Kindle"),
            {},
            [Route.NOTICE, Route.SILENCE],
        ),
        (by("a@x.example", "list"), {}, []),
    ],
)
def test_mail_of_anybody_has_its_ways_in_order(
    message: ParsedMessage, options: dict[str, str], expected: list[Route]
) -> None:
    assert ways(message, **options) == expected


@pytest.mark.parametrize(
    ("subject", "body", "files", "expected"),
    [
        ("list", "", (), Route.COMMANDS),
        ("list", "", ("dune.epub",), Route.COMMANDS),
        ("", "", ("dune.epub",), Route.BOOKS),
        ("", "", ("dune.pdf",), Route.BOOKS),
        ("", "", ("feeds.opml",), Route.BOOKS),
        ("A page", "https://a.example/1", (), Route.LINKS),
        ("Hello", "How are you today?", (), Route.QUESTION),
        ("", "", (), Route.QUESTION),
        ("Fwd: Boats", BELOW, (), Route.FORWARDED),
        ("WG: Boats", f"FYI{BELOW}", (), Route.FORWARDED),
        ("Fwd: Boats", BELOW, ("bill.pdf",), Route.FORWARDED),
        ("Fwd: Boats", BELOW, ("dune.epub",), Route.BOOKS),
        ("Fwd: Boats", f"add{BELOW}", ("dune.pdf",), Route.COMMANDS),
        ("Fwd: Boats", f"list{BELOW}", (), Route.COMMANDS),
        ("Fwd: Boats", f"remvoe dune{BELOW}", (), Route.QUESTION),
        ("Fwd: Boats", "", (), Route.QUESTION),
        ("Fwd: list", BELOW, (), Route.FORWARDED),
        ("Fwd: list", "", (), Route.COMMANDS),
        ("Re: Boats", BELOW, (), Route.QUESTION),
        ("Fwd: Kindle", "From: Amazon <do-not-reply@amazon.com>\nSubject: x\n\nYour Kindle document: E999", (),
         Route.PASSED_ON),
    ],
)  # fmt: skip
def test_mail_of_a_reader_has_one_way(
    subject: str, body: str, files: tuple[str, ...], expected: Route, grammar: Grammar
) -> None:
    assert way(mail(subject, body, files=files), grammar) is expected


def test_mail_within_a_mail_is_asked_about_whatever_its_subject_says(grammar: Grammar) -> None:
    message = replace(mail("Boats"), holds_mail=True)
    pdf = replace(attachment("a.pdf"), is_forwarded=True)
    epub = replace(attachment("a.epub"), is_forwarded=True)

    assert way(message, grammar) is Route.FORWARDED
    assert way(replace(message, attachments=(pdf,)), grammar) is Route.FORWARDED
    assert (way(replace(message, attachments=(epub,)), grammar), epub.format) == (Route.BOOKS, BookFormat.EPUB)


def test_every_route_has_one_rule_and_a_row_on_the_page() -> None:
    rules = [*OF_ANYBODY, *OF_A_READER]

    assert sorted(rule.route for rule in rules) == sorted(Route)
    assert all(routing_page().count(rule.because) == 1 for rule in rules)
    assert OF_A_READER[-1].reason(Arrival(message=mail(), envelope=Envelope("", ()), ours=OURS))


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        ("(#482910377) Gmail Forwarding Confirmation - Receive Mail from Ada@x.example", f"click:\n{LINK}\n",
         ForwardingRequest(requester="ada@x.example", code="482910377", link=LINK)),
        ("Gmail-Weiterleitung", "ada@x.example möchte …\nBestätigungscode: 482910377",
         ForwardingRequest(requester="ada@x.example", code="482910377", link="")),
        ("Gmail", "nothing at all", None),
        ("Gmail", "https://mail-settings.google.com.evil.example/mail/vf-12345678901", None),
    ],
)  # fmt: skip
def test_request_is_read_with_its_code_and_its_link(
    subject: str, text: str, expected: ForwardingRequest | None
) -> None:
    assert read_forwarding_request(by("forwarding-noreply@google.com", subject, text)) == expected


@pytest.mark.parametrize("address", ["forwarding-noreply@google.com.evil.example", "noreply@google.com"])
def test_request_of_anybody_else_is_none(address: str) -> None:
    assert read_forwarding_request(by(address, "(#482910377) Gmail", LINK)) is None
