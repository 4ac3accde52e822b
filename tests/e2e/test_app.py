"""Secrets, keys and files as the app meets them."""

import os
from pathlib import Path

import pytest

from auditor import publish
from auditor.app import MAX_SECRET_BYTES, fingerprint_key, read_secret
from auditor.core.model import SecretRef
from auditor.errors import SecretError, StoreError


def in_file(folder: Path, content: bytes) -> SecretRef:
    (folder / "secret").write_bytes(content)
    return SecretRef("file", str(folder / "secret"))


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b" a b \n\n", " a b \n"),
        (b"\xef\xbb\xbfx", "x"),
        ("ü".encode(), "ü"),
    ],
)
def test_a_secret_is_the_file_less_one_newline(tmp_path: Path, content: bytes, value: str) -> None:
    assert read_secret(in_file(tmp_path, content)) == value


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"", "empty"), (b"\n", "empty"), (b"s3cret\xff", "not UTF-8"), (b"s3cret" * MAX_SECRET_BYTES, "larger than")]
)
def test_what_is_no_secret_is_refused_by_its_reference_alone(tmp_path: Path, content: bytes, complaint: str) -> None:
    ref = in_file(tmp_path, content)
    with pytest.raises(SecretError, match=complaint) as caught:
        read_secret(ref)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
    assert str(ref) in str(caught.value)


def test_a_secret_that_is_nowhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    for ref in (
        SecretRef("file", str(tmp_path / "none")),
        SecretRef("file", str(tmp_path)),
        SecretRef("env", "NO_SUCH_VARIABLE"),
        SecretRef("env", "EMPTY"),
    ):
        with pytest.raises(SecretError):
            read_secret(ref)


def test_the_fingerprint_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    ref = SecretRef("file", str(tmp_path / "deep" / "auditor.key"))
    key = fingerprint_key(ref)
    assert fingerprint_key(ref) == key
    assert Path(ref.name).read_text(encoding="ascii").strip() == key.secret.hex()
    if os.name == "posix":
        assert Path(ref.name).stat().st_mode & 0o077 == 0


def test_a_wrong_or_impossible_fingerprint_key_is_refused(tmp_path: Path) -> None:
    for content in (b"not hexadecimal", b"abcd"):
        with pytest.raises(SecretError, match="not a fingerprint key"):
            fingerprint_key(in_file(tmp_path, content))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be written"):
        fingerprint_key(SecretRef("file", str(tmp_path / "file" / "auditor.key")))
    with pytest.raises(SecretError, match="not set"):
        fingerprint_key(SecretRef("env", "NO_SUCH_VARIABLE"))


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    publish.write(b"old", path)
    with pytest.raises(TypeError):
        publish.write("no bytes", path)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path], "no half-written file is left"
    with pytest.raises(StoreError, match="cannot be written"):
        publish.write(b"new", path / "below-a-file.html")
