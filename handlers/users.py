"""`users [page]`: the people of this installation, for its administrators."""

from __future__ import annotations

from core.i18n import N_, _, ngettext
from core.mail.answer import Answer, Item, Items, Step, Steps
from core.mail.grammar import CommandSpec, Example
from core.models import User
from core.models.user import UserState
from core.services.room import Room
from core.values import Trust
from handlers._administration import GROUP, administration, turn_of
from handlers._arguments import beyond, page_of
from handlers._request import Request

SPEC = CommandSpec(
    name="users",
    summary="Show everybody, with what they keep here",
    usage=("users [page]",),
    aliases=("list users", "show users", "all users", "people", "benutzer", "nutzer", "usuarios"),
    max_words=2,
    trust=Trust.CHANGE,
    for_administrators=True,
    group=GROUP,
    examples=(Example("users", "by address"), Example("users 2", "the second page")),
)


def handle(request: Request) -> Answer:
    wanted = page_of(request.command)
    page = administration(request).list_page(wanted)
    items = tuple(_item(number, *row, by=request.user) for number, row in enumerate(page.rows, start=page.first_number))
    more = Step(_("Next page"), f"users {page.page + 1}") if page.page < page.pages else None
    return Answer(
        ngettext("{count} user", "{count} users", page.total).format(count=page.total),
        (
            *beyond(wanted, page),
            Items(items, kind="users", page=page.page, pages=page.pages, total=page.total, more=more),
            Steps((Step(_("Everything in numbers"), "totals"), Step(_("Invite somebody"), "help invite"))),
        ),
    )


def _item(number: int, user: User, room: Room, *, by: User) -> Item:
    parts = (
        user.name,
        _("administrator") if user.is_administrator else "",
        _(_STATES[user.state]),
        _("{books} books, {size}").format(books=room.books_in_words, size=room.size_in_words),
    )
    return Item(
        number=number,
        title=user.address,
        detail=" · ".join(part for part in parts if part),
        steps=(Step(_("Quota"), f"quota {user.address}"), *turn_of(user, by=by)),
    )


_STATES = {
    UserState.ACTIVE: "",
    UserState.SUSPENDED: N_("suspended"),
    UserState.FORGOTTEN: N_("being forgotten"),
}
