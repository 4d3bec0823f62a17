"""The job `build_issue`: from what a digest holds to its letter and its EPUB in the outbox, once for each issue."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from bot.jobs_retry import RetryLater
from bot.news.awaited import Awaited, unread_feeds
from bot.news.pictures import PictureFetcher
from bot.news.refresh import Database
from bot.sandbox import Sandbox
from core.devices import DEVICE_KINDS
from core.errors import TooMuch
from core.i18n import _, speaking
from core.mail.answer import Answer, Paragraph, Problem, Step, Steps
from core.mail.outgoing import AttachedFile, Identity, attachment_name, compose_delivery
from core.models import Device, Digest, DigestIssue, User
from core.models.issue import IssueState
from core.models.outbox import OutboxKind
from core.news.issue import Issue
from core.news.letter import LetterContext, compose_letter
from core.news.one_click import ClickLinks, stop_command
from core.news.paper import PaperPart, make_paper
from core.news.schedule import Target
from core.ports import BlobStore
from core.references import new_reference
from core.services.answers import Answers
from core.services.digests import Digests
from core.services.gathering import Contents, gather
from core.services.kindle_sync import KindleSyncService
from core.services.outbox import Outbox
from core.services.threads import remember
from core.staging import BlobKind, blob_key, file_sha256
from core.values import BookFormat
from core.work import Work

log = structlog.get_logger(__name__)

PAPER_SECONDS = 120.0
PATIENCE = timedelta(seconds=60)  # of who asked for a paper now, for texts that are on their way
FIRST_PAUSE_SECONDS = 2.0
MAIL_OVERHEAD = 20_000  # bytes of a delivery's header and text
BASE64 = 78 / 57  # 57 octets are a line of 76 letters and its end (RFC 2045 6.8)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be made, as it was when the job began."""

    contents: Contents
    device: Device | None
    user_id: int
    asked_at: datetime | None
    """When somebody wrote `digest now`: they get an answer even if there is nothing."""
    now: datetime
    send_empty: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    """A part of the paper in the blob store."""

    file: AttachedFile
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueBuilder:
    """Makes issues. Runs again after any crash: nothing is remembered before the mails stand in the outbox."""

    database: Database
    blobs: BlobStore
    sandbox: Sandbox
    pictures: PictureFetcher
    identity: Identity
    work_root: Path
    awaited: Awaited | None = None
    """For papers that somebody asks for; None: they are made of what there is."""
    links: ClickLinks | None = None
    """For a click on “unsubscribe”; None where there is no https address for it."""

    async def build(self, *, issue_id: int) -> None:
        """The job. Raises what keeps the issue from being made; then it is tried again."""
        plan = await self.database.in_work(lambda work: _plan(work.session, work, issue_id))
        if plan is None:
            return
        await self._wait_for_texts(plan)
        contents = plan.contents
        if not contents.chosen and not plan.send_empty:
            await self.database.in_work(lambda work: self._finish_empty(work, issue_id, plan))
            return
        stored: Sequence[_Stored] = ()
        if plan.device is not None:
            contents = await self._with_pictures(contents)
            stored = await self._paper(contents, plan.device)
        stories = await self.database.in_work(lambda work: self._finish(work, issue_id, plan, contents, stored))
        if stories is not None:
            log.info("issue made", issue=issue_id, stories=stories, parts=len(stored))

    async def _wait_for_texts(self, plan: _Plan) -> None:
        """Raises `RetryLater` while feeds of who asked just now are unread, or full texts of these stories are fetched:
        else a paper that is asked for with the first feed would hold teasers, or nothing."""
        if plan.asked_at is None or self.awaited is None or (waited := plan.now - plan.asked_at) >= PATIENCE:
            return
        stubs = frozenset(one.article_id for one in plan.contents.chosen if one.story.is_stub)
        if await self.awaited.is_there(plan.user_id, stubs):
            seconds = max(FIRST_PAUSE_SECONDS, waited.total_seconds())
            raise RetryLater(min(seconds, (PATIENCE - waited).total_seconds()))

    async def _with_pictures(self, contents: Contents) -> Contents:
        if not contents.with_pictures:
            return replace(contents, issue=_without_pictures(contents.issue))
        urls = [url for story in contents.issue.stories for url in story.reading.pictures]
        return replace(contents, issue=replace(contents.issue, pictures=await self.pictures.fetch(urls)))

    async def _paper(self, contents: Contents, device: Device) -> Sequence[_Stored]:
        cap_bytes = int((DEVICE_KINDS[device.kind].max_mail_bytes - MAIL_OVERHEAD) / BASE64)
        with tempfile.TemporaryDirectory(dir=self.work_root) as name:
            with speaking(contents.issue.language):
                parts = await self.sandbox.run(
                    make_paper, contents.issue, folder=Path(name), cap_bytes=cap_bytes, timeout_seconds=PAPER_SECONDS
                )
            return await asyncio.to_thread(self._store, parts)

    def _store(self, parts: Sequence[PaperPart]) -> list[_Stored]:
        stored = []
        for part in parts:
            key = blob_key(BlobKind.ISSUE, file_sha256(part.path), extension="epub")
            self.blobs.put_file(key, part.path, media_type=BookFormat.EPUB.media_type)
            name = attachment_name(title=part.title, authors=(), storage_key=key, extension="epub")
            file = AttachedFile(
                key=key, size_bytes=part.size_bytes, filename=name, media_type=BookFormat.EPUB.media_type
            )
            stored.append(_Stored(file, part.title))
        return stored

    def _finish_empty(self, work: Work, issue_id: int, plan: _Plan) -> None:
        row = work.session.get(DigestIssue, issue_id)
        if row is None or not Digests(work).finish_empty(issue_id) or plan.asked_at is None:
            return
        unread = unread_feeds(work.session, row.user_id)
        user = work.session.get_one(User, row.user_id)
        Answers(work).tell(
            partial(_nothing_new, row.title, unread), user=user, identity=self.identity, cause=f"{_cause(row)}:nothing"
        )

    def _finish(
        self, work: Work, issue_id: int, plan: _Plan, contents: Contents, stored: Sequence[_Stored]
    ) -> int | None:
        """One transaction: the mails, and that the reader has had these stories. None if it was done before."""
        row = work.session.get(DigestIssue, issue_id)
        if row is None or row.state is not IssueState.DUE:
            return None
        user, outbox = work.session.get_one(User, row.user_id), Outbox(work)
        reference = new_reference()
        if plan.device is not None and stored and not self._may_go(work, row, plan.device):
            stored = ()
        has_letter = contents.target is not Target.KINDLE or not stored
        if has_letter:
            letter = compose_letter(
                contents.issue,
                context=LetterContext(
                    identity=self.identity,
                    reference=reference,
                    now=work.now,
                    user_address=user.address,
                    user_name=user.name,
                    reply_address=self.identity.reply_address(user_id=user.id, reference=reference, now=work.now),
                    in_issue=f" in {reference}",
                    off_command=stop_command(row.title, reference),
                    unsubscribe_url=self.links.url(reference) if self.links is not None else None,
                    is_on_kindle=bool(stored),
                ),
            )
            outbox.enqueue(letter, cause=f"{_cause(row)}:mail", kind=OutboxKind.ISSUE, user_id=user.id)
            about = {str(story.number): [f"why {story.number} in {reference}"] for story in contents.issue.stories}
            remember(work, letter.message_id, user_id=user.id, meanings=about)
        for number, part in enumerate(stored, start=1):
            assert plan.device is not None
            delivery = compose_delivery(
                identity=self.identity.for_reader(user.id),
                rcpt_to=plan.device.address,
                reference=new_reference(),
                date=work.now,
                title=part.title,
                authors=(),
                file=part.file,
            )
            outbox.enqueue(
                delivery, cause=f"{_cause(row)}:device:{number}", kind=OutboxKind.DELIVERY, user_id=user.id,
                device_id=plan.device.id,
            )  # fmt: skip
        Digests(work).finish(issue_id, contents, reference=reference, message_id=self.identity.message_id(reference))
        return len(contents.chosen)

    def _may_go(self, work: Work, row: DigestIssue, device: Device) -> bool:
        """Whether the device gets one more parcel today; if not, its reader is told, and has the paper as a letter."""
        user = work.session.get_one(User, row.user_id)
        try:
            with speaking(user.language):
                KindleSyncService(work).check_day(device)
        except TooMuch as error:
            Answers(work).tell(
                partial(_closed, row.title, device.name, error),
                user=user,
                identity=self.identity,
                cause=f"{_cause(row)}:closed",
            )
            return False
        return True


