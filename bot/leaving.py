"""The job that asks a newsletter's sender to stop: one POST to the address that its signed mail names (RFC 8058)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from bot.news.refresh import Database
from core.i18n import _, speaking
from core.mail.answer import Answer, Paragraph, Problem, Step, Steps
from core.mail.outgoing import Identity
from core.models import Newsletter, User
from core.news.values import FetchFailed
from core.ports import FetchLimits, Poster
from core.services.answers import Answers
from core.services.newsletters import Newsletters
from core.work import Work

LIMITS = FetchLimits(body_bytes=0, seconds=30.0)
FORM = {"List-Unsubscribe": "One-Click"}
"""RFC 8058 3.2: the body, of this pair alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLeaver:
    """Leaves lists for their readers."""

    database: Database
    poster: Poster
    identity: Identity

    async def leave(self, *, newsletter_id: int, cause: str) -> None:
        """May run twice: who is asked to stop twice has stopped. Its reader is told once for each cause."""
        url = await self.database.in_read(lambda session: _url(session, newsletter_id))
        failure = None
        try:
            await self.poster.post(url, form=FORM, limits=LIMITS)
        except FetchFailed as why:
            failure = why

        def tell(work: Work) -> None:
            newsletter = work.session.get_one(Newsletter, newsletter_id)
            user = work.session.get_one(User, newsletter.user_id)
            with speaking(user.language):
                told = _left(work, newsletter) if failure is None else _not_left(work, newsletter, failure)
                Answers(work).tell(told, user=user, identity=self.identity, cause=f"leave:{cause}")

        await self.database.in_work(tell)


def _url(session: Session, newsletter_id: int) -> str:
    return session.get_one(Newsletter, newsletter_id).one_click_url


def _left(work: Work, newsletter: Newsletter) -> Answer:
    newsletter.left_at = work.now
    return Answer(
        _("{name} was asked to stop").format(name=Newsletters(work).name_of(newsletter)),
        (
            Paragraph(
                _(
                    "Its server took the request, by one click (RFC 8058). Should it write on, burn its address: mail "
                    "for it is then refused."
                )
            ),
            Steps((_burn(newsletter), Step(_("My newsletters"), "newsletter list"))),
        ),
    )


def _not_left(work: Work, newsletter: Newsletter, failure: FetchFailed) -> Problem:
    text = _("{name} could not be asked to stop. {reason}")
    return Problem(
        "newsletter.not-left",
        text.format(name=Newsletters(work).name_of(newsletter), reason=failure.text),
        fix=_("Try it again later, or burn its address: mail for it is then refused."),
        blocks=(Steps((_burn(newsletter), Step(_("Try again"), f"newsletter unsubscribe #{newsletter.id}"))),),
    )


def _burn(newsletter: Newsletter) -> Step:
    return Step(_("Burn its address"), f"newsletter burn #{newsletter.id}")
