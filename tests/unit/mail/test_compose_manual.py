"""The manual says of each command what the grammar says."""

from __future__ import annotations

from core.mail.answer import Steps
from core.mail.manual import help_for, markdown_index, markdown_page, overview
from tests.support.command_grammar import GRAMMAR


def test_overview_has_a_tap_for_every_command_under_its_heading() -> None:
    groups = [block for block in overview(GRAMMAR).blocks if isinstance(block, Steps)]

    assert [group.heading for group in groups] == ["Library", "Kindle", "You"]
    assert {step.command for group in groups for step in group.steps} == {f"help {name}" for name in GRAMMAR.specs}


def test_help_for_a_command_tells_its_forms_and_examples() -> None:
    told = str(help_for(GRAMMAR.specs["list"]))

    assert "list [page]" in told
    assert "Their numbers are good for thirty days." in told
    assert "the second page" in told


def test_help_offers_a_command_to_tap_only_if_it_can_stand_alone() -> None:
    last = {name: help_for(GRAMMAR.specs[name]).blocks[-1] for name in ("list", "send", "remove", "add")}

    commands = {
        name: [step.command for step in block.steps] for name, block in last.items() if isinstance(block, Steps)
    }
    assert commands == {"list": ["list", "help"], "send": ["help"], "remove": ["help"], "add": ["help"]}


def test_page_of_a_command_is_markdown() -> None:
    page = markdown_page(GRAMMAR.specs["list"])

    assert page.startswith("# list\n\nShow your books, newest first.\n\n```\nlist [page]\n```\n")
    assert "| `list 2` | the second page |" in page
    assert "`meine bücher`" in page


def test_index_links_every_page() -> None:
    index = markdown_index(GRAMMAR)

    assert [name for name in GRAMMAR.specs if f"- [`{name}`]({name}.md): " not in index] == []
