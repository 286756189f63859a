"""Pictures of every page, light and dark, 1280 and 360 px wide, and what is wrong with the pages. See bin/screenshots.

`python -m tests.e2e.screenshots OUT --base URL` takes them from a server that runs on a database filled by `sample`:
each page is opened once, and pictured in all four ways. With --docs OUT gets the few pictures of the documentation.
Exit status 1 when a page logs an error (a CSP violation is one), answers a server error or scrolls sideways.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import BrowserContext, Page, ViewportSize, sync_playwright

if TYPE_CHECKING:
    from tests.e2e.shots import Shot

THEMES: Final = ("light", "dark")
SIZES: Final[dict[str, ViewportSize]] = {
    "1280": {"width": 1280, "height": 1000},
    "360": {"width": 360, "height": 740},
}
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = ("--no-sandbox", "--disable-background-networking", "--hide-scrollbars")
LOADED_MILLISECONDS: Final = 250  # scripts of a page, and mail in its frame
CHANGED_MILLISECONDS: Final = 60  # another width or theme


def take(base: str, out: Path, pages: list[Shot], *, for_docs: bool) -> list[str]:
    """Take all pictures; give what is wrong with the pages, one line each."""
    out.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for who in sorted({shot.who for shot in pages}):
            context = browser.new_context(viewport=SIZES["1280"], reduced_motion="reduce", timezone_id="Europe/Berlin")
            if who:
                _sign_in(context, base, who)
            for shot in (shot for shot in pages if shot.who == who):
                wrong += [f"{shot.name}: {line}" for line in _take_one(context, base, shot, out, for_docs=for_docs)]
            context.close()
        browser.close()
    return wrong


def _take_one(context: BrowserContext, base: str, shot: Shot, out: Path, *, for_docs: bool) -> Iterator[str]:
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    answer = page.goto(base + shot.path, wait_until="load")
    if shot.waits_for:
        page.wait_for_selector(shot.waits_for)
    if shot.acts:
        shot.acts(page)
    if shot.opens:
        page.evaluate("id => document.dispatchEvent(new CustomEvent('postroom:open', { detail: id }))", shot.opens)
    page.wait_for_timeout(LOADED_MILLISECONDS)
    if for_docs:
        page.locator(shot.part).screenshot(path=out / f"{shot.docs}.png")
    else:
        yield from _take_all_ways(page, shot, out)
    status = answer.status if answer else 0
    if status >= 500:
        yield f"answers {status}"
    refused = str(status) if 400 <= status < 500 else " "  # a page that is a refusal logs its own
    yield from (line for line in said if f"status of {refused}" not in line)
    page.close()


def _take_all_ways(page: Page, shot: Shot, out: Path) -> Iterator[str]:
    for width, theme in product(SIZES, THEMES):
        page.set_viewport_size(SIZES[width])
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        # A click may have scrolled; what sticks belongs to the top of the picture.
        page.evaluate("window.scrollTo({ top: 0, behavior: 'instant' })")
        page.wait_for_timeout(CHANGED_MILLISECONDS)
        page.screenshot(path=out / f"{shot.name}-{theme}-{width}.png", full_page=shot.whole)
        if theme == "light" and _scrolls_sideways(page):
            yield f"scrolls sideways at {width}"


def _scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def _sign_in(context: BrowserContext, base: str, email: str) -> None:
    from tests.cast import PASSWORD  # needs Django

    page = context.new_page()
    page.goto(f"{base}/accounts/login/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("button.primary")
    page.wait_for_selector(".sidebar", state="attached")
    page.close()


def main() -> int:
    from tests.e2e.shots import shots  # as above

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--base", required=True)
    parser.add_argument("--only", default="", help="pages whose name holds this")
    parser.add_argument("--docs", action="store_true", help="the pictures of the documentation alone")
    options = parser.parse_args()
    pages = [shot for shot in shots() if options.only in shot.name and (shot.docs or not options.docs)]
    wrong = take(options.base, options.out, pages, for_docs=options.docs)
    for line in wrong:
        sys.stdout.write(f"{line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    import django

    django.setup()
    sys.exit(main())
