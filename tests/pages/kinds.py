"""One of each kind of mail that people get: what the commands answer, what is asked, told unasked, and the letter.

The commands are run by the real handlers over a small library; notices are what the real subscribers write into the
outbox; all are composed and read back as a mail program reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.doors import gmail_asks
from bot.letters import asks_to_confirm
from bot.strangers import by_invitation
from bot.takeouts import takeout_notice
from core.events import ClickNeeded, DeliveryFailed, DeliveryRejected, Event, FeedFailing, FeedGone, NoRefusalSeen
from core.mail.answer import Problem
from core.mail.forwarding import ForwardingRequest
from core.mail.notices import NoticeKind
from core.mail.outgoing import AttachedFile
from core.models import Article, Book, Feed, Forwarded, Newsletter, OutboxMail, User
from core.models.feed import FeedState
from core.models.outbox import OutboxState
from core.news.letter import LetterContext, compose_letter
from core.news.newsletter import LetterText, read_letter
from core.news.one_click import stop_command
from core.references import new_reference
from core.values import RefusedAttachment, Trust
from handlers._digests import preview_answer, stopped_by_click
from handlers._forwarded import ask_about
from tests.factories.issues import make_issue
from tests.factories.news import make_article, make_digest, make_subscription
from tests.factories.news import make_issue as make_sent_issue
from tests.factories.rows import NOW, make_device, make_inbound, make_outbox_mail, make_staged_book, open_database
from tests.pages.desk import IDENTITY, Desk, Page, html_of, make_desk


def every_kind(folder: Path) -> list[Page]:
    """In the order of the index."""
    with open_database(folder / "pages.db") as engine, Session(engine) as session:
        return list(_pages(make_desk(session)))


def _pages(desk: Desk) -> Iterator[Page]:
    yield from _first(desk)
    yield from _library(desk)
    yield from _problems(desk)
    yield from _kindle(desk)
    yield from _news(desk)
    yield from _letters(desk)
    yield from _passed_on(desk)
    yield from _house(desk)
    yield from _notices(desk)
    yield from _languages(desk)


def _first(desk: Desk) -> Iterator[Page]:
    group = "First contact"
    yield desk.answer("invite", group, "invite cleo@reader.example Cleo", by=desk.root)
    yield desk.newest("welcome", group, "The welcome of who was invited")
    yield desk.first_answer("first-answer", group, "find emma")
    yield desk.outcome(
        "stranger", group, "A mail of somebody who is no reader", by_invitation(IDENTITY), is_for_reader=False
    )
    yield desk.answer("help", group, "help")
    yield desk.answer("help-send", group, "help send")


def _library(desk: Desk) -> Iterator[Page]:
    group = "Library"
    dune = desk.session.scalars(sa.select(Book).where(Book.title == "Dune")).one()
    dune.description = "Set on the desert planet Arrakis, this is the story of Paul Atreides and of a spice."
    dune.series, dune.series_index, dune.genre, dune.tags = "Dune", 1, "Science fiction", ["desert", "classic"]
    yield desk.answer("list", group, "list")
    yield desk.answer("list-second-page", group, "list 2")
    yield desk.answer("find", group, "find dune")
    yield desk.answer("find-nothing", group, "find zettelkasten")
    yield desk.answer("show", group, "show dune messiah")
    yield desk.answer("show-with-all", group, f"show #{dune.id}")
    new = make_staged_book(title="Piranesi", authors=("Susanna Clarke",))
    other = make_staged_book(title="Solaris", authors=("Stanisław Lem",))
    damaged = RefusedAttachment(
        "broken.epub", "file.damaged", "This EPUB is damaged: its end is missing.", "Send it again."
    )
    yield desk.answer("add", group, "", files=(new,))
    yield desk.answer("add-again", group, "", files=(new,))
    yield desk.answer("add-several", group, "", files=(other, new, damaged))
    yield desk.answer("edit", group, "edit piranesi genre=Fantasy tags=house, sea")
    yield desk.answer("remove", group, "remove solaris")
    yield desk.answer("undo", group, "undo")
    yield desk.answer("popular-none", group, "popular")
    yield desk.answer("stats", group, "stats")
    yield desk.answer("shelf-put", group, "shelf walden on winter")
    yield desk.answer("shelf", group, "shelf")
    yield desk.answer("shelf-one", group, "shelf winter")
    yield desk.answer("several", group, "list 2", "show walden", "frobnicate the thing", "find dune")


def _problems(desk: Desk) -> Iterator[Page]:
    group = "Questions and problems"
    yield desk.answer("empty-mail", group, "")
    yield desk.answer("not-understood", group, "Dear books, could it be that")
    yield desk.answer("did-you-mean", group, "lst my boks")
    yield desk.answer("unsure", group, "delete it")
    yield desk.answer("usage", group, "kindle dance now please")
    yield desk.answer("choice", group, "send dun")
    yield desk.answer("not-found", group, "show zettelkasten")
    yield desk.answer("confirm-needed", group, "remove walden", trust=Trust.DELIVER)
    yield desk.answer("confirm-unknown", group, "confirm abcdefgh")
    yield desk.answer("bad-setting", group, "settings timezone=Mars/Olympus")
    refused = RefusedAttachment("novel.exe", "file.unknown-kind", "This is a program, not a book.", "Send it as EPUB.")
    yield desk.answer("refused-file", group, "", files=(refused,))
    too_much = Problem(
        "limit.commands_an_hour", "That is more than 100 commands an hour, so I did nothing of this mail.",
        "It opens again at 23 Nov 2026, 07:12 (Europe/Berlin). Send it again then.",
    )  # fmt: skip
    yield desk.outcome("limit", group, "A mail over a limit", too_much)


def _kindle(desk: Desk) -> Iterator[Page]:
    group = "Kindle"
    yield desk.answer("kindle-none", group, "kindle")
    yield desk.answer("status-none", group, "status")
    yield desk.answer("kindle-add", group, "kindle add ada_1815@kindle.com")
    make_device(desk.session, desk.reader.user, name="kobo", kind="email", address="ada.kobo@reader.example")
    yield desk.answer("kindle-list", group, "kindle")
    yield desk.answer("kindle-default", group, "kindle default kobo")
    yield desk.answer("send", group, "send dune messiah to kindle")
    yield desk.answer("send-choice", group, "send frank herbert to kobo")
    yield desk.answer("status", group, "status")
    yield desk.answer("kindle-remove", group, "kindle remove kobo")


def _news(desk: Desk) -> Iterator[Page]:
    group = "News"
    session, ada = desk.session, desk.reader.user
    yield desk.answer("feeds-none", group, "feeds")
    yield desk.answer("subscribe", group, "subscribe https://www.quantamagazine.org in Science")
    quanta = make_subscription(session, ada, name="Quanta", section="Science")
    harbour = make_subscription(session, ada, name="The Harbour Post and Maritime Weather Observer")
    harbour.feed.failures, harbour.feed.last_error = 3, "The server of harbour.example did not answer."
    digest = make_digest(session, ada, next_due_at=NOW + timedelta(hours=23, minutes=30))
    yield desk.answer("feeds", group, "feeds")
    yield desk.answer("pause", group, "pause quanta")
    yield desk.answer("resume", group, "resume quanta")
    yield desk.answer("rename", group, "rename quanta to Quanta Magazine")
    yield desk.answer("unsubscribe", group, "unsubscribe harbour")
    yield desk.answer("export", group, "export")
    yield desk.answer("digest", group, "digest")
    yield desk.answer("digest-list", group, "digest list")
    yield desk.answer("digest-now", group, "digest now")
    yield desk.answer("later", group, "later https://harbour.example/a-long-story")
    yield desk.answer("read", group, "read https://harbour.example/a-long-story")
    issue = make_sent_issue(session, ada, _stories(session, quanta.feed), digest=digest)
    for word in ("save 2", "more 1", "less 3", "why 1", "send 2"):
        yield desk.answer(word.split()[0] + "-story", group, f"{word} in {issue.reference}")
    stories = [{"title": f"The harbour, part {n}", "detail": "The Harbour Post · 4 min"} for n in range(1, 8)]
    preview = {
        "digest": digest.name,
        "stories": stories,
        "left_out": 3,
        "minutes": 28,
        "next": "Next: Tue, 24 Nov at 06:30.",
    }
    yield desk.outcome(
        "digest-preview",
        group,
        "digest preview",
        preview_answer(preview, local=NOW.astimezone(ZoneInfo("Europe/Berlin"))),
    )
    yield desk.outcome("digest-stopped", group, "One click on a letter's unsubscribe", stopped_by_click(digest))
    yield _letter("digest-letter", "The letter of a digest", ada)
    yield _letter("digest-letter-full", "The same, in full, and on the Kindle", ada, text_bytes=6000, is_on_kindle=True)
    yield _letter("digest-letter-empty", "A letter of a day without news", ada, stories=0)


def _stories(session: Session, feed: Feed) -> list[Article]:
    titles = (f"How a small proof changed {number} large ones" for number in (3, 4, 5))
    return [make_article(session, feed, title=title) for title in titles]


def _letter(name: str, title: str, user: User, *, stories: int = 6, **more: object) -> Page:
    reference = new_reference()
    context = LetterContext(
        identity=IDENTITY,
        reference=reference,
        now=NOW,
        user_address=user.address,
        reply_address=IDENTITY.reply_address(user_id=user.id, reference=reference, now=NOW),
        in_issue=f" in {reference}",
        off_command=stop_command("Morning paper", reference),
    )
    letter = compose_letter(make_issue(stories), context=replace(context, **more))  # type: ignore[arg-type] # any fields
    return Page(name, "News", title, html_of(letter.head))


def _letters(desk: Desk) -> Iterator[Page]:
    group = "Newsletters"
    yield desk.answer("newsletter-none", group, "newsletter list")
    yield desk.answer("newsletter-new", group, "newsletter new The Daily")
    daily = desk.session.scalars(sa.select(Newsletter)).one()
    asking = read_letter(
        LetterText(
            message_id="<1@daily.example>", subject="Please confirm your subscription to The Daily",
            author_name="The Daily", author_address="hello@daily.example", sent_at=NOW, html="",
            text="Please confirm your subscription:\nhttps://daily.example/confirm?token=4f2a9c7be1d84b3f\n",
        )
    )  # fmt: skip
    assert asking.opt_in is not None
    asked = asks_to_confirm("The Daily", daily.id, asking, asking.opt_in)
    yield desk.outcome("newsletter-confirm", group, "A newsletter that asks its reader to confirm", asked)
    yield desk.answer("newsletter-no-way-out", group, "newsletter unsubscribe daily")
    daily.sender, daily.leave_mailto = "hello@daily.example", "mailto:leave-4f2a9c7b@daily.example?subject=leave"
    daily.feed.last_success_at = NOW - timedelta(hours=2)
    desk.reader.results("newsletter new")
    yield desk.answer("newsletter-list", group, "newsletter list")
    yield desk.answer("newsletter-show", group, "newsletter show daily")
    yield desk.answer("newsletter-leave-by-mail", group, "newsletter unsubscribe daily")
    daily.one_click_url = "https://daily.example/leave"
    yield desk.answer("newsletter-leave", group, "newsletter unsubscribe daily")
    yield desk.answer("newsletter-mute", group, "newsletter mute daily")
    yield desk.answer("newsletter-burn", group, "newsletter burn daily")


def _passed_on(desk: Desk) -> Iterator[Page]:
    group = "What is passed on"
    files = {"0": "The Harbour, second edition.epub", "2": "timetable.pdf"}
    for name, found in (("forward-question", files), ("forward-question-no-files", {})):
        inbound = make_inbound(desk.session)
        forwarded = Forwarded(
            user_id=desk.reader.user.id, inbound_id=inbound.id, reference=inbound.reference,
            title="The harbour in winter", files=found, created_at=NOW,
        )  # fmt: skip
        desk.session.add(forwarded)
        desk.session.flush()
        yield desk.outcome(name, group, "A mail that was forwarded without a word", ask_about(forwarded))
        if found:
            yield desk.answer("forward-pick", group, f"forwarded pick in {forwarded.reference}")
            yield desk.answer("forward-picked", group, f"forwarded pick all in {forwarded.reference}")
            yield desk.answer("forward-paper", group, f"forwarded paper in {forwarded.reference}")
            yield desk.answer("forward-book", group, f"forwarded book in {forwarded.reference}")
    request = ForwardingRequest(
        requester="ada@gmail.example", code="123456789",
        link="https://mail-settings.google.com/mail/vf-%5BANGjdJ9bR0bTXcDn5Yk%5D-abcdefghijk",
    )  # fmt: skip
    yield desk.outcome("gmail-code", group, "Gmail's question whether it may forward", gmail_asks(request))


def _house(desk: Desk) -> Iterator[Page]:
    group = "Yours, the house's and the administrator's"
    yield desk.answer("settings", group, "settings")
    yield desk.answer("settings-changed", group, "settings autosend=on")
    yield desk.answer("secret", group, "secret")
    yield desk.answer("secret-new", group, "secret new")
    yield desk.answer("secret-revoke", group, "secret revoke")
    yield desk.answer("share", group, "share walden with bob")
    yield desk.newest("share-notice", group, "What Bob is told then")
    yield desk.answer("unshare", group, "unshare walden from bob")
    yield desk.newest("unshare-notice", group, "What Bob is told then, too")
    yield desk.answer("share-feeds", group, "share feeds with bob")
    yield desk.newest("share-feeds-question", group, "What Bob is asked then")
    yield desk.answer("export-all", group, "export all")
    archives = [AttachedFile(key="", size_bytes=18_400_000, filename="1.zip", media_type="application/zip")] * 3
    takeout = takeout_notice(archives, (), page=1, pages=1, total=3)
    yield desk.outcome("takeout", group, "What was asked for with it, when it is ready", takeout)
    yield desk.answer("forget", group, "forget me")
    yield desk.answer("users", group, "users", by=desk.root)
    yield desk.answer("suspend", group, "suspend bob@reader.example", by=desk.root)
    yield desk.answer("unsuspend", group, "unsuspend bob@reader.example", by=desk.root)
    yield desk.answer("quota", group, "quota ada@reader.example", by=desk.root)
    yield desk.answer("quota-changed", group, "quota ada@reader.example 5 GB", by=desk.root)
    yield desk.answer("totals", group, "totals", by=desk.root)


def _notices(desk: Desk) -> Iterator[Page]:
    session, ada = desk.session, desk.reader.user
    walden = session.scalars(sa.select(Book).where(Book.title == "Walden")).first()
    assert walden is not None

    def delivery(**columns: object) -> OutboxMail:
        return make_outbox_mail(
            session, user=ada, rcpt_to="ada_1815@kindle.com", book_id=walden.id, subject="Book: Walden",
            state=OutboxState.ACCEPTED, **columns,
        )  # fmt: skip

    def failed(mail: OutboxMail) -> Event:
        return DeliveryFailed(
            user_id=ada.id, outbox_id=mail.id, rcpt_to=mail.rcpt_to, reason="550 5.1.1 no such user here"
        )

    def rejected(mail: OutboxMail, kind: NoticeKind) -> Event:
        return DeliveryRejected(user_id=ada.id, outbox_id=mail.id, reason=kind.value, code="E999", words="E999")

    yield desk.told("delivery-failed", "A book that could not be sent", failed(delivery()))
    for kind, words, rung in (
        (NoticeKind.UNAPPROVED, "E014 - Unapproved sender email address.", 0),
        (NoticeKind.REJECTED, "E999 - Send to Kindle Internal Error", 3),
        (NoticeKind.TOO_LARGE, "The document is larger than 50 MB.", 0),
    ):
        mail = delivery(notice=words, rung=rung)
        yield desk.told(f"delivery-{kind.value}", f"A book that Amazon refused: {kind.value}", rejected(mail, kind))
    click = delivery(notice="https://www.amazon.com/sendtokindle/verification/confirm?token=1234567890abcdef1234")
    yield desk.told("delivery-click", "A book that Amazon asks about", ClickNeeded(user_id=ada.id, outbox_id=click.id))
    mended = NoRefusalSeen(user_id=ada.id, outbox_id=delivery(rung=1).id)
    yield desk.told("delivery-mended", "A book that was mended and sent again", mended)
    feed = make_subscription(session, ada, name="The Echo").feed
    why = "The server did not answer."
    feed.failing_since = NOW - timedelta(days=3)
    yield desk.told(
        "feed-failing", "A feed that fails", FeedFailing(user_id=None, feed_id=feed.id, url=feed.url, reason=why)
    )
    feed.state = FeedState.GONE
    yield desk.told("feed-gone", "A feed that is no more", FeedGone(user_id=None, feed_id=feed.id, url=feed.url))


def _languages(desk: Desk) -> Iterator[Page]:
    """The same in the other languages: their words are longer."""
    for language in ("de", "es"):
        desk.reader.user.language = language
        for name, line, trust in (
            ("list", "list", Trust.CHANGE), ("help", "help", Trust.CHANGE), ("confirm", "remove emma", Trust.DELIVER),
            ("feeds", "feeds", Trust.CHANGE),
        ):  # fmt: skip
            yield desk.answer(f"{name}-{language}", f"In {language}", line, trust=trust)
