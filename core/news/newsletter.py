"""A newsletter's mail as an article: without what watches its reader, and without the furniture of a mailing list.

RFC 2369 (List-Unsubscribe) and RFC 8058 (its one-click form) say how one leaves a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final
from urllib.parse import urlsplit

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

from core.mail.html import is_hidden
from core.news.clicks import without_click_counters
from core.news.duplicates import fingerprint
from core.news.opt_in import OptIn, read_opt_in
from core.news.reading import TEXT_BYTES, ReadEntry, sha256_hex
from core.news.sanitise import sanitise
from core.news.shape import BLOCKS, drop, flat
from core.news.trackers import TINY_PIXELS
from core.news.values import Reading

MOST_LINKS: Final = 300  # of a mail that are looked through for one that confirms
FURNITURE: Final = 240  # characters of a block that may be furniture alone: longer ones are somebody's text
LONGEST_FOOT: Final = 600  # characters of a block that says who sends the list, to whom and why
FOOT_BLOCKS: Final = 25  # from the end, in which a footer begins
FOOT_SHARE: Final = 0.35  # of the letters: what lies further up is no footer

_VIEW: Final = re.compile(
    r"""(?xi) (?:view|read|open|see|display)\b.{0,40}\b(?:browser|online|web\ ?(?:site|page|version)|on\ the\ web)
      | (?:trouble|problems?|having\ trouble|can['’]?t)\b.{0,30}\b(?:viewing|reading|see(?:ing)?|read)\b | web\ ?version
      | online[\s-]version | im\ browser\b | (?:ansehen|anzeigen|lesen).{0,20}(?:browser|online) | darstellungsprobleme
      | (?:ver|leer|abrir).{0,40}(?:navegador|en\ línea|online) | version\ en\ ligne
      | (?:voir|lire|afficher|consulter).{0,40}(?:navigateur|en\ ligne) | (?:visualizza|leggi).{0,30}(?:browser|online)
      | bekijk.{0,30}(?:browser|online) | (?:ver|visualizar).{0,20}navegador | открыть\ в\ браузере | ブラウザで"""
)
_LEAVE: Final = re.compile(
    r"""(?xi) un-?subscribe | opt[\s-]?out | manage\ (?:your\ |my\ )?(?:e-?mail\ )?(?:subscriptions?|preferences)
      | (?:update|change|edit)\ (?:your\ |my\ )?(?:profile|preferences|e-?mail|subscription) | e-?mail\ preferences
      | abmelden | abbestell | austragen | abonnement\ (?:beenden|kündigen) | (?:dar(?:me|se)|date|dar)\ de\ baja
      | cancelar\ (?:la\ |tu\ |su\ )?suscripci | désabonne | désinscri | disiscri | cancella\ (?:la\ tua\ )?iscrizione
      | uitschrijven | afmelden | avregistrera | avsluta\ prenumeration | отписаться | wypisz | 配信停止
      | 退订 | 退訂"""
)
_FOOT: Final = re.compile(
    r"""(?xi) \byou\b.{0,5}(?:['’]re|\ are)?\ (?:receiving|getting|received)\ this | (?:this|the)\ (?:e-?mail|message
      |newsletter)\ (?:was|is|has\ been)\ (?:sent|intended) | why\ (?:did|am|do)\ i\ (?:get|receiv) | © | \(c\)\ 20\d\d
      | \bcopyright\b | all\ rights\ reserved | (?:our|mailing)\ address | to\ your\ address\ book | privacy\ policy
      | forward\ (?:this|to\ a\ friend) | forwarded\ this
      | diese\ (?:e-?mail|nachricht).{0,40}(?:gesendet|erhalten|geht)
      | (?:sie|du)\ erh(?:alten|ältst)\ dies | impressum | alle\ rechte\ vorbehalten | datenschutz
      | recib(?:es|iste|e\ usted)\ este | has\ recibido\ este | todos\ los\ derechos | vous\ recevez\ ce
      | tous\ droits\ réservés | hai\ ricevuto\ questa | powered\ by"""
)
_SIZE: Final = re.compile(
    r"(?:^|;)\s*(?:max-)?(width|height)\s*:\s*(\d+)(?:px)?\s*(?:!important\s*)?(?=;|$)", re.IGNORECASE
)
_URI: Final = re.compile(r"<\s*([^<>\s]+)\s*>")
_LINK_IN_TEXT: Final = re.compile(r"https?://[^\s<>\"]{4,2000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterText:
    """What is read of a mail: all of it a stranger's."""

    message_id: str
    subject: str
    author_name: str
    author_address: str
    sent_at: datetime | None
    html: str
    text: str
    list_unsubscribe: tuple[str, ...] = ()
    """Values of the fields, in order; and below those of List-Unsubscribe-Post."""
    list_unsubscribe_post: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """How one leaves a list, as its mail says."""

    one_click_url: str = ""
    """https; good only if the mail's signature covers what says so."""
    mailto: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A newsletter's mail, read."""

    entry: ReadEntry
    sender: str
    opt_in: OptIn | None
    leaving: Leaving


def read_letter(mail: LetterText) -> Letter:
    """The article of a newsletter's mail, and what else is in it. Never raises for what it holds; for a worker."""
    tree = _tree(mail.html)
    links = _links(tree, mail.text)
    reading = _clean(tree, mail.text)
    title = " ".join(mail.subject.split())[:500] or mail.author_name or mail.author_address
    whole = f"{mail.message_id}\n{mail.subject}\n{reading.text}"
    entry = ReadEntry(
        entry_key=sha256_hex(mail.message_id or whole),
        raw_hash=sha256_hex(whole),
        url="",
        url_key=None,
        title=title,
        authors=(mail.author_name,) if mail.author_name else (),
        published_at=mail.sent_at,
        reading=reading,
        is_stub=False,
        fingerprint=fingerprint(reading.text, title=title),
    )
    return Letter(
        entry=entry,
        sender=mail.author_address,
        opt_in=read_opt_in(mail.subject, mail.text or reading.text, links),
        leaving=read_leaving(mail.list_unsubscribe, mail.list_unsubscribe_post),
    )


def read_leaving(fields: Sequence[str], posts: Sequence[str]) -> Leaving:
    """RFC 2369 3.2, and 8058 3.1: one-click is an https address and a second field that says exactly this."""
    uris = [uri for field in fields for uri in _URI.findall(field)]
    is_one_click = len(posts) == 1 and posts[0].strip().lower() == "list-unsubscribe=one-click"
    https = next((uri for uri in uris if uri.lower().startswith("https://") and _is_web(uri)), "")
    mailto = next((uri for uri in uris if uri.lower().startswith("mailto:") and len(uri) <= 1000), "")
    return Leaving(one_click_url=https if is_one_click else "", mailto=mailto)


def _is_web(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and len(url) <= 2000 and url.isascii()
    except ValueError:
        return False


# Cleaning --------------------------------------------------------------------------------------------------------


def _tree(html: str) -> HtmlElement | None:
    """The mail's HTML without what nobody sees."""
    if not html.strip():
        return None
    try:
        parser = lxml_html.HTMLParser(encoding="utf-8", remove_comments=True, no_network=True)
        root = lxml_html.document_fromstring(html[:TEXT_BYTES].encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    for element in list(root.iter(etree.Element)):
        if element is root or element.getparent() is None or element.tag in ("head", "body"):
            continue
        if is_hidden(element) or (element.tag == "img" and _is_tiny(element)):
            drop(element)
    return root


def _is_tiny(picture: HtmlElement) -> bool:
    """One side of a few pixels: a pixel that is fetched to be counted, or a spacer."""
    style = {name.lower(): int(size) for name, size in _SIZE.findall(picture.get("style", ""))}
    sizes = [style.get(name) for name in ("width", "height")]
    given = [picture.get(name, "").removesuffix("px") for name in ("width", "height")]
    sizes += [int(size) for size in given if size.isascii() and size.isdigit()]
    known = [size for size in sizes if size is not None]
    return bool(known) and min(known) <= TINY_PIXELS


def _links(tree: HtmlElement | None, text: str) -> list[tuple[str, str]]:
    """Labels and addresses, byte for byte."""
    if tree is None:
        return [("", url.rstrip(".,;:!?)]")) for url in _LINK_IN_TEXT.findall(text)[:MOST_LINKS]]
    found = [(" ".join(flat(link).split()), link.get("href", "").strip()) for link in tree.iter("a")]
    return found[:MOST_LINKS]


def _clean(tree: HtmlElement | None, text: str) -> Reading:
    if tree is None:
        return _without_furniture(sanitise(_paragraphs(text), base_url=""))
    for link in tree.iter("a"):
        if link.get("href"):
            link.set("href", without_click_counters(link.get("href", "").strip()))
    html = lxml_html.tostring(tree, encoding="unicode")
    return _without_furniture(sanitise(html, base_url=""))


def _paragraphs(text: str) -> str:
    """Plain text as HTML, its addresses as links."""
    parts = [part.strip("\n") for part in re.split(r"\n\s*\n", text[:TEXT_BYTES]) if part.strip()]
    return "".join(f"<p>{'<br>'.join(map(_linked, part.split(chr(10))))}</p>" for part in parts)


def _linked(line: str) -> str:
    pieces, place = [], 0
    for found in _LINK_IN_TEXT.finditer(line):
        url = found[0].rstrip(".,;:!?)]")
        target = without_click_counters(url)
        pieces += [escape(line[place : found.start()]), f'<a href="{escape(target)}">{escape(target)}</a>']
        place = found.start() + len(url)
    return "".join((*pieces, escape(line[place:])))


def _without_furniture(reading: Reading) -> Reading:
    """Without the line that leads to a browser, and without the list's footer."""
    root = lxml_html.fragment_fromstring(f"<div>{reading.html}</div>")
    blocks = list(_blocks(root))
    lengths = [len(flat(block)) for block in blocks]
    total = sum(lengths)
    doomed = [place for place, block in enumerate(blocks) if lengths[place] <= FURNITURE and _is_furniture(flat(block))]
    below = 0
    for place in range(len(blocks) - 1, max(-1, len(blocks) - 1 - FOOT_BLOCKS), -1):
        below += lengths[place]
        if below > FOOT_SHARE * total:
            break
        said = flat(blocks[place])
        if len(said) <= LONGEST_FOOT and (_LEAVE.search(said) or _FOOT.search(said)):
            doomed += range(place, len(blocks))
    if not doomed:
        return reading
    for place in sorted(set(doomed)):
        if blocks[place].getparent() is not None:
            drop(blocks[place])
    inner = (root.text or "") + "".join(lxml_html.tostring(child, encoding="unicode") for child in root)
    return sanitise(inner, base_url="", language=reading.language)


def _is_furniture(text: str) -> bool:
    return _VIEW.search(text) is not None or (_LEAVE.search(text) is not None and len(text) <= FURNITURE // 2)


def _blocks(root: HtmlElement) -> Iterator[HtmlElement]:
    """Blocks that hold no other block, in order: paragraphs, headings, cells; rules and pictures with theirs."""
    for element in root.iter(etree.Element):
        is_block = element is not root and element.tag in BLOCKS
        if is_block and not any(child.tag in BLOCKS for child in element.iterdescendants()):
            yield element
