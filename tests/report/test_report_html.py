"""The HTML file: self-contained, well-formed, the same bytes from the same data, and deaf to whatever a server says."""

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import html5lib
import jinja2
import pytest

from auditor import resources
from auditor.core.model import Standing
from auditor.report.formats import FORMATS
from auditor.report.html import OPEN_FINDINGS
from auditor.report.safetext import is_hidden, prose, safe
from auditor.report.view import view
from tests.report.hostile import VALUES, hostile, hostile_trouble
from tests.report.standings import (
    BROKE,
    FAILS,
    FAILS_TOO,
    LIMITED,
    TLS_OFF,
    UNSEEN,
    WAITS,
    WAIVED,
    basic_snapshot,
    never,
    snapshot,
    standing,
    unread,
    v1_snapshot,
)

EU = standing("prod-eu", FAILS, FAILS_TOO, WAITS, changes=(TLS_OFF,), seen=basic_snapshot(UseSSL=False, Port=25))
FLEET = [EU, standing("legacy", LIMITED, seen=v1_snapshot(Port=587)), standing("partner", WAIVED, UNSEEN, BROKE), unread(), never()]


def html(*standings: Standing) -> str:
    return FORMATS["html"](view(standings, engine_version="1.0")).decode()


def parsed(page: str) -> ET.Element:
    """The document, parsed by the algorithm of browsers; any parse error is raised."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def ids(document: ET.Element) -> list[str]:
    return [element.attrib["id"] for element in document.iter() if "id" in element.attrib]


def said(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


STATES = {
    "no server": [],
    "never read": [never()],
    "not read": [unread()],
    "never seen": [unread(last_seen=None)],
    "all good": [standing()],
    "v1": [standing("legacy", LIMITED, seen=v1_snapshot(Port=587))],
    "not configured": [standing("bare", seen=snapshot(configured=False))],
    "fleet": FLEET,
}


@pytest.mark.parametrize("standings", STATES.values(), ids=STATES)
def test_each_state_is_well_formed_with_one_heading_of_the_first_rank_and_no_id_twice(standings: list[Standing]) -> None:
    document = parsed(html(*standings))
    found = ids(document)

    assert document.attrib["lang"] == "en"
    assert len(list(document.iter("h1"))) == 1
    assert sorted(set(found)) == sorted(found)


@pytest.mark.parametrize("standings", STATES.values(), ids=STATES)
def test_every_link_within_the_page_leads_somewhere(standings: list[Standing]) -> None:
    document = parsed(html(*standings))
    targets = {anchor.attrib["href"] for anchor in document.iter("a")}

    assert {target for target in targets if target.startswith("#")} <= {f"#{name}" for name in ids(document)}
    assert all(target.startswith(("#", "https://")) for target in targets)


def test_every_table_and_list_of_facts_is_labelled_for_a_screen_reader() -> None:
    document = parsed(html(*FLEET))

    assert all(table.find("caption") is not None for table in document.iter("table"))
    assert all(cell.attrib.get("scope") in ("col", "row") for cell in document.iter("th"))
    assert all(f"#{section.attrib['aria-labelledby']}" != "#" for section in document.iter("section"))
    assert {section.attrib["aria-labelledby"] for section in document.iter("section")} <= set(ids(document))


@pytest.mark.parametrize("standings", [FLEET, [EU]], ids=["fleet", "one"])
def test_the_security_policy_allows_this_style_sheet_and_this_script_and_nothing_else(standings: list[Standing]) -> None:
    document = parsed(html(*standings))
    (style,) = document.iter("style")
    scripts = list(document.iter("script"))
    (policy,) = (meta.attrib["content"] for meta in document.iter("meta") if meta.attrib.get("http-equiv") == "Content-Security-Policy")
    allowed = [f"script-src '{hashed(script.text)}'; " for script in scripts]

    assert len(scripts) == (len(standings) > 1), "one server needs no search"
    assert policy == f"default-src 'none'; style-src '{hashed(style.text)}'; {''.join(allowed)}base-uri 'none'; form-action 'none'"
    assert not [element for element in document.iter() for name in element.attrib if name == "style" or name.startswith("on")]
    assert not [element for element in document.iter() if element.tag in ("img", "link", "iframe", "object", "base", "form", "image", "use")]
    assert "url(" not in (style.text or "")
    assert "@import" not in (style.text or "")


def hashed(text: str | None) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256((text or '').encode()).digest()).decode()}"


def test_the_page_opens_with_verdict_and_four_tiles_that_lead_on() -> None:
    document = parsed(html(*FLEET))
    tiles = next(element for element in document.iter("ul") if element.attrib.get("class") == "tiles")

    assert next(said(p) for p in document.iter("p")) == view(FLEET, engine_version="1.0").verdict
    assert [said(tile) for tile in tiles] == ["✗ failing 2", "? not evaluated 9 1 by standing limits", "◐ waived 1", "✓ passing 11"]
    assert [anchor.attrib["href"] for anchor in tiles.iter("a")] == ["#work", "#lab.unknown1", "#partner.waived", "#prod-eu.passing"]


def test_a_finding_has_field_expected_observed_why_fix_sources_and_controls_under_its_own_id() -> None:
    document = parsed(html(EU))
    finding = next(element for element in document.iter("details") if element.attrib.get("id") == "prod-eu.CFG-001")
    terms = [said(term) for term in finding.iter("dt")]
    values = [said(value) for value in finding.iter("dd")]

    assert "open" in finding.attrib
    assert dict(zip(terms, values, strict=True)) == {
        "Field": "UseSSL",
        "Expected": "true",
        "Observed": "false",
        "Applies": "because RelayAuthenticationType is 2 (Basic)",
        "Why": "The relay password crosses the network as base64. Whoever listens can use it.",
        "Fix": "Turn on Use SSL in System Settings, SMTP Configuration, then change the relay password.",
        "Says": "RFC 4954 section 4; https://www.rfc-editor.org/rfc/rfc8314",
        "Supports": "ISO 27001:2022 8.24NIST 800-53 r5 SC-8, IA-5(1)(c)",
        "Seen": f"Tue 17 Nov 2026 09:30 UTC, snapshot {basic_snapshot(UseSSL=False, Port=25).digest[:12]}, prod-eu/CFG-001",
    }


def test_every_result_has_its_id_on_the_page() -> None:
    expected = {shown.anchor for target in view(FLEET, engine_version="1.0").targets for shown in target.findings}

    assert expected <= set(ids(parsed(html(*FLEET))))


@pytest.mark.parametrize(("failing", "opened"), [(OPEN_FINDINGS, True), (OPEN_FINDINGS + 2, False)])
def test_many_failures_start_closed(failing: int, opened: bool) -> None:
    document = parsed(html(*(standing(f"s{index}", FAILS, FAILS_TOO) for index in range(failing // 2))))

    assert {"open" in element.attrib for element in document.iter("details") if "finding fail" in element.attrib["class"]} == {opened}


def test_one_server_needs_no_table_of_servers() -> None:
    assert 'id="servers"' not in html(EU)
    assert 'id="servers"' in html(EU, never())


def _texts(document: ET.Element) -> Iterator[str]:
    for element in document.iter():
        yield from element.attrib.values()
        if element.tag != "style":
            yield from (text for text in (element.text, element.tail) if text)


@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_a_hostile_value_stays_text_in_every_field(value: str) -> None:
    page = html(hostile(value), hostile_trouble(value))
    document, calm = parsed(page), parsed(html(hostile("calm"), hostile_trouble("calm")))
    kinds = [sorted({element.tag for element in tree.iter()} - {"b", "wbr", "a"}) for tree in (document, calm)]

    assert kinds[0] == kinds[1]
    assert not [text for text in _texts(document) if any(is_hidden(character) for character in text if character != "\n")]
    assert safe(prose(value), limit=60).replace(" ", "")[:30] in said(next(document.iter("body"))).replace(" ", "")
    assert not [anchor for anchor in document.iter("a") if not anchor.attrib["href"].startswith(("#", "https://"))]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in ids(document))


def test_a_hidden_character_stands_out_where_a_value_is_shown() -> None:
    assert '<b class="hidden-mark">[U+202E]</b>' in html(hostile("a\u202eb"))


def test_a_value_is_shown_in_bounded_length() -> None:
    page = html(hostile("x" * 60_000))

    assert "… (cut, 60000 characters)" in page
    assert "x" * 4001 not in page


@pytest.mark.parametrize("reference", ["https://example.org/a?b=c&d", "http://example.org"])
def test_only_a_web_address_becomes_a_link(reference: str) -> None:
    page = html(hostile(reference))

    assert reference in {anchor.attrib["href"] for anchor in parsed(page).iter("a")}


def test_the_same_data_gives_the_same_bytes() -> None:
    assert html(*FLEET) == html(*reversed(FLEET))


def test_a_template_that_would_show_an_absent_value_fails_instead() -> None:
    from auditor.report.html import _environment

    environment = _environment(str(resources.folder("templates")))

    with pytest.raises(ValueError, match="absent value"):
        environment.from_string("{{ value }}").render(value=None)
    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("{{ value }}").render()


def test_a_page_stays_small() -> None:
    twelve = [standing(f"server-{index}", FAILS, FAILS_TOO, UNSEEN) for index in range(12)]

    assert len(html(*twelve)) < 150 * 1024
