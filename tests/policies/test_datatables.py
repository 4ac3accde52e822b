"""The data files beside the policies: what is in them, what is refused, what loading costs."""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from auditor import datatables, resources, yamlfile
from auditor.core.formats import FORMATS
from auditor.errors import DocumentError

DATA = resources.folder("policies") / "data"


def rows(file: str, key: str) -> Any:
    return yamlfile.read(DATA / file).value[key]


def copy(folder: Path, edit: Callable[[str, str], str]) -> Path:
    for name in ("providers.yaml", "freemail.yaml"):
        (folder / name).write_text(edit(name, (DATA / name).read_text(encoding="utf-8")), encoding="utf-8")
    return folder


def test_every_row_says_where_it_comes_from_and_when_that_was_looked_at() -> None:
    for row in [*rows("providers.yaml", "providers"), yamlfile.read(DATA / "freemail.yaml").value]:
        assert all(FORMATS["https_url"](source) for source in row["sources"])
        assert date(2026, 1, 1) <= date.fromisoformat(row["verified_on"])


def test_no_host_is_claimed_by_two_rows() -> None:
    hosts = [host for row in rows("providers.yaml", "providers") for host in row["hosts"]]
    assert len(hosts) == len(set(hosts))


def test_freemail_domains_are_sorted_out() -> None:
    domains = rows("freemail.yaml", "domains")
    assert len(domains) == len(set(domains))
    assert {"gmail.com", "outlook.com", "gmx.de", "qq.com"} <= datatables.load().freemail == frozenset(domains)


def test_every_table_has_a_version_for_the_key_of_a_judgement() -> None:
    versions = datatables.load().versions
    assert set(versions) == {"providers", "freemail", "public_suffix_list", "idna", "unicode"}
    assert [name for name, version in versions.items() if not re.fullmatch(r"[0-9a-f]{64}", version)] == ["unicode"]


def test_another_content_has_another_version(tmp_path: Path) -> None:
    other = datatables.load(copy(tmp_path, lambda _, text: text.replace("qq.com", "qq.example").replace("2587", "2588"))).versions
    ours = datatables.load().versions
    assert {name for name in ours if ours[name] != other[name]} == {"providers", "freemail"}


def test_the_same_content_written_otherwise_has_the_same_version(tmp_path: Path) -> None:
    assert datatables.load(copy(tmp_path, lambda _, text: f"# a remark\n{text}")).versions == datatables.load().versions


@pytest.mark.parametrize(
    ("file", "find", "replacement"),
    [
        ("providers.yaml", "[25, 587]", "25"),
        ("providers.yaml", "[Basic, OAuth]", "[Basic, NTLM]"),
        ("providers.yaml", "basic_off_on: 2026-12-31", "basic_off_on: 2026-13-31"),
        ("providers.yaml", "    UseSSL: [true]\n", ""),
        ("providers.yaml", "providers:", "rows:"),
        ("freemail.yaml", "- qq.com", "- QQ.com"),
        ("freemail.yaml", "- qq.com", "- 4"),
        ("freemail.yaml", "domains:", "names:"),
    ],
)
def test_a_table_that_is_not_what_it_must_be_is_refused_by_name(tmp_path: Path, file: str, find: str, replacement: str) -> None:
    folder = copy(tmp_path, lambda name, text: text.replace(find, replacement, 1) if name == file else text)
    with pytest.raises(DocumentError, match=re.escape(file)):
        datatables.load(folder)


def test_names_are_total() -> None:
    tables = datatables.load()
    assert [tables.org_domain(text) for text in ("", ".", "a b", "127.0.0.1", "é" * 400, "\ud800")] == [None] * 6
    assert tables.to_unicode(tables.to_ascii("Grüße.example")) == "grüße.example"
    with pytest.raises(ValueError, match="Label"):
        tables.to_ascii("a" * 64)


def test_loading_parses_neither_the_public_suffix_list_nor_idna() -> None:
    script = "import sys; from auditor import datatables; datatables.load(); print([m for m in ('publicsuffixlist', 'idna') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no_such_package"):
        datatables._file_digest("no_such_package", "data")
