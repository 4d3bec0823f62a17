"""What is to be done after a commit, as values. The shell defers them on the same connection, before the commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Job:
    """One call of a task. `args` are JSON values; jobs with the same `lock` run one at a time, in order of deferral,
    and are all of one queue.

    `queueing_lock` refuses a second waiting job of the same name silently. A higher `priority` is fetched first.
    """

    task: str
    args: Mapping[str, int | str]
    lock: str | None = None
    queueing_lock: str | None = None
    queue: str = "default"
    priority: int = 0
    delay_seconds: float = field(default=0.0)


def queues_of(jobs: Iterable[Job]) -> frozenset[str]:
    return frozenset(job.queue for job in jobs)


def process_mail(inbound_id: int, *, order_key: str) -> Job:
    """`order_key` keeps the mails of one sender in the order in which they came."""
    return Job("process_mail", {"inbound_id": inbound_id}, lock=f"mail:{order_key}", queue="inbound")


def deliver(outbox_id: int, *, rcpt_to: str) -> Job:
    """One mail at a time to a recipient: the lock is the address."""
    return Job("deliver", {"outbox_id": outbox_id}, lock=f"rcpt:{rcpt_to.lower()}", queue="outbound")


def discover_feed(url: str, *, user_id: int, name: str, section: str, cause: str) -> Job:
    """Look at an address for a feed, subscribe the user, and tell them: once for each `cause`."""
    return Job(
        "discover_feed",
        {"url": url, "user_id": user_id, "name": name, "section": section, "cause": cause},
        queue="news",
        priority=2,  # somebody waits for the answer
    )


def fetch_article(article_id: int, *, host: str) -> Job:
    """Fetch the full text of an article whose feed has a teaser only."""
    return Job("fetch_article", {"article_id": article_id}, lock=f"host:{host}", queue="news", priority=-1)


def read_page(read_later_id: int, *, host: str) -> Job:
    """Fetch the page that somebody wants to read."""
    return Job("read_page", {"read_later_id": read_later_id}, lock=f"host:{host}", queue="news", priority=2)


def build_issue(issue_id: int, *, user_id: int) -> Job:
    """Make an issue and put its mails into the outbox. One at a time for a reader: no story is to be in two."""
    return Job("build_issue", {"issue_id": issue_id}, lock=f"paper:{user_id}", queue="news", priority=1)


def preview_issue(digest_id: int, *, user_id: int, cause: str) -> Job:
    """Tell a reader what the next issue would hold."""
    args: dict[str, int | str] = {"digest_id": digest_id, "user_id": user_id, "cause": cause}
    return Job("preview_issue", args, queue="news", priority=2)


def leave_newsletter(newsletter_id: int, *, cause: str) -> Job:
    """Ask a newsletter's sender to stop, by one POST (RFC 8058), and tell its reader what came of it."""
    args: dict[str, int | str] = {"newsletter_id": newsletter_id, "cause": cause}
    return Job("leave_newsletter", args, queue="news", priority=2)


def keep_forwarded(forwarded_id: int, *, as_book: bool, cause: str) -> Job:
    """Make an article of a mail that was passed on: for its reader's next issue, or as a book in their library."""
    args: dict[str, int | str] = {"forwarded_id": forwarded_id, "as_book": int(as_book), "cause": cause}
    return Job("keep_forwarded", args, queue="news", priority=2)


def add_forwarded(forwarded_id: int, *, places: str, cause: str) -> Job:
    """Put attachments of a mail that was passed on into its reader's library. `places` are 0-based, with commas."""
    args: dict[str, int | str] = {"forwarded_id": forwarded_id, "places": places, "cause": cause}
    return Job("add_forwarded", args, queue="news", priority=2)


def save_story(article_id: int, *, user_id: int, cause: str) -> Job:
    """Make a book of a story for its reader's library."""
    args: dict[str, int | str] = {"article_id": article_id, "user_id": user_id, "cause": cause}
    return Job("save_story", args, queue="news", priority=2)


def send_story(article_id: int, *, user_id: int, cause: str, device: str = "") -> Job:
    """Make a book of a story for its reader's device; "" is the default one."""
    args: dict[str, int | str] = {"article_id": article_id, "user_id": user_id, "cause": cause, "device": device}
    return Job("send_story", args, queue="news", priority=2)


def tell_on_device(user_id: int) -> Job:
    """Put a note on a reader's device: their own address sends back what we write to it."""
    return Job("tell_on_device", {"user_id": user_id}, queue="news", priority=2)


def forget_user(user_id: int) -> Job:
    """Delete all that is about a person who wants to be forgotten."""
    return Job("forget_user", {"user_id": user_id})


def forget_mail(outbox_id: int) -> Job:
    """Delete the last mail to somebody who is forgotten, once it is sent."""
    return Job("forget_mail", {"outbox_id": outbox_id}, delay_seconds=5.0)


def make_takeout(takeout_id: int) -> Job:
    """Mail somebody all that is kept about them. One at a time: each may fill a disk."""
    return Job("make_takeout", {"takeout_id": takeout_id}, lock="takeout", priority=-1)
