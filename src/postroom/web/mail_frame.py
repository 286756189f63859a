"""The page inside a mail's frame: its own address, its own Content-Security-Policy, no scripts (prototypes.md 6).

Two guards, each enough alone: the HTML is sanitised, and the frame's policy lets nothing run and nothing be fetched.
Plain mail takes the page's colours; mail with colours of its own lies on light paper (class `designed`).
"""

from __future__ import annotations

from typing import Final

from django.http import HttpResponse
from django.template.loader import render_to_string

PLAIN_STYLE: Final = """
html { color-scheme: light dark; overflow-x: auto; overflow-y: hidden; }
body { margin: 0; font: 14px/1.6 -apple-system, "Segoe UI", Inter, system-ui, Roboto, Arial, sans-serif;
  color: light-dark(#1b1c1f, #eeeef0); background: transparent; overflow-wrap: anywhere; }
a { color: light-dark(#2350c0, #8fb0ff); }
p { margin: 0 0 12px; } p:last-child { margin-bottom: 0; }
img { max-width: 100%; height: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; }
table { max-width: 100%; }
blockquote { margin: 8px 0; padding-left: 14px; border-left: 2px solid light-dark(#d5d2ca, #3a3d45);
  color: light-dark(#4d4f56, #b7b9c0); }
summary { display: inline-block; padding: 0 8px; border-radius: 99px; cursor: pointer; list-style: none;
  background: light-dark(#f3f2ee, #212328); color: light-dark(#4d4f56, #b7b9c0); font-size: 12px; line-height: 18px; }
summary:focus-visible { outline: 2px solid light-dark(#2a5ad2, #9ab8ff); }
details { margin-top: 12px; } details[open] > summary { margin-bottom: 8px; }
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


def response(body: str, *, is_designed: bool, with_images: bool, image_path: str) -> HttpResponse:
    """The frame's page around `body`, which has to be sanitised already."""
    style = PLAIN_STYLE + (DESIGNED_STYLE if is_designed else "")
    page = HttpResponse(render_to_string("postroom/timeline/frame.html", {"body": body, "style": style}))
    page._csp_exempt = True  # type: ignore[attr-defined]  # the product's own policy would forbid the mail's styles
    page["Content-Security-Policy"] = policy(with_images=with_images, image_path=image_path)
    page["X-Frame-Options"] = "SAMEORIGIN"
    page["Referrer-Policy"] = "no-referrer"
    page["X-Content-Type-Options"] = "nosniff"
    page["Cache-Control"] = "private, no-store"
    return page
