"""What the commands of administrators have in common."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _
from core.mail.answer import Answer, Fact, Facts, Step, Steps
from core.models import User
from core.models.user import UserState
from core.services.administration import Administration
from core.services.room import Room
from handlers._request import Request

GROUP = "Administrators"


def administration(request: Request) -> Administration:
    """Raises `Forbidden`."""
    return Administration(request.work, request.user)


def only_address(request: Request) -> str:
    """The one address behind a command. Raises `BadRequest`."""
    if len(request.command.words) != 1:
        raise BadRequest(_("Whom do you mean?"), fix=_("Name one person by their mail address."))
    return request.command.words[0]


def shown_user(user: User, room: Room, *, title: str, by: User) -> Answer:
    """Somebody's quota, with what may be done next."""
    facts = (Fact(_("Books"), room.books_in_words), Fact(_("Size"), room.size_in_words))
    return Answer(title, (Facts(facts), Steps((*turn_of(user, by=by), Step(_("All users"), "users")))))


def turn_of(user: User, *, by: User) -> tuple[Step, ...]:
    """Suspend somebody, or take it back; nobody suspends themselves."""
    if user.state is UserState.SUSPENDED:
        return (Step(_("Unsuspend"), f"unsuspend {user.address}"),)
    return (Step(_("Suspend"), f"suspend {user.address}"),) if user is not by else ()
