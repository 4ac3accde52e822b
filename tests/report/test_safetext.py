"""Nothing that a server says reaches a screen as an instruction: what is hidden is spelt out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.report.safetext import MAX_CHARACTERS, is_hidden, prose, safe


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("smtp.example.org", "smtp.example.org"),
        ("", ""),
        ("a\u202eb", "a[U+202E]b"),
        ("\x1b[31mred", "[U+001B][31mred"),
        ("one\ntwo\r\tthree", "one[U+000A]two[U+000D][U+0009]three"),
        ("\x00\x7f\x9b", "[U+0000][U+007F][U+009B]"),
        ("\u2028\u2029", "[U+2028][U+2029]"),
        ("zero\u200bwidth\u200d\ufeff", "zero[U+200B]width[U+200D][U+FEFF]"),
        ("\ue000\U000f0000", "[U+E000][U+F0000]"),
        ("\ufdd0\ud800", "[U+FDD0][U+D800]"),
        ("fill\u3164\u2800\u00ad", "fill[U+3164][U+2800][U+00AD]"),
        ("odd\u00a0space", "odd[U+00A0]space"),
        ("variant\ufe0f\U000e0101", "variant[U+FE0F][U+E0101]"),
        ("почта 邮件 بريد münchen 😀", "почта 邮件 بريد münchen 😀"),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 4 + "[U+0301]"),
    ],
)
def test_what_is_hidden_is_spelt_out_and_what_is_not_stays(sent: str, shown: str) -> None:
    assert safe(sent) == shown


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 18 + "… (cut, 41 characters)"),
        ("\u202e" * 41, "[U+202E]" * 2 + "… (cut, 41 characters)"),
    ],
    ids=["as long as allowed", "one more", "marks are not cut in half"],
)
def test_a_long_text_is_cut_and_says_so(sent: str, shown: str) -> None:
    assert safe(sent, limit=40) == shown


@given(st.text(max_size=200))
def test_safe_text_is_printable_bounded_and_stays_as_it_is(text: str) -> None:
    shown = safe(text)

    assert safe(shown) == shown
    assert len(safe(text, limit=100)) <= 100
    assert not any(is_hidden(character) for character in shown)
    shown.encode("utf-8")


def test_without_a_limit_given_a_text_still_ends() -> None:
    assert len(safe("x" * 10**6)) == MAX_CHARACTERS


def test_prose_runs_on_over_line_breaks_but_keeps_what_is_hidden() -> None:
    assert prose("  one\n  two\tthree\r\nfour\u2028 ") == "one two three four\u2028"
