"""A reader whose mailbox sends our mail back: a note on their device, and an end of it when they write."""

from __future__ import annotations

import io
import zipfile
from ipaddress import ip_network
from pathlib import Path

from bot.authenticate import TrustSettings
from bot.check import check_everything
from core.mail.dsn import Bounce, BounceKind
from core.models import User
from core.models.outbox import OutboxKind
from core.ports import Delivered
from core.services.fates import Fates
from core.services.outbox import Outbox
from core.work import Work
from tests.support.outgoing import plain_mail
from tests.support.service import House, open_house

KINDLE = "ada_1815@kindle.com"
LISTED = TrustSettings(networks=(ip_network("127.0.0.0/8"),))


def letters_come_back(work: Work, address: str) -> None:
    user = User.by_address(work.session, address)
    assert user is not None
    for number in range(3):
        mail = Outbox(work).enqueue(
            plain_mail(rcpt_to=address), cause=f"digest:1:{number}", kind=OutboxKind.ISSUE, user_id=user.id
        )
        work.jobs.clear()  # they have gone out already
        assert Outbox(work).start_attempt(mail.id) is not None
        Outbox(work).record(mail.id, number=1, result=Delivered("250 ok"), jitter=0.0)
        bounce = Bounce(kind=BounceKind.FAILED, message_ids=(mail.message_id,), reply="550 5.1.1 <no & such> user")
        Fates(work).take_bounce(bounce)
    Outbox(work).enqueue(
        plain_mail(rcpt_to=address, text="Yesterday"), cause="digest:1:9", kind=OutboxKind.ISSUE, user_id=user.id
    )


async def told_on_kindle(house: House) -> list[str]:
    """The texts of the books that came to the Kindle."""
    texts = []
    for mail in house.world.mails:
        if mail.rcpt_to == KINDLE:
            (book,) = [part.get_content() for part in mail.message.iter_attachments()]
            with zipfile.ZipFile(io.BytesIO(book)) as archive:
                texts.append("".join(archive.read(name).decode() for name in archive.namelist() if "xhtml" in name))
    return texts


async def test_reader_is_told_on_their_kindle_and_reached_again_when_they_write(tmp_path: Path) -> None:
    async with open_house(tmp_path, trust=LISTED) as house:
        ada = await house.person()
        await ada.asks(f"kindle add {KINDLE}")

        await house.app.engine.in_work(lambda work: letters_come_back(work, ada.address))
        await house.settle()

        (note,) = await told_on_kindle(house)
        assert ada.address in note
        assert "&lt;no &amp; such&gt; user" in note
        findings = {one.name: one.problem for one in await check_everything(house.app.config)}
        assert findings["readers' addresses"] == f"mail comes back from {ada.address}: inkpost outbox stops"

        await ada.writes("list")
        await house.settle()
        told = (await ada.answer()).text + (await ada.answer()).text
        assert "Your address takes mail again" in told
        assert "1 mail that was waiting goes out now." in told
        assert "Yesterday" in told
        assert len(await told_on_kindle(house)) == 1


async def test_mail_of_somebody_else_lifts_nothing(tmp_path: Path) -> None:
    """Their secret address is proof that it is the reader, and none that their own address takes mail."""
    async with open_house(tmp_path) as house:
        ada = await house.person()
        await house.app.engine.in_work(lambda work: letters_come_back(work, ada.address))
        other = type(ada)(house, "ada@office.test", ada.secret)

        await other.writes("list")
        await house.settle()

        assert "takes mail again" not in (await ada.answer()).text
