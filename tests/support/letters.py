"""Mails as mail programs write them: a text in the frame of a program and a language, as bytes."""

from __future__ import annotations

import html
from email.message import EmailMessage
from email.policy import SMTP

from tests.factories.books import make_epub, make_pdf

ME, BOT = "ada@reader.example", "Inkpost <books+s3cret@inkpost.example>"

# What phones put under a text.
_PHONE = {
    "en": "Sent from my iPhone", "de": "Von meinem iPhone gesendet", "es": "Enviado desde mi iPhone",
    "fr": "Envoyé de mon iPhone", "it": "Inviato da iPhone", "pt": "Enviado do meu iPhone",
    "zh": "发自我的iPhone", "ja": "iPhoneから送信",
}  # fmt: skip
_ANDROID = {
    "en": "Sent from Outlook for Android<https://aka.ms/AAb9ysg>",
    "de": "-- \nDiese Nachricht wurde von meinem Android Mobiltelefon mit GMX Mail gesendet.",
    "es": "Enviado desde mi teléfono Samsung Galaxy.",
}
_WROTE = {
    "en": "On Sun, Nov 22, 2026 at 10:04 AM Inkpost <books@inkpost.example> wrote:",
    "de": "Am So., 22. Nov. 2026 um 10:04 Uhr schrieb Inkpost <books@inkpost.example>:",
    "es": "El dom, 22 nov 2026 a las 10:04, Inkpost (<books@inkpost.example>) escribió:",
    "fr": "Le dim. 22 nov. 2026 à 10:04, Inkpost <books@inkpost.example> a écrit :",
    "it": "Il giorno dom 22 nov 2026 alle ore 10:04 Inkpost <books@inkpost.example> ha scritto:",
}
_PHONE_WROTE = {
    "en": "On 22 Nov 2026, at 10:04, Inkpost <books@inkpost.example> wrote:",
    "de": "Am 22.11.2026 um 10:04 schrieb Inkpost <books@inkpost.example>:",
    "es": "El 22 nov 2026, a las 10:04, Inkpost <books@inkpost.example> escribió:",
    "fr": "Le 22 nov. 2026 à 10:04, Inkpost <books@inkpost.example> a écrit :",
    "it": "Il giorno 22 nov 2026, alle ore 10:04, Inkpost <books@inkpost.example> ha scritto:",
}
_OUTLOOK = {
    "en": ("From", "Sent", "Sunday, 22 November 2026 10:04", "To", "Subject"),
    "de": ("Von", "Gesendet", "Sonntag, 22. November 2026 10:04", "An", "Betreff"),
    "es": ("De", "Enviado", "domingo, 22 de noviembre de 2026 10:04", "Para", "Asunto"),
}
_FORWARDED = {
    "en": ("---------- Forwarded message ---------", "From", "Date", "Subject", "To"),
    "de": ("---------- Weitergeleitete Nachricht ---------", "Von", "Datum", "Betreff", "An"),
}
# An earlier answer of ours, which is full of commands, none of which may run again.
_ANSWER = """-- reply above this line --

> list
Your library: 12 books
----------------------

 1. Dune
    Frank Herbert · EPUB · 1.2 MB
    send #11 – Send
    remove #11 – Remove it
 2. Emma
    send #12 – Send

list 2 – Next page
--
Reply with a command: help, list"""
_ANOTHERS = """Hi, shall we send the list to Bob? Delete what you do not need.
list
remove dune
send emma to kobo"""


def letter(subject: str, text: str, *, language: str, program: str, files: tuple[str, ...] = ()) -> bytes:
    """The mail. `program` is gmail, iphone, android, apple (HTML alone), outlook (the same), thunderbird (writes below
    what it quotes), plain, forward; with `reply` behind it, it answers a mail of ours and quotes that."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = ME, BOT, subject
    mail["Date"], mail["Message-ID"] = "Mon, 23 Nov 2026 07:12:00 +0100", "<1@reader.example>"
    is_reply = program.endswith("reply") or program == "thunderbird"
    if is_reply:
        mail["In-Reply-To"] = mail["References"] = "<K7Q29-FDM3X@inkpost.example>"
    _fill(mail, text, language=language, program=program.removesuffix("reply"), is_reply=is_reply)
    for name in files:
        content = make_epub(title="A book") if name.endswith(".epub") else make_pdf(title="")
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


def _fill(mail: EmailMessage, text: str, *, language: str, program: str, is_reply: bool) -> None:
    quoted = "\n".join(f"> {line}".rstrip() for line in _ANSWER.split("\n"))
    match program:
        case "iphone":
            said = f"{text}\n\n{_PHONE[language]}" if text else _PHONE[language]
            mail.set_content(f"{said}\n\n> {_PHONE_WROTE[language]}\n> \n{quoted}\n" if is_reply else f"{said}\n")
        case "android":
            mail.set_content(f"{text}\n\n{_ANDROID[language]}\n", cte="base64")
        case "gmail":
            below = f"\n\n{_WROTE[language]}\n\n{quoted}\n" if is_reply else "\n"
            mail.set_content(text + below)
            wrote = html.escape(_WROTE[language]) if is_reply else ""
            quote = (
                f'<br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">{wrote}<br>'
                f'</div><blockquote class="gmail_quote">{_lines(_ANSWER)}</blockquote></div>'
            )
            mail.add_alternative(f'<div dir="ltr">{_lines(text)}</div>{quote if is_reply else ""}', subtype="html")
        case "outlook":
            mail.set_content(_outlook(text, language, is_reply=is_reply), subtype="html", charset="windows-1252")
        case "apple":
            body = f'<html><head></head><body dir="auto">{_lines(text)}<br><br></body></html>'
            mail.set_content(body, subtype="html", cte="quoted-printable")
        case "thunderbird":
            mail.set_content(f"{_PHONE_WROTE[language]}\n{quoted}\n\n{text}\n", cte="8bit")
        case "forward":
            words, from_, date, subject, to = _FORWARDED[language]
            head = f"{from_}: Bob <bob@friend.example>\n{date}: 21 Nov 2026\n{subject}: plans\n{to}: {ME}"
            mail.set_content(f"{text}\n\n{words}\n{head}\n\n{_ANOTHERS}\n")
        case _:
            mail.set_content(f"{text}\n")


def _outlook(text: str, language: str, *, is_reply: bool) -> str:
    paragraphs = "".join(f'<p class="MsoNormal">{html.escape(line) or "&nbsp;"}</p>\n' for line in text.split("\n"))
    quote = ""
    if is_reply:
        from_, sent, date, to, subject = _OUTLOOK[language]
        quote = (
            '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">'
            f"<b>{from_}:</b> Inkpost &lt;books@inkpost.example&gt;<br><b>{sent}:</b> {date}<br>"
            f"<b>{to}:</b> {ME}<br><b>{subject}:</b> Your library: 12 books</p></div>{_lines(_ANSWER)}"
        )
    style = "<style>p.MsoNormal {margin:0cm; font-size:11.0pt;}</style>"
    return f'<html><head>{style}</head><body><div class="WordSection1">{paragraphs}{quote}</div></body></html>'


def _lines(text: str) -> str:
    return "".join(f"<div>{html.escape(line) or '<br>'}</div>" for line in text.split("\n"))
