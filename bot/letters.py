"""Letters to the secret addresses of newsletters: cleaned, kept for the next issue, never obeyed or answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from bot.news.refresh import Database
from bot.origin import OriginCheck
from bot.reports import Report
from bot.sandbox import Sandbox, SandboxError
from core.errors import Unavailable
from core.i18n import _, speaking
from core.mail.answer import Answer, Fact, Facts, Paragraph, Step, Steps
from core.mail.loops import LOOP_FIELD
from core.mail.message import ParsedMessage
from core.mail.outgoing import Identity
from core.mail.routes import Arrival
from core.models import Newsletter, User
from core.models.user import UserState
from core.news.newsletter import Letter, LetterText, read_letter
from core.news.opt_in import OptIn
from core.services.answers import Answers
from core.services.newsletters import Newsletters
from core.work import Work

READ_SECONDS = 15.0
SMALL_LETTER_BYTES = 20_000  # of HTML: cleaned in some milliseconds, less than the way to another process takes
MOST_REQUESTS_A_DAY = 20  # to confirm, of one address, that its reader is shown: more are a flood
MUST_BE_SIGNED = frozenset({"list-unsubscribe", "list-unsubscribe-post"})
"""RFC 8058 3.1: only a signature over both shows that the list itself says so."""
_REPORTS = frozenset({"multipart/report", "message/delivery-status", "message/disposition-notification"})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterReader:
    """Makes an article, or a notice to its reader, of what comes to the address of a newsletter."""

    database: Database
    sandbox: Sandbox
    origin: OriginCheck
    identity: Identity
    most_bytes: int

    async def take(self, arrival: Arrival, *, raw: Path) -> Report:
        """What the mail becomes. Never a command, never an answer to whoever wrote it."""
        secrets = arrival.ours.aliases_in(arrival.envelope.rcpt_tos)
        ids = await self.database.in_read(lambda session: _known(session, secrets))
        if not ids:
            return Report("silent", "to the address of a newsletter that is no more", _nothing)
        why = _no_letter(arrival.message)
        if not why and (await asyncio.to_thread(raw.stat)).st_size > self.most_bytes:
            why = "too large"
        if why:
            return Report("silent", f"to a newsletter's address, and {why}", _nothing)
        letter = await self._read(arrival.message)
        url = letter.leaving.one_click_url
        if url and not await self._is_signed(raw):
            url = ""

        def keep(work: Work) -> str:
            return ", ".join(self._keep(work, one, letter, one_click_url=url) for one in ids)

        return Report("letter", "", keep)

    async def _is_signed(self, raw: Path) -> bool:
        """Whether a signature shows that the list itself offers its one click; not if that cannot be known now."""
        try:
            return any(fields >= MUST_BE_SIGNED for fields in await self.origin.signed_fields(raw))
        except Unavailable as error:
            log.info("signatures of a letter not checked", reason=str(error))
            return False

    async def _read(self, message: ParsedMessage) -> Letter:
        mail = LetterText(
            message_id=message.message_id or "",
            subject=message.subject,
            author_name=message.author.name if message.author is not None else "",
            author_address=message.author.address if message.author is not None else "",
            sent_at=message.date,
            html=message.html,
            text=message.text,
            list_unsubscribe=tuple(message.all_headers("List-Unsubscribe")),
            list_unsubscribe_post=tuple(message.all_headers("List-Unsubscribe-Post")),
        )
        if len(message.html) <= SMALL_LETTER_BYTES:
            return await asyncio.to_thread(read_letter, mail)
        try:
            return await self.sandbox.run(read_letter, mail, timeout_seconds=READ_SECONDS)
        except SandboxError as error:  # its HTML is the worst that there is: its plain text will do
            log.warning("letter takes too long to read", reason=str(error))
            plain = LetterText(
                message_id=mail.message_id, subject=mail.subject, author_name=mail.author_name,
                author_address=mail.author_address, sent_at=mail.sent_at, html="", text=mail.text,
            )  # fmt: skip
            return await asyncio.to_thread(read_letter, plain)

    def _keep(self, work: Work, newsletter_id: int, letter: Letter, *, one_click_url: str) -> str:
        newsletter = work.session.get(Newsletter, newsletter_id)
        if newsletter is None or newsletter.burnt_at is not None:
            return "burnt meanwhile"
        if letter.opt_in is not None:
            return self._show(work, newsletter, letter, letter.opt_in)
        Newsletters(work).take(newsletter, letter, one_click_url=one_click_url)
        return f"an issue of newsletter #{newsletter.id}"

    def _show(self, work: Work, newsletter: Newsletter, letter: Letter, asked: OptIn) -> str:
        """Tell its reader at once what waits for them; the same request once."""
        user = work.session.get_one(User, newsletter.user_id)
        stem = f"opt-in:{newsletter.id}:{work.now:%Y%m%d}"
        if user.state is not UserState.ACTIVE or Answers(work).count(f"{stem}:") >= MOST_REQUESTS_A_DAY:
            return f"a request to confirm, of newsletter #{newsletter.id}, that is not shown"
        with speaking(user.language):
            Answers(work).tell(
                asks_to_confirm(Newsletters(work).name_of(newsletter), newsletter.id, letter, asked),
                user=user,
                identity=self.identity,
                cause=f"{stem}:{letter.entry.entry_key[:32]}",
            )
        return f"a request to confirm, of newsletter #{newsletter.id}"


def _known(session: Session, secrets: list[str]) -> list[int]:
    """The newsletters of these addresses, whose readers are not suspended."""
    found = [Newsletter.by_secret(session, secret) for secret in secrets]
    return [one.id for one in found if one is not None and session.get_one(User, one.user_id).state is UserState.ACTIVE]


def _no_letter(message: ParsedMessage) -> str:
    """Why a mail cannot be an issue: one of ours, which would come back in each paper, or a machine's answer."""
    if message.header(LOOP_FIELD) is not None:
        return "one of our own mails"
    if message.content_type in _REPORTS:
        return f"a report ({message.content_type})"
    submitted = (message.header("Auto-Submitted") or "").strip().lower()
    return "an automatic answer" if submitted.startswith("auto-replied") else ""


def _nothing(_work: Work) -> str:
    return ""


def asks_to_confirm(name: str, newsletter_id: int, letter: Letter, asked: OptIn) -> Answer:
    """Everything as text: nothing of it was opened, and whoever reads it decides."""
    facts = (
        Fact(_("Subject"), letter.entry.title),
        Fact(_("From"), letter.sender or _("(nobody)")),
        *((Fact(_("Code"), asked.code),) if asked.code else ()),
        *((Fact(_("Link"), asked.link),) if asked.link else ()),
    )
    return Answer(
        _("{name} wants you to confirm").format(name=name),
        (
            Facts(facts),
            Paragraph(
                _(
                    "It came to the address of this newsletter. I have not opened the link. If you have not "
                    "subscribed to anything, do nothing."
                )
            ),
            Steps(
                (Step(_("My newsletters"), "newsletter list"), Step(_("Burn it"), f"newsletter burn #{newsletter_id}"))
            ),
        ),
    )
