"""HTML of strangers made fit for e-readers and mails: by an allow-list, and valid where XHTML is strict."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final
from urllib.parse import urljoin, urlsplit

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

from core.loading import loading
from core.news.shape import BLOCKS, INLINE, drop, flat, nest
from core.news.trackers import clean_url, is_tracking_pixel
from core.news.values import Reading

MAX_HTML = 2_000_000  # characters; beyond it is no article
WIDEST = 1440  # pixels of a picture that is chosen among several
MAX_NESTED = 256  # tags that are open at a time, as a plain reading counts them
LANGUAGE_FROM = 200  # letters: of fewer, no recognition is right often enough
_LANGUAGE_TO = 1500

_EMBEDS: Final = frozenset({"iframe", "video", "audio", "embed"})
_ALLOWED: Final = INLINE | BLOCKS | _EMBEDS | {"img", "br", "span", "center", "source", "picture"}
_DROPPED_WITH_TEXT: Final = {
    *("script", "style", "noscript", "template", "object", "applet", "form", "select", "option", "textarea", "button"),
    *("svg", "math", "title", "noembed", "noframes", "frameset", "canvas", "dialog", "nav", "xmp", "plaintext"),
}
_LAZY: Final = ("data-src", "data-lazy-src", "data-original", "data-lazy", "data-url", "data-hi-res-src")
_LAZY_SETS: Final = ("data-srcset", "data-lazy-srcset", "srcset")
_SPANS: Final = ("colspan", "rowspan")
_ATTRIBUTES: Final[dict[str, set[str]]] = {
    "*": {"class", "id", "dir", "lang"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height", *_LAZY, *_LAZY_SETS},
    "source": {"src", "srcset", "data-srcset"},
    **{name: {"src", "data-src", "title"} for name in _EMBEDS},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CHROME: Final = re.compile(
    r"""(?xi)(?:^|[\s_-])(?: feedflare | sharedaddy | jp-relatedposts | addtoany\w*
      | share(?:-?(?:buttons?|bar|links?|tools))? | social(?:-?(?:share|links?|media|bar|icons?|buttons?))?
      | sharing | mc4wp\w* | newsletter(?:-?signup)?
      | wp-block-jetpack-subscriptions | subscribe-?(?:widget|form) | screen-reader-text | sr-only | visually-hidden
      | advert\w* | adsbygoogle )(?:$|[\s_-])"""
)
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>?")
_LEFT_OPEN: Final = frozenset(
    {*("p", "li", "td", "th", "tr", "dt", "dd", "br", "img", "hr", "input", "source", "option")}
)
"""Tags that pages leave open, rightly."""
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_WORD: Final = re.compile(r"\w+(?:['’.-]\w+)*")
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2}(?=$|[-_])")


def sanitise(html: str, *, base_url: str, language: str | None = None) -> Reading:
    """A stranger's HTML as a reading: see `Reading.html` for what is left of it. Never raises, whatever the text is.

    `base_url` is what relative addresses are relative to; `language` what the source says of itself.
    """
    root = _tree(html, base_url)
    _shape(root, base_url)
    paragraphs = list(_paragraphs(root))
    text = "\n\n".join(paragraphs)
    linked = sum(len(flat(link)) for link in root.iter("a"))
    return Reading(
        html=_inner_xml(root),
        text=text,
        words=count_words(text),
        pictures=tuple(dict.fromkeys(picture.get("src", "") for picture in root.iter("img"))),
        link_share=min(1.0, linked / len(text)) if text else 0.0,
        language=_language(text, language),
    )


def count_words(text: str) -> int:
    """Words; a letter of a script without blanks between words counts as half of one."""
    if text.isascii():
        return len(_WORD.findall(text))
    unspaced = len(_UNSPACED.findall(text))
    return len(_WORD.findall(_UNSPACED.sub(" ", text))) + (unspaced + 1) // 2


def _tree(html: str, base_url: str) -> HtmlElement:
    """The allowed elements of it below a `div`, every one closed and nested as browsers nest them."""
    import nh3

    cleaned = nh3.clean(
        _shallow(_NOT_XML.sub("", html[:MAX_HTML])),
        tags=set(_ALLOWED),
        clean_content_tags=_DROPPED_WITH_TEXT,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
        strip_comments=True,
    )
    parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True, no_network=True, remove_pis=True)
    wrapped = f"<html><body><div>{_NOT_XML.sub('', cleaned)}</div></body></html>"
    document = lxml_html.document_fromstring(wrapped.encode("utf-8"), parser=parser)
    root = document.find("body/div")
    return lxml_html.Element("div") if root is None else root


def _shallow(html: str) -> str:
    """Without the tags that lie deeper than any page needs: nh3's time grows with the square of the depth."""
    if html.count("<") <= MAX_NESTED:
        return html
    depth = 0

    def keep(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[2].lower() in _LEFT_OPEN:
            return tag[0]
        depth = max(0, depth - 1) if tag[1] else depth + 1
        return tag[0] if depth <= MAX_NESTED else ""

    return _TAG.sub(keep, html)


def _shape(root: HtmlElement, base_url: str) -> None:
    """Everything that an allow-list cannot do: addresses, pictures, embeds, and what may stand in what."""
    for element in list(root.iter("*")):
        if element is root or element.getparent() is None:
            continue
        if _CHROME.search(f"{element.get('class', '')} {element.get('id', '')}"):
            drop(element)
    for picture in list(root.iter("img")):
        _show(picture, base_url)
    for name in _EMBEDS:
        for embed in list(root.iter(name)):
            _link_to(embed, base_url)
    for link in list(root.iter("a")):
        _lead(link, base_url)
    for element in list(root.iter("span", "center", "source", "picture", "section", "article", "time")):
        element.drop_tag()
    for element in root.iter("*"):
        _strip_attributes(element)
    for heading in list(root.iter("h1")):
        heading.tag = "h2"  # the story's own title is the only one of the first rank
    nest(root)


def _show(picture: HtmlElement, base_url: str) -> None:
    """Give a picture the one address that is its best, or take it away."""
    sets = [picture.get(name) for name in _LAZY_SETS]
    for around in picture.iterancestors("picture"):
        sets += [source.get("srcset") or source.get("data-srcset") for source in around.iter("source")]
    chosen = next((url for one in sets if one and (url := _best_of(one))), None)
    lazy = next((url for name in _LAZY if (url := picture.get(name))), None)
    src = lazy or chosen or picture.get("src")
    address = _absolute(src, base_url)
    if address is None or is_tracking_pixel(address, width=picture.get("width"), height=picture.get("height")):
        drop(picture)
        return
    alt = _SPACES.sub(" ", picture.get("alt", "")).strip()
    picture.attrib.clear()
    picture.set("src", address)
    picture.set("alt", alt)


def _best_of(candidates: str) -> str | None:
    """Of a `srcset`, the widest picture that is no wider than a page; of larger ones alone, the smallest."""
    found: list[tuple[float, str]] = []
    for part in re.split(r",\s+|,(?=https?:)", candidates.strip()):
        url, _, size = part.strip().partition(" ")
        number = re.match(r"([\d.]+)([wx])", size.strip())
        try:
            width = float(number[1]) * (1 if number[2] == "w" else 720) if number else 720.0
        except ValueError:
            continue
        if url and not url.startswith("data:"):
            found.append((width, url))
    fitting = [one for one in found if one[0] <= WIDEST]
    if fitting:
        return max(fitting)[1]
    return min(found)[1] if found else None


def _link_to(embed: HtmlElement, base_url: str) -> None:
    """A film is a line that leads to it."""
    source = next((one.get("src") for one in embed.iter("source") if one.get("src")), None)
    address = _absolute(embed.get("data-src") or embed.get("src") or source, base_url)
    if address is None:
        drop(embed)
        return
    host = (urlsplit(address).hostname or "").removeprefix("www.")
    title = _SPACES.sub(" ", embed.get("title", "")).strip()
    kind = "Audio" if embed.tag == "audio" else "Video" if embed.tag == "video" or _is_film(host) else "Embedded"
    line, link = lxml_html.Element("p"), lxml_html.Element("a")
    link.set("href", _page_of(address))
    link.text = f"{kind}: {title or host}"
    line.append(link)
    line.tail = embed.tail
    parent = embed.getparent()
    if parent is not None:
        parent.replace(embed, line)


def _is_film(host: str) -> bool:
    return host.endswith(
        ("youtube.com", "youtube-nocookie.com", "youtu.be", "vimeo.com", "dailymotion.com", "peertube")
    )


def _page_of(address: str) -> str:
    """The page of a film whose player is embedded."""
    found = re.match(r"https?://(?:www\.)?youtube(?:-nocookie)?\.com/embed/([\w-]{6,20})", address)
    if found:
        return f"https://www.youtube.com/watch?v={found[1]}"
    found = re.match(r"https?://player\.vimeo\.com/video/(\d+)", address)
    return f"https://vimeo.com/{found[1]}" if found else address


def _lead(link: HtmlElement, base_url: str) -> None:
    href = link.get("href")
    if href is not None and href.strip().lower().startswith("mailto:"):
        address: str | None = re.sub(r"[\x00-\x20\"<>\x7f-\U0010ffff]", _quoted, href.strip())
    else:
        address = _absolute(href, base_url) if href and not href.startswith("#") else None
    if address is None or (not flat(link) and next(link.iter("img"), None) is None):
        link.drop_tag()
        return
    link.attrib.clear()
    link.set("href", address)


def _absolute(url: str | None, base_url: str) -> str | None:
    """An absolute http(s) address without blanks and trackers; None for everything else."""
    if not url:
        return None
    try:
        joined = urljoin(base_url, _CONTROLS.sub("", url).strip())  # browsers leave tabs and line ends out as well
        parts = urlsplit(joined)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        _ = parts.port
    except ValueError:
        return None
    joined = clean_url(joined)
    return re.sub(r"[\x00-\x20\"<>\\^`{|}\x7f-\U0010ffff]", _quoted, joined)[:2000]


def _quoted(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))


