"""Pages that a command names, to be read now or later."""

from __future__ import annotations

from core.i18n import _, dated
from core.mail.answer import Answer, Paragraph, Step, Steps
from handlers._feeds import addresses_of
from handlers._request import Request


def fetch_now(request: Request) -> Answer:
    """Each page becomes a book on the reader's default device, or in their library if they have none."""
    urls = _add(request, is_now=True)
    devices = request.kindle.devices(request.user.id)
    told = (
        _("If it can be read, it goes to your {device}.").format(device=devices[0].name)
        if devices
        else _("If it can be read, it goes into your library, since you have no device yet.")
    )
    steps = (Step(_("Add your Kindle"), "help kindle"),) if not devices else (Step(_("What became of it?"), "status"),)
    return Answer(
        _("Fetching {urls}").format(urls=", ".join(urls)),
        (Paragraph(told), Steps(steps)),
    )


def put_aside(request: Request) -> Answer:
    """Each page stands in the reader's next issue."""
    urls = _add(request, is_now=False)
    digest = request.digests.ensure(request.user.id)
    when = digest.next_due_at.astimezone(request.zone) if digest.next_due_at is not None else None
    told = (
        _("If it can be read, “{digest}” has it on {when}.").format(
            digest=digest.name, when=dated(when, _("EEEE, dd MMMM, 'at' HH:mm"))
        )
        if when
        else _("“{digest}” is off: digest resume").format(digest=digest.name)
    )
    return Answer(
        _("For later: {urls}").format(urls=", ".join(urls)),
        (Paragraph(told), Steps((Step(_("Read it now"), f"read {urls[0]}"), Step(_("A paper now"), "digest now")))),
    )


def _add(request: Request, *, is_now: bool) -> tuple[str, ...]:
    urls = addresses_of(request.command.words)
    for number, url in enumerate(urls, start=1):
        request.reading_list.add(request.user.id, url, is_now=is_now, cause=f"{request.cause}:{number}")
    return urls
