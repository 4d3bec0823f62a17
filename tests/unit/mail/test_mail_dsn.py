"""Reports on mails that could not be delivered."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.mail.dsn import BounceKind, read_bounce
from core.mail.status import explain
from tests.corpus.manifest import corpus_folder, read_manifest

MAILS = corpus_folder() / "mime"

REPORT = """\
From: MAILER-DAEMON@mx.example.com
To: books@inkpost.test
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I am sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; ada_1815@kindle.com
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {diagnostic}

--b
Content-Type: text/rfc822-headers

Message-ID: <K7Q29-FDM3X@inkpost.test>
Subject: Book: Moby Dick
--b--
"""


def report(folder: Path, **fields: str) -> Path:
    path = folder / "report.eml"
    path.write_text(REPORT.format(**fields))
    return path


def test_failed_report_names_the_mail_and_the_reason(tmp_path: Path) -> None:
    path = report(tmp_path, action="failed", status="5.1.1", diagnostic="550 5.1.1 no such user here")

    bounce = read_bounce(path)

    assert bounce is not None
    assert bounce.kind is BounceKind.FAILED
    assert "<K7Q29-FDM3X@inkpost.test>" in bounce.message_ids
    assert bounce.reply == "550 5.1.1 no such user here"
    assert explain(bounce.reply) == "the address does not exist, or does not take mail"


def test_delayed_report_is_not_the_end(tmp_path: Path) -> None:
    bounce = read_bounce(report(tmp_path, action="delayed", status="4.4.1", diagnostic="connection timed out"))

    assert bounce is not None
    assert bounce.kind is BounceKind.DELAYED
    assert bounce.reply == "4.4.1 connection timed out"


def test_qmail_report_from_before_the_standard_is_read(tmp_path: Path) -> None:
    path = tmp_path / "qmail.eml"
    path.write_text(
        "From: MAILER-DAEMON@mx.example.com\nSubject: failure notice\n\n"
        "Hi. This is the qmail-send program at mx.example.com.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        "<ada_1815@kindle.com>:\n192.0.2.1 does not like recipient.\n"
        "Remote host said: 550 5.1.1 unknown user\n\n"
        "--- Below this line is a copy of the message.\n\nMessage-ID: <K7Q29-FDM3X@inkpost.test>\n\ntext\n"
    )

    bounce = read_bounce(path)

    assert bounce is not None
    assert bounce.kind is BounceKind.FAILED
    assert bounce.reply == "550 5.1.1 unknown user"


def test_letter_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "letter.eml"
    path.write_text("From: ada@reader.test\nSubject: send dune\n\nsend dune\n")

    assert read_bounce(path) is None


@pytest.mark.skipif(not MAILS.is_dir(), reason=f"no corpus at {MAILS}")
def test_most_reports_of_the_corpus_are_read_and_nothing_breaks() -> None:
    read = {
        row["file"]: read_bounce(MAILS / row["file"])
        for row in read_manifest(MAILS)
        if row["file"].startswith(("flufl-bounce/", "perl-bounceparser/"))
    }

    assert len(read) > 50
    assert sum(bounce is not None for bounce in read.values()) >= 0.85 * len(read)
