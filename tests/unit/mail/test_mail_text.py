"""The words of a mail's author, without quotes, forwarded mails and signatures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.mail.text import MAX_COMMAND_LINES, REPLY_MARKER, command_lines, own_text, unflow

ATTRIBUTIONS = [
    "On Sun, Nov 22, 2026 at 10:00 AM Inkpost <books@inkpost.example> wrote:",
    "On Sun, Nov 22, 2026 at 10:00 AM Inkpost, the library of books\n<books@inkpost.example> wrote:",
    "On 22 Nov 2026, at 10:00, Inkpost <books@inkpost.example> wrote:",
    "On Sunday, November 22nd, 2026 at 10:00 AM, Inkpost\n<books@inkpost.example>\nwrote:",
    "Inkpost wrote:",
    "Am 22.11.26 um 10:00 schrieb Inkpost:",
    "Am So., 22. Nov. 2026 um 10:00 Uhr schrieb Inkpost <\nbooks@inkpost.example>:",
    "Inkpost <books@inkpost.example> schrieb am So. 22. Nov. 2026 um\n10:00:",
    "Am Sonntag schrieb Inkpost:",
    "Le dim. 22 nov. 2026 à 10:00, Inkpost <books@inkpost.example> a écrit\u00a0:",
    "El dom, 22 nov 2026 a las 10:00, Inkpost (<books@inkpost.example>) escribió:",
    "Il giorno dom 22 nov 2026 alle ore 10:00 Inkpost <books@inkpost.example> ha\nscritto:",
    "Em dom., 22 de nov. de 2026 às 10:00, Inkpost <books@inkpost.example> escreveu:",
    "Op zo 22 nov 2026 om 10:00 schreef Inkpost <books@inkpost.example>:",
    "Den sön 22 nov. 2026 kl 10:00 skrev Inkpost <books@inkpost.example>:",
    "Den 22.11.2026 kl. 10.00 skrev Inkpost:",
    "su 22. marrask. 2026 klo 10.00 Inkpost (books@inkpost.example) kirjoitti:",
    "niedz., 22 lis 2026 o 10:00 Inkpost <books@inkpost.example> napisał(a):",
    "ne 22. 11. 2026 v 10:00 odesílatel Inkpost <books@inkpost.example> napsal:",
    "вс, 22 нояб. 2026 г. в 10:00, Inkpost <books@inkpost.example>:",
    "22.11.2026 10:00, Inkpost пишет:",
    "нд, 22 лист. 2026 р. о 10:00 Inkpost <books@inkpost.example> пише:",
    "Inkpost <books@inkpost.example> ezt írta (időpont: 2026. nov. 22., V, 10:00):",
    "În dum., 22 nov. 2026 la 10:00, Inkpost <books@inkpost.example> a scris:",
    "Inkpost <books@inkpost.example>, 22 Kas 2026 Paz, 10:00 tarihinde şunu yazdı:",
    "Στις Κυρ 22 Νοε 2026 στις 10:00, ο χρήστης Inkpost <books@inkpost.example> έγραψε:",
    "Vào CN, 22 thg 11, 2026 vào lúc 10:00 Inkpost <books@inkpost.example> đã viết:",
    "2026年11月22日(日) 10:00 Inkpost <books@inkpost.example>:",
    "Inkpost <books@inkpost.example> 于2026年11月22日周日 10:00写道：",
    "2026년 11월 22일 (일) 오전 10:00, Inkpost <books@inkpost.example>님이 작성:",
    "\u200fבתאריך יום א׳, 22 בנוב׳ 2026 ב-10:00 מאת Inkpost <\u200fbooks@inkpost.example\u200f>:",
    "في الأحد، 22 نوفمبر 2026 في 10:00 ص تمت كتابة ما يلي بواسطة Inkpost <books@inkpost.example>:",
]

SEPARATORS = [
    REPLY_MARKER,
    f"> {REPLY_MARKER}",
    "-----Original Message-----",
    "-------- Original Message --------",
    "---------- Forwarded message ---------",
    "Begin forwarded message:",
    "-----Ursprüngliche Nachricht-----",
    "---------- Weitergeleitete Nachricht ---------",
    "Anfang der weitergeleiteten Nachricht:",
    "-----Message d'origine-----",
    "---------- Message transféré ----------",
    "Début du message transféré :",
    "-----Mensaje original-----",
    "---------- Mensaje reenviado ---------",
    "Inicio del mensaje reenviado:",
    "-----Messaggio originale-----",
    "Inizio messaggio inoltrato:",
    "-----Mensagem original-----",
    "-----Oorspronkelijk bericht-----",
    "-----Ursprungligt meddelande-----",
    "-----Wiadomość oryginalna-----",
    "-------- Пересылаемое сообщение --------",
    "-----邮件原件-----",
    "------------------ 原始邮件 ------------------",
    "---------- 转发的邮件 ----------",
    "開始轉寄郵件：",
    "-----元のメッセージ-----",
    "-----원본 메시지-----",
    "---- On Sun, 22 Nov 2026 10:00:00 +0100 Inkpost wrote ----",
    "________________________________",
    "Subject: Your books\nDate: Sun, 22 Nov 2026 10:00:00 +0000\nTo: Ann",
    "From: Inkpost <books@inkpost.example>\nSent: Sunday, November 22, 2026 10:00 AM\nTo: Ann",
    "*From:* Inkpost <books@inkpost.example>\n*Date:* Sunday",
    "Von: Inkpost\nGesendet: Sonntag, 22. November 2026 10:00\nAn: Ann\nBetreff: Ihre Bücher",
    "De : Inkpost\nEnvoyé : dimanche 22 novembre 2026 10:00\nÀ : Ann",
    "De: Inkpost\nEnviado el: domingo, 22 de noviembre de 2026 10:00\nPara: Ann",
    "Da: Inkpost\nInviato: domenica 22 novembre 2026 10:00",
    "Från: Inkpost\nSkickat: den 22 november 2026 10:00",
    "От: Inkpost\nОтправлено: 22 ноября 2026 г. 10:00",
    "发件人: Inkpost\n发送时间: 2026年11月22日 10:00",
    "差出人: Inkpost\n送信日時: 2026年11月22日 10:00",
]

SIGNATURES = [
    "-- ",
    "--",
    "Sent from my iPhone",
    "Sent from Outlook for iOS",
    "Get Outlook for Android<https://aka.ms/x>",
    "Sent with Proton Mail secure email.",
    "Von meinem iPhone gesendet",
    "Gesendet mit der GMX Mail App",
    "Envoyé de mon iPhone",
    "Enviado desde mi iPhone",
    "Enviado do meu iPhone",
    "Inviato da iPhone",
    "Verstuurd vanaf mijn iPhone",
    "Skickat från min iPhone",
    "Wysłane z iPhone'a",
    "Отправлено с iPhone",
    "iPhoneから送信",
    "从我的 iPhone 发送",
    "발신: 나의 iPhone에서 보냄",
    "iPhone'umdan gönderildi",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_what_stands_below_an_attribution_is_not_the_authors(attribution: str) -> None:
    text = f"list 2\n\n{attribution}\n\nremove 1\nsend 3 to kobo\n"

    assert command_lines(text) == ["list 2"]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_an_attribution_close_to_the_own_words_is_seen(attribution: str) -> None:
    text = f"send dune\nlist 2\n{attribution}\n> remove 1\n"

    assert command_lines(text) == ["send dune", "list 2"]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_what_stands_below_a_separator_is_not_the_authors(separator: str) -> None:
    text = f"list 2\n\n{separator}\n\nremove 1\nsend 3 to kobo\n"

    assert command_lines(text) == ["list 2"]


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_signature_is_cut_with_all_that_follows(signature: str) -> None:
    assert command_lines(f"list 2\n\n{signature}\nAnn B, Publisher\nhelp\n") == ["list 2"]


def test_a_text_that_is_signed_by_pgp_in_itself_is_read() -> None:
    signed = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nlist 2\n\nstats\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCAAdFiEE\n-----END PGP SIGNATURE-----\n"
    )

    assert command_lines(signed) == ["list 2", "stats"]


@pytest.mark.parametrize("quoted", [*ATTRIBUTIONS, *SEPARATORS])
def test_a_mail_that_is_all_quote_has_no_commands(quoted: str) -> None:
    assert command_lines(f"\n{quoted}\n\nremove 1\nlist\n") == []


def test_a_command_with_an_address_is_no_part_of_the_attribution_below() -> None:
    text = "kindle add <ann@kindle.com> 2026\nOn Sun, Nov 22, 2026 at 10:00 AM Inkpost wrote:\n> list\n"

    assert command_lines(text) == ["kindle add <ann@kindle.com> 2026"]


def test_words_below_a_quote_with_angle_brackets_are_read() -> None:
    text = "On Sun, Nov 22, 2026 at 10:00 AM Inkpost wrote:\n> remove 1\n> list\n\nfind dune\n\n> help\nmore\n"

    assert command_lines(text) == ["find dune"]


def test_the_wrapped_end_of_a_quoted_line_is_quoted_too() -> None:
    text = "> To take a book out of your library write\nremove 1\n> or\nlist\n\nfind dune\n"

    assert command_lines(text) == ["find dune"]


def test_words_below_a_quoted_mail_of_ours_are_read() -> None:
    text = f"On 22.11.26 at 10:04 Inkpost wrote:\n> {REPLY_MARKER}\n>\n> > list\n> remove 1\n\nsend 1\n-- \nAda\n"

    assert command_lines(text) == ["send 1"]


def test_our_own_marker_cuts_where_it_is_not_quoted() -> None:
    assert command_lines(f"list\n\n{REPLY_MARKER}\n\nremove 1\n") == ["list"]


@pytest.mark.parametrize(
    "line",
    [
        "find the man who wrote dune",
        "edit 3 title=Letters From: a Stoic",
        "kindle add ann_b2@kindle.com",
        "send from here to eternity to kobo",
        "add 1984",
        "settings timezone Europe/Berlin",
        "- list",
        "find 2001 a space odyssey",
        "remove on the road",
        "find Am Ende des Tages 2019",
        "edit 3\ntitle: Dune\nauthor: Frank Herbert",
    ],
)
def test_commands_that_look_a_little_like_quotes_stay(line: str) -> None:
    assert command_lines(f"{line}\nhelp\n") == [*line.split("\n"), "help"]


def test_lines_are_cleaned_and_normalised() -> None:
    text = "\ufeff  ﬁnd\u00a0\u200b“dune”  \r\n\n\t list \n"

    assert command_lines(text.replace("\r\n", "\n")) == ['find "dune"', "list"]


def test_only_as_many_lines_are_read_as_anybody_writes() -> None:
    lines = command_lines("help me with this\n" * 1000)

    assert len(lines) == MAX_COMMAND_LINES


def test_a_line_is_read_to_a_thousand_characters() -> None:
    assert len(command_lines("find " + "x" * 100_000)[0]) == 1000


def test_flowed_lines_become_paragraphs() -> None:
    text = "edit 3 title=A Very \nLong Title\nlist\n> quoted \n> flowed\n-- \nAnn \nB"

    assert unflow(text).split("\n")[:3] == ["edit 3 title=A Very Long Title", "list", "> quoted "]


def test_flowed_text_of_a_script_without_blanks_loses_the_soft_ones() -> None:
    assert unflow("図書 \n館", delsp="yes") == "図書館"


def test_space_stuffing_is_undone() -> None:
    assert unflow(" From here\n  indented") == "From here\n indented"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*ATTRIBUTIONS, *SEPARATORS, *SIGNATURES, "> list", "", "list", "a: b", "x" * 3000])))
def test_any_text_is_read_and_own_words_of_own_words_are_the_same(lines: list[str]) -> None:
    own = own_text("\n".join(lines))

    assert own_text(own) == own
    assert not any(line.startswith(">") for line in own.split("\n"))
