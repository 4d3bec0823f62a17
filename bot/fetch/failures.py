"""What went wrong with a fetch, in a sentence for the reader of a mail."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from core.i18n import N_, _
from core.news.values import FetchFailed
from core.ports import FetchLimits
from core.sizes import size_in_words

LONGEST_WAIT_SECONDS = 86_400.0  # no feed is left alone for longer than a day

LONGEST_SHOWN = 200  # characters of a stranger's text in a sentence

_BY_STATUS = {
    401: N_("{host} wants a password for this page."),
    402: N_("{host} wants to be paid for this page."),
    403: N_("{host} does not let us read this page."),
    404: N_("There is no such page at {host}."),
    410: N_("The page is gone from {host} for good."),
    429: N_("{host} asked us to come back later."),
    451: N_("{host} may not show this page for legal reasons."),
    503: N_("{host} is busy or being repaired; it asked us to come back later."),
}


class ForbiddenAddress(OSError):
    """An address that is nobody's business. An `OSError`, since that is what resolvers and sockets may raise."""


class ConnectTimeout(TimeoutError):
    """The time for a connection was over before there was one."""


class NameNotFound(OSError):
    """A host's name has no address."""


class Unreachable(OSError):
    """None of a host's addresses takes a connection."""


def bad_url(text: str) -> FetchFailed:
    return FetchFailed(
        _("“{shown}” is not the address of a page on the web.").format(shown=_shown(text)), code="fetch.bad-url"
    )


def forbidden(url: URL) -> FetchFailed:
    return FetchFailed(
        _("{host} is not a public address of the web.").format(host=_host(url)), code="fetch.forbidden-address"
    )


def from_status(url: URL, status: int, *, retry_after: str, now: datetime) -> FetchFailed:
    """For an answer that is neither a page nor a redirect. `retry_after` is the header's value or ""."""
    text = (
        N_("{host} has trouble of its own (error {status}).")
        if status >= 500
        else N_("{host} answered with error {status}.")
    )
    return FetchFailed(
        _(_BY_STATUS.get(status, text)).format(host=_host(url), status=status),
        code="fetch.http",
        status=status,
        retry_after_seconds=_wait(retry_after, now) if status in (429, 503) else None,
        is_host_down=status >= 500,
    )


def from_error(error: Exception, url: URL, *, limits: FetchLimits, connect_seconds: float) -> FetchFailed:
    """For what asyncio and aiohttp raise."""
    if any(isinstance(cause, ForbiddenAddress) for cause in _causes(error)):
        return forbidden(url)
    host = _host(url)
    match error:
        case ConnectTimeout():
            code, text = "fetch.connect", _("{host} could not be reached within {seconds} seconds.")
        case TimeoutError():
            code, text = "fetch.timeout", _("The server of {host} did not answer within {seconds} seconds.")
        case NameNotFound():
            code, text = "fetch.dns", _("The name {host} was not found.")
        case ssl.SSLError():
            code, text = (
                "fetch.tls",
                _("No secure connection to {host} was possible; its certificate may have expired."),
            )
        case Unreachable():
            code, text = "fetch.connect", _("The server of {host} could not be reached.")
        case aiohttp.ClientConnectionError() | OSError():
            code, text = "fetch.connect", _("The server of {host} broke the connection off.")
        case _:
            code, text = "fetch.connect", _("The server of {host} sent something that cannot be read.")
    seconds = connect_seconds if code == "fetch.connect" else limits.seconds
    return FetchFailed(text.format(host=host, seconds=f"{seconds:g}"), code=code, is_host_down=True)


def too_large(url: URL, limits: FetchLimits) -> FetchFailed:
    text = _("What {host} sends is larger than {size}.").format(host=_host(url), size=size_in_words(limits.body_bytes))
    return FetchFailed(text, code="fetch.too-large")


def wrong_type(url: URL, media_type: str) -> FetchFailed:
    text = _("{host} sent something else than we can use ({kind}).").format(host=_host(url), kind=_shown(media_type))
    return FetchFailed(text, code="fetch.media-type")


def redirected_astray(url: URL, why: FetchFailed) -> FetchFailed:
    """`url` redirects to where we do not go."""
    return FetchFailed(
        _("{host} led us to an address that we do not visit: {why}").format(host=_host(url), why=why.text),
        code=why.code,
    )


def redirected_too_often(url: URL, times: int) -> FetchFailed:
    return FetchFailed(
        _("{host} redirected us more than {times} times.").format(host=_host(url), times=times), code="fetch.redirects"
    )


def _host(url: URL) -> str:
    return _shown(url.host or str(url))


def _shown(text: str) -> str:
    """What a stranger wrote, fit for a sentence: not too long, and no line ends or halves of characters."""
    cut = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
    return cut if cut.isprintable() else "".join(letter if letter.isprintable() else "\ufffd" for letter in cut)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _wait(retry_after: str, now: datetime) -> float | None:
    """Seconds, from RFC 9110 10.2.3: a number of seconds or a date. None where it is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:9]), LONGEST_WAIT_SECONDS)
    try:
        then = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return min(max((then - now).total_seconds(), 0.0), LONGEST_WAIT_SECONDS)
