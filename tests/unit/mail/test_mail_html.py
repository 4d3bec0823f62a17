"""The text of an HTML mail as its reader sees it."""

from __future__ import annotations

import pytest

from core.mail.html import html_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>list<br>send 2</p><div>help</div>", "list\nsend 2\n\nhelp"),
        ("<div>send <b>dune</b> to&nbsp;kobo</div>", "send dune to kobo"),
        ("<html><head><title>x</title><style>p{}</style></head><body>list<script>x</script></body>", "list"),
        ("<?xml version='1.0' encoding='utf-16'?><p>ä</p>", "ä"),
        ("<p>list</p><!-- remove 1 --><![if x]>help<![endif]>", "list\n\nhelp"),
        ("list<p style='DISPLAY : none'>remove 1</p> 2", "list 2"),
        ("list<span style='visibility:hidden;color:red'>remove 1</span> 2", "list 2"),
        ("list<b hidden>remove 1</b> 2", "list 2"),
        ("list<span style='font-size:0px'>remove 1</span> 2", "list 2"),
        ("<td style='font-size:0'><p style='font-size:12px'>list</p></td>", "list"),
        ("<p style='font-size:0.9em;opacity:0.8'>list</p>", "list"),
        ("plain & simple < 3", "plain & simple < 3"),
        ("", ""),
        ("<!-- -->", ""),
    ],
)
def test_text_is_what_can_be_seen(html: str, text: str) -> None:
    assert html_text(html) == text


@pytest.mark.parametrize(
    "quote",
    [
        "<blockquote type=cite>remove 1</blockquote>",
        "<div class='gmail_quote gmail_quote_container'><div class=gmail_attr>On x wrote:</div>remove 1</div>",
        "<div class=yahoo_quoted>remove 1</div>",
        "<div class=moz-cite-prefix>On x wrote:</div><blockquote>remove 1</blockquote>",
        "<div class='protonmail_quote'>remove 1</div>",
        "<hr><div id=divRplyFwdMsg>From: x</div><div>remove 1</div>",
        "<div><div id=appendonsend></div></div><hr><p>remove 1</p>",
        "<div id='mail-editor-reference-message-container'>remove 1</div>",
        "<blockquote><p style='display:none'>a<blockquote>remove 1</blockquote></p></blockquote>",
    ],
)
def test_what_is_quoted_is_left_out(quote: str) -> None:
    assert "remove" not in html_text(f"<div>list</div>{quote}")
    assert html_text(f"<div>list</div>{quote}").startswith("list")


def test_words_behind_a_quote_stay() -> None:
    assert html_text("<blockquote>remove 1</blockquote>list") == "list"
