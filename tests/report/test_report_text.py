"""The text format: it fits a terminal, holds what matters, and lets nothing hidden through."""

import re
import unicodedata
from dataclasses import replace

import pytest

from auditor.core.model import Standing
from auditor.report.formats import FORMATS
from auditor.report.safetext import is_hidden
from auditor.report.text import render_text
from auditor.report.view import view
from tests.factories import snapshot
from tests.report.hostile import VALUES, hostile, hostile_trouble
from tests.report.standings import FAILS, FAILS_TOO, LIMITED, TLS_OFF, UNSEEN, WAITS, WAIVED, basic_snapshot, never, standing, unread, v1_snapshot

EU = standing("prod-eu", FAILS, FAILS_TOO, WAITS, changes=(TLS_OFF,), seen=basic_snapshot(UseSSL=False, Port=25))
FLEET = [EU, standing("legacy", LIMITED, seen=v1_snapshot(Port=587)), standing("partner", WAIVED, UNSEEN), unread(), never()]


def text(*standings: Standing, width: int = 80) -> str:
    return render_text(view(standings, engine_version="1.0"), width=width)


def cells(line: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def test_a_failure_is_told_with_what_was_expected_and_observed_why_it_matters_and_what_to_do() -> None:
    assert """\
✗ critical CFG-001 Basic authentication runs over TLS
    UseSSL
      expected  true
      observed  false
    Why  The relay password crosses the network as base64. Whoever listens can
         use it.
    Fix  Turn on Use SSL in System Settings, SMTP Configuration, then change the
         relay password.
    See  RFC 4954 section 4; https://www.rfc-editor.org/rfc/rfc8314

✗ low CFG-006 Port is a submission port
    Port
      expected  465 or 587 (your allowed_ports)
      observed  25
""" in text(EU)


def test_it_opens_with_the_verdict_and_the_numbers() -> None:
    assert text(*FLEET).startswith(
        """\
SMTP profile audit · Tue 17 Nov 2026 09:30 UTC

✗ 1 of 5 servers does not meet the policy; 1 could be judged only in part, 1
  could not be read and 1 was never read.

✗ 2 failing   ? 8 not evaluated   ◐ 1 waived   ✓ 12 passing
4 servers × 6 rules = 24 results = 2 failing + 8 not evaluated + 1 waived + 12
passing + 1 not applicable. 1 server without any result.

Since the previous read
✗ prod-eu: UseSSL downgrade, critical
    was   true
    now   false
    when  between Tue 17 Nov 2026 09:15 and 09:30 UTC
– new: never read.
– lab: not read, so nothing could be compared.
"""
    )


def test_what_was_not_evaluated_stands_there_with_why() -> None:
    page = text(*FLEET)

    assert "? 1 rule not evaluated, Host not learnt (SERVFAIL): CFG-009\n" in page
    assert "? 1 rule not evaluated, a standing limit (API v1 cannot show this): OAU-003\n" in page
    assert "? 6 rules not evaluated, the profile was not read, access denied: CFG-001," in page
    assert "  Do  give the account's role the permission `/system_settings/read/`\n" in page
    waived = "◐ low CFG-006 Port is a submission port is waived through 2026-12-31 UTC: Their relay moves"
    assert waived in " ".join(page.split())
    assert "– CFG-013 waits for your data: set the var approved_hosts.\n" in page


def test_the_profile_is_shown_for_one_target_and_left_to_show_for_many() -> None:
    alone = text(unread())

    assert "Profile\n  The profile was last seen on Sat 14 Nov 2026" in alone
    assert "\n  RelayAuthenticationType 3 (OAuth)\n" in alone
    assert "Profile\n" not in text(*FLEET)


def test_fields_that_v1_cannot_show_share_a_line() -> None:
    assert (
        "  RelayPassword, SenderAddress, ClientId, ClientSecret, TokenEndpoint, Scope,\n  Audience, RequestHeaders: API v1 cannot show this\n"
        in text(standing("legacy", seen=v1_snapshot()))
    )


@pytest.mark.parametrize("standings", [[], [never()], [standing()]], ids=["no server", "never read", "all good"])
def test_every_state_has_a_text(standings: list[Standing]) -> None:
    page = view(standings, engine_version="1.0")

    assert page.verdict in FORMATS["text"](page).decode()


def test_guards_that_are_off_are_loud() -> None:
    assert "\n! lax: certificate checks are switched off (insecure_skip_verify). " in text(standing("lax", target={"insecure_skip_verify": True}))


@pytest.mark.parametrize("width", [30, 40, 80, 132])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    pages = [text(*FLEET, width=width), text(hostile("邮件服务器" * 30), width=width), *(text(hostile(value), width=width) for value in VALUES)]

    assert [line for page in pages for line in page.splitlines() if cells(line) > width] == []


def test_a_width_below_thirty_is_taken_for_thirty() -> None:
    assert text(*FLEET, width=5) == text(*FLEET, width=30)


@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_nothing_hidden_reaches_the_terminal(value: str) -> None:
    page = text(hostile(value), hostile_trouble(value))

    assert [character for character in page if character != "\n" and is_hidden(character)] == []


def test_a_mark_for_a_hidden_character_is_not_torn_apart() -> None:
    page = text(hostile("\u202e" * 60))

    assert re.sub(r"\[U\+202E\]", "", page).count("202E") == 0


def test_colour_goes_through_the_style_alone() -> None:
    pieces: list[tuple[str, object]] = []

    def style(piece: str, **how: object) -> str:
        pieces.append((piece, how.get("fg")))
        return piece

    coloured = render_text(view(FLEET, engine_version="1.0"), style=style)

    assert coloured == text(*FLEET)
    assert ("✗ 2 failing", "red") in pieces
    assert ("? 8 not evaluated", "yellow") in pieces
    assert ("✓ 12 passing", "green") in pieces


def test_the_figures_stand_on_one_line_as_soon_as_they_fit() -> None:
    page = view([standing("prod")], engine_version="1")
    line = "✗ 0 failing   ? 0 not evaluated   ◐ 0 waived   ✓ 6 passing"

    assert line in render_text(page, width=len(line)).splitlines()
    assert line.split("   ") == [each for each in render_text(page, width=len(line) - 1).splitlines() if each in line and each]


def test_a_value_of_four_hundred_characters_is_whole_and_a_longer_one_is_cut_wherever_it_stands() -> None:
    def runs(length: int) -> set[int]:
        value = "x" * length
        failing = replace(FAILS, because=(replace(FAILS.because[0], fact="Host", operator="equals", expected=value, actual=value),))
        moved = replace(TLS_OFF, before=value, after=value)
        page = view([standing("prod", failing, seen=snapshot(SenderName=value), changes=(moved,))], engine_version="1")
        # wide enough for one line each; evidence has quotes around the value
        return {len(run.strip('"')) for run in re.findall(r'"?x{50,}"?', render_text(page, width=600))}

    assert runs(398) == {398}
    assert runs(1000) == {400 - len("… (cut, 1002 characters)") - 1, 400 - len("… (cut, 1000 characters)")}
    assert runs(400) == {400, 400 - len("… (cut, 402 characters)") - 1}


def test_rules_that_wait_for_one_var_wait_together() -> None:
    waits = [replace(WAITS, rule=rule) for rule in ("CFG-009", "CFG-013")]

    assert "CFG-009 and CFG-013 wait for your data: set the var approved_hosts." in render_text(view([standing("p", *waits)], engine_version="1"))
