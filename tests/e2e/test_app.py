"""Secrets, keys and files as the app meets them."""

import os
from pathlib import Path

import pytest

from auditor import publish
from auditor.app.secrets import MAX_SECRET_BYTES, fingerprint_key, read_secret
from auditor.core.fingerprint import KEY_BYTES
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


def test_a_credential_is_found_where_systemd_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "command.password").write_bytes(b"hunter2\n")
    (tmp_path / "key").write_bytes(b"6b" * KEY_BYTES)
    assert read_secret(SecretRef("credential", "command.password")) == "hunter2"
    assert fingerprint_key(SecretRef("credential", "key")).secret == b"k" * KEY_BYTES
    for name, content in (("command.password", b""), ("another", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(SecretError, match=f"credential:{name}: ") as caught:
            read_secret(SecretRef("credential", name))
    assert caught.value.hint == "the unit hands it over: LoadCredential=another:/PATH/OF/THE/SECRET"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["command.password", "key"], "what is missing is not made there"


@pytest.mark.parametrize("folder", [None, ""])
def test_without_a_unit_there_are_no_credentials_and_the_hint_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, folder: str | None) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    if folder is not None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", folder)
    with pytest.raises(SecretError) as caught:
        read_secret(SecretRef("credential", "command-password"))
    assert str(caught.value) == "credential:command-password: this process was given no credentials (CREDENTIALS_DIRECTORY is not set)"
    assert "LoadCredential=command-password:" in caught.value.hint


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
