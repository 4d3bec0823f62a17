"""Languages as books write them ("en_US", "eng", "English", "Deutsch") to BCP 47 (RFC 5646)."""

from __future__ import annotations

import re


def _pairs(table: str) -> dict[str, str]:
    return dict(pair.split(":", 1) for pair in table.split())


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


_ISO_639_1 = _words(
    """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el
    en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu
    ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na
    nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so
    sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    """
)

_ISO_639_2 = _pairs(
    """
    eng:en deu:de ger:de fra:fr fre:fr spa:es ita:it por:pt nld:nl dut:nl rus:ru ukr:uk bel:be pol:pl ces:cs
    cze:cs slk:sk slo:sk slv:sl hrv:hr srp:sr bos:bs mkd:mk mac:mk bul:bg ron:ro rum:ro hun:hu ell:el gre:el tur:tr
    fin:fi swe:sv nor:no nob:nb nno:nn dan:da isl:is ice:is est:et lav:lv lit:lt gle:ga gla:gd cym:cy wel:cy bre:br
    eus:eu baq:eu cat:ca glg:gl lat:la epo:eo afr:af sqi:sq alb:sq hye:hy arm:hy kat:ka geo:ka aze:az kaz:kk uzb:uz
    heb:he yid:yi ara:ar fas:fa per:fa urd:ur hin:hi ben:bn pan:pa guj:gu mar:mr tam:ta tel:te kan:kn mal:ml nep:ne
    sin:si san:sa tha:th lao:lo khm:km mya:my bur:my vie:vi ind:id msa:ms may:ms jav:jv tgl:tl jpn:ja kor:ko zho:zh
    chi:zh mon:mn bod:bo tib:bo swa:sw amh:am som:so hau:ha yor:yo ibo:ig zul:zu xho:xh mlt:mt ltz:lb oci:oc
    """
)

_NAMES = _pairs(
    """
    english:en englisch:en inglés:en ingles:en german:de deutsch:de alemán:de aleman:de french:fr français:fr
    francais:fr französisch:fr francés:fr spanish:es español:es espanol:es spanisch:es italienisch:it
    castellano:es italian:it italiano:it portuguese:pt português:pt portugues:pt dutch:nl nederlands:nl russian:ru
    русский:ru ukrainian:uk українська:uk polish:pl polski:pl czech:cs čeština:cs swedish:sv svenska:sv danish:da
    dansk:da norwegian:no norsk:no finnish:fi suomi:fi hungarian:hu magyar:hu greek:el ελληνικά:el turkish:tr
    türkçe:tr latin:la japanese:ja 日本語:ja chinese:zh 中文:zh korean:ko 한국어:ko arabic:ar العربية:ar hebrew:he
    עברית:he hindi:hi catalan:ca català:ca romanian:ro română:ro esperanto:eo
    """
)

_NO_LANGUAGES = frozenset({"und", "mul", "mis", "zxx", "unk", "xxx", "non", "nil"})
MAX_LENGTH = 35
"""RFC 5646 4.4.1: a buffer of 35 characters holds every tag of practical use."""


def language_tag(written: str) -> str | None:
    """`written` as a BCP 47 tag in its usual case ("zh-Hant-TW"), None if it names no language."""
    name = written.strip().casefold()
    if name in _NAMES:
        return _NAMES[name]
    first, *rest = re.split(r"[-_]", name)
    language = _ISO_639_2.get(first, first)
    if language not in _ISO_639_1 and not (re.fullmatch(r"[a-z]{3}", language) and language not in _NO_LANGUAGES):
        return None
    tag = language
    for subtag in map(_subtag, rest):
        if subtag is None or len(tag) + 1 + len(subtag) > MAX_LENGTH:
            break
        tag += f"-{subtag}"
    return tag


def _subtag(written: str) -> str | None:
    """A script, region or variant in its usual case; None for what is none, and for extensions (RFC 5646 2.1)."""
    if re.fullmatch(r"[a-z]{4}", written):
        return written.title()
    if re.fullmatch(r"[a-z]{2}|[0-9]{3}", written):
        return written.upper()
    if re.fullmatch(r"[a-z0-9]{5,8}|[0-9][a-z0-9]{3}", written):
        return written
    return None
