"""What a person would tell of their library: each sentence a story, over real sockets."""

from __future__ import annotations

import asyncio

from tests.factories.books import Fault, make_epub, make_mobi, make_pdf, make_zip
from tests.support.service import House, Person

KINDLE = "ada_1815@kindle.com"


async def test_i_mail_a_book_and_it_is_in_my_library(ada: Person) -> None:
    answer = await ada.asks("", attach=[("moby.epub", make_epub(title="Moby Dick"))])
    assert "Added: Moby Dick" in answer.text
    assert "Moby Dick" in (await ada.asks("list")).text


async def test_i_send_a_book_and_my_kindle_gets_it_byte_for_byte(house: House, ada: Person) -> None:
    book = make_epub(title="Moby Dick", authors=("Herman Melville",))
    await ada.asks("", attach=[("moby.epub", book)])
    await ada.asks(f"kindle add {KINDLE}")
    queued = await ada.asks("send moby")
    assert "Queued: Moby Dick" in queued.text
    parcel = (await house.world.wait_for(KINDLE)).message
    (attachment,) = parcel.iter_attachments()
    assert parcel.get_content_type() == "multipart/mixed"
    assert attachment.get_content_type() == "application/epub+zip"
    assert attachment.get_filename() == "Moby Dick - Herman Melville.epub"
    assert attachment.get_content() == book
    await house.settle()
    assert "accepted by the relay" in (await ada.asks("status")).text


async def test_the_same_book_twice_is_recognised(ada: Person) -> None:
    book = make_epub(title="Moby Dick")
    await ada.asks("", attach=[("one.epub", book)])
    assert "You have it already: Moby Dick" in (await ada.asks("", attach=[("two.epub", book)])).text
    assert "1 book" in (await ada.asks("list")).subject or "1 book" in (await ada.asks("list")).text


async def test_the_same_work_in_another_file_is_said(ada: Person) -> None:
    await ada.asks("", attach=[("moby.epub", make_epub(title="Moby Dick"))])
    answer = await ada.asks("", attach=[("moby2.epub", make_epub(title="Moby Dick", text="Call me Fred."))])
    assert "as another file too" in answer.text


async def test_one_file_of_two_people_is_one_blob(house: House, ada: Person) -> None:
    bob = await house.person("bob@reader.test")
    book = make_epub(title="Moby Dick")
    await ada.asks("", attach=[("a.epub", book)])
    await bob.asks("", attach=[("b.epub", book)])
    assert len(list(house.app.blobs.list("books/"))) == 1


async def test_nobody_sees_anybody_elses_books(house: House, ada: Person) -> None:
    bob = await house.person("bob@reader.test")
    await ada.asks("", attach=[("a.epub", make_epub(title="Secret Diary"))])
    assert "Your library is empty" in (await bob.asks("list")).text
    assert "Nothing found" in (await bob.asks("find diary")).text
    assert "You have no book #1" in (await bob.asks("show #1")).text


async def test_i_find_a_book_although_i_misspell_it(ada: Person) -> None:
    await ada.asks("", attach=[("h.epub", make_epub(title="The Hobbit", authors=("J. R. R. Tolkien",)))])
    assert "The Hobbit" in (await ada.asks("find tolkein")).text


async def test_a_number_means_what_the_list_showed(house: House, ada: Person) -> None:
    for title in ("First", "Second", "Third"):
        await ada.asks("", attach=[(f"{title}.epub", make_epub(title=title, text=title))])
    listed = await ada.asks("list")
    await ada.asks("", attach=[("Fourth.epub", make_epub(title="Fourth", text="4"))])
    assert "Second" in (await ada.replies(listed, "show 2")).subject + (await ada.replies(listed, "show 2")).text


async def test_several_matches_are_a_numbered_choice(ada: Person) -> None:
    for part in ("One", "Two"):
        await ada.asks("", attach=[(f"{part}.epub", make_epub(title=f"Dune Book {part}", text=part))])
    answer = await ada.asks("show dune")
    assert "could be 2 of your books" in answer.text
    assert "Dune Book" in (await ada.replies(answer, "show 1")).text


async def test_i_remove_a_book_and_think_better_of_it(ada: Person) -> None:
    await ada.asks("", attach=[("m.epub", make_epub(title="Moby Dick"))])
    assert "Removed: Moby Dick" in (await ada.asks("remove moby")).text
    assert "Your library is empty" in (await ada.asks("list")).text
    assert "Back in your library: Moby Dick" in (await ada.asks("undo")).text
    assert "Moby Dick" in (await ada.asks("list")).text


