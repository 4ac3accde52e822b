"""What the browser tests share: one Chromium a session, and pages that note each request and each message of the console."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-headless-shell")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser tests")
    with playwright.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Writes a page, opens it in a fresh browser context, and notes each request and each message of the console."""
    contexts = []

    def open_page(content: bytes, *, width: int = 1200, **options: Any) -> Any:
        file = tmp_path / "report.html"
        file.write_bytes(content)
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.requests, page.messages = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.messages.append(message.text))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def violations(page: Any) -> list[tuple[str, list[str]]]:
    """What axe objects to, its best practices included."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe judges whether the report is accessible")
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(violation["id"], [node["html"] for node in violation["nodes"]]) for violation in found]


def open_all(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
