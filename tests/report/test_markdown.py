"""Markdown for pull requests and chat: short, and no text from elsewhere becomes markup."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.core.model import PolicyText, Standing
from auditor.report.markdown import MAX_CHARACTERS, VALUE_LIMIT, code, escaped, fitting, render_markdown, words
from auditor.report.view import view
from tests.report.standings import FAILS, FAILS_TOO, POLICY, TLS_OFF, WAIVED, standing


def page(*standings: Standing) -> str:
    return render_markdown(view(standings, engine_version="1")).decode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, and 3.5 of them (all)", "plain words, and 3.5 of them (all)"),
        ("*bold* _it_ `code`", r"\*bold\* \_it\_ \`code\`"),
        ("<b>&amp;", r"\<b\>\&amp;"),
        ("[a](b) ![c](d)", r"\[a\](b) !\[c\](d)"),
        ("a|b ~c~ $d$ \\e", r"a\|b \~c\~ \$d\$ \\e"),
        ("# no heading", r"\# no heading"),
        ("- no list", r"\- no list"),
        ("+ no list", r"\+ no list"),
        ("=== no rule", r"\=== no rule"),
        ("1. no list", r"1\. no list"),
        ("12) no list", r"12\) no list"),
        (". alone", r"\. alone"),
        ("a # - + = 1. in the midst", "a # - + = 1. in the midst"),
        ("> no quote", r"\> no quote"),
        ("two\nlines", "two lines"),
        ("a\u202eb", r"a\[U+202E\]b"),
        ("", ""),
    ],
)
def test_words_stay_words(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(
    "text", ["@everyone", "a@b.example", "https://a.example", "www.a.example", "WWW.a", "see #12", "GH-7", "gh-7", "deadbeef", ":tada:"]
)
def test_what_github_would_link_or_mention_stands_as_code(text: str) -> None:
    assert words(text) == f"`{text}`"


@pytest.mark.parametrize("text", ["abcdef", "12:30 and 13:00", "no. 12", "GH", "wwwa", "a: b"])
def test_what_it_would_not_link_stands_as_words(text: str) -> None:
    assert words(text) == escaped(text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a```", "```` a``` ````"),
        ("a``b`c", "```a``b`c```"),
        (" a", "`  a `"),
        ("a ", "` a  `"),
        ("", "`  `"),
        ("<b>|*_", "`<b>|*_`"),
        ("x" * (VALUE_LIMIT + 1), "`" + "x" * (VALUE_LIMIT - 20) + "… (cut, 201 characters)`"),
    ],
)
def test_a_value_is_code_and_nothing_but_itself(value: str, shown: str) -> None:
    assert re.sub("x+", "x", code(value)) == re.sub("x+", "x", shown)
    assert len(code(value)) <= VALUE_LIMIT + 10


@given(text=st.text(st.sampled_from("`a b\n*[](<@#"), max_size=12))
def test_a_fence_is_never_within_what_it_fences(text: str) -> None:
    shown = code(text)
    fence = re.match("`+", shown)
    assert fence is not None
    inner = shown[len(fence[0]) : -len(fence[0])]
    assert not re.search(rf"(?<!`){fence[0]}(?!`)", inner)
    assert not inner.startswith("`")
    assert not inner.endswith("`")
    assert "\n" not in shown


def test_long_words_are_cut() -> None:
    assert len(words("y" * 5000)) <= 4 * VALUE_LIMIT
    assert len(words("y" * 790)) == 790


def test_a_large_fleet_still_fits_a_comment_and_what_is_left_out_is_counted() -> None:
    text = page(*(standing(f"server-{number:03}", FAILS, FAILS_TOO) for number in range(400)))
    (said,) = re.findall(r"^(\d+) more left out here; the other formats have everything\.$", text, re.MULTILINE)

    assert MAX_CHARACTERS - 2000 < len(text) < MAX_CHARACTERS + 200
    assert text.count("- ✗ **CFG") + text.count("#### ") + int(said) == 400 * 3
    assert text.startswith("### ✗ ")
    assert text.rstrip().endswith("</sub>")


def test_blocks_are_kept_while_there_is_room_and_counted_from_the_first_that_has_none() -> None:
    assert fitting(["abc", "de"], room=9) == (["abc", "de"], 0)
    assert fitting(["abc", "de"], room=8) == (["abc"], 1)
    assert fitting(["abc", "de"], room=5) == (["abc"], 1)
    assert fitting(["abc", "de"], room=4) == ([], 2)
    assert fitting(["abcdef", "a"], room=6) == ([], 2)  # none is told out of its order
    assert MAX_CHARACTERS == 60_000


def test_what_fits_is_whole() -> None:
    text = page(*(standing(f"server-{number:03}", FAILS) for number in range(20)))

    assert "left out" not in text
    assert text.count("- ✗ **CFG-001**") == 20


def test_a_page_without_trouble_is_a_line_and_a_table() -> None:
    lines = page(standing("prod")).splitlines()

    assert lines[0].startswith("### ✓ ")
    assert not [line for line in lines if line.startswith("- ")]
    assert [line for line in lines if line.startswith("#### ")] == ["#### ✓ prod: Meets the policy."]


def test_a_finding_without_remedy_or_severity_says_no_more_than_it_knows() -> None:
    bare = PolicyText(name="bare", title="Bare", version=1, digest="d" * 64, rules=())
    text = page(replace(standing("prod", replace(FAILS, severity=None)), policy=bare))

    assert "- ✗ **CFG-001** CFG-001\n  - `UseSSL`: expected `true`, observed `false`\n" in text
    assert "Fix" not in text


def test_a_waived_failure_whose_waiver_is_not_known_is_waived_all_the_same() -> None:
    shown = view([standing("prod", WAIVED)], engine_version="1")
    (target,) = shown.targets
    unknown = replace(target, waived=tuple(replace(one, waiver=None) for one in target.waived))
    text = render_markdown(replace(shown, targets=(unknown,))).decode()

    assert "- ◐ **CFG-006** Port is a submission port is waived\n" in text


def test_many_policies_are_counted_past_ten() -> None:
    def judged_by(number: int) -> Standing:
        return replace(standing(f"s{number:02}"), policy=replace(POLICY, digest=f"{number:064}"))

    assert f"`{9:064}` and 2 more.</sub>" in page(*(judged_by(number) for number in range(12)))
    assert page(*(judged_by(number) for number in range(12))).count("SHA-256") == 10
    assert "more" not in page(*(judged_by(number) for number in range(10)))


def test_changes_are_told_once_before_the_targets() -> None:
    text = page(standing("prod", FAILS, changes=(TLS_OFF,)))

    assert text.count("- ✗ prod: `UseSSL` downgrade from `true` to `false`, between Tue 17 Nov 2026 09:15 and 09:30 UTC") == 1
    assert text.index("downgrade") < text.index("#### ")
