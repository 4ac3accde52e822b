"""Canonical JSON and fingerprints."""

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from auditor.core.canonical import canonical, digest
from auditor.core.fingerprint import FingerprintKey

SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner), max_leaves=20)


@given(VALUES)
def test_the_text_is_that_of_rfc_8785(value: object) -> None:
    assert canonical(value).encode() == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [1.0, float("nan"), 2**53, -(2**53), {"é": 1}, {1: 2}, "\ud800", b"x", {"a": [1.5]}])
def test_what_has_no_one_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"canonical|ASCII"):
        canonical(value)


def test_a_digest_is_sha_256_of_the_text() -> None:
    assert digest({"b": 1, "a": [True, None]}) == "51705a2c9eb3e7e410a58f696a770c3ac3885a0cf43eb7fc88f5e47c11d4d30d"


def test_equal_values_of_one_field_have_equal_fingerprints_and_nothing_else_has() -> None:
    key, other = FingerprintKey(b"k" * 32), FingerprintKey(b"o" * 32)
    marks = {key.of("A", "x"), key.of("A", "x"), key.of("B", "x"), key.of("A", "y"), other.of("A", "x")}
    assert len(marks) == 4
    assert key.id != other.id
    assert "6b6b" not in repr(key), "the key itself is never shown"


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        FingerprintKey(b"short")
