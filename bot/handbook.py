"""The handbook: the manual of the commands as pages of documentation, and as an EPUB of our own making."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from markdown_it import MarkdownIt

from core.books.drawing import draw_cover
from core.books.making import BookPlan, Chapter, make_epub
from core.mail.grammar import Grammar
from core.mail.manual import by_group, markdown_index, markdown_page
from core.mail.routes import routing_page
from handlers._registry import build_grammar, load_handlers, readers_grammar

TITLE = "The Inkpost Handbook"
EDITION = datetime(2026, 11, 28, tzinfo=UTC)  # of the text below; the same text is the same book, byte for byte

_WELCOME = """
# Welcome

Inkpost is a library and a morning paper that you use by e-mail. There is nothing to
install: the mail program that you have is enough.

Mail a book as an attachment, and it is in your library. No command is needed.

Everything else is a word or two in the subject of a mail: **list** shows your books, **find dune** looks for one,
**send 2** sends the second one of your last list to your Kindle.

A paper is made of sites that you like: **subscribe** and the address of one, then **digest weekdays 06:30**. It comes
as a mail and, if you have a Kindle here, as a book on it.

Each answer has links to tap. A tap writes the next mail; you only have to send it.

Write to the address with the + in it. What stands behind the + is your secret: whoever knows it can write in your name,
so keep it as you keep a password.
"""


def build_handbook(path: Path) -> None:
    """Write the handbook as an EPUB. Blocks for some tenths of a second."""
    grammar = readers_grammar(load_handlers())
    chapters = [Chapter("welcome", "Welcome", _html(_WELCOME))]
    for group, specs in by_group(grammar).items():
        chapters += [
            Chapter(f"command-{spec.name}", f"{spec.name}: {spec.summary}", _html(markdown_page(spec)), section=group)
            for spec in specs
        ]
    lines = [f"{spec.name} – {spec.summary.lower()}" for spec in list(grammar.specs.values())[:6]]
    make_epub(
        BookPlan(
            title=TITLE,
            chapters=chapters,
            modified_at=EDITION,
            description="How to use a library by e-mail, and every command of it.",
            cover=draw_cover(TITLE, kicker="A library by e-mail", lines=lines, footer="Inkpost"),
        ),
        path=path,
    )


def manual_pages(grammar: Grammar) -> dict[str, str]:
    """Name -> Markdown of every page in `docs/commands`."""
    return {
        "README.md": markdown_index(grammar) + "\n## Mails without a command\n\n- [What a mail leads to](routing.md)\n",
        "routing.md": routing_page(),
        **{f"{name}.md": markdown_page(spec) for name, spec in grammar.specs.items()},
    }


def write_manual(folder: Path) -> None:
    """Write the pages, and delete those of commands that are no more."""
    pages = manual_pages(build_grammar(load_handlers()))
    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.glob("*.md")) - {folder / name for name in pages}:
        stale.unlink()
    for name, page in pages.items():
        (folder / name).write_text(page, "utf-8")


def _html(markdown: str) -> str:
    """XHTML of a page; links to other pages of the manual go to its chapters."""
    html = MarkdownIt("commonmark", {"xhtmlOut": True, "html": False}).enable("table").render(markdown)
    return re.sub(r'href="([a-z]+)\.md"', r'href="command-\1.xhtml"', html)
