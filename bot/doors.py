"""The doors that a mail may go through before anybody is believed: one for each rule of `OF_ANYBODY`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import structlog
from sqlalchemy.orm import Session

from bot.letters import LetterReader
from bot.news.refresh import Database
from bot.reports import Report, read_notice_of_gateway, read_report
from core.i18n import _, speaking
from core.mail.answer import Answer, Fact, Facts, Paragraph
from core.mail.forwarding import ForwardingRequest, read_forwarding_request
from core.mail.outgoing import Identity
from core.mail.routes import Arrival, Route, Routed, ways_of_anybody
from core.models import Newsletter, User
from core.models.user import UserState
from core.ports import Prover
from core.services.answers import Answers
from core.values import Peer
from core.work import Work

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Opens the first door that a mail may go through."""

    database: Database
    prover: Prover
    letters: LetterReader
    identity: Identity

    async def open(self, arrival: Arrival, peer: Peer, *, raw: Path) -> Report | None:
        """What becomes of a mail by itself; None if it has to be somebody's. Raises `Unavailable`."""
        for found in ways_of_anybody(arrival):
            report = await self._through(found, arrival, peer, raw=raw)
            if report is not None:
                return report
        return None

    async def _through(self, found: Routed, arrival: Arrival, peer: Peer, *, raw: Path) -> Report | None:
        match found.route:
            case Route.FORWARDING:
                return await self._relay_request(arrival, peer, raw=raw)
            case Route.LETTER:
                return await self.letters.take(arrival, raw=raw)
            case Route.NOTICE:
                is_proven = await self.prover.is_proven(arrival.message, raw, arrival.envelope, peer)
                return read_notice_of_gateway(arrival.message, arrival.envelope, is_proven=is_proven)
            case Route.REPORT:
                return await read_report(raw)
            case Route.SILENCE:
                return Report("silent", found.reason, lambda _work: "")
            case Route.COMMANDS | Route.PASSED_ON | Route.FORWARDED | Route.BOOKS | Route.LINKS | Route.QUESTION:
                raise ValueError(f"{found.route} is no way of anybody's")
            case _:
                assert_never(found.route)

    async def _relay_request(self, arrival: Arrival, peer: Peer, *, raw: Path) -> Report | None:
        """Show Gmail's code and link to whom its mail is about. None where nothing proves that Gmail wrote it."""
        request = read_forwarding_request(arrival.message)
        if request is None or not await self.prover.is_proven(arrival.message, raw, arrival.envelope, peer):
            return None
        user_id = await self.database.in_read(lambda session: _whom(session, arrival, request))
        if user_id is None:
            return Report("silent", "Gmail asks to forward, and to nobody that we know", lambda _work: "")

        def tell(work: Work) -> str:
            user = work.session.get_one(User, user_id)
            with speaking(user.language):
                Answers(work).tell(
                    gmail_asks(request), user=user, identity=self.identity,
                    cause=f"forwarding:{user.id}:{request.code or request.link[-100:]}",
                )  # fmt: skip
            return "its code was passed on"

        return Report("forwarding", "Gmail asks to forward: ", tell, user_id=user_id)


def _whom(session: Session, arrival: Arrival, request: ForwardingRequest) -> int | None:
    """By the secret in the address that Gmail wrote to; else the reader whose own mail is to be forwarded."""
    rcpt_tos = arrival.envelope.rcpt_tos
    users = [User.by_secret(session, secret) for secret in arrival.ours.secrets_in(rcpt_tos)]
    for secret in arrival.ours.aliases_in(rcpt_tos):
        newsletter = Newsletter.by_secret(session, secret)
        users.append(session.get_one(User, newsletter.user_id) if newsletter is not None else None)
    users.append(User.by_address(session, request.requester) if request.requester else None)
    return next((user.id for user in users if user is not None and user.state is UserState.ACTIVE), None)


def gmail_asks(request: ForwardingRequest) -> Answer:
    facts = (
        *((Fact(_("Mail of"), request.requester),) if request.requester else ()),
        *((Fact(_("Code"), request.code),) if request.code else ()),
        *((Fact(_("Link"), request.link, is_link=True),) if request.link else ()),  # at Google, or it is not read
    )
    return Answer(
        _("Gmail asks whether it may forward mail to you here"),
        (
            Facts(facts),
            Paragraph(
                _(
                    "If you want that, type the code into Gmail's settings, or open the link yourself: I have not "
                    "opened it. If it was not you who asked, do nothing."
                )
            ),
        ),
    )
