"""What each user's mails may ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.guards import Counts
from bot.quotas import UserQuotas
from core.limits import Closed, UserLimits
from core.values import Trust

NOW = datetime(2026, 11, 23, 6, 20, 30, tzinfo=UTC)
ADA, BOB = 1, 2


class Door:
    """Mails of users, one after the other."""

    def __init__(self, **limits: int) -> None:
        self.quotas = UserQuotas(UserLimits(**limits), Counts())

    def write(
        self,
        user_id: int = ADA,
        *,
        at: datetime = NOW,
        commands: int = 1,
        uploads: int = 0,
        trust: Trust = Trust.CHANGE,
    ) -> Closed | None:
        with self.quotas.counted(user_id, trust=trust, at=at, commands=commands, uploads=uploads) as closed:
            return closed

    def closed_until(self, *, uploads: int = 0) -> datetime | None:
        closed = self.write(uploads=uploads)
        return closed.opens_at if closed is not None else None


def test_an_hour_has_so_many_commands_and_opens_at_the_next_one() -> None:
    door = Door(commands_an_hour=2)

    assert [door.closed_until() for _ in range(3)] == [None, None, datetime(2026, 11, 23, 7, tzinfo=UTC)]
    assert door.write(at=NOW + timedelta(minutes=39)) is not None
    assert door.write(at=NOW + timedelta(minutes=40)) is None


def test_seeds_limits_are_the_defaults() -> None:
    door = Door()

    assert [door.write() for _ in range(100)] == [None] * 100
    assert door.write() is not None
    later = NOW + timedelta(hours=1)
    assert [door.write(at=later, uploads=1) for _ in range(5)] == [None] * 5
    closed = door.write(at=later, uploads=1)
    assert closed is not None
    assert closed.opens_at == datetime(2026, 11, 23, 7, 21, tzinfo=UTC)
    assert door.write(at=later) is None, "commands without a file are not meant"


def test_users_are_counted_apart() -> None:
    door = Door(commands_an_hour=1)

    assert [door.write(ADA), door.write(BOB)] == [None, None]


def test_mail_is_done_whole_if_there_is_room_at_all() -> None:
    door = Door(commands_an_hour=2, uploads_a_minute=2)

    assert door.write(commands=1, uploads=5) is None, "a mail of more than a minute's files would never pass"
    closed = door.write(commands=1, uploads=1)
    assert closed is not None
    assert closed.window.name == "uploads"


def test_what_is_closed_for_the_longest_is_told() -> None:
    door = Door(commands_an_hour=1, uploads_a_minute=1)
    door.write(uploads=1)

    assert door.closed_until(uploads=1) == datetime(2026, 11, 23, 7, tzinfo=UTC)


def test_bytes_stored_close_the_day_for_files() -> None:
    door = Door(stored_bytes_a_day=1000)
    door.quotas.note_stored(ADA, trust=Trust.CHANGE, at=NOW, size_bytes=1001)

    assert door.closed_until(uploads=1) == datetime(2026, 11, 24, tzinfo=UTC)
    assert door.write() is None, "a mail without a file stores nothing"
    assert door.write(at=NOW + timedelta(days=1), uploads=1) is None


def test_mail_that_is_tried_again_is_counted_once() -> None:
    door = Door(commands_an_hour=1, uploads_a_minute=1)
    for _ in range(3):
        with (
            pytest.raises(ConnectionError),
            door.quotas.counted(ADA, trust=Trust.CHANGE, at=NOW, commands=1, uploads=1),
        ):
            raise ConnectionError

    assert door.write(uploads=1) is None


def test_mail_that_may_be_somebody_elses_closes_no_users_door() -> None:
    door = Door(commands_an_hour=1)

    assert [door.write(trust=Trust.READ) is None for _ in range(2)] == [True, False]
    assert door.write(trust=Trust.DELIVER) is None


def test_one_cause_for_a_window_and_another_for_the_next() -> None:
    door = Door(commands_an_hour=1)
    door.write()
    door.write(at=NOW + timedelta(hours=1))

    closed = [door.write(at=NOW + timedelta(minutes=minutes)) for minutes in (0, 39, 60)]
    assert [one and one.cause for one in closed] == [
        "limit:1:commands:20261123T0600",
        "limit:1:commands:20261123T0600",
        "limit:1:commands:20261123T0700",
    ]


def test_nought_is_no_limit() -> None:
    door = Door(commands_an_hour=0, uploads_a_minute=0, stored_bytes_a_day=0)
    door.quotas.note_stored(ADA, trust=Trust.CHANGE, at=NOW, size_bytes=10**12)

    assert [door.write(uploads=1) for _ in range(300)] == [None] * 300
