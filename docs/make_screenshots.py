"""Makes the pictures in `docs/images` from a fresh demo: `.venv/bin/python docs/make_screenshots.py`. Needs Chromium and Playwright."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from auditor.demo import tell

IMAGES = Path(__file__).parent / "images"
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def main() -> None:
    program = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    if program is None:
        sys.exit("Chromium is not installed (Debian: apt-get install chromium)")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for _ in tell(Path(folder)):
            pass
        address = (Path(folder) / "report.html").as_uri()
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        for scheme, place in (("light", "body"), ("dark", "section.server")):
            page = browser.new_page(viewport={"width": 1040, "height": 1080}, color_scheme=scheme)
            page.goto(address)
            page.locator(place).first.evaluate("place => place.scrollIntoView()")
            page.screenshot(path=IMAGES / f"report-{scheme}.png")
            page.close()
        page = browser.new_page(viewport={"width": 720, "height": 1018})  # the shape of A4
        page.emulate_media(media="print")
        page.goto(address)
        page.screenshot(path=IMAGES / "report-print.png")
        browser.close()
    print(*sorted(IMAGES.glob("*.png")), sep="\n")


if __name__ == "__main__":
    main()
