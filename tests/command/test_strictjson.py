import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.command.strictjson import Number, StrictJsonError, dumps, loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("587", 587),
        ("587.0", 587),
        ("5.87e2", 587),
        ("-0.0", 0),
        ("-25", -25),
        ("9007199254740991", 2**53 - 1),
        ("9007199254740992", Number("9007199254740992")),
        ("-9007199254740992.0", Number("-9007199254740992.0")),
        ("587.5", Number("587.5")),
        ("587.00000000000000000000000000000000000000000000001", Number("587.00000000000000000000000000000000000000000000001")),
        ("1e400", Number("1e400")),
        ("1e999999999", Number("1e999999999")),
        ("1e-999999999", Number("1e-999999999")),
        ("1e99999999999999999999", Number("1e99999999999999999999")),
        ("9" * 5000, Number("9" * 5000)),
        ("true", True),
        ("null", None),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"[[[[[[[[[["', "[[[[[[[[[["),
        ('"\\"[[[[[[[[[["', '"[[[[[[[[[['),
        ("[[[[[[[[8]]]]]]]]", [[[[[[[[8]]]]]]]]),
        ('\ufeff{"a": [1, 2]}', {"a": [1, 2]}),
    ],
)
def test_what_json_says_is_read_exactly(text: str, value: object) -> None:
    found = loads(text.encode())
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"Port": 1, "Port": 2}', "a key stands twice in one object"),
        (b'{"a": {"b": 1, "b": 1}}', "a key stands twice in one object"),
        (b"NaN", "NaN and Infinity are not JSON"),
        (b'{"Port": -Infinity}', "NaN and Infinity are not JSON"),
        (b'"\\ud800"', "half a surrogate pair"),
        (b'["a", {"\\udfff": 1}]', "half a surrogate pair"),
        (b"[[[[[[[[[9]]]]]]]]]", "nested deeper than 8 levels"),
        (b"[" * 60_000, "nested deeper than 8 levels"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"<html>", "not JSON from line 1 column 1"),
        (b'{\n "a": 01}', "not JSON from line 2 column 8"),
        (b'{"a": 1} {"b": 2}', "not JSON from line 1 column 10"),
        (b'"a\nb"', "not JSON from line 1 column 3"),
        (b"]]", "not JSON from line 1 column 1"),
    ],
)
def test_what_readers_could_take_differently_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(StrictJsonError, match=f"^{reason}$"):
        loads(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(JSON)
def test_whatever_json_there_is_it_is_read_or_refused(value: object) -> None:
    try:
        found = loads(json.dumps(value).encode())
    except StrictJsonError:
        return
    assert isinstance(dumps(found), str)


@given(st.binary())
def test_bytes_of_any_kind_are_read_or_refused(body: bytes) -> None:
    with suppress(StrictJsonError):
        loads(body)


def test_a_fingerprint_is_taken_of_one_text_whatever_the_order_of_keys() -> None:
    assert dumps(loads(b'{"b": 1.5, "a": "\xc3\xa9"}')) == dumps(loads(b'{"a": "\\u00e9", "b": 1.5}'))
