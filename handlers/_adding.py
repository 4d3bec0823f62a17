"""The attached books go into the library: what `add` does, and `save` with a book attached."""

from __future__ import annotations

from core.errors import BadRequest, BotError, RefusedFile, TooMuch
from core.i18n import _, ngettext
from core.mail.answer import Answer, Block, Paragraph, Step, Steps
from core.services.book_manager import Added
from core.values import RefusedAttachment, StagedBook
from handlers._arguments import refuse_unknown_options
from handlers._books import numbered
from handlers._request import Request

ADD_KEYS = ("title", "author", "genre", "tags", "series")


def add_attached(request: Request) -> Answer:
    """Raises `BadRequest`, `RefusedFile`, and what `BookManager.add` raises, but for a library that is full: then what
    finds room is added, and the rest is named."""
    refuse_unknown_options(request.command, ADD_KEYS)
    books = [one for one in request.attachments if isinstance(one, StagedBook)]
    refused = [one for one in request.attachments if isinstance(one, RefusedAttachment)]
    if not books:
        raise _nothing_to_add(refused)
    if len(books) > 1 and "title" in request.command.options:
        raise BadRequest(
            _("You gave one title for {count} books.").format(count=len(books)),
            fix=_("Send the books without it, and correct each with: edit <book> title=…"),
        )
    added = []
    for book in books:
        try:
            added.append(request.books.add(request.user.id, book, changes=request.command.options))
        except TooMuch as error:  # raised before anything is written; a smaller one may still find room
            refused.append(RefusedAttachment(book.filename, error.code, error.text, error.fix))
    if not added:
        raise _nothing_to_add(refused)
    return Answer(
        _title(added, refused),
        (
            *_remarks(added, refused),
            numbered([one.book for one in added]),
            *_autosend(request, added),
            Steps((*_undo(added), Step(_("My books"), "list"))),
        ),
    )


def _nothing_to_add(refused: list[RefusedAttachment]) -> BotError:
    if not refused:
        return BadRequest(
            _("Your mail carries no book."),
            fix=_("Attach one: EPUB, PDF and nine other kinds are taken."),
            code="add.no-book",
        )
    first, *others = refused
    return RefusedFile(
        f"{first.filename}: {first.text}",
        fix=first.fix,
        code=first.code,
        blocks=tuple(Paragraph(f"{one.filename}: {one.text} {one.fix}".strip()) for one in others),
    )


def _title(added: list[Added], refused: list[RefusedAttachment]) -> str:
    new = [one for one in added if one.was_missing]
    if len(added) == 1 and not refused:
        if added[0].is_back:
            title = _("Back in your library: {book}")
        else:
            title = _("Added: {book}") if new else _("You have it already: {book}")
        return title.format(book=added[0].book.title)
    parts = (
        ngettext("{count} book added", "{count} books added", len(new)).format(count=len(new)),
        _("{count} there already").format(count=len(added) - len(new)) if len(new) < len(added) else "",
        _("{count} not taken").format(count=len(refused)) if refused else "",
    )
    return ", ".join(part for part in parts if part)


def _remarks(added: list[Added], refused: list[RefusedAttachment]) -> list[Block]:
    remarks: list[Block] = []
    for one in added:
        if not one.was_missing and len(added) > 1:
            remarks.append(Paragraph(_("“{book}” was in your library already.").format(book=one.book.title)))
        if one.same_work is not None:
            other = one.same_work
            remarks.append(
                Paragraph(
                    _(
                        "You have “{other}” as another file too: #{id}, {format}. Both are kept; “remove "
                        "#{id}” takes the older one out."
                    ).format(other=other.title, id=other.id, format=other.format.value.upper())
                )
            )
    return [*remarks, *(Paragraph(f"{one.filename}: {one.text} {one.fix}".strip()) for one in refused)]


def _undo(added: list[Added]) -> tuple[Step, ...]:
    """One book that was taken by mistake goes with a tap; of many it is not known which."""
    new = [one.book for one in added if one.was_missing]
    if len(new) != 1:
        return ()
    label = _("Remove it") if len(added) == 1 else _("Remove “{book}”").format(book=new[0].title)
    return (Step(label, f"remove #{new[0].id}", reply="undo"),)


def _autosend(request: Request, added: list[Added]) -> list[Block]:
    """Send new books on by themselves, where the user has said so; what hinders one does not hinder the others."""
    if not request.user.autosend:
        return []
    said: list[Block] = []
    for number, one in enumerate((one for one in added if one.is_new), start=1):
        try:
            device = request.kindle.device(request.user.id, None)
            mail = request.kindle.send(
                request.user.id,
                one.book,
                device,
                cause=f"delivery:{request.cause}:{number}",
                identity=request.identity,
            )
            said.append(
                Paragraph(
                    _("“{book}” is queued for {device}, reference {reference}.").format(
                        book=one.book.title, device=device.name, reference=mail.reference
                    )
                )
            )
        except BotError as error:
            why = f"{error.text} {error.fix}".strip()
            said.append(Paragraph(_("“{book}” was not sent on: {why}").format(book=one.book.title, why=why)))
    return said
