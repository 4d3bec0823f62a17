"""The one answer to a mail: composed, queued, and its numbered lists remembered, in the transaction of its commands."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from core.i18n import speaking
from core.mail.answer import Answer, Items, Problem, Result
from core.mail.compose import AnswerContext, compose_answer, compose_notice
from core.mail.meanings import meanings_of
from core.mail.message import Author, ParsedMessage
from core.mail.outgoing import Identity
from core.models import Inbound, Listing, OutboxMail, User
from core.models.outbox import OutboxKind
from core.references import new_reference
from core.services.covers import with_covers
from core.services.outbox import Outbox
from core.services.threads import ASKED_BACK, remember
from core.work import Work


class Answers:
    """Answers in one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def enqueue(
        self,
        results: tuple[Result, ...],
        *,
        user: User,
        inbound: Inbound,
        message: ParsedMessage,
        identity: Identity,
        reply_address: str = "",
        cause: str = "",
    ) -> OutboxMail:
        """Queue the answer to `inbound`. It goes to the user's registered address, whatever address they wrote from.

        `reply_address` is where what it offers to tap goes to, if not to an address of its own. What asks back has its
        own in any case: a word in reply counts there only (`core.services.threads`). `cause` is for an answer that
        several mails have in common: the first of them gets it, the others get none.
        """
        reference = new_reference()
        own_address = identity.reply_address(user_id=user.id, reference=reference, now=self._work.now)
        asks_back = any(lines[0].startswith(ASKED_BACK) for lines in meanings_of(results).values())
        mail = compose_answer(
            with_covers(self._work.session, results),
            context=AnswerContext(
                identity=identity,
                reply_address=own_address if asks_back else reply_address or own_address,
                user_address=user.address,
                user_name=user.name,
                timezone=user.timezone,
                reference=reference,
                original_message_id=message.message_id,
                original_references=message.references,
                original_subject=message.subject,
                now=self._work.now,
            ),
        )
        self._remember(results, user=user, message_id=mail.message_id)
        outbox = Outbox(self._work)
        row = outbox.enqueue(
            mail, cause=cause or f"answer:{inbound.id}", kind=OutboxKind.ANSWER, user_id=user.id, inbound_id=inbound.id
        )
        if inbound.intake == "cli":  # who wrote it at a terminal is shown the answer there
            outbox.keep_back(row)
        return row

    def tell(
        self, outcome: Answer | Problem | Callable[[], Answer | Problem], *, user: User, identity: Identity, cause: str
    ) -> OutboxMail:
        """Queue a mail that is no answer: what came of something later, or by itself. Once for each `cause`.

        It is in the user's language, and so is an `outcome` that is said only here.
        """
        with speaking(user.language):
            said = outcome() if callable(outcome) else outcome
            return self._tell(said, user=user, identity=identity, cause=cause)

    def _tell(self, outcome: Answer | Problem, *, user: User, identity: Identity, cause: str) -> OutboxMail:
        reference = new_reference()
        (shown,) = with_covers(self._work.session, (Result("", outcome),))
        mail = compose_notice(
            shown.outcome,
            context=AnswerContext(
                identity=identity,
                reply_address=identity.reply_address(user_id=user.id, reference=reference, now=self._work.now),
                user_address=user.address,
                user_name=user.name,
                timezone=user.timezone,
                reference=reference,
                now=self._work.now,
            ),
        )
        row = Outbox(self._work).enqueue(mail, cause=cause, kind=OutboxKind.NOTICE, user_id=user.id)
        if row.message_id == mail.message_id:
            self._remember((Result("", outcome),), user=user, message_id=mail.message_id)
        return row

    def tell_stranger(
        self, outcome: Answer, *, author: Author, message: ParsedMessage, identity: Identity, cause: str
    ) -> OutboxMail:
        """Queue an answer to somebody who is no user. Once for each `cause`."""
        mail = compose_answer(
            (Result("", outcome),),
            context=AnswerContext(
                identity=identity,
                reply_address=identity.address,
                is_for_reader=False,
                user_address=author.address,
                user_name=author.name,
                reference=new_reference(),
                original_message_id=message.message_id,
                original_references=message.references,
                original_subject=message.subject,
                now=self._work.now,
            ),
        )
        return Outbox(self._work).enqueue(mail, cause=cause, kind=OutboxKind.ANSWER, user_id=None)

    def count(self, cause: str) -> int:
        """How many mails there are whose cause begins so. Blanks and wildcards are none of its letters."""
        begins = OutboxMail.cause.like(f"{cause}%")
        return self._work.session.scalar(sa.select(sa.func.count(OutboxMail.id)).where(begins)) or 0

    def _remember(self, results: tuple[Result, ...], *, user: User, message_id: str) -> None:
        """What stood at which number, so that "send 2" means it; of several lists of a kind the last one counts. And
        what short words in reply mean."""
        remember(self._work, message_id, user_id=user.id, meanings=meanings_of(results))
        shown = {
            block.kind: block
            for result in results
            for block in result.outcome.blocks
            if isinstance(block, Items) and block.item_ids
        }
        if shown:
            Listing.keep(
                self._work.session,
                {kind: (block.items[0].number, block.item_ids) for kind, block in shown.items()},
                user_id=user.id,
                message_id=message_id,
                now=self._work.now,
            )
