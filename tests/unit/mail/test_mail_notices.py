"""The notices of gateways: Amazon's known wordings, its languages, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.mail.notices import FROM_GATEWAY, NoticeKind, is_confirm_link, read_words
from tests.corpus import notices
from tests.corpus.manifest import corpus_folder

PROBLEM = "There was a problem with the document(s) you sent to Kindle"


def test_refusal_names_its_code_its_files_and_its_minute() -> None:
    notice = read_words(
        PROBLEM,
        "Dear customer, The following document(s), sent at 06:44 PM on Mon, Apr 20, 2026 GMT, could not be delivered\n"
        "due to E999 - Send to Kindle Internal Error: * East of Eden -\nJohn Steinbeck.epub * Über allen.epub",
    )

    assert notice is not None
    assert (notice.kind, notice.code) == (NoticeKind.REJECTED, "E999")
    assert notice.files == ("East of Eden - John Steinbeck.epub", "Über allen.epub")
    assert notice.sent_at == datetime(2026, 4, 20, 18, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    ("subject", "text", "kind"),
    [
        (PROBLEM, "could not be processed due to E009 - No Attachment.", NoticeKind.NO_ATTACHMENT),
        (PROBLEM, "could not be delivered due to E001 - Unsupported File Format: * a.mobi", NoticeKind.FORMAT),
        (PROBLEM, "Your email to Kindle(s) did not include any attachments.", NoticeKind.NO_ATTACHMENT),
        ("Send to Kindle", "there is problem with a@b.c’s account and we are unable to", NoticeKind.SUSPENDED),
        ("Vérifiez votre demande de document Send to Kindle", "Bonjour", NoticeKind.VERIFY),
        ("Kindle", "Das Dokument konnte leider nicht zugestellt werden.", NoticeKind.REJECTED),
        ("Kindle", "Le document n’a pas pu être envoyé.", NoticeKind.REJECTED),
        ("Kindle", "No se ha podido entregar el documento.", NoticeKind.REJECTED),
        ("Kindle", "Non è stato possibile consegnare il documento.", NoticeKind.REJECTED),
        ("Kindle", "O documento não pôde ser entregue.", NoticeKind.REJECTED),
        ("您发送至Kindle的文档出现问题", "您发出的如下文档无法发送到您指定的Kindle上", NoticeKind.REJECTED),
        ("Kindle", "ドキュメントを配信できませんでした。", NoticeKind.REJECTED),
        ("Send to Kindle", "Coś się stało z dokumentem.", NoticeKind.UNKNOWN),
        ("Kindle", "The file exceeds the limit of 50 MB.", NoticeKind.TOO_LARGE),
    ],
)
def test_kind_is_read_by_code_or_by_words(subject: str, text: str, kind: NoticeKind) -> None:
    notice = read_words(subject, text)

    assert notice is not None
    assert notice.kind is kind


def test_unapproved_sender_is_named() -> None:
    notice = read_words(
        PROBLEM, "E014 - Unapproved sender email address.\nUnapproved sender email address: Bot@B.Example"
    )

    assert notice is not None
    assert notice.sender == "bot@b.example"


@pytest.mark.parametrize(
    ("url", "is_confirming"),
    [
        ("https://www.amazon.com/sendtokindle/verification/confirm/A0/00-11", True),
        ("https://www.amazon.co.uk/sendtokindle/verification/confirm", True),
        ("http://www.amazon.com/sendtokindle/verification/confirm", False),
        ("https://www.amazon.com/gp/cart", False),
        ("https://www.amazon.com.evil.example/sendtokindle/verification/confirm", False),
        ("https://www.amazon.com@evil.example/sendtokindle/verification/confirm", False),
        ("https://evil.example\\@www.amazon.com/sendtokindle/verification/confirm", False),
        ("https://[www.amazon.com/sendtokindle/verification/confirm", False),
        ("javascript:alert(1)//www.amazon.com/sendtokindle/verification/", False),
    ],
)
def test_only_amazons_own_address_is_one_to_tap(url: str, is_confirming: bool) -> None:
    assert is_confirm_link(url) is is_confirming


def test_a_host_that_is_none_is_read_over() -> None:
    assert read_words("Kindle", "E999: could not be delivered, see https://[nonsense.of.it") is not None


@pytest.mark.parametrize(
    "text",
    [
        "Verify Request (https://www.amazon.com/sendtokindle/verification/confirm/A0/00-11)",
        "Verify Request (https://www.amazon.com/gp/f.html?C=X&U="
        "https%3A%2F%2Fwww.amazon.com%2Fsendtokindle%2Fverification%2Fconfirm%2FA0%2F00-11&H=Y)",
    ],
)
def test_link_that_confirms_is_found_and_unwrapped(text: str) -> None:
    notice = read_words("Verify your Send to Kindle document request", text)

    assert notice is not None
    assert notice.link == "https://www.amazon.com/sendtokindle/verification/confirm/A0/00-11"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.amazon.com.evil.test/sendtokindle/verification/confirm/A0",
        "https://evil.test/?U=https%3A%2F%2Fevil.test%2Fsendtokindle%2Fverification%2Fconfirm",
        "http://www.amazon.com/sendtokindle/verification/confirm/A0",
    ],
)
def test_link_to_anybody_else_is_none(url: str) -> None:
    notice = read_words("Verify your Send to Kindle document request", f"Verify Request ({url})")

    assert notice is not None
    assert notice.link == ""


def test_other_mail_is_no_notice() -> None:
    assert read_words("Important updates to our terms", "We have updated our Conditions of Use") is None
    assert read_words("Your Kindle order", "Thank you for your order of a Kindle Paperwhite.") is None


def test_refusal_of_the_chinese_service_is_dated_by_its_clock() -> None:
    notice = read_words(
        "Kindle", "您从2015年9月20日22:39 发出的如下文档无法发送到您指定的Kindle上：\n* Kindle RSS(06-38).mobi\n"
    )

    assert notice is not None
    assert notice.sent_at == datetime(2015, 9, 20, 14, 39, tzinfo=UTC)
    assert notice.files == ("Kindle RSS(06-38).mobi",)


@pytest.mark.skipif(not corpus_folder().is_dir(), reason="there is no corpus: set INKPOST_CORPUS")
def test_notices_of_the_corpus_are_read_as_stated_and_not_believed_of_a_stranger() -> None:
    readings = list(notices.read_all(corpus_folder() / "mime"))

    assert len(readings) >= 5
    assert [f"{one.file}: {one.complaint}" for one in readings if one.complaint] == []


POCKETBOOK = (
    "The email you have sent to Ada@pbsync.com does not contain attached documents or files.\n"
    "The Send-to-PocketBook service supports and can send to the PocketBook device attached documents of the following "
    "formats: EPUB DRM, EPUB, PDF, PRC (MOBI), CBR, CBZ, AZW, AZW3\nBest Regards, Your PocketBook."
)


def test_pocketbook_saw_no_document() -> None:
    notice = read_words("Your email to ada@pbsync.com does not contain documents.", POCKETBOOK)

    assert notice is not None
    assert (notice.kind, notice.domains, notice.rcpt_to) == (
        NoticeKind.NO_ATTACHMENT, ("pbsync.com",), "ada@pbsync.com",
    )  # fmt: skip


def test_other_mails_of_pocketbook_are_about_nothing_that_we_sent() -> None:
    assert read_words("Welcome to PocketBook Cloud", "Your address is ada@pbsync.com. Best Regards") is None


@pytest.mark.parametrize(
    ("line", "is_of_gateway"),
    [
        ("From: Amazon Kindle Support <do-not-reply@amazon.com>", True),
        ("From: PocketBook <noreply@pbsync.com>", True),
        ("From: PocketBook <noreply@mail.pocketbook.digital>", True),
        ("From: <noreply@pbsync.com.evil.test>", False),
        ("From: <x@notpbsync.com>", False),
        ("From: <x@amazon.com.evil.test>", False),
    ],
)
def test_gateway_is_known_by_its_house(line: str, is_of_gateway: bool) -> None:
    assert (FROM_GATEWAY.search(line) is not None) is is_of_gateway
