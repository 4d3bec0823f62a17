"""The answer as a mail program sees it: fields, text, HTML, links."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from core.i18n import LANGUAGES, all_of, speaking
from core.mail.answer import (
    Answer,
    AnswerFile,
    Columns,
    Fact,
    Facts,
    Item,
    Items,
    Paragraph,
    Picture,
    Problem,
    Result,
    Step,
    Steps,
)
from core.mail.compose import MAX_REFERENCES, AnswerContext, compose_answer, compose_notice, local_time, mailto
from core.mail.outgoing import Identity
from core.mail.text import REPLY_MARKER, TAP_LINE, own_text

NOW = datetime(2026, 11, 22, 14, 4, tzinfo=UTC)
CONTEXT = AnswerContext(
    identity=Identity(address="books@inkpost.example", name="Inkpost"),
    reference="K7Q29-FDM3X",
    now=NOW,
    user_address="anna@reader.example",
    user_name="Anna Maria Jørgensen",
    reply_address="books+s3cret@inkpost.example",
    timezone="Europe/Berlin",
    original_subject="list",
    original_message_id="<1@reader.example>",
    original_references=("<0@reader.example>",),
)
DUNE = Item(1, "Dune", "Frank Herbert · EPUB · 1.2 MB", (Step("Send", "send #12"),), command="show #12")
LISTED = Result("list", Answer("Your library: 1 book", (Items((DUNE,), item_ids=(12,), total=1),)))
UNKNOWN = Result(
    "frobnicate",
    Problem(
        "request.unknown",
        "I do not know what “frobnicate” means.",
        "Did you mean one of these?",
        ("list [page]",),
        (Steps((Step("list", "list"),)),),
    ),
)
FIELDS = [
    "From", "Reply-To", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
    "X-Auto-Response-Suppress", "X-Inkpost-Loop", "MIME-Version", "Content-Type",
]  # fmt: skip


def read(results: Sequence[Result] = (LISTED,), *, context: AnswerContext = CONTEXT) -> EmailMessage:
    return parsed(compose_answer(results, context=context).head)


def parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def links(message: EmailMessage) -> dict[str, str]:
    """What each link of the HTML says, and the command that it writes."""
    tree = LexborHTMLParser(body(message, "html"))
    written = {}
    for link in tree.css("a"):
        url = urlsplit(link.attributes["href"] or "")
        assert url.scheme == "mailto"
        assert unquote(url.path) == CONTEXT.reply_address
        written[link.text(strip=True)] = parse_qs(url.query, strict_parsing=True)["subject"][0]
    return written


def test_answer_goes_to_the_user_and_comes_back_to_the_address_they_wrote_to() -> None:
    message = read()

    assert message["From"] == "Inkpost <books@inkpost.example>"
    assert message["To"] == "Anna Maria Jørgensen <anna@reader.example>"
    assert message["Reply-To"].addresses[0].addr_spec == "books+s3cret@inkpost.example"


def test_answer_is_sent_with_the_null_reverse_path() -> None:
    mail = compose_answer((LISTED,), context=CONTEXT)

    assert (mail.mail_from, mail.rcpt_to) == ("", "anna@reader.example")


def test_answer_stands_in_the_thread() -> None:
    message = read()

    assert message["Message-ID"] == "<K7Q29-FDM3X@inkpost.example>"
    assert message["In-Reply-To"] == "<1@reader.example>"
    assert message["References"] == "<0@reader.example> <1@reader.example>"


def test_a_long_thread_keeps_its_root_and_its_latest_mails() -> None:
    thread = tuple(f"<{number}@reader.example>" for number in range(100))

    references = read(context=replace(CONTEXT, original_references=thread))["References"].split()

    assert len(references) == MAX_REFERENCES
    assert references[0] == "<0@reader.example>"
    assert references[-2:] == ["<99@reader.example>", "<1@reader.example>"]


@pytest.mark.parametrize(
    "broken", [None, "", "1@reader.example", "<a b@x>", "<1@x>\r\nBcc: a@b", "<ü@x>", f"<{'a' * 300}@x>"]
)
def test_a_message_id_that_is_none_is_not_repeated(broken: str | None) -> None:
    message = read(context=replace(CONTEXT, original_message_id=broken))

    assert message["In-Reply-To"] is None
    assert message["References"] is None


def test_answer_says_that_it_is_automatic() -> None:
    message = read()

    assert message["Auto-Submitted"] == "auto-replied"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["X-Inkpost-Loop"] == "books@inkpost.example"


def test_notice_is_generated_and_has_a_subject_of_its_own() -> None:
    problem = Problem("delivery.failed", "“Dune” could not be sent to a@kindle.com.", "Look at its address.")

    message = parsed(compose_notice(problem, context=CONTEXT).head)

    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == "“Dune” could not be sent to a@kindle.com."
    assert message["In-Reply-To"] == "<1@reader.example>"


@pytest.mark.parametrize(
    ("written", "answered"),
    [
        ("list", "Re: list"),
        ("Re: list", "Re: list"),
        ("AW: RE[2]: [EXT] list", "Re: list"),
        ("Fwd: list", "Re: list"),
        ("回复：list", "Re: list"),
        ("find “Dune”", "Re: find “Dune”"),
        ("  two\r\n lines\t", "Re: two lines"),
        ("", "Your library: 1 book"),
        ("Re: ", "Your library: 1 book"),
        ("x" * 300, "Re: " + "x" * 199 + "…"),
    ],
)
def test_subject_is_the_users_with_one_re(written: str, answered: str) -> None:
    assert read(context=replace(CONTEXT, original_subject=written))["Subject"] == answered


def test_a_size_is_not_torn_from_its_unit_and_no_line_begins_with_a_dot() -> None:
    html = body(read(), "html")

    assert "Frank Herbert\u00a0· EPUB\u00a0· 1.2\u00a0MB" in html.replace("&nbsp;", "\u00a0")


def test_a_long_address_is_broken_at_its_joints_and_read_whole() -> None:
    facts = Facts((Fact("Write to", "books+s3cret@inkpost.example"), Fact("Page", "https://a.example/b<c?d=1&e=2")))

    html = body(read([Result("secret", Answer("Yours", (facts,)))]), "html")

    assert "books+s3cret<wbr>@inkpost.example" in html
    assert "https://a.example<wbr>/b&lt;c<wbr>?d=1<wbr>&amp;e=2" in html
    values = [value.text() for value in LexborHTMLParser(html).css(".value")]
    assert values == ["books+s3cret@inkpost.example", "https://a.example/b<c?d=1&e=2"]


def test_only_an_address_that_was_looked_at_is_a_link() -> None:
    strangers, ours = "https://evil.example/a", "https://files.inkpost.example/b?c=1&d=2"
    facts = Facts((Fact("Link", strangers), Fact("Or fetch it here", ours, is_link=True)))
    message = read([Result("", Answer("Yours", (facts,)))])

    hrefs = [link.attributes["href"] for link in LexborHTMLParser(body(message, "html")).css(".value a")]

    assert hrefs == [ours]
    assert f"Or fetch it here: {ours}\n" in body(message, "plain")


def test_each_of_several_steps_that_mend_it_is_a_line() -> None:
    problem = Problem("delivery.rejected", "It did not get there.", "1. Open it.\n2. Add me.\n3. Write to me.")
    message = read([Result("", problem)])

    assert "It did not get there.\n1. Open it.\n2. Add me.\n3. Write to me.\n" in body(message, "plain")
    lines = [line.text() for line in LexborHTMLParser(body(message, "html")).css(".problem p")]
    assert lines == ["1. Open it.", "2. Add me.", "3. Write to me."]


def test_who_is_no_reader_is_offered_nothing() -> None:
    message = read([Result("", Answer("I do not know you yet"))], context=replace(CONTEXT, is_for_reader=False))

    assert links(message) == {}
    assert "reply with" not in body(message, "html") + body(message, "plain")
    assert "Reference K7Q29-FDM3X" in body(message, "plain")


def test_each_book_and_step_is_a_link_that_writes_the_next_command() -> None:
    steps = Steps((Step("What became of it?", "status K7Q29-FDM3X"),))
    more = Items((DUNE,), pages=2, more=Step("Next page", "list 2"))

    written = links(read([Result("list", Answer("Books", (more, steps)))]))

    assert written == {
        "Dune": "show #12",
        "Send": "send #12",
        "Next page": "list 2",
        "What became of it?": "status K7Q29-FDM3X",
        "What can I write?": "help",
        "My books": "list",
    }


def test_a_tap_says_that_nothing_is_left_to_write_and_no_reader_takes_it_for_a_command() -> None:
    for language in LANGUAGES:
        with speaking(language):
            html = body(read(), "html")
            href = LexborHTMLParser(html).css("a.step")[0].attributes["href"] or ""
        written = parse_qs(urlsplit(href).query, strict_parsing=True)["body"][0]
        assert written in all_of(TAP_LINE)
        assert own_text(f"{written}\n\nSent from my iPhone") == ""


def test_covers_go_with_the_mail_each_once_and_nothing_is_asked_for_elsewhere() -> None:
    cover = Picture("cover-ab12", b"\xff\xd8jpeg")
    items = Items((replace(DUNE, picture=cover), Item(2, "Emma", picture=cover), Item(3, "Ulysses")))

    message = read([Result("list", Answer("Books", (items,)))])

    (picture,) = [part for part in message.walk() if part.get_content_type() == "image/jpeg"]
    assert (picture["Content-ID"], picture.get_content()) == ("<cover-ab12@inkpost.example>", cover.content)
    assert picture["Content-Disposition"] == "inline"
    assert message.get_content_type() == "multipart/alternative"
    sources = [image.attributes["src"] for image in LexborHTMLParser(body(message, "html")).css("img")]
    assert sources == ["cid:cover-ab12@inkpost.example"] * 2
    (tile,) = LexborHTMLParser(body(message, "html")).css("td.letter")
    assert tile.text(strip=True) == "U"


def test_answer_says_which_words_answer_it() -> None:
    more = Items((DUNE,), pages=2, more=Step("Next page", "list 2", reply="more"))

    text = body(read([Result("list", Answer("Books", (more,)))]), "plain")

    assert "Tap a link, or reply with a word: “1”, “more”." in text


def test_a_tap_keeps_every_letter_of_the_command() -> None:
    command = "find a+b & c=d? #1 100% “é” / \\ 'x'"

    url = urlsplit(mailto("books+s3cret@inkpost.example", command))

    assert parse_qs(url.query) == {"subject": [command]}
    assert "+" not in url.path + url.query


def test_text_part_shows_the_commands_instead() -> None:
    text = body(read(), "plain")

    assert "1. Dune\n    Frank Herbert · EPUB · 1.2 MB\n    send #12 – Send\n" in text


def test_text_and_html_begin_with_the_line_above_which_a_reply_is_read() -> None:
    message = read()

    assert body(message, "plain").startswith(REPLY_MARKER + "\n")
    visible = LexborHTMLParser(body(message, "html")).body
    assert visible is not None
    assert visible.text(strip=True).startswith(REPLY_MARKER)


def test_nothing_of_an_answer_is_read_as_the_words_of_who_replies_to_it() -> None:
    assert own_text("yes please\n" + body(read([LISTED, UNKNOWN]), "plain")).strip() == "yes please"


def test_problem_tells_what_is_wrong_how_to_mend_it_and_by_which_code() -> None:
    message = read([UNKNOWN])

    for part in (body(message, "plain"), LexborHTMLParser(body(message, "html")).text()):
        assert "I do not know what “frobnicate” means." in part
        assert "Did you mean one of these?" in part
        assert "list [page]" in part
        assert "request.unknown" in part
    assert links(message)["list"] == "list"


def test_every_answer_names_its_reference_and_the_users_time() -> None:
    text = body(read(), "plain")

    assert "Reference K7Q29-FDM3X, 22 Nov 2026, 15:04 (Europe/Berlin)" in text


def test_what_was_written_is_shown_back_with_its_correction() -> None:
    text = body(read([replace(LISTED, line="lsit", corrected_from="lsit", corrected_to="list")]), "plain")

    assert "> lsit\n(I took “lsit” for “list”.)\nYour library: 1 book\n" in text


def test_results_of_several_commands_stand_in_one_mail_in_order() -> None:
    text = body(read([LISTED, UNKNOWN, replace(LISTED, line="list 2")]), "plain")

    assert "2 of 3 done." in text
    assert re.findall(r"^> (.*)$", text, re.MULTILINE) == ["list", "frobnicate", "list 2"]


def test_every_kind_of_block_stands_in_both_parts() -> None:
    blocks = (
        Paragraph("A paragraph."),
        Facts((Fact("Label", "value"), Fact("Queued", NOW))),
        Steps((Step("label", "command", "detail of it"),), heading="Heading"),
        Columns(("Column",), (("cell",),)),
        Items((DUNE,), page=2, pages=3, total=41, more=Step("Next page", "list 3")),
    )

    message = read([Result("x", Answer("Title", blocks))])

    told = ("A paragraph.", "Label", "value", "22 Nov 2026, 15:04 (Europe/Berlin)", "detail of it", "Heading", "cell",
            "Dune", "Page 2 of 3, 41 in all")  # fmt: skip
    for part in (body(message, "plain"), LexborHTMLParser(body(message, "html")).text()):
        assert [words for words in told if words not in part] == []


def test_what_users_and_books_say_is_never_markup() -> None:
    hostile = '<script>alert(1)</script><img src="https://x.example/p.gif"> & "quotes" {{ 7*7 }}'
    blocks = (
        Items((replace(DUNE, title=hostile, detail=hostile),)),
        Facts((Fact(hostile, hostile),)),
        Columns((hostile,), ((hostile,),)),
        Paragraph(hostile),
        Steps((Step(hostile, hostile, hostile),), heading=hostile),
    )

    message = read(
        [Result(hostile, Answer(hostile, blocks)), Result(hostile, Problem("x", hostile, hostile, (hostile,)))],
        context=replace(CONTEXT, original_subject=hostile),
    )

    tree = LexborHTMLParser(body(message, "html"))
    assert tree.css("script, img, link, iframe, form, object") == []
    assert body(message, "plain").count("{{ 7*7 }}") == 14


def test_html_fetches_nothing() -> None:
    html = body(read([LISTED, UNKNOWN]), "html")

    assert re.findall(r"(?:https?:|//|url\(|src=|@import)", html) == []


def test_html_reads_in_the_dark_and_on_narrow_screens() -> None:
    html = body(read(), "html")

    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media (max-width: 480px)" in html
    assert 'name="color-scheme" content="light dark"' in html


def test_styles_stand_in_the_tags() -> None:
    tree = LexborHTMLParser(body(read(), "html"))

    assert [link for link in tree.css("a") if not link.attributes.get("style")] == []


def test_letters_that_hide_or_turn_round_text_are_left_out() -> None:
    text = body(read([Result("x", Answer("a\x00b\u202ec\ud800d"))]), "plain")

    assert "\nabcd\n" in text


def test_an_address_with_letters_of_its_own_stays_whole() -> None:
    mail = compose_answer((LISTED,), context=replace(CONTEXT, user_address="änna@reader.example"))

    assert "To: Anna Maria Jørgensen <änna@reader.example>\r\n".encode() in mail.head


def test_a_reply_address_that_no_header_can_hold_gives_way_to_our_own() -> None:
    message = read(context=replace(CONTEXT, reply_address="books+(@inkpost.example"))

    assert message["Reply-To"] == "Inkpost <books@inkpost.example>"


def test_files_of_all_results_are_attached_beside_text_and_html() -> None:
    opml = AnswerFile("feeds.opml", "text/x-opml", b"<opml>" + bytes(range(256)) * 10)
    text = AnswerFile("notes.txt", "text/plain", b"")
    answers = [Result("export", Answer("Your feeds", (), files=(file,))) for file in (opml, text)]

    message = read([LISTED, *answers])

    assert message.get_content_type() == "multipart/mixed"
    assert "Dune" in body(message, "plain")
    assert "Dune" in body(message, "html")
    parts = list(message.iter_attachments())
    assert [(part.get_filename(), part.get_content_type()) for part in parts] == [
        ("feeds.opml", "text/x-opml"),
        ("notes.txt", "text/plain"),
    ]
    assert [part.get_payload(decode=True) for part in parts] == [opml.content, text.content]
    assert message.defects == []


def test_a_mail_without_results_has_no_answer() -> None:
    with pytest.raises(ValueError, match="no answer"):
        compose_answer((), context=CONTEXT)


def test_an_unknown_zone_is_told_in_utc() -> None:
    assert local_time(NOW, "Mars/Olympus") == "22 Nov 2026, 14:04 (UTC)"
    assert local_time(NOW, "../etc/passwd") == "22 Nov 2026, 14:04 (UTC)"


anything = st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\t\x00:<>@\u2028\u0085\x0b\x0c"), max_size=400)


@given(subject=anything, name=anything, original=anything, references=st.lists(anything, max_size=4), title=anything)
def test_no_text_writes_a_header_of_its_own(
    subject: str, name: str, original: str, references: list[str], title: str
) -> None:
    context = replace(
        CONTEXT,
        original_subject=subject,
        user_name=name,
        original_message_id=original,
        original_references=tuple(references),
    )
    result = Result(title, Answer(title, (Items((replace(DUNE, title=title),)),)))

    raw = compose_answer((result,), context=context).head

    head, _, rest = raw.partition(b"\r\n\r\n")
    fields = [line.partition(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    assert fields in (FIELDS, [field for field in FIELDS if field not in ("In-Reply-To", "References")])
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert rest.endswith(b"--\r\n")


@given(name=anything, subject=anything)
def test_names_and_subjects_come_out_as_they_went_in(name: str, subject: str) -> None:
    message = read(context=replace(CONTEXT, user_name=name, original_subject=subject))

    visible = "".join(letter if letter.isprintable() else " " for letter in name)
    shown = " ".join(visible.split())
    shown = shown if len(shown) <= 100 else shown[:99].rstrip() + "…"
    assert message["To"].addresses[0].display_name == shown
