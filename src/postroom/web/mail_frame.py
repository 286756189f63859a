"""The page inside a mail's frame: its own address, its own Content-Security-Policy, no scripts (prototypes.md 6).

Two guards, each enough alone: the HTML is sanitised, and the frame's policy lets nothing run and nothing be fetched.
Plain mail takes the page's colours; mail with colours of its own lies on light paper (class `designed`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import urlize
from django.utils.safestring import mark_safe

from postroom.correspondence.blobs import BodyContent
from postroom.correspondence.models import Message
from postroom.correspondence.reading import attachments_of, load_body
from postroom.mail.mime.quotes import split_quoted, split_quoted_html
from postroom.mail.mime.sanitize import sanitize
from postroom.mail.mime.styles import style_sheet_of

PLAIN_STYLE: Final = """
html { color-scheme: light dark; overflow-x: auto; overflow-y: hidden; }
body { margin: 0; font: 14px/1.6 -apple-system, "Segoe UI", Inter, system-ui, Roboto, Arial, sans-serif;
  color: light-dark(#1b1c1f, #eeeef0); background: transparent; overflow-wrap: anywhere; }
a { color: light-dark(#2350c0, #8fb0ff); }
p { margin: 0 0 12px; } p:last-child { margin-bottom: 0; }
img { max-width: 100%; height: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; }
img:not([src]) { display: none; }
table { max-width: 100%; }
blockquote { margin: 8px 0; padding-left: 14px; border-left: 2px solid light-dark(#d5d2ca, #3a3d45);
  color: light-dark(#4d4f56, #b7b9c0); }
summary { display: inline-block; padding: 0 8px; border-radius: 99px; cursor: pointer; list-style: none;
  background: light-dark(#f3f2ee, #212328); color: light-dark(#4d4f56, #b7b9c0); font-size: 12px; line-height: 18px; }
summary:focus-visible { outline: 2px solid light-dark(#2a5ad2, #9ab8ff); }
details { margin-top: 12px; } details[open] > summary { margin-bottom: 8px; }
"""
_COLOURS: Final = re.compile(r"\b(?:bgcolor=|background(?:-color)?:|color[=:])", re.IGNORECASE)
# A simple table gets air; one with a design of its own has it already.
BARE_STYLE: Final = """
table { border-collapse: collapse; margin: 0 0 14px; font-size: 13px; }
td, th { text-align: left; padding: 5px 18px 5px 0; border-bottom: 1px solid light-dark(#e4e2dc, #33363d); }
th { font-weight: 400; color: light-dark(#686a71, #92959e); }
"""
DESIGNED_STYLE: Final = """
html { color-scheme: light; background: #fff; } body { padding: 12px; color: #1b1c1f; }
"""


def policy(*, with_images: bool, image_path: str) -> str:
    """The frame's own Content-Security-Policy. Never 'self' in img-src: mail could then call our own addresses."""
    images = " http: https:" if with_images else ""
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data: {image_path}{images}; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'self'; "
        "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
    )


def show(request: HttpRequest, message: Message, *, with_images: bool) -> HttpResponse:
    """The frame of a message whose content the member may read."""
    inline = {one.content_id.strip("<>"): one.pk for one in attachments_of(message) if one.content_id}

    def attachment_url(content_id: str) -> str | None:
        pk = inline.get(unquote(content_id).strip("<>"))
        return request.build_absolute_uri(reverse("inline_image", args=[pk])) if pk else None

    body = load_body(message)
    said, quoted, blocked = _parts(body, with_images, attachment_url)
    sheet = style_sheet_of(body.html)
    is_designed = bool(_COLOURS.search(said + quoted + sheet))
    html = render_to_string(
        "postroom/timeline/frame.html",
        {
            "said": mark_safe(said),  # noqa: S308  sanitised or escaped by _parts
            "quoted": mark_safe(quoted),  # noqa: S308
            "blocked": blocked,
            "style": mark_safe(PLAIN_STYLE + (DESIGNED_STYLE if is_designed else BARE_STYLE) + sheet),  # noqa: S308
            "is_designed": is_designed,
        },
    )
    return _response(html, policy(with_images=with_images, image_path=request.build_absolute_uri("/attachments/")))


def _parts(body: BodyContent, with_images: bool, attachment_url: Callable[[str], str | None]) -> tuple[str, str, int]:
    """Safe HTML of what the sender wrote and of what is quoted below, and the number of blocked images."""
    if not body.html:
        said, quoted = split_quoted(body.text)
        return _paragraphs(said), _paragraphs(quoted), 0
    pieces = [
        sanitize(piece, with_remote_images=with_images, attachment_url=attachment_url, with_names=True)
        for piece in split_quoted_html(body.html)
    ]
    return pieces[0].html, pieces[1].html, sum(piece.blocked_images for piece in pieces)


def _paragraphs(text: str) -> str:
    """Plain text as HTML: escaped, with links."""
    return f"<pre>{urlize(text, nofollow=True, autoescape=True)}</pre>" if text else ""


def _response(html: str, content_policy: str) -> HttpResponse:
    page = HttpResponse(html)
    page._csp_exempt = True  # type: ignore[attr-defined]  # the product's own policy would forbid the mail's styles
    page["Content-Security-Policy"] = content_policy
    page["X-Frame-Options"] = "SAMEORIGIN"
    page["Referrer-Policy"] = "no-referrer"
    page["X-Content-Type-Options"] = "nosniff"
    page["Cache-Control"] = "private, no-store"
    return page
