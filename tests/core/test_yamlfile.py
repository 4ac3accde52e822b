"""The strict YAML reader."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import ConfigError, DocumentError, did_you_mean
from auditor.yamlfile import MAX_FILE_BYTES, parse, read


def test_values_are_plain_and_each_knows_its_line() -> None:
    file = parse('a: 1\nb: [x, true, null, 2026-12-31]\nc:\n  d: "12:30"\n  e: |\n    text\n', path="f")
    assert file.value == {"a": 1, "b": ["x", True, None, "2026-12-31"], "c": {"d": "12:30", "e": "text\n"}}
    assert [file.line("a"), file.line("b", 1), file.line("c", "d"), file.line("c", "nothing"), file.line()] == [1, 2, 4, 3, 1]
    assert file.where("c", "e") == "f:5"


@pytest.mark.parametrize(
    "scalar",
    [
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "N",
        "True",
        "FALSE",
        "Null",
        "~",
        "3.10",
        "1e3",
        ".5",
        "-.inf",
        ".NaN",
        "0x1F",
        "0o17",
        "0b1",
        "012",
        "1_000",
        "12:30",
        "190:20:30",
        "+1",
        "1.",
        "=",
        "12345678901234567890",
    ],
)
def test_what_readers_of_yaml_disagree_on_is_refused_with_its_line(scalar: str) -> None:
    with pytest.raises(DocumentError, match=r"^f:2: .* means different things"):
        parse(f"a: 1\nb: {scalar}\n", path="f")
    assert parse(f'b: "{scalar}"', path="f").value == {"b": scalar}, "in quotes it is text"


@pytest.mark.parametrize(
    "scalar", ["587", "-5", "0", "true", "false", "null", "10.0.0.1", "1.2.3", "smtp:587", "2026-12-31", "none", "onward", "nil"]
)
def test_what_all_readers_agree_on_is_taken(scalar: str) -> None:
    expected = {"587": 587, "-5": -5, "0": 0, "true": True, "false": False, "null": None}.get(scalar, scalar)
    assert parse(f"a: {scalar}", path="f").value == {"a": expected}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: &x 1", "f:1: anchor &x"),
        ("a: 1\nb: *x", "f:2: alias *x"),
        ("a: !!str 1", "f:1: tag"),
        ("? [a]\n: 1", "f:1: a key that is not plain text"),
        ("&k a: 1", "f:1: a key that is not plain text"),
        ("587: 1", "f:1: the key 587 is not text"),
        ("on: 1", "f:1: on means"),
        ("a: 1\nb: 2\na: 3", "f:3: 'a' stands here twice, first in line 1"),
        ("a: {<<: {b: 1}}", "f:1: << means"),
        ("--- 1\n--- 2", "f:2: a second document"),
        ("a: [1,\n", "f:2: not YAML"),
        ("a:\n\t- 1", "f:2: not YAML"),
        ("a: \x01", "f:1: not YAML"),
        ("[" * 100, "f:1: nested deeper"),
    ],
)
def test_each_trap_is_refused_where_it_stands(text: str, complaint: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text, path="f")
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize("hidden", ["\u2028", "\u2029", "\x85", "\u202e", "\u2066", "\ufeff"])
def test_a_character_that_hides_a_line_from_an_editor_is_refused(hidden: str) -> None:
    with pytest.raises(DocumentError, match=r"^f:2: a hidden character, U\+"):
        parse(f"a: 1\n# see ticket 4711{hidden}  insecure_skip_verify: true\n", path="f")


@pytest.mark.parametrize("written", ["012345", "12:30", "*hunter2", "!hunter2 x", "&hunter2 x", "on"])
def test_what_stands_where_a_secret_belongs_is_not_quoted(written: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(f"auth:\n  password: {written}\n", path="f")
    assert not {"012345", "12:30", "hunter2"} & set(
        f"{caught.value} {caught.value.hint}".replace("*", " ").replace("&", " ").replace("!", " ").split()
    )


def test_a_file_that_is_missing_too_large_or_not_utf_8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.yaml", error=ConfigError)
    large, latin = tmp_path / "large.yaml", tmp_path / "latin.yaml"
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    latin.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(DocumentError, match="larger than"):
        read(large)
    with pytest.raises(DocumentError, match=r"latin.yaml:2: not UTF-8"):
        read(latin)


def test_a_byte_order_mark_of_a_windows_editor_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read(path).value == {"a": 1}


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,?\n\t 01.~<=", max_size=60))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    with suppress(DocumentError):
        assert parse(text, path="f").path == "f"


def test_the_nearest_word_is_suggested_and_no_far_one() -> None:
    assert did_you_mean("Prot", ["Port", "Host"]) == "did you mean 'Port'?"
    assert did_you_mean("xyz", ["Port"], else_say="see the list") == "see the list"
