"""What watches readers: parameters and wrappers of links, and pictures that nobody is to see. All of it as tables."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

_PARAMETER: Final = re.compile(
    r"""(?x)
    (?: utm_\w+ | at_(?:medium|campaign|custom\d|bbc_team|link\w*|format|ptr_name|campaign_type)
      | pk_(?:campaign|kwd|source|medium|content) | mtm_\w+ | piwik_\w+ | matomo_\w+ | hsa_\w+ | stm_\w+ | vero_\w+
      | oly_(?:anon|enc)_id | mkt_tok | mc_[ce]id | _hs(?:enc|mi) | __hs(?:tc|sc|fp) | hs(?:enc|mi|ctatracking)
      | fbclid | fb_(?:action_ids|action_types|source|ref) | gclid | gclsrc | dclid | gbraid | wbraid | msclkid | yclid
      | ysclid | twclid | ttclid | igshid? | li_fat_id | rb_clickid | s_cid
      | ns_(?:mchannel|source|campaign|linkname|fee) | cmpid | icid | ito | ocid | cvid | soc_(?:src|trk)
      | wt[._](?:mc|zmc)\w* | xtor | ref_?src | ref_url | trk(?:info)?
      | __twitter_impression | guccounter | guce_referr\w+ | sr_share | spm | scm | share_token | feature_src | rss
      | partner_?id | sc_(?:cid|campaign|channel) | ncid | nr_email_referer | mbid | smid | smtyp | emc | nl_?id
    )""",
    re.IGNORECASE,
)
_PLAIN: Final = frozenset({"rss", "spm", "scm", "ito", "trk", "emc", "cvid", "ocid"})
"""Parameters of the table that mean something where their value is a number alone: `?rss=2` may be a page."""
_FRAGMENT: Final = re.compile(
    r"(?:xtor|ref|utm_\w+|at_medium|xtmc|tk\.rss\w*|ftag|sref|ns_\w+)=.*|rss|ref-rss", re.IGNORECASE
)
_WRAPPERS: Final[tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]] = (
    (re.compile(r"(?:www\.)?google\.[a-z.]{2,6}/url"), ("q", "url")),
    (re.compile(r"(?:news\.)?url\.google\.com/url"), ("url", "q")),
    (re.compile(r"l(?:m)?\.facebook\.com/l\.php"), ("u",)),
    (re.compile(r"l\.(?:instagram|messenger|threads)\.(?:com|net)/"), ("u",)),
    (re.compile(r"(?:www\.)?youtube\.com/redirect"), ("q",)),
    (re.compile(r"out\.reddit\.com/"), ("url",)),
    (re.compile(r"(?:www\.)?linkedin\.com/(?:safety/go|redir/redirect)"), ("url",)),
    (re.compile(r"slack-redir\.net/link"), ("url",)),
    (re.compile(r"steamcommunity\.com/linkfilter/"), ("u", "url")),
    (re.compile(r"[\w-]+\.safelinks\.protection\.outlook\.com/"), ("url",)),
    (re.compile(r"(?:www\.)?awin1\.com/(?:cread|awclick)\.php"), ("ued", "p")),
    (re.compile(r"go\.(?:redirectingat|skimresources)\.com/"), ("url",)),
    (re.compile(r"(?:www\.)?anrdoezrs\.net/links/.*"), ("url",)),
    (re.compile(r"click\.linksynergy\.com/(?:deeplink|fs-bin/click)"), ("murl",)),
    (re.compile(r"(?:r|ad)\.(?:duckduckgo|doubleclick)\.(?:com|net)/l?/?"), ("uddg",)),
)
_PIXEL_HOSTS: Final = re.compile(
    r"""(?x)(?:^|\.)(?:
      feedburner\.com | feedsportal\.com | feeds\.wordpress\.com | pixel\.wp\.com | stats\.wordpress\.com | b\.wp\.com
      | doubleclick\.net | googlesyndication\.com | google-analytics\.com | googletagmanager\.com
      | scorecardresearch\.com
      | quantserve\.com | pheedo\.com | pheedcontent\.com | statcounter\.com | vgwort\.de | ioam\.de | xiti\.com
      | chartbeat\.(?:com|net) | sb\.scorecardresearch\.com | analytics\.[\w.-]+ | pixel\.[\w.-]+ | beacon\.[\w.-]+
      | list-manage\.com | sendgrid\.net | mailchimp\.com | hubspot\.com | facebook\.com | bat\.bing\.com | adsrvr\.org
      | criteo\.(?:com|net) | taboola\.com | outbrain\.com | matomo\.cloud | plausible\.io | etracker\.(?:com|de)
    )$"""
)
_PIXEL_PATHS: Final = re.compile(
    r"(?i)/(?:pixel|beacon|track(?:ing|er)?|open|count(?:er)?|blank|spacer|clear|transparent|1x1|1px|p)\.(?:gif|png)(?:$|\?)"
    r"|/(?:~r/|~ff/|matomo\.php|piwik\.php|b\.gif|wf/open|track/open)"
)
TINY_PIXELS = 3  # a picture this small on both sides shows nothing


def clean_url(url: str) -> str:
    """The address without what watches its reader; byte for byte as it was where nothing does. Idempotent."""
    for _ in range(5):  # wrappers within wrappers
        if (inner := _unwrapped(url)) is None:
            break
        url = inner
    address, hash_sign, fragment = url.partition("#")
    path, _, query = address.partition("?")
    if query and "://" in path:
        kept = [part for part in re.split(r"&(?:amp;)?", query) if not _is_tracker(part)]
        if len(kept) < len(re.split(r"&(?:amp;)?", query)):
            address = f"{path}?{'&'.join(kept)}" if kept else path
    if hash_sign and _FRAGMENT.fullmatch(fragment):
        return address
    return address + hash_sign + fragment


def _is_tracker(part: str) -> bool:
    name, _, value = part.partition("=")
    if _PARAMETER.fullmatch(name) is None:
        return False
    return not (name.lower() in _PLAIN and value.isdigit())


def _unwrapped(url: str) -> str | None:
    """Where a known wrapper leads, None for any other address."""
    try:
        parts = urlsplit(url)
        place = f"{parts.hostname or ''}{parts.path}"
    except ValueError:
        return None
    for pattern, names in _WRAPPERS:
        if pattern.fullmatch(place):
            query = parse_qs(parts.query)
            targets = (target for name in names for target in query.get(name, ()))
            return next((target for target in targets if target.startswith(("http://", "https://"))), None)
    return None


def is_tracking_pixel(url: str, *, width: str | None = None, height: str | None = None) -> bool:
    """Whether a picture is there to be fetched and not to be seen. Width and height are as HTML has them."""
    sizes = [size for size in (_pixels(width), _pixels(height)) if size is not None]
    if sizes and max(sizes) <= TINY_PIXELS:
        return True
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True
    return _PIXEL_HOSTS.search(host) is not None or _PIXEL_PATHS.search(url) is not None


def _pixels(size: str | None) -> int | None:
    digits = re.match(r"\s*(\d{1,6})", size or "")
    return int(digits[1]) if digits else None
