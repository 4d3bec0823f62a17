"""What an extractor takes for text and is none: lines that lead to other articles, calls to comment, bare addresses;
and the other way round, the standfirst that it takes for the page's furniture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from lxml import html as lxml_html
from lxml.html import HtmlElement

from core.news.shape import drop, flat

SHORTEST_STANDFIRST: Final = 60  # letters
LONGEST_STANDFIRST: Final = 600
LONGEST_LINE: Final = 160  # of what leads elsewhere: its words and the title of the other article
LIST_OF_LINKS: Final = 3  # at the end, each a block of its own: other articles, not sources

_BLOCKS: Final = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "div", "blockquote")
_ALSO: Final = re.compile(
    r"""(?xi)^\W*(?:
        (?:read|see|watch)\ (?:also|more|next|too) | also\ (?:read|see) | you\ (?:may|might)\ also\ (?:like|be)
      | related(?:\ (?:articles?|stories|posts?|topics|content|coverage|news))?
      | more\ (?:on|from|about)\ this(?:\ \w+)? | more\ (?:stories|articles|topics) | don['’]t\ miss
      | recommended(?:\ (?:for\ you|articles?|stories))?
      | lesen\ sie\ (?:auch|mehr|hier(?:\ auch)?) | lies\ auch | (?:auch|das\ (?:thema|könnte)).{0,20}\ interessier\w+
      | (?:das|dies|diese\ \w+)\ könnten?\ (?:dich|sie|euch)\ auch\ interessieren | mehr\ zum\ thema
      | weitere\ (?:themen|artikel|beiträge) | ähnliche\ (?:artikel|beiträge|themen) | siehe\ auch
      | à\ lire\ (?:aussi|également) | lire\ aussi | voir\ aussi | sur\ le\ même\ (?:sujet|thème) | articles?\ liés?
      | le\ puede\ interesar | te\ puede\ interesar | (?:lea|lee|vea|ver)\ también | noticias\ relacionadas
      | más\ noticias\ (?:sobre|en) | leggi\ anche | potrebbe\ interessarti(?:\ anche)?
      | ti\ potrebbe\ interessare | articoli\ correlati | leia\ (?:também|mais) | veja\ também | lees\ ook
      | czytaj\ (?:także|też|również) | zobacz\ (?:także|też) | читайте\ также | смотрите\ также | 関連記事 | 相关阅读
    )(?:\W|$)"""
)
_COMMENTS: Final = re.compile(
    r"""(?xi)^\W*(?: \d{1,6}\ (?:comments?|replies|responses|kommentare?|commentaires?|comentarios?|commenti|reacties)
      | (?:comments?|kommentare?|commentaires?|comentarios?|commenti|комментарии)(?:\ \(\d{1,6}\))?
      | leave\ a\ (?:reply|comment) | post\ a\ comment | schreibe?\ (?:einen|uns\ einen)\ kommentar
      | laisser\ un\ commentaire | deja\ (?:una\ respuesta|un\ comentario) )\W*$"""
)
_TOGGLES: Final = frozenset({"more", "less", "show more", "show less", "read more", "… more", "... more"})
_ADDRESS: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_STANDFIRST: Final = re.compile(
    r"""(?xi)(?:^|[\s_-])(?: standfirst | sub-?head(?:ing|line)? | intro(?:-?text|duction)? | teaser(?:-?text)?
      | lead(?:-?text)? | deck | dek | summary | abstract | vorspann | chapo | bajada | sommario | ingress
      | lede )(?:$|[\s_-])"""
)
_FURNITURE: Final = frozenset({"nav", "footer", "aside", "form", "figure", "li", "a", "button", "script", "style"})
_CUT_OFF: Final = re.compile(r"\s*(?:…|\.\.\.|\[…\]|\[\.\.\.\])\W*$")


def without_leftovers(html: str) -> str:
    """A clean article (`Reading.html`) without what is no part of it; the same text where all of it is."""
    root = lxml_html.fragment_fromstring(html, create_parent="div")
    noise = [block for block in _innermost(root) if _is_noise(block)]
    for block in noise:
        drop(block)
    blocks = list(_innermost(root))
    ends = (*_comments(blocks), *_list_of_links(blocks))
    for block in ends:
        drop(block)
    return str(lxml_html.tostring(root, encoding="unicode")) if noise or ends else html


def _innermost(root: HtmlElement) -> list[HtmlElement]:
    """Blocks without blocks in them, that have text."""
    return [block for block in root.iter(*_BLOCKS) if not _has_blocks(block) and flat(block)]


def _has_blocks(block: HtmlElement) -> bool:
    return next(block.iterdescendants(*_BLOCKS), None) is not None


def _is_noise(block: HtmlElement) -> bool:
    text = flat(block)
    if text.lower() in _TOGGLES or (_ADDRESS.fullmatch(text) and next(block.iter("a"), None) is None):
        return True
    return _leads_elsewhere(block, text)


def _leads_elsewhere(block: HtmlElement, text: str) -> bool:
    """Words that announce other articles, and nothing but their titles after them."""
    if len(text) > LONGEST_LINE or (found := _ALSO.match(text)) is None:
        return False
    rest = text[found.end() :].strip(" :.–-")
    linked = sum(len(flat(link)) for link in block.iter("a"))
    is_heading = str(block.tag).startswith("h") or text.endswith(":")
    return linked >= len(rest) * 0.8 if rest else is_heading or linked > 0


def _comments(blocks: Sequence[HtmlElement]) -> Sequence[HtmlElement]:
    """From the heading of the comments on."""
    for place, block in enumerate(blocks):
        if _COMMENTS.match(flat(block)) and _is_small(place, blocks):
            return blocks[place:]
    return ()


def _list_of_links(blocks: Sequence[HtmlElement]) -> Sequence[HtmlElement]:
    """Other articles at the end."""
    begin = len(blocks)
    while begin and _is_link(blocks[begin - 1]):
        begin -= 1
    return blocks[begin:] if len(blocks) - begin >= LIST_OF_LINKS and _is_small(begin, blocks) else ()


def _is_small(place: int, blocks: Sequence[HtmlElement]) -> bool:
    """Whether the text from there on is the smaller part: of a list of links, the links are the article."""
    lengths = [len(flat(block)) for block in blocks]
    return sum(lengths[place:]) * 3 < sum(lengths)


def _is_link(block: HtmlElement) -> bool:
    text = flat(block)
    return bool(text) and sum(len(flat(link)) for link in block.iter("a")) >= len(text) * 0.9


def standfirst(page: HtmlElement, *, description: str, text: str) -> str:
    """The lines that stand between a page's headline and its article, as HTML; "" where the article has them, or there
    are none.

    They are known by what the page says of itself (`description`, which is shown as it is), or by how they are marked.
    """
    summary = _CUT_OFF.sub("", " ".join(description.split()))
    known = " ".join(text.split())
    for element in _after_headline(page):
        line = flat(element)
        if len(line) < SHORTEST_STANDFIRST:
            continue
        if line[:SHORTEST_STANDFIRST] in known:
            break  # here the article begins
        is_summary = len(summary) >= SHORTEST_STANDFIRST and line.startswith(summary) and len(line) < 2 * len(summary)
        if len(line) <= LONGEST_STANDFIRST and (is_summary or _is_marked(element)):
            return f"<p><em>{escape(line, quote=False)}</em></p>"
    return ""


def _after_headline(page: HtmlElement) -> Iterable[HtmlElement]:
    """Blocks of text alone that come after the first headline; of a page without one, none."""
    seen = False
    for element in page.iter("h1", "p", "div", "h2", "h3", "section", "span"):
        if element.tag == "h1":
            seen = True
        elif seen and _is_plain(element):
            yield element


def _is_plain(element: HtmlElement) -> bool:
    inside: Sequence[str] = [str(one.tag) for one in element.iterdescendants("div", "section", "li", "h1", "figure")]
    return not inside and not any(around.tag in _FURNITURE for around in element.iterancestors())


def _is_marked(element: HtmlElement) -> bool:
    for one in (element, element.getparent()):
        if one is not None and (
            one.get("itemprop") == "description" or _STANDFIRST.search(f"{one.get('class', '')} {one.get('id', '')}")
        ):
            return True
    return False
