"""A service without a relay: what it would have sent stands in a Maildir, whatever it was killed at."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from bot.transport import RelaySettings
from core.jobs import deliver
from core.models import Attempt, OutboxMail
from core.models.outbox import OutboxState
from core.work import Work
from tests.factories.rows import make_outbox_mail, make_user
from tests.support.service import open_house


async def test_mail_whose_writing_nobody_saw_the_end_of_is_written_again(tmp_path: Path) -> None:
    def begin(work: Work) -> int:
        mail = make_outbox_mail(work.session, user=make_user(work.session), state=OutboxState.SENDING, attempts=1)
        work.session.add(Attempt(outbox_id=mail.id, number=1, started_at=datetime.now(UTC)))
        work.defer(deliver(mail.id, rcpt_to=mail.rcpt_to))
        return mail.id

    async with open_house(tmp_path, relay=RelaySettings()) as house:
        outbox_id = await house.app.engine.in_work(begin)
        await house.settle()
        mail = await house.app.engine.in_read(lambda session: session.get_one(OutboxMail, outbox_id))

    kept = await asyncio.to_thread(lambda: list((tmp_path / "data" / "outgoing" / "new").iterdir()))
    assert (mail.state, len(kept)) == (OutboxState.ACCEPTED, 1)
    assert mail.last_reply.startswith("kept in the Maildir")
