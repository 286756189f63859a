"""HTML from strangers, made fit to be shown in a sandboxed frame without scripts.

An allow-list by nh3 (Rust, the parser of a browser engine), and our own filter for every attribute that can load or
cover something. Nothing may edit the HTML after this, since edits bring back what was taken out (CVE-2024-42009): cut
quotes first. The result is cached by VERSION; whoever changes the rules raises it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import nh3

from postroom.mail.mime.plain import is_too_deep, text_of_html
from postroom.mail.mime.styles import ID_PREFIX, clean_declarations, remote_urls

VERSION = 2

_TAGS = frozenset(
    "a abbr acronym address b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn div "  # noqa: SIM905
    "dl dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp "
    "small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var wbr article section header "
    "footer main aside".split()
)
# Style sheets are dropped here; `styles.style_sheet_of` gives them filtered, for pages that keep them in a frame.
_DROPPED_WITH_CONTENT = frozenset(
    "script style head title noscript template svg math iframe object embed applet audio video canvas select "  # noqa: SIM905
    "textarea button noembed noframes xmp plaintext frameset".split()
)
_ANYWHERE = frozenset(
    "align bgcolor color dir height lang style title valign width background".split()  # noqa: SIM905
)
_ATTRIBUTES: dict[str, set[str]] = {
    "*": set(_ANYWHERE),
    "a": {"href"},
    "img": {"src", "srcset", "alt", "border", "hspace", "vspace"},
    "table": {"border", "cellpadding", "cellspacing", "summary"},
    "td": {"colspan", "rowspan", "nowrap"},
    "th": {"colspan", "rowspan", "nowrap", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "font": {"face", "size"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value"},
    "hr": {"size", "noshade"},
}
_ATTRIBUTES_AND_NAMES = _ATTRIBUTES | {"*": _ATTRIBUTES["*"] | {"class", "id"}}
_SCHEMES = {"http", "https", "mailto", "tel", "cid", "data"}
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_REMOTE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//|(?:https?|ftp):", re.IGNORECASE)
_SHOWN_REMOTE = re.compile(r"https?://[^\s\"'<>\\]+\Z", re.IGNORECASE)
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)
_IGNORED_IN_URLS = re.compile("[\x00-\x20\x7f-\xa0\u200b\u2028\u2029\ufeff]+")


@dataclass(frozen=True, slots=True)
class SanitizedHtml:
    """`html` is safe to show; `blocked_images` counts the different remote addresses that were taken out."""

    html: str
    blocked_images: int
    version: int = VERSION


def sanitize(
    html: str,
    *,
    with_remote_images: bool,
    attachment_url: Callable[[str], str | None],
    with_names: bool = False,
) -> SanitizedHtml:
    """`html` without anything that executes, loads, covers or submits.

    `attachment_url` maps the content id of an inline image to where we serve it, None when there is none. With
    `with_remote_images` the http(s) images of `src` and `background` stay; style sheets and url() never do.
    `with_names` keeps `class` and `id` (prefixed) for the rules of `styles.style_sheet_of`: in a frame of its own only.
    """
    if is_too_deep(html):
        return SanitizedHtml(f"<pre>{escape(text_of_html(html))}</pre>", 0)
    attributes = _AttributeFilter(with_remote_images, attachment_url)
    clean = nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes=_ATTRIBUTES_AND_NAMES if with_names else _ATTRIBUTES,
        id_prefix=ID_PREFIX,
        attribute_filter=attributes,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )
    return SanitizedHtml(clean, len(attributes.blocked))


class _AttributeFilter:
    """Called for each allowed attribute: the value to keep, or None."""

    def __init__(self, with_remote_images: bool, attachment_url: Callable[[str], str | None]) -> None:
        self.with_remote_images = with_remote_images
        self.attachment_url = attachment_url
        self.blocked: set[str] = set()

    def __call__(self, tag: str, attribute: str, value: str) -> str | None:
        if attribute == "style":
            return self._style(value)
        if attribute == "href":
            return value if _LINK.match(_IGNORED_IN_URLS.sub("", value)) else None
        if attribute in ("src", "background"):
            return self._image(value)
        if attribute == "srcset":
            # The candidates are copies of `src` in other sizes. Never kept; what they name is counted.
            first = value.strip().split(" ", 1)[0]
            if not self.with_remote_images and _REMOTE.match(first):
                self.blocked.add(first)
            return None
        return value

    def _image(self, value: str) -> str | None:
        url = _IGNORED_IN_URLS.sub("", value)
        if url[:4].lower() == "cid:":
            return self.attachment_url(url[4:])
        if url[:5].lower() == "data:":
            return url if _DATA_IMAGE.match(url) else None
        if url.startswith("//"):
            url = f"https:{url}"
        if not _REMOTE.match(url):
            return None
        if self.with_remote_images and _SHOWN_REMOTE.match(url):
            return url
        self.blocked.add(url)
        return None

    def _style(self, value: str) -> str | None:
        if not self.with_remote_images:
            self.blocked.update(remote_urls(value))
        return clean_declarations(value) or None
