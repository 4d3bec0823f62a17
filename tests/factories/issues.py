"""Issues of a paper as values, with real pictures and texts."""

from __future__ import annotations

import email
import email.policy
import io
import random
from datetime import date, timedelta
from email.message import EmailMessage
from typing import Any

from PIL import Image

from core.news.issue import FeedTrouble, FittedPicture, Issue, Story
from core.news.pictures import fit_picture
from core.news.sanitise import sanitise
from tests.factories.feeds import story_text
from tests.factories.rows import NOW

IDENTIFIER = "urn:uuid:8f14e45f-ceea-467f-a0e6-2f7c3f1d9a11"


def make_picture(number: int, *, width: int = 800, height: int = 600, quality: int = 80) -> FittedPicture:
    """Noise that has been smoothed, so that it compresses as photographs do."""
    noise = Image.frombytes("RGB", (80, 60), random.Random(number).randbytes(80 * 60 * 3))
    out = io.BytesIO()
    noise.resize((width, height), Image.Resampling.BICUBIC).save(out, "JPEG", quality=quality)
    fitted = fit_picture(out.getvalue())
    assert fitted is not None
    return fitted


def picture_url(number: int) -> str:
    return f"https://harbour.test/pictures/{number}.jpg"


def make_story(number: int, *, words: int = 300, with_picture: bool = False, html: str = "", **more: Any) -> Story:
    figure = f'<figure><img src="{picture_url(number)}"><figcaption>No. {number}</figcaption></figure>'
    text = html or (figure if with_picture else "") + story_text(number, words=words)
    fields: dict[str, Any] = {
        "number": number,
        "title": f"Story {number}: the harbour & the <council>",
        "url": f"https://harbour.test/{number}?a=1&b=2",
        "feed": "The Harbour Post",
        "authors": ("Ada Byron",),
        "published_at": NOW - timedelta(hours=number),
        "reading": sanitise(text, base_url="https://harbour.test/", language="en"),
    }
    return Story(**{**fields, **more})


def make_issue(stories: int | list[Story] = 3, *, with_pictures: bool = False, **more: Any) -> Issue:
    made = (
        [make_story(number, with_picture=with_pictures) for number in range(1, stories + 1)]
        if isinstance(stories, int)
        else stories
    )
    fields: dict[str, Any] = {
        "identifier": IDENTIFIER,
        "title": "Morning paper",
        "local_date": date(2026, 11, 23),
        "made_at": NOW,
        "timezone": "Europe/Berlin",
        "stories": tuple(made),
        "troubles": (FeedTrouble(feed="The Echo", reason="The server of echo.test did not answer."),),
        "left_out": 4,
        "pictures": {picture_url(story.number): make_picture(story.number) for story in made} if with_pictures else {},
    }
    return Issue(**{**fields, **more})


def parsed(raw: bytes) -> EmailMessage:
    """A composed mail as a mail program reads it."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message
