"""Pages that a command names, to be read now or later."""

from __future__ import annotations

from core.mail.answer import Answer, Paragraph, Step, Steps
from handlers._feeds import addresses_of
from handlers._request import Request


def fetch_now(request: Request) -> Answer:
    """Each page becomes a book on the reader's default device, or in their library if they have none."""
    urls = _add(request, is_now=True)
    devices = request.kindle.devices(request.user.id)
    target = f"goes to your {devices[0].name}" if devices else "goes into your library, since you have no device yet"
    steps = (Step("Add your Kindle", "help kindle"),) if not devices else (Step("What became of it?", "status"),)
    return Answer(f"Fetching {', '.join(urls)}", (Paragraph(f"It {target}."), Steps(steps)))


def put_aside(request: Request) -> Answer:
    """Each page stands in the reader's next issue."""
    urls = _add(request, is_now=False)
    digest = request.digests.ensure(request.user.id)
    when = digest.next_due_at.astimezone(request.zone) if digest.next_due_at is not None else None
    told = (
        f"“{digest.name}” has it on {when:%A, %d %B, at %H:%M}." if when else f"“{digest.name}” is off: digest resume"
    )
    return Answer(
        f"For later: {', '.join(urls)}",
        (Paragraph(told), Steps((Step("Read it now", f"read {urls[0]}"), Step("A paper now", "digest now")))),
    )


def _add(request: Request, *, is_now: bool) -> tuple[str, ...]:
    urls = addresses_of(request.command.words)
    for number, url in enumerate(urls, start=1):
        request.reading_list.add(request.user.id, url, is_now=is_now, cause=f"{request.cause}:{number}")
    return urls