async def test_what_i_am_asked_back_i_answer_with_a_word(ada: Person) -> None:
    await ada.asks("", attach=[("moby.epub", make_epub(title="Moby Dick"))])
    question = await ada.asks("forget me")
    assert "“yes”, “no”" in question.text
    assert "Not done: “forget me”" in (await ada.replies(question, "no")).text
    assert "Moby Dick" in (await ada.asks("list")).text


async def test_a_misspelt_remove_is_asked_about_and_never_guessed(ada: Person) -> None:
    await ada.asks("", attach=[("m.epub", make_epub(title="Moby Dick"))])
    await ada.asks("remvoe moby")
    assert "Moby Dick" in (await ada.asks("list")).text


async def test_i_correct_a_title_and_the_file_stays_as_it_was(house: House, ada: Person) -> None:
    book = make_epub(title="Mobby Dik")
    await ada.asks("", attach=[("m.epub", book)])
    await ada.asks("edit mobby title=Moby Dick author=Herman Melville tags=sea, whales")
    shown = await ada.asks("show moby")
    assert all(word in shown.text for word in ("Moby Dick", "Herman Melville", "sea, whales"))
    (blob,) = house.app.blobs.list("books/")
    with house.app.blobs.open(blob.key) as file:
        assert file.read() == book


async def test_a_damaged_file_is_answered_with_what_is_wrong_with_it(ada: Person) -> None:
    answer = await ada.asks("", attach=[("cut.epub", make_epub(fault=Fault.CUT))])
    assert "cut.epub" in answer.text
    assert "Your library is empty" in (await ada.asks("list")).text


async def test_a_zip_brings_several_books(ada: Person) -> None:
    books = {"a.epub": make_epub(title="Alpha"), "b.epub": make_epub(title="Beta", text="b")}
    answer = await ada.asks("", attach=[("books.zip", make_zip(books))])
    assert all(title in answer.text for title in ("2 books added", "Alpha", "Beta"))


async def test_several_commands_in_one_mail_run_in_order_and_have_one_answer(house: House, ada: Person) -> None:
    await ada.asks("", attach=[("m.epub", make_epub(title="Moby Dick"))])
    answer = await ada.asks(f"kindle add {KINDLE}", "send moby\nshow nonsense\n")
    assert all(words in answer.text for words in ("Added: kindle", "Queued: Moby Dick", "You have no book “nonsense”"))
    await house.world.wait_for(KINDLE)
    await house.settle()
    assert [mail.rcpt_to for mail in house.world.mails].count(ada.address) == ada.answers


async def test_what_my_kindle_does_not_take_is_said_before_it_is_sent(ada: Person) -> None:
    await ada.asks("add title=My Novel", attach=[("novel.mobi", make_mobi())])
    await ada.asks(f"kindle add {KINDLE}")
    assert "does not take MOBI" in (await ada.asks("send my novel")).text


async def test_autosend_sends_new_books_by_themselves(house: House, ada: Person) -> None:
    await ada.asks(f"kindle add {KINDLE}")
    assert "Autosend" in (await ada.asks("settings autosend=on")).text
    await ada.asks("", attach=[("m.epub", make_epub(title="Moby Dick"))])
    assert (await house.world.wait_for(KINDLE)).message["Subject"] == "Book: Moby Dick"


async def test_a_stranger_gets_no_answer_and_no_effect(house: House, ada: Person) -> None:
    await ada.asks("", attach=[("m.epub", make_epub(title="Moby Dick"))])
    await ada.writes("remove moby", to="books@inkpost.test")  # her own address in From, but not her secret one
    await house.settle()
    assert "Moby Dick" in (await ada.asks("list")).text


async def test_an_automatic_mail_is_met_with_silence(house: House, ada: Person) -> None:
    await ada.writes("Out of office", "list", headers={"Auto-Submitted": "auto-replied"})
    await house.settle()
    assert house.world.mails == []


async def test_an_answer_is_threaded_and_marked_as_automatic(ada: Person) -> None:
    answer = await ada.asks("help")
    assert answer.message["In-Reply-To"]
    assert answer.message["Auto-Submitted"] == "auto-replied"
    assert answer.message["Reply-To"] is not None
    assert f"mailto:{ada.bot_address.replace('+', '%2B')}?subject=" in answer.html


async def test_a_pdf_is_kept_too(ada: Person) -> None:
    assert "Added:" in (await ada.asks("", attach=[("report.pdf", make_pdf(title="Annual Report"))])).text


async def test_twenty_people_at_once_each_get_their_own_answer(house: House) -> None:
    people = [await house.person(f"reader{number}@reader.test") for number in range(20)]
    answers = await asyncio.gather(*(person.asks("list") for person in people))
    assert all("Your library is empty" in answer.text for answer in answers)
