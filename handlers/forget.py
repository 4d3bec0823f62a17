"""`forget me`: all that is kept about somebody is deleted, after one more word of theirs."""

from __future__ import annotations

from core.i18n import N_, _
from core.mail.answer import Answer, Paragraph
from core.mail.grammar import CommandSpec, Example
from core.services.forgetting import Forgetting
from core.values import Trust
from handlers._request import Request

SPEC = CommandSpec(
    name="forget",
    summary="Delete everything that is kept about you",
    usage=("forget me",),
    details=(
        "Your books, feeds, papers, devices, settings, mails and all that was noted about you are deleted, and you are "
        "no user any more. It cannot be undone, so you are asked once more, and are to answer from your own mailbox. "
        "“export all” mails you everything first.\n\n"
        "What you have shared stays with those whom you gave it to. What is on your devices stays there. Copies in the "
        "operator's backups go when those do."
    ),
    # Phrases, whole: “forget dune” is no way to say it.
    aliases=(
        "forget me", "forget all about me", "delete my account", "delete my data", "vergiss mich",
        "lösche mein konto", "lösche meine daten", "olvídame", "borra mi cuenta",
    ),
    max_words=0,
    trust=Trust.CHANGE,
    is_destructive=True,
    question=N_(
        "Everything that is kept about you will be deleted: books, feeds, papers, devices, settings, mails. It cannot "
        "be undone. “export all” mails you everything first."
    ),
    group="You",
    examples=(Example("forget me", "asks once more, and then deletes everything"),),
)  # fmt: skip


def handle(request: Request) -> Answer:
    Forgetting(request.work).begin(request.user.id)
    return Answer(
        _("You are forgotten"),
        (
            Paragraph(_("All that was kept about you is being deleted. This is the last mail to you.")),
            Paragraph(_("Thank you for having been here.")),
        ),
    )
