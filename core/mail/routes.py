"""Where a mail leads to: one table of rules, tried in order; the first that applies decides.

The rules are pure and only look at the mail. Some then need a proof, which the shell asks for: a rule whose proof is
missing lets the mail on to the next one. docs/commands/routing.md is made from the table.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core.mail.authenticity import OurAddresses
from core.mail.commands import passes_on
from core.mail.forwarding import read_forwarding_request
from core.mail.grammar import Command, Misreading, NotUnderstood
from core.mail.loops import DELIVERED_TO, silence_reason
from core.mail.message import ParsedMessage
from core.mail.notices import FROM_GATEWAY, read_notice, read_words
from core.values import BookFormat, Envelope

LONGEST_HEAD = 5_000  # characters in which a mail program says what it forwards
BOOKS_ONLY = frozenset({BookFormat.EPUB, BookFormat.MOBI, BookFormat.AZW3, BookFormat.FB2, BookFormat.CBZ})
"""Formats that hold books and nothing else: a PDF that somebody forwards may be a bill."""


class Route(enum.StrEnum):
    """Where a mail may lead to."""

    FORWARDING = "forwarding request"
    LETTER = "newsletter"
    NOTICE = "notice of a gateway"
    REPORT = "report of a mail server"
    SILENCE = "automatic mail"
    COMMANDS = "commands"
    PASSED_ON = "passed-on notice"
    FORWARDED = "forwarded mail"
    BOOKS = "files"
    LINKS = "links"
    QUESTION = "question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail that looks for its way."""

    message: ParsedMessage
    envelope: Envelope
    ours: OurAddresses
    is_fetched: bool = False
    """It comes from a mailbox, whose server has written down that it was delivered to us."""
    commands: tuple[Command | NotUnderstood, ...] = ()
    """What it asks for, once its author is believed."""

    @property
    def is_explicit(self) -> bool:
        """Whether it holds a command in so many words."""
        return any(isinstance(one, Command) and not one.is_implied for one in self.commands)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. Its texts are for people."""

    route: Route
    reason: Callable[[Arrival], str]
    """Why the rule applies, in a phrase for the operator; "" where it does not."""
    what: str
    proof: str
    then: str
    because: str


@dataclass(frozen=True, slots=True)
class Routed:
    route: Route
    reason: str


# Of anybody -----------------------------------------------------------------------------------------------------


def asks_to_forward(arrival: Arrival) -> str:
    return "Gmail asks whether it may forward" if read_forwarding_request(arrival.message) is not None else ""


def is_to_an_alias(arrival: Arrival) -> str:
    return "to the address of a newsletter" if arrival.ours.aliases_in(arrival.envelope.rcpt_tos) else ""


def is_notice(arrival: Arrival) -> str:
    return "a notice of a gateway" if read_notice(arrival.message) is not None else ""


def is_report(arrival: Arrival) -> str:
    return "a report" if not arrival.envelope.mail_from or arrival.message.content_type == "multipart/report" else ""


def is_automatic(arrival: Arrival) -> str:
    why = silence_reason(
        arrival.message,
        mail_from=arrival.envelope.mail_from,
        ours=arrival.ours,
        delivered_to=() if arrival.is_fetched else DELIVERED_TO,
    )
    return why or ""


# Of a reader ----------------------------------------------------------------------------------------------------


def holds_a_command(arrival: Arrival) -> str:
    return "a command" if arrival.is_explicit else ""


def passes_a_notice_on(arrival: Arrival) -> str:
    message = arrival.message
    if FROM_GATEWAY.search(message.text[:LONGEST_HEAD]) is None:
        return ""
    return "a notice that was forwarded" if read_words(message.subject, message.text) is not None else ""


def is_forwarded(arrival: Arrival) -> str:
    """Only if there is something to keep, nothing that may be a command which is run on no guess, and no book."""
    message = arrival.message
    files = [file for file in message.attachments if not file.is_inline]
    if any(file.format in BOOKS_ONLY or file.is_feed_list or file.is_archive for file in files):
        return ""
    asked = [one for one in arrival.commands if isinstance(one, NotUnderstood)]
    if any(one.reason not in (Misreading.EMPTY, Misreading.UNKNOWN) for one in asked):
        return ""
    return "a mail that was forwarded" if passes_on(message) else ""


def holds_files(arrival: Arrival) -> str:
    commands = [one for one in arrival.commands if isinstance(one, Command)]
    return "files" if commands and any(not one.words for one in commands) else ""


def holds_links(arrival: Arrival) -> str:
    return "nothing but links" if any(isinstance(one, Command) for one in arrival.commands) else ""


def is_unclear(arrival: Arrival) -> str:
    return "nothing that is understood"


OF_ANYBODY: tuple[Rule, ...] = (
    Rule(
        Route.FORWARDING,
        asks_to_forward,
        what="Gmail asks whether it may forward somebody's mail to you here (from forwarding-noreply@google.com).",
        proof="DMARC: google.com wrote it",
        then="You are told the code and the link, as text. I never open the link.",
        because="The word that mail may be forwarded is yours, and opening the link gives it.",
    ),
    Rule(
        Route.LETTER,
        is_to_an_alias,
        what="A mail to the secret address of one of your newsletters.",
        proof="none: the address is secret, and refused once it is burnt",
        then="It is cleaned and stands in your next issue; a request to confirm is shown to you at once.",
        because="Newsletters come from anybody. So such a mail is never a command, and is never answered.",
    ),
    Rule(
        Route.NOTICE,
        is_notice,
        what="A notice of a gateway: Amazon could not deliver, or asks you to confirm.",
        proof="DMARC: its own domain wrote it",
        then="It is put down to the delivery that it is about: “status” shows it.",
        because="It is about a book of yours, and whoever could forge it could call your books lost.",
    ),
    Rule(
        Route.REPORT,
        is_report,
        what="A report of a mail server about a mail of ours.",
        proof="it gives back the Message-ID of a mail of ours",
        then="It is put down to that mail.",
        because="Reports have no sender that could be proven; only servers on the way know that id.",
    ),
    Rule(
        Route.SILENCE,
        is_automatic,
        what="Automatic mail: lists, responders, daemons, our own mails.",
        proof="none",
        then="Nothing: it is written down, and neither obeyed nor answered.",
        because="Who answers machines makes loops (RFC 3834).",
    ),
)
"""Before anybody is believed."""

OF_A_READER: tuple[Rule, ...] = (
    Rule(
        Route.COMMANDS,
        holds_a_command,
        what="A command, in the subject or in the text.",
        proof="what the command asks for",
        then="It is done. A book that goes with it is added as well.",
        because="What somebody says in so many words wins over everything that a mail may look like.",
    ),
    Rule(
        Route.PASSED_ON,
        passes_a_notice_on,
        what="A notice of Amazon's that you forward.",
        proof="yours",
        then="It is put down to your delivery.",
        because="Some notices go to the owner of the Kindle and not to me.",
    ),
    Rule(
        Route.FORWARDED,
        is_forwarded,
        what="A mail that you forward, in the text or as an attachment, without a book (EPUB, MOBI, AZW3, FB2, CBZ).",
        proof="yours",
        then="I ask: keep it as an article, or pick its attachments?",
        because="A forwarded PDF may be a book or a bill, and a forwarded text may be worth keeping.",
    ),
    Rule(
        Route.BOOKS,
        holds_files,
        what="A book or a list of feeds as an attachment.",
        proof="yours, DELIVER",
        then="The book is in your library; you are subscribed to the feeds of the list.",
        because="Nobody sends a book for another reason.",
    ),
    Rule(
        Route.LINKS,
        holds_links,
        what="One to five links, and nothing else.",
        proof="yours, DELIVER",
        then="Saved for your next issue; with settings links=now they are sent to your e-reader at once. The answer "
        "says which it was, with a tap for the other.",
        because="It is what telephones send when a page is shared.",
    ),
    Rule(
        Route.QUESTION,
        is_unclear,
        what="Anything else.",
        proof="yours",
        then="A short question, with the three likeliest commands to tap.",
        because="A guess that is wrong costs more than a question.",
    ),
)
"""Once its author is believed to be a reader."""


def ways_of_anybody(arrival: Arrival) -> Iterator[Routed]:
    """The rules that apply, in order: one whose proof is missing lets the mail on to the next."""
    for rule in OF_ANYBODY:
        if reason := rule.reason(arrival):
            yield Routed(rule.route, reason)


def way_of_a_reader(arrival: Arrival) -> Routed:
    """The first rule that applies; the last one always does."""
    found = ((rule.route, rule.reason(arrival)) for rule in OF_A_READER)
    return next(Routed(route, reason) for route, reason in found if reason)


def routing_page() -> str:
    """The documentation's page, in Markdown."""
    lines = [
        "# What a mail leads to",
        "",
        "One address takes everything. The rules below are tried in order, and the first that applies decides; one "
        "whose proof is missing lets the mail on to the next. A mail that no rule of the first table is about and that "
        "nobody is believed for leads to nothing; a stranger is told so, once a day at most, and only where the mail "
        "is proven to be theirs.",
        "",
        "This page is made from the table in `core/mail/routes.py`.",
    ]
    for heading, rules in (("Of anybody", OF_ANYBODY), ("Of a reader", OF_A_READER)):
        lines += ["", f"## {heading}", "", "| | a mail | needs | then | because |", "|---|---|---|---|---|"]
        lines += [
            f"| {number} | {rule.what} | {rule.proof} | {rule.then} | {rule.because} |"
            for number, rule in enumerate(rules, start=1)
        ]
    return "\n".join(lines) + "\n"
