"""One polite line for people whom nobody has invited: at most once a day, and only where the mail is surely theirs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.authenticate import DomainProver
from bot.guards import Counts
from bot.news.refresh import Database
from bot.reports import Report
from core.errors import Unavailable
from core.i18n import SOURCE, _, speaking
from core.mail.answer import Answer, Paragraph
from core.mail.language import language_of
from core.mail.message import Author
from core.mail.outgoing import Identity
from core.mail.routes import Arrival
from core.services.answers import Answers
from core.values import Peer
from core.work import Work

DAY_SECONDS = 86_400
CHECKS_AN_ANSWER = 10  # strangers whose origin is looked up, for each one that may be answered: spam is not worth DNS

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """Tells strangers that this house is by invitation. What cannot be known now is met with silence."""

    database: Database
    prover: DomainProver
    counts: Counts
    identity: Identity
    most_a_day: int
    """Over all addresses; 0 answers nobody."""

    async def answer(self, arrival: Arrival, peer: Peer, *, raw: Path, why: str) -> Report | None:
        """None where nothing is to be said. The caller has made sure that the mail is not automatic.

        An answer goes to an address of which DMARC says that it wrote the mail, and wrote it to us; so nobody else can
        have us write to it.
        """
        message, author = arrival.message, arrival.message.author
        if author is None or not self.most_a_day or arrival.ours.owns_domain(author.address):
            return None
        if not await self.database.in_work(lambda work: self._may_answer(work, author)):
            return None
        if self.counts.add("strangers", 1, seconds=DAY_SECONDS) > CHECKS_AN_ANSWER * self.most_a_day:
            return None
        try:
            if not await self.prover.passes_dmarc(message, raw, arrival.envelope, peer):
                return None
        except Unavailable as error:
            log.info("a stranger is not answered", reason=str(error))
            return None

        def tell(work: Work) -> str:
            if not self._may_answer(work, author):
                return ""
            with speaking(language_of(message) or SOURCE):
                Answers(work).tell_stranger(
                    by_invitation(self.identity), author=author, message=message, identity=self.identity,
                    cause=_cause(work, author),
                )  # fmt: skip
            return "; a stranger, who was told so"

        return Report("stranger", why, tell)

    def _may_answer(self, work: Work, author: Author) -> bool:
        """Whether this address was told nothing today, and not too many others were."""
        return not Answers(work).count(_cause(work, author)) and Answers(work).count(_today(work)) < self.most_a_day


def _today(work: Work) -> str:
    return f"stranger:{work.now:%Y%m%d}:"


def _cause(work: Work, author: Author) -> str:
    """By the hash of the address, whose letters may be wildcards."""
    return f"{_today(work)}{hashlib.sha256(author.address.lower().encode()).hexdigest()[:40]}"


def by_invitation(identity: Identity) -> Answer:
    name = identity.name or "Inkpost"
    return Answer(
        _("I do not know you yet"),
        (
            Paragraph(
                _(
                    "{name} is a library by mail, for invited readers. If you would like to be one, please ask who "
                    "told you of this address to invite you. I did nothing of what you asked."
                ).format(name=name)
            ),
        ),
    )
