"""`add`: the attached books go into the library. It is what a mail with a book and no command means."""

from __future__ import annotations

from core.mail.answer import Answer
from core.mail.grammar import CommandSpec, Example
from core.values import AttachmentKind, Trust
from handlers._adding import ADD_KEYS, add_attached
from handlers._request import Request

SPEC = CommandSpec(
    name="add",
    makes=True,
    summary="Put the attached books into your library",
    usage=("add [title=… author=…]",),
    details=(
        "Attach books and send the mail: no command is needed. EPUB, PDF, MOBI, AZW3, FB2, DOCX, ODT, RTF, TXT, "
        "Markdown, HTML and CBZ are taken, and a ZIP with several of them.\n\n"
        "Title, author and cover come from the file. What you write behind title= and author= wins over it."
    ),
    aliases=("store", "keep", "upload", "hinzufügen", "añadir"),
    keys=ADD_KEYS,
    trust=Trust.DELIVER,
    takes_attachments=frozenset({AttachmentKind.BOOK}),
    examples=(
        Example("add", "with a book attached"),
        Example("add title=Dune author=Frank Herbert", "with a book whose file does not say so"),
    ),
)


def handle(request: Request) -> Answer:
    return add_attached(request)
