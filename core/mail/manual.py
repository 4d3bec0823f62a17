"""The manual, made from the grammar: `help` in a mail, and the pages of the documentation in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from core.i18n import N_, SOURCE, _, spoken
from core.mail.answer import Answer, Block, Columns, Fact, Facts, Paragraph, Step, Steps
from core.mail.grammar import CommandSpec, Grammar
from core.values import Trust

_TRUST = {
    Trust.NONE: "",
    Trust.READ: "",
    Trust.DELIVER: N_("The mail has to be surely yours: write to your secret address."),
    Trust.CHANGE: N_("The mail has to be surely yours: write to your secret address."),
}


def by_group(grammar: Grammar) -> dict[str, list[CommandSpec]]:
    """The commands under their headings, both in the order of the grammar."""
    groups: dict[str, list[CommandSpec]] = {}
    for spec in grammar.specs.values():
        groups.setdefault(spec.group, []).append(spec)
    return groups


def overview(grammar: Grammar) -> Answer:
    """All commands at a glance."""
    return Answer(
        _("What you can write"),
        (
            Paragraph(
                _(
                    "Write a command as the subject of a mail, or as a line of its text; several lines "
                    "are several commands. A mail with a book attached needs no command."
                )
            ),
            *(
                Steps(tuple(Step(spec.name, f"help {spec.name}", _(spec.summary)) for spec in specs), heading=_(group))
                for group, specs in by_group(grammar).items()
            ),
        ),
    )


def help_for(spec: CommandSpec) -> Answer:
    """All about one command."""
    blocks: list[Block] = [
        Facts(tuple(Fact(_("Write") if not place else _("or"), form) for place, form in enumerate(spec.usage)))
    ]
    blocks += [Paragraph(text) for text in _paragraphs(spec)]
    if spec.examples:
        blocks.append(Columns((_("For example"), ""), tuple((each.line, _(each.meaning)) for each in spec.examples)))
    if others := spec.tongues.get(spoken(), ()) if spoken() != SOURCE else spec.aliases:
        blocks.append(Facts((Fact(_("Also"), ", ".join(others)),)))
    alone = not (spec.min_words or spec.is_destructive or spec.takes_attachments or spec.name == "help")
    blocks.append(Steps((*((Step(spec.name, spec.name),) if alone else ()), Step(_("All commands"), "help"))))
    return Answer(f"{spec.name}: {_(spec.summary)}", tuple(blocks))


def _paragraphs(spec: CommandSpec) -> list[str]:
    said = [text.strip() for text in _(spec.details).split("\n\n")]
    return [text for text in (*said, _(_TRUST[spec.trust])) if text]


def markdown_page(spec: CommandSpec) -> str:
    """The documentation's page of a command."""
    return "\n".join(_page_lines(spec))


def _page_lines(spec: CommandSpec) -> Iterator[str]:
    yield f"# {spec.name}"
    yield ""
    yield f"{spec.summary}."
    yield ""
    yield from ("```", *spec.usage, "```", "")
    for text in _paragraphs(spec):
        yield from (text.replace("<", "\\<"), "")  # “why <book>” is no tag
    if spec.examples:
        yield from ("| you write | what it does |", "|---|---|")
        yield from (f"| `{_cell(each.line)}` | {_cell(each.meaning)} |" for each in spec.examples)
        yield ""
    if spec.aliases:
        yield from (f"Other words for it: {', '.join(f'`{word}`' for word in spec.aliases)}.", "")


def markdown_index(grammar: Grammar) -> str:
    """The documentation's list of commands, each with a link to its page (`<name>.md`)."""
    lines = ["# Commands", ""]
    for group, specs in by_group(grammar).items():
        lines += [f"## {group}", ""]
        lines += [f"- [`{spec.name}`]({spec.name}.md): {spec.summary}" for spec in specs]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
