"""Ending a digest for who has its letter in hand: by the mail or the POST that its List-Unsubscribe offers."""

from __future__ import annotations

from functools import partial

from core.mail.outgoing import Identity
from core.models import User
from core.models.user import UserState
from core.services.answers import Answers
from core.services.digests import Digests
from core.work import Work
from handlers._digests import stopped_by_click


def stop_digest(work: Work, reference: str, *, identity: Identity, cause: str) -> int | None:
    """Turn off the digest of the letter with this reference; the user that it is of, None if there was nothing to do.

    They are told, at their own address and once: what is off already is met with silence.
    """
    digest = Digests(work).of_issue(reference)
    if digest is None or digest.next_due_at is None:
        return None
    Digests(work).turn_off(digest)
    user = work.session.get_one(User, digest.user_id)
    if user.state is UserState.ACTIVE:
        Answers(work).tell(partial(stopped_by_click, digest), user=user, identity=identity, cause=cause)
    return user.id
