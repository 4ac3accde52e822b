"""The report on a period in a real browser: what the checklist of a good report asks for, line by line."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import html5lib
import pytest

from auditor.core.model import Fact, ProfileField, State
from auditor.report.edition import Edition
from auditor.report.html import render_edition, render_target
from auditor.report.index import render_index
from tests.report.browsing import Open, needs_browser, open_all, violations
from tests.report.editions import DUE, approval, course, covered, edition, ended, event, section, switched
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

pytestmark = needs_browser

NOTE = {"about": f"gap:lab/{AT:%Y-%m-%dT%H:%M}Z", "by": "Ada", "text": "the role is being mended", "at": "2026-11-24T09:00:00Z", "account": "ada"}
REVIEW = {"about": "review:2026-W47", "by": "Grace", "text": "seen", "at": "2026-11-24T10:00:00Z", "account": "grace"}
LONG = "x" * 200


def broken() -> Edition:
    """Servers in every state, with all that a week can hold."""
    approved = approval("prod-eu")
    eu = replace(
        standing("prod-eu", FAILS, FAILS_TOO, WAITS, seen=basic_snapshot(UseSSL=False, Port=25), target={"owner": "PKI"}), approvals=(approved,)
    )
    courses = [
        switched(course(eu, events=(event("prod-eu"),), coverage=covered("prod-eu"))),
        course(standing("legacy", LIMITED, seen=v1_snapshot(Port=587)), coverage=covered("legacy", missed=4)),
        course(standing("partner", WAIVED, UNSEEN, BROKE), events=(ended(event("partner", number=2)),), is_new=True),
        course(unread(), coverage=covered("lab", failed=314)),
        course(never()),
    ]
    return edition(courses, waivers=[WAIVER, replace(WAIVER, expires_at=AT)], notes=[NOTE, REVIEW])


def strange() -> Edition:
    text = "".join(VALUES)
    value = ProfileField(fact=Fact.of(State.VALUE, text))
    given = approval(text, value=value, by=text, reason=text, ticket=text)
    moved = replace(TLS_OFF, field=text, before=text, after=text)
    courses = [
        course(replace(hostile(text), approvals=(given,)), events=(event(text, moved),), coverage=covered(text, missed=2)),
        course(hostile_trouble(LONG + "邮件服务器" * 40), coverage=covered(f"lab {LONG}{'邮件服务器' * 40}", failed=3)),
        course(standing(LONG, FAILS)),
        course(standing("почта", FAILS)),
        course(standing("بريد", FAILS)),
    ]
    notes = [{**NOTE, "about": f"gap:{text}/{AT:%Y-%m-%dT%H:%M}Z", "by": text, "text": text}, {**REVIEW, "by": text, "text": text}]
    return edition(courses, waivers=hostile_waivers(text), notes=notes)


def many(number: int) -> Edition:
    """A fleet, one in four of which fails or is not read."""
    kinds = [standing("a", FAILS, seen=basic_snapshot(UseSSL=False)), standing("a"), unread(), standing("a", WAIVED)]
    courses = []
    for index in range(number):
        kind = kinds[index % 16] if index % 16 < 4 else kinds[1]
        courses.append(course(replace(kind, target=replace(kind.target, name=f"srv-{index:05}")), coverage=covered(f"srv-{index:05}")))
    return edition(courses)


MADE: dict[str, Edition] = {}
STATES: dict[str, Callable[[], Edition]] = {
    "broken": broken,
    "strange": strange,
    "good": lambda: edition([course(standing("a"), coverage=covered("a")), course(standing("b"), coverage=covered("b"))]),
    "one": lambda: edition([course(standing("a", FAILS), coverage=covered("a"))]),
    "unreadable": lambda: edition([course(unread("a"), coverage=covered("a", failed=672)), course(unread("b", last_seen=None), is_new=True)]),
    "first": lambda: edition([course(standing("a", FAILS), is_new=True)]),
    "nothing": lambda: edition([course(never())]),
    "two hundred": lambda: many(200),
    "fleet": lambda: many(240),
}


def html(state: str) -> bytes:
    if state not in MADE:
        MADE[state] = STATES[state]()
    return render_edition(MADE[state], due_days=DUE)


@pytest.fixture
def opened(opened_page: Open) -> Open:
    def open_report(state: str, *, edit: Callable[[str], str] = str, **options: Any) -> Any:
        return opened_page(edit(html(state).decode()).encode(), **options)

    return open_report


def text_of(page: Any) -> str:
    text: str = page.locator("body").inner_text()
    return " ".join(text.split())


# --- content: lines 1 to 10 ---------------------------------------------------------------------------------------


def test_it_is_told_in_order_from_the_verdict_to_the_signature(opened: Open) -> None:
    page = opened("broken")

    assert page.locator("h1, h2").all_inner_texts()[:8] == [
        "SMTP profile audit week 47 of 2026, 16 to 22 November 2026 (UTC)",
        "Since the last report",
        "What to mend",
        "Coverage",
        "Servers",
        "prod-eu",
        "lab",
        "new",
    ]
    assert page.locator("h2").all_inner_texts()[-9:] == [
        "Waivers and approvals",
        "Drift",
        "Policies",
        "Rules that need your data",
        "How to read this report",
        "How this was made",
        "What this report cannot see",
        "Ledger head, and how to verify",
        "Review",
    ]


def test_the_verdict_names_what_was_not_read(opened: Open) -> None:
    verdict = opened("broken").locator(".verdict").inner_text()

    assert verdict == (
        "1 of 5 servers does not meet the policy; 1 could be judged only in part, 1 could not be read and 1 was never read; "
        "1,698 of 2,016 reads that were owed came to something."
    )


def test_what_changed_comes_first_with_words_for_each_kind(opened: Open) -> None:
    text = text_of(opened("broken"))

    for words in (
        "✗ new failure critical Basic authentication runs over TLS CFG-001 prod-eu since Tue 17 Nov 2026 09:30 UTC",
        "? lost Could not be read. lab since Tue 17 Nov 2026 09:30 UTC",
        "– new server Read for the first time. partner since Tue 17 Nov 2026 09:30 UTC",
        "✗ downgrade critical prod-eu UseSSL was true, now false between Tue 17 Nov 2026 09:15 and 09:30 UTC",
        "recommended 1 (9c41e000) gave way to recommended 2 (cccccccc)",
        "✗ waiver expired The waiver of CFG-006 on partner held until 2026-11-17 09:30:00 UTC. Ticket SEC-1234.",
        "1 overdue",
        "2,016 reads were owed: 1,698 made on time, 0 late, 314 failed, 4 missed.",
        "– acknowledged lab 314 reads",
        "Ada: the role is being mended",
        "✓ in force prod-eu Host is to be smtp.corp.example",
        "1 rule removed: CFG-001",
        "Reviewed by Grace on Tue 24 Nov 2026 10:00 UTC (account grace): seen",
        "auditor ledger verify --expect-head 41872:3061",
    ):
        assert words in text, words


# --- form: lines 11 to 17 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["broken", "strange", "fleet"])
def test_nothing_is_asked_for_but_the_file_itself(opened: Open, state: str) -> None:
    page = opened(state)
    open_all(page)

    assert [url.rpartition("/")[2] for url in page.requests] == ["report.html"]
    assert page.messages == []


def test_its_security_policy_stops_what_somebody_adds(opened: Open) -> None:
    added = '<script>document.title = "owned"</script><p id="loud" style="color: red">x</p><img src="https://example.org/x.png">'
    page = opened("broken", edit=lambda text: text.replace("</main>", f"{added}</main>"))

    assert page.title().startswith("SMTP profile audit, week 47")
    assert page.evaluate("getComputedStyle(document.getElementById('loud')).color") != "rgb(255, 0, 0)"
    assert page.locator("input[type=search]").count() == 1, "its own script runs"


@pytest.mark.parametrize("state", ["broken", "fleet"])
def test_the_text_is_the_same_without_javascript(opened: Open, state: str) -> None:
    with_script = re.sub(r"Find a server ?", "", text_of(opened(state)))

    assert text_of(opened(state, java_script_enabled=False)) == with_script


@pytest.mark.parametrize(
    ("ticked", "shown"),
    [
        ([], ["prod-eu", "lab", "partner", "new", "legacy"]),
        (["fail"], ["prod-eu"]),
        (["fail", "unknown"], ["prod-eu", "lab", "partner", "new"]),
        (["waived"], []),
        (["pass"], ["legacy"]),
    ],
)
def test_ticked_kinds_are_shown_without_javascript(opened: Open, ticked: list[str], shown: list[str]) -> None:
    page = opened("broken", java_script_enabled=False)
    for kind in ticked:
        page.locator(f"#show-{kind}").check()

    assert sorted(page.locator(".matrix tbody tr:visible th").all_inner_texts()) == sorted(shown)
    assert sorted(page.locator("section.server:visible h2").all_inner_texts()) == sorted(shown)


@pytest.mark.parametrize("state", ["two hundred", "fleet"])
def test_search_finds_servers_by_a_part_of_the_name(opened: Open, state: str) -> None:
    page = opened(state)
    page.get_by_label("Find a server").fill(" SRV-0001")

    assert page.locator("[data-row]:visible").count() == 10
    assert page.get_by_role("status").inner_text() in ("10 of 200", "10 of 240")


def test_columns_sort_at_a_press(opened: Open) -> None:
    page = opened("broken")
    head = page.locator(".matrix thead th").first
    head.get_by_role("button").click()
    names = page.locator(".matrix tbody th").all_inner_texts()

    assert names == sorted(names)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").press("Enter")
    assert page.locator(".matrix tbody th").all_inner_texts() == names[::-1]


def test_a_fleet_has_a_row_for_each_server_and_sections_for_those_that_need_reading(opened: Open) -> None:
    page = opened("fleet", java_script_enabled=False)

    assert page.locator(".fleet li").count() == 240
    assert page.locator(".fleet li").first.inner_text().startswith("✗ srv-00000")
    assert page.locator(".fleet li a").first.get_attribute("href") == "week/srv-00000.html"
    assert page.locator("section.server").count() == len([row for row in MADE["fleet"].rows if row.needs_reading]) == 45


@pytest.mark.parametrize("state", STATES)
def test_it_is_well_formed_and_every_link_within_leads_somewhere(state: str) -> None:
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html(state).decode())
    ids = [element.attrib["id"] for element in document.iter() if "id" in element.attrib]
    links = {anchor.attrib["href"] for anchor in document.iter("a")}

    assert sorted(set(ids)) == sorted(ids)
    assert {link for link in links if link.startswith("#")} <= {f"#{name}" for name in ids}
    assert not [element for element in document.iter() for name in element.attrib if name == "style" or name.startswith("on")]
    assert all(cell.attrib.get("scope") in ("col", "row") for cell in document.iter("th"))
    assert all(table.find("caption") is not None for table in document.iter("table"))


def test_the_same_data_gives_the_same_bytes() -> None:
    assert render_edition(broken(), due_days=DUE) == render_edition(broken(), due_days=DUE)


@pytest.mark.parametrize(("state", "limit"), [("good", 50_000), ("broken", 90_000), ("two hundred", 1_500_000), ("fleet", 1_500_000)])
def test_a_page_keeps_within_its_budget(state: str, limit: int) -> None:
    assert len(html(state)) < limit


# --- for everybody: lines 18 to 24 --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("width", [320, 1200])
def test_no_page_is_wider_than_its_window(opened: Open, state: str, width: int) -> None:
    page = opened(state, width=width)
    open_all(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("state", "look"),
    [
        ("broken", {"color_scheme": "light"}),
        ("broken", {"color_scheme": "dark"}),
        ("broken", {"color_scheme": "dark", "width": 320}),
        ("broken", {"color_scheme": "light", "forced_colors": "active"}),
        ("strange", {"color_scheme": "light"}),
        ("strange", {"color_scheme": "dark", "width": 320}),
        ("good", {"color_scheme": "dark"}),
        ("unreadable", {"color_scheme": "light"}),
        ("first", {"color_scheme": "light"}),
        ("nothing", {"color_scheme": "dark"}),
    ],
)
def test_axe_finds_nothing_with_everything_open(opened: Open, state: str, look: dict[str, Any]) -> None:
    page = opened(state, **look)
    open_all(page)

    assert violations(page) == []


def test_axe_finds_nothing_on_two_hundred_servers(opened: Open) -> None:
    page = opened("two hundred", color_scheme="dark")
    alike = "section.server:nth-of-type(n + 16), .matrix tbody tr:nth-child(n + 30), .coverage tbody tr:nth-child(n + 30)"
    page.evaluate(f"document.querySelectorAll('{alike}').forEach(each => each.remove())")  # axe takes minutes over all of them
    open_all(page)

    assert violations(page) == []


@pytest.mark.soak
def test_axe_finds_nothing_on_two_hundred_servers_with_all_of_each(opened: Open) -> None:
    page = opened("two hundred", color_scheme="dark")
    open_all(page)

    assert violations(page) == []


def test_what_can_be_pressed_is_large_enough(opened: Open) -> None:
    page = opened("broken", width=320)
    open_all(page)
    small = """[...document.querySelectorAll('summary, nav a, .names a, .matrix a, .coverage a, .skip, button, input, .filter label, .sum a')]
        .map(each => [each.textContent.trim(), each.closest('label') ?? each]).map(([text, each]) => [text, each.getBoundingClientRect()])
        .filter(([, box]) => box.width < 24 || box.height < 24).map(([text]) => text)"""

    assert page.evaluate(small) == []


def test_every_bar_that_is_drawn_stands_in_the_table_beside_it(opened: Open) -> None:
    page = opened("broken")
    figures = page.locator("figure.course")
    for number in range(figures.count()):
        figure = figures.nth(number)
        assert figure.locator("rect").count() == figure.locator("tbody tr").count() > 0


# --- paper: lines 26 to 28 ----------------------------------------------------------------------------------------


def test_print_opens_what_is_closed_and_hides_what_cannot_be_pressed(opened: Open) -> None:
    page = opened("broken")
    shown = page.locator("details:not([open]) > :not(summary)")
    page.emulate_media(media="print")

    assert shown.count() > 10
    assert all(each.is_visible() for each in shown.all())
    assert page.locator(".filter:visible, .search:visible, .skip:visible").count() == 0


def test_it_prints_with_all_its_text_and_numbered_pages(opened: Open, tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("poppler-utils reads the printed pages")
    page = opened("broken")
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    text = subprocess.run(["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"], check=True, capture_output=True, text=True).stdout

    for words in ("Since the last report", "Basic authentication runs over TLS", "CFG-009", "Reviewer", "page 1 of"):
        assert words in text, words


# --- the pages beside it ------------------------------------------------------------------------------------------


def test_the_page_of_one_server_of_a_fleet_is_as_good(opened_page: Open) -> None:
    one = course(standing("prod-eu", FAILS, WAIVED, seen=basic_snapshot(UseSSL=False)), coverage=covered("prod-eu", missed=2))
    page = opened_page(render_target(section(one), title="SMTP profile audit", period="week 47", back="../week.html"), width=320)
    open_all(page)

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.get_by_role("link", name="All servers").get_attribute("href") == "../week.html"
    assert "Turn on Use SSL" in text_of(page)


def test_the_list_of_reports_has_a_trend_with_its_table(opened_page: Open) -> None:
    figures = [
        {
            "key": f"2026-W{week}",
            "first": "2026-11-16",
            "last": f"2026-11-{week - 30}",
            "period": f"week {week} of 2026",
            "verdict": "1 of 3 servers does not meet the policy.",
            "status": "fail",
            "servers": {"fail": week % 3, "unknown": 1, "waived": 0, "pass": 2},
            "reads": [20, 21],
            "file": f"smtp-report-2026-W{week}.html",
        }
        for week in range(41, 48)
    ]
    page = opened_page(render_index(figures), width=320)

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.locator("svg.trend rect").count() == 2 * 7 + len([1 for week in range(41, 48) if week % 3])
    assert page.locator("tbody tr").count() == 7
    assert page.locator("tbody tr").first.get_by_role("link", name="previous").get_attribute("href") == "smtp-report-2026-W46.html"
    assert page.requests == [page.url]


def test_a_folder_without_reports_has_a_list_that_says_so(opened_page: Open) -> None:
    page = opened_page(render_index([]))

    assert violations(page) == []
    assert "There is no report on a period in this folder." in text_of(page)
