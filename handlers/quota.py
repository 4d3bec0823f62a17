"""`quota <address> [<size> | <n> books | default]`: how much one person may keep here."""

from __future__ import annotations

from core.errors import BadRequest
from core.i18n import _
from core.mail.answer import Answer
from core.mail.grammar import CommandSpec, Example
from core.mail.words import fold
from core.services.administration import Administration
from core.sizes import size_from_words
from core.values import Trust
from handlers._administration import GROUP, administration, only_address, shown_user
from handlers._request import Request

SPEC = CommandSpec(
    name="quota",
    summary="Show or set how much somebody may keep",
    usage=("quota <address>", "quota <address> <size>", "quota <address> <number> books", "quota <address> default"),
    details=(
        "A size is written as 500 MB or 5 GB; 0 is no limit, and “default” is what the configuration gives to "
        "everybody. Who has more than they may have keeps it, and adds nothing."
    ),
    aliases=("quotas", "kontingent", "cuota"),
    min_words=1,
    max_words=3,
    trust=Trust.CHANGE,
    for_administrators=True,
    group=GROUP,
    examples=(
        Example("quota bob@example.org", "what he has and may have"),
        Example("quota bob@example.org 5 GB", "the size of his library"),
        Example("quota bob@example.org 500 books", "how many books"),
    ),
)

BOOKS = frozenset(("book", "books", "buch", "bucher", "libro", "libros"))
DEFAULT = frozenset(("default", "standard", "reset"))


def handle(request: Request) -> Answer:
    staff = administration(request)
    address, *wanted = request.command.words or (only_address(request),)
    if wanted:
        _set(staff, address, wanted)
    user, room = staff.room(address)
    title = _("Changed: quota of {address}") if wanted else _("Quota of {address}")
    return shown_user(user, room, title=title.format(address=user.address), by=request.user)


def _set(staff: Administration, address: str, wanted: list[str]) -> None:
    """Raises `BadRequest`."""
    text = " ".join(wanted)
    size = size_from_words(text)
    number = wanted[0]
    if fold(text) in DEFAULT:
        staff.set_books(address, None)
        staff.set_bytes(address, None)
    elif size is not None:
        staff.set_bytes(address, size)
    elif number.isascii() and number.isdigit() and len(number) < 10 and fold(wanted[-1]) in BOOKS:
        staff.set_books(address, int(number))
    else:
        raise BadRequest(
            _("“{text}” is neither a size nor a number of books.").format(text=text),
            fix=_("Write 5 GB, 500 books, or default."),
        )