def _closed(title: str, device: str, error: TooMuch) -> Problem:
    said = _("{issue} came by mail and not to {device}. {why}").format(issue=title, device=device, why=error.text)
    return Problem(error.code, said, fix=error.fix)


def _nothing_new(title: str, unread: Sequence[str]) -> Answer:
    """`unread` are feeds that were never looked at."""
    some = ", ".join(unread[:5])
    early = _("Not read yet: {feeds}. Write “digest now” again in some minutes.").format(feeds=some)
    return Answer(
        _("{issue}: nothing new").format(issue=title),
        (
            Paragraph(_("None of your feeds has a story that you have not had.")),
            *((Paragraph(early),) if unread else ()),
            Steps((Step(_("My feeds"), "feeds"), Step(_("My digests"), "digest list"))),
        ),
    )


def _without_pictures(issue: Issue) -> Issue:
    """As a reader wants it who has said pictures=no: then none is missing either."""
    stories = (replace(story, reading=replace(story.reading, pictures=())) for story in issue.stories)
    return replace(issue, stories=tuple(stories))


def _cause(row: DigestIssue) -> str:
    """What is unique in the outbox: `digest:<id>:<local date>`."""
    return f"digest:{row.digest_id}:{row.slot}"


def _plan(session: Session, work: Work, issue_id: int) -> _Plan | None:
    row = session.get(DigestIssue, issue_id)
    if row is None or row.state is not IssueState.DUE:
        return None
    digest = session.get_one(Digest, row.digest_id)
    contents = gather(session, digest, local_date=row.local_date, now=work.now, slot=row.slot)
    devices = Device.of_user(session, row.user_id)
    wants_device = contents.target is not Target.MAIL and devices
    return _Plan(
        contents=contents,
        device=devices[0] if wants_device else None,
        user_id=row.user_id,
        asked_at=row.due_at if row.slot.startswith("now:") else None,
        now=work.now,
        send_empty=digest.send_empty,
    )
