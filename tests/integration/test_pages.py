"""The short form of `python -m tests.pages`: a few kinds of mail in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.__main__ import SHORT, look
from tests.pages.browser import CHROMIUM, open_browser
from tests.pages.desk import Page
from tests.pages.kinds import every_kind

# Pictures want a real browser; .ci/servers installs it.
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")

BROKEN = """<html><body style="margin:0;background-color:#fff"><p style="color:#aaa">pale</p>
<table><tr><td style="min-width:500px">wide</td></tr></table><img src="https://evil.example/pixel.png"></body></html>"""


@needs_chromium
@pytest.mark.timeout(180)  # a browser on a busy machine
async def test_mails_stand_in_every_window_and_can_be_read_by_day_and_by_night(tmp_path: Path) -> None:
    pages = [page for page in every_kind(tmp_path) if page.name in SHORT]
    assert len(pages) == len(SHORT)

    async with open_browser() as browser:
        found = [fault for page in pages for fault in (await look(browser, page))[0]]
        told = (await look(browser, Page("broken", "", "", BROKEN)))[0]

    assert found == []
    for fault in (
        "wide in a window of 320",
        "has contrast 2.32: pale",
        "asks for https://evil.example/pixel.png",
    ):
        assert any(fault in each for each in told), (fault, told)
