"""The HTML file in a real browser: nothing leaves it, nothing runs in it, and everybody can read it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from auditor.core.model import Standing
from auditor.report.formats import FORMATS
from auditor.report.view import view
from tests.report.browsing import Open, needs_browser, open_all, violations
from tests.report.hostile import VALUES, hostile, hostile_trouble, hostile_waivers
from tests.report.standings import (
    AT,
    BROKE,
    FAILS,
    FAILS_TOO,
    LIMITED,
    TLS_OFF,
    UNSEEN,
    WAITS,
    WAIVED,
    WAIVER,
    basic_snapshot,
    never,
    standing,
    unread,
    v1_snapshot,
)

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser tests")
pytestmark = needs_browser

FLEET = [
    standing(
        "prod-eu",
        FAILS,
        FAILS_TOO,
        WAITS,
        changes=(TLS_OFF,),
        seen=basic_snapshot(UseSSL=False, Port=25),
        target={"insecure_skip_verify": True, "owner": "PKI", "labels": (("env", "prod"),)},
    ),
    standing("legacy", LIMITED, seen=v1_snapshot(Port=587)),
    standing("partner", WAIVED, UNSEEN, BROKE),
    unread(),
    never(),
]
WAIVERS = [WAIVER, replace(WAIVER, expires_at=AT), replace(WAIVER, targets=(), approved_on=date(2026, 12, 1)), *hostile_waivers("".join(VALUES))]
STRANGE = [hostile("".join(VALUES)), hostile_trouble("x" * 200 + "邮件服务器" * 40)]


@pytest.fixture
def opened(opened_page: Open) -> Open:
    """Opens the report on where servers stand."""

    def open_report(standings: list[Standing], *, edit: Callable[[str], str] = str, **options: Any) -> Any:
        content = FORMATS["html"](view(standings, engine_version="1.0", in_file=WAIVERS)).decode()
        return opened_page(edit(content).encode(), **options)

    return open_report


def test_nothing_is_asked_for_but_the_file_itself(opened: Open) -> None:
    page = opened(FLEET + STRANGE)

    assert [url.rpartition("/")[2] for url in page.requests] == ["report.html"]
    assert page.messages == []


def test_its_security_policy_stops_what_somebody_adds(opened: Open) -> None:
    added = '<script>document.title = "owned"</script><p id="loud" style="color: red">x</p><img src="https://example.org/x.png"><style>h1{color:red}</style>'
    page = opened(FLEET, edit=lambda html: html.replace("</main>", f"{added}</main>"))

    assert page.title() == "SMTP profile audit, Tue 17 Nov 2026 09:30 UTC"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(255, 0, 0)"
    assert page.evaluate("getComputedStyle(document.getElementById('loud')).color") != "rgb(255, 0, 0)"
    assert [url.rpartition("/")[2] for url in page.requests if not url.startswith("https://example.org")] == ["report.html"]
    assert len([message for message in page.messages if "Content Security Policy" in message]) >= 4


def test_its_own_style_sheet_is_the_one_that_is_allowed(opened: Open) -> None:
    page = opened(FLEET)

    assert page.evaluate("getComputedStyle(document.querySelector('.tiles')).display") == "grid"


def test_all_is_there_without_javascript_and_without_style(opened: Open) -> None:
    page = opened(FLEET, java_script_enabled=False, edit=lambda html: html.replace("<style>", "<style>/* another hash, so refused */"))
    text = page.locator("body").inner_text()

    assert "1 of 5 servers does not meet the policy" in text
    assert "Basic authentication runs over TLS" in text
    assert "✗ critical" in text
    assert "give the account's role the permission" in text


@pytest.mark.parametrize("standings", [FLEET, STRANGE], ids=["fleet", "strange values"])
@pytest.mark.parametrize("width", [320, 1200])
def test_no_page_is_wider_than_its_window(opened: Open, standings: list[Standing], width: int) -> None:
    page = opened(standings, width=width)
    open_all(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_opens_what_is_closed(opened: Open) -> None:
    page = opened(FLEET)
    closed = page.locator("details:not([open])").count()
    shown = page.locator("details:not([open]) > .body:visible, details:not([open]) > dl:visible")

    assert closed > 3
    playwright.expect(shown).to_have_count(0)
    page.emulate_media(media="print")
    playwright.expect(shown).to_have_count(closed)


def test_print_is_black_on_white_even_in_the_dark(opened: Open) -> None:
    page = opened(FLEET, color_scheme="dark")
    colours = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    on_screen = page.evaluate(colours)
    page.emulate_media(media="print")

    assert on_screen == ["rgb(231, 233, 236)", "rgb(20, 22, 26)"]
    assert page.evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


def test_a_link_to_a_result_within_a_closed_part_opens_it(opened: Open) -> None:
    page = opened(FLEET)
    page.goto(page.url + "#legacy.CFG-009")

    assert page.locator("#legacy\\.CFG-009").is_visible()


@pytest.mark.parametrize(
    ("standings", "look"),
    [
        (FLEET, {"color_scheme": "light"}),
        (FLEET, {"color_scheme": "dark"}),
        (FLEET, {"color_scheme": "light", "width": 320}),
        (FLEET, {"color_scheme": "dark", "forced_colors": "active"}),
        (STRANGE, {"color_scheme": "dark", "width": 320}),
        ([standing()], {"color_scheme": "dark"}),
        ([], {"color_scheme": "light"}),
    ],
    ids=["light", "dark", "narrow", "forced colours", "strange values", "all good", "no server"],
)
def test_axe_finds_nothing_with_everything_open(opened: Open, standings: list[Standing], look: dict[str, Any]) -> None:
    page = opened(standings, **look)
    open_all(page)

    assert violations(page) == []


def test_axe_finds_nothing_as_it_first_opens(opened: Open) -> None:
    assert violations(opened(FLEET)) == []


def test_what_can_be_pressed_is_large_enough_and_shows_where_the_focus_is(opened: Open) -> None:
    page = opened(FLEET, width=320)
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.textContent") == "Skip to the findings"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    small = """[...document.querySelectorAll('summary, nav a, .names a, .matrix a, .skip')]
        .map(each => [each.textContent.trim(), each.getBoundingClientRect()])
        .filter(([, box]) => box.width < 24 || box.height < 24).map(([text]) => text)"""
    assert page.evaluate(small) == []
