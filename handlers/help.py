"""`help [command]`: made from the grammar, as the pages of the documentation are."""

from __future__ import annotations

from core.errors import NotFound
from core.i18n import _
from core.mail.answer import Answer
from core.mail.grammar import CommandSpec, Example
from core.mail.manual import help_for, overview
from handlers._request import Request

SPEC = CommandSpec(
    name="help",
    summary="Show what you can write",
    usage=("help [command]",),
    aliases=("?", "commands", "hilfe", "ayuda", "what can i write", "what can you do", "how does this work"),
    max_words=1,
    group="You",
    examples=(Example("help", "everything at a glance"), Example("help send", "all about send")),
)


def handle(request: Request) -> Answer:
    if not request.command.words:
        return overview(request.grammar)
    spec = request.grammar.find(request.command.words[0])
    if spec is None:
        raise NotFound(
            _("There is no command “{words}”.").format(words=request.command.words[0]),
            fix=_("Write “help” alone for all of them."),
            code="command.not-found",
        )
    return help_for(spec)