def _strip_attributes(element: HtmlElement) -> None:
    if not element.attrib:
        return
    kept: dict[str, str] = {}
    for name in {"a": ("href",), "img": ("src", "alt"), "td": _SPANS, "th": _SPANS}.get(str(element.tag), ()):
        value = element.get(name)
        if value is not None and (
            name not in _SPANS or (value.isascii() and value.isdigit() and 2 <= int(value) <= 99)
        ):
            kept[name] = value
    direction = element.get("dir", "").lower()
    if direction in ("rtl", "ltr") and element.tag in BLOCKS:
        kept["dir"] = direction
    element.attrib.clear()
    element.attrib.update(kept)


def _paragraphs(root: HtmlElement) -> Iterator[str]:
    """The text, a block at a time; line breaks of `pre` and `br` stay."""
    parts: list[str] = []

    def taken() -> Iterator[str]:
        lines = [_SPACES.sub(" ", line).strip() for line in "".join(parts).split("\x00")]
        parts.clear()
        paragraph = "\n".join(line for line in lines if line)
        if paragraph:
            yield paragraph

    for event, element in etree.iterwalk(root, events=("start", "end")):
        is_block = element.tag in BLOCKS
        if event == "start":
            if is_block:
                yield from taken()
            if element.tag == "br":
                parts.append("\x00")
            text = element.text or ""
            parts.append(text.replace("\n", "\x00") if element.tag == "pre" else text)
        else:
            if is_block:
                yield from taken()
            if element is not root:
                parts.append(element.tail or "")
    yield from taken()


def _inner_xml(root: HtmlElement) -> str:
    """What stands inside the root, as XML."""
    whole = etree.tostring(root, method="xml", encoding="unicode", with_tail=False)
    start, end = whole.find(">") + 1, whole.rfind("</")
    return whole[start:end].strip() if end > start else ""


def _language(text: str, declared: str | None) -> str | None:
    """Two letters, as the source says, else as the text reads."""
    if declared and (found := _LANGUAGE.match(declared.strip())):
        return found[0].lower()
    if len(text) < LANGUAGE_FROM:
        return None
    with loading():
        classify = _classifier()
    return str(classify(text[:_LANGUAGE_TO])[0])


@cache
def _classifier() -> Callable[[str], tuple[str, float]]:
    """py3langid's, with its model loaded, which takes a second of a processor and 66 MB."""
    import py3langid

    py3langid.classify("")
    return py3langid.classify
