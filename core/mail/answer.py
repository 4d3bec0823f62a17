"""What a command answers, as values; `core.mail.compose` makes the text and the HTML of one and the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or a few."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A small JPEG that goes with the mail, and is shown beside what it is of: nothing is fetched to read a mail."""

    name: str
    """ASCII, of letters, digits and `.-`; the same name is the same picture."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str | datetime
    """A time is aware, and told in the reader's zone."""
    is_link: bool = False
    """The value is an https address to tap, of ours or of a host that was looked at: a stranger's stays a text."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels and values, one a line."""

    facts: tuple[Fact, ...]
    book_id: int | None = None
    """The book that they are about: its cover stands beside them."""
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Something to tap: a `mailto:` link that writes `command`. In the text part the command is shown."""

    label: str
    command: str
    detail: str = ""
    """What it does, where its label does not say it all: such steps stand below each other."""
    reply: str = ""
    """The word of a reply that means it: `yes`, `no`, `more`, `undo` (`core.mail.meanings.Short`)."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What one may do next."""

    steps: tuple[Step, ...]
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One numbered thing of a list: a book, a device, a choice."""

    number: int
    title: str
    detail: str = ""
    """One line: authors, format, size, state."""
    steps: tuple[Step, ...] = ()
    command: str = ""
    """What a tap on the title writes; "" for a title that is no link."""
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A page of a numbered list."""

    items: tuple[Item, ...]
    kind: str = "books"
    """What the numbers mean to the commands that come after it: the kind of the `Listing` that is kept."""
    item_ids: tuple[int, ...] = ()
    """Row ids in the order of `items`; with them the list is kept, so that "send 2" works. () keeps nothing."""
    page: int = 1
    pages: int = 1
    total: int = 0
    more: Step | None = None
    """The next page, if there is one."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A small table with a heading."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Paragraph | Facts | Steps | Items | Columns


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """A small file that goes with an answer; it lies in the outbox's row, and in no blob."""

    filename: str
    """ASCII, of letters, digits and `.-_`."""
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one command that worked."""

    title: str
    """One line that says it all: "Added: Dune"."""
    blocks: tuple[Block, ...] = ()
    files: tuple[AnswerFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """The result of one command that did not, or of a line that was not understood."""

    code: str
    """Stable and machine-readable: `book.not-found`."""
    text: str
    """What is wrong, in one sentence."""
    fix: str = ""
    """How to mend it; of several steps each is a line."""
    usage: tuple[str, ...] = ()
    """How the command is written."""
    blocks: tuple[Block, ...] = ()
    """A numbered choice, suggestions to tap."""


@dataclass(frozen=True, slots=True)
class Result:
    """One command and what came of it, in the order of the mail."""

    line: str
    """The command as written, for showing back."""
    outcome: Answer | Problem
    corrected_from: str | None = None
    """A misspelt word of it, and below the word that it was taken for."""
    corrected_to: str | None = None
