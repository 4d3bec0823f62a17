"""A reader at a small library: what they write is read by the real grammar and run by the real handlers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core.events import EventBus
from core.i18n import speaking
from core.limits import DEFAULT_LIMITS, UserLimits
from core.mail.answer import Answer, Columns, Facts, Items, Problem, Result, Steps
from core.mail.commands import read_commands
from core.mail.grammar import Grammar
from core.mail.outgoing import Identity
from core.models import DigestIssue, User
from core.services.fetch_links import MakeLink
from core.tokens import TokenSigner
from core.values import Staged, Trust
from core.work import Work
from handlers._dispatch import Mail, dispatch
from handlers._registry import Handler
from tests.factories.rows import NOW, make_listing
from tests.support.command_mails import mail

IDENTITY = Identity(address="books@inkpost.example", name="Inkpost")
SIGNER = TokenSigner(b"k" * 32)


@dataclass
class Reader:
    """Somebody who writes one mail after the other, in one transaction that is never committed."""

    session: Session
    user: User
    grammar: Grammar
    handlers: Mapping[str, Handler]
    bus: EventBus
    now: datetime = NOW
    works: list[Work] = field(default_factory=list)
    limits: UserLimits = DEFAULT_LIMITS
    make_link: MakeLink | None = None

    def results(
        self,
        *lines: str,
        attachments: Sequence[Staged] = (),
        trust: Trust = Trust.CHANGE,
        replied_to: tuple[str, ...] = (),
    ) -> tuple[Result, ...]:
        """What comes of a mail with these lines, the first of which is the subject."""
        subject, *body = lines
        files = tuple(one.filename for one in attachments)
        found = read_commands(mail(subject, "\n".join(body), files=files, reply=bool(replied_to)), self.grammar)
        self.works.append(Work(self.session, self.now, self.bus, limits=self.limits))
        letter = Mail(
            user=self.user,
            trust=trust,
            attachments=tuple(attachments),
            replied_to=replied_to,
            reference=f"MAIL-{len(self.works)}",
            identity=IDENTITY,
            signer=SIGNER,
            make_link=self.make_link,
        )
        with speaking(self.user.language):
            return dispatch(self.works[-1], letter, commands=found, handlers=self.handlers, grammar=self.grammar)

    def run(self, line: str, attachments: Sequence[Staged] = ()) -> Answer | Problem:
        """What comes of the one command of a mail; a list that it shows is kept, as the answer's mail would do."""
        (result,) = self.results(line, attachments=attachments)
        for block in result.outcome.blocks:
            if isinstance(block, Items) and block.item_ids:
                first = block.items[0].number
                make_listing(
                    self.session, self.user, block.item_ids, kind=block.kind, first_number=first, created_at=self.now
                )
        return result.outcome

    def replies(self, issue: DigestIssue, *lines: str) -> Answer | Problem:
        """What comes of a command in reply to the letter of an issue."""
        assert issue.message_id is not None
        (result,) = self.results(f"Re: {issue.title}, 23 Nov", *lines, replied_to=(issue.message_id,))
        return result.outcome

    def waits(self, **period: float) -> None:
        self.now += timedelta(**period)

    @property
    def jobs(self) -> list[str]:
        """The tasks that the mails so far deferred."""
        return [job.task for work in self.works for job in work.jobs]


def title(outcome: Answer | Problem) -> str:
    assert isinstance(outcome, Answer), outcome
    return outcome.title


def titles(outcome: Answer | Problem) -> list[str]:
    """The titles of what an answer numbers, in order."""
    return [one.title for block in outcome.blocks if isinstance(block, Items) for one in block.items]


def facts(outcome: Answer | Problem) -> dict[str, str]:
    return {one.label: str(one.value) for block in outcome.blocks if isinstance(block, Facts) for one in block.facts}


def steps(outcome: Answer | Problem) -> list[str]:
    """The commands that an answer offers."""
    return [one.command for block in outcome.blocks if isinstance(block, Steps) for one in block.steps]


def table(outcome: Answer | Problem) -> list[tuple[str, ...]]:
    return [row for block in outcome.blocks if isinstance(block, Columns) for row in block.rows]


def problem(outcome: Answer | Problem) -> Problem:
    assert isinstance(outcome, Problem), outcome
    return outcome
