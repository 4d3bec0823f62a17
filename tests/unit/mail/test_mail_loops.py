"""Which mails are met with silence, and which are not."""

from __future__ import annotations

import pytest

from core.mail.authenticity import OurAddresses
from core.mail.loops import silence_reason
from tests.unit.mail.conftest import Parse

OURS = OurAddresses(frozenset({"inkpost.example"}), frozenset({"books"}))
FROM = "From: Ann <ann@example.org>\n"


def _reason(parse: Parse, header: str, *, body: str = "list\n", mail_from: str = "ann@example.org") -> str | None:
    return silence_reason(parse(f"To: books@inkpost.example\n{header}\n{body}"), mail_from=mail_from, ours=OURS)


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied\n",
        "Auto-Submitted: auto-generated; owner-email=x\n",
        "auto-submitted: (by a robot) Auto-Notified\n",
        "Auto-Submitted: no\nAuto-Submitted: auto-replied\n",
        "Precedence: bulk\n",
        "Precedence: Junk\n",
        "Precedence: list\n",
        "Precedence: auto_reply\n",
        "X-Precedence: bulk\n",
        "List-Id: Readers <readers.example.org>\n",
        "List-Unsubscribe: <mailto:x@example.org>\n",
        "Mailing-List: contact x\n",
        "X-BeenThere: readers@example.org\n",
        "X-Auto-Response-Suppress: All\n",
        "X-Auto-Response-Suppress: OOF, AutoReply\n",
        "X-Autoreply: yes\n",
        "X-Autorespond:\n",
        "X-Failed-Recipients: x@example.org\n",
        "Return-Path: <>\n",
        "X-Inkpost-Loop: other\n",
        "X-Loop: books@inkpost.example\n",
        "Delivered-To: books+secret@inkpost.example\n",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=B\n",
        "Content-Type: message/delivery-status\n",
        "Subject: Automatic reply: Your books\n",
        "Subject: Out of Office: Re: your digest\n",
        "Subject: [Auto-Reply] Your books\n",
        "Subject: Abwesenheitsnotiz: Ihre Bücher\n",
        "Subject: Réponse automatique : vos livres\n",
        "Subject: =?utf-8?B?6Ieq5Yqo5Zue5aSN77ya5Lmm?=\n",
        "Subject: Undeliverable: Your books\n",
        "Subject: Undelivered Mail Returned to Sender\n",
        "Received: from a by b.example.org; x\n" * 100,
        "Received: from a by inkpost.example (Inkpost); x\n" * 4,
    ],
)
def test_a_mail_that_says_it_is_automatic_gets_silence(parse: Parse, header: str) -> None:
    assert _reason(parse, FROM + header) is not None


@pytest.mark.parametrize(
    "address",
    [
        "MAILER-DAEMON@example.org",
        "mailer-daemon+x@example.org",
        "postmaster@example.org",
        "noreply@example.org",
        "no-reply@example.org",
        "do_not_reply@example.org",
        "donotreply-billing@example.org",
        "newsletter-noreply@example.org",
        "owner-readers@example.org",
        "readers-request@example.org",
        "readers-bounces@example.org",
        "listserv@example.org",
        "majordomo@example.org",
        "bounce@example.org",
        "auto-reply@example.org",
        "books@inkpost.example",
        "Books+abc@Inkpost.example",
    ],
)
def test_an_author_that_is_a_robot_or_ourselves_gets_silence(parse: Parse, address: str) -> None:
    assert _reason(parse, f"From: {address}\n") is not None


@pytest.mark.parametrize(
    "mail_from", ["", "<>", "MAILER-DAEMON@example.org", "owner-readers@example.org", "books@inkpost.example"]
)
def test_a_reverse_path_that_nobody_reads_gets_silence(parse: Parse, mail_from: str) -> None:
    assert _reason(parse, FROM, mail_from=mail_from) is not None


def test_a_person_who_is_postmaster_is_answered(parse: Parse) -> None:
    assert _reason(parse, FROM, mail_from="postmaster@example.org") is None


@pytest.mark.parametrize("header", ["Subject: list\n", "From: a@example.org, b@example.org\n", "From: Ann\n"])
def test_a_mail_without_an_author_gets_silence(parse: Parse, header: str) -> None:
    assert (_reason(parse, header) or "").startswith("no author")


@pytest.mark.parametrize(
    "body",
    [
        "Hello,\n\nI am out of the office until Monday.\n",
        "I'm currently on annual leave with limited access to mail.\n",
        "Ich bin bis zum 30. November im Urlaub.\n",
        "Je suis absent du bureau.\n",
        "我目前正在休假。\n",
    ],
)
def test_an_answer_to_us_that_says_somebody_is_away_gets_silence(parse: Parse, body: str) -> None:
    header = f"{FROM}Subject: I am away\nIn-Reply-To: <digest.1@inkpost.example>\n"

    assert _reason(parse, header, body=body) == "the text of an automatic answer"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Subject: help\n", "help\n"),
        ("Auto-Submitted: (by hand) no\nPrecedence: first-class\nX-Auto-Response-Suppress: None\n", "list\n"),
        ("Subject: find out of office\n", "list\n"),
        ("Subject: Out of Africa\n", "add\n"),
        ("Subject: automatic for the people\n", "find it\n"),
        ("Subject: Returned to sender: a novel\n", "add\n"),
        ("Subject: I am on holiday\n", "I am out of the office.\n"),
        ("Subject: Re: books\nIn-Reply-To: <1@inkpost.example>\n", "find out of the office\n"),
        ("Subject: Re: x\nIn-Reply-To: <1@inkpost.example>\n", "list\n\n> I am out of the office\n"),
        (
            "Subject: Re: x\nIn-Reply-To: <1@inkpost.example>\nContent-Type: multipart/mixed; boundary=B\n",
            "--B\n\nA book while I am on holiday\n--B\nContent-Type: text/plain; name=a.txt\n\nx\n--B--\n",
        ),
        ("X-Loop: readers@example.org\nDelivered-To: ann@example.org\n", "list\n"),
        ("Reply-To: books@inkpost.example\n", "list\n"),
        ("Received: from a by b.example.org; x\n" * 60, "list\n"),
        ("Received: from a by inkpost.example; x\n" * 2, "list\n"),
        ("Content-Type: multipart/mixed; boundary=B\n", "--B\nContent-Type: message/delivery-status\n\nx\n--B--\n"),
    ],
)
def test_a_mail_that_somebody_wrote_is_answered(parse: Parse, header: str, body: str) -> None:
    assert _reason(parse, FROM + header, body=body) is None


@pytest.mark.parametrize(
    "address",
    [
        "ann@inkpost.example",
        "nora.eply@example.org",
        "reply@example.org",
        "downer-x@example.org",
        "requests@example.org",
    ],
)
def test_people_with_telling_names_are_answered(parse: Parse, address: str) -> None:
    assert _reason(parse, f"From: {address}\n") is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("Delivered-To: books@inkpost.example\n", None),
        ("X-Delivered-To: books+secret@inkpost.example\n", None),
        ("X-Loop: books@inkpost.example\nDelivered-To: books@inkpost.example\n", "loop: X-Loop"),
        ("X-Inkpost-Loop: books@inkpost.example\n", "loop: X-Inkpost-Loop"),
    ],
)
def test_mail_in_our_mailbox_was_delivered_to_us_without_going_in_circles(
    parse: Parse, fields: str, reason: str | None
) -> None:
    message = parse(f"To: books@inkpost.example\n{FROM}{fields}\nlist\n")

    assert silence_reason(message, mail_from="ann@example.org", ours=OURS, delivered_to=()) == reason
