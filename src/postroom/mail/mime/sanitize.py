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

VERSION = 1

_TAGS = frozenset(
    "a abbr acronym address b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn div "  # noqa: SIM905
    "dl dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp "
    "small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var wbr article section header "
    "footer main aside".split()
)
# A style sheet could read attributes and load images by selectors, so it goes with what is dropped whole
# (CVE-2026-40497).
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
_SCHEMES = {"http", "https", "mailto", "tel", "cid", "data"}
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_REMOTE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//|(?:https?|ftp):", re.IGNORECASE)
_SHOWN_REMOTE = re.compile(r"https?://[^\s\"'<>\\]+\Z", re.IGNORECASE)
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)
_IGNORED_IN_URLS = re.compile("[\x00-\x20\x7f-\xa0\u200b\u2028\u2029\ufeff]+")

_CSS_PROPERTIES = frozenset(
    "background background-color border border-bottom border-bottom-color border-bottom-style border-bottom- "  # noqa: SIM905
    "width border-collapse border-color border-left border-left-color border-left-style border-left-width "
    "border-radius border-right border-right-color border-right-style border-right-width border-spacing "
    "border-style border-top border-top-color border-top-style border-top-width border-width caption-side "
    "clear color direction display empty-cells float font font-family font-size font-style font-variant font- "
    "weight height letter-spacing line-height list-style list-style-type margin margin-bottom margin-left "
    "margin-right margin-top max-height max-width min-height min-width opacity overflow overflow-wrap padding "
    "padding-bottom padding-left padding-right padding-top table-layout text-align text-decoration text-indent "
    "text-transform vertical-align visibility white-space width word-break word-spacing word-wrap".split()
)
_CSS_FUNCTIONS = frozenset(("rgb", "rgba", "hsl", "hsla", "calc"))
_CSS_VALUE = re.compile(r"[A-Za-z0-9#%.,\s()\"'!+\-/_*\x80-\U0010ffff]{1,500}\Z")
_CSS_FUNCTION = re.compile(r"([A-Za-z0-9_-]*)\s*\(")
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CSS_URL = re.compile(r"url\s*\(\s*[\"']?\s*((?:https?:)?//[^\"')\s]{1,2000})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SanitizedHtml:
    """`html` is safe to show; `blocked_images` counts the different remote addresses that were taken out."""

    html: str
    blocked_images: int
    version: int = VERSION


def sanitize(html: str, *, with_remote_images: bool, attachment_url: Callable[[str], str | None]) -> SanitizedHtml:
    """`html` without anything that executes, loads, covers or submits.

    `attachment_url` maps the content id of an inline image to where we serve it, None when there is none. With
    `with_remote_images` the http(s) images of `src` and `background` stay; style sheets and url() never do.
    """
    if is_too_deep(html):
        return SanitizedHtml(f"<pre>{escape(text_of_html(html))}</pre>", 0)
    attributes = _AttributeFilter(with_remote_images, attachment_url)
    clean = nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes=_ATTRIBUTES,
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
            self.blocked.update(_CSS_URL.findall(value))
        kept = [kept for declaration in _CSS_COMMENT.sub("", value).split(";") if (kept := _declaration(declaration))]
        return "; ".join(kept) or None


def _declaration(declaration: str) -> str | None:
    """One CSS declaration if property and value are on the lists. A backslash (an escape) is on none of them."""
    name, colon, value = declaration.partition(":")
    name, value = name.strip().lower(), value.strip()
    if not colon or name not in _CSS_PROPERTIES or not _CSS_VALUE.match(value):
        return None
    if any(function.lower() not in _CSS_FUNCTIONS for function in _CSS_FUNCTION.findall(value)):
        return None
    if value.count('"') % 2 or value.count("'") % 2 or value.count("(") != value.count(")") or "/*" in value:
        return None
    return f"{name}: {value}"
