"""`auditor ledger checkpoint`, `ledger checkpoints` and `auditor evidence`: the head signed, dated by an authority, verified with openssl alone."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor import attest
from auditor.core.model import SigningFiles
from auditor.evidence import cms
from auditor.store.checkpoints import Checkpoint, Sealed
from tests.e2e.conftest import Site
from tests.evidence.authorities import Root, Tsa, stamping

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[Tsa]:
    with stamping(tmp_path / "tsa") as tsa:
        yield tsa


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path, name="evidence-root")


def configure(site: Site, signer: str = "{certificate: evidence-signer.pem, key: evidence-signer.key}", tsa: Tsa | None = None, **more: str) -> None:
    site.extra = f"evidence:\n  signer: {signer}\n"
    if tsa:
        settings = {"url": f'"{tsa.url}"', "roots": tsa.authority.roots, "insecure_http": "true", "timeout": "5s"} | more
        site.extra += "  tsa:\n" + "".join(f"    {key}: {value}\n" for key, value in settings.items())
    site.configure()


def listed(site: Site, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code, out, err = site.run("ledger", "checkpoints", "--format", "json", *arguments)
    assert out, err
    return code, json.loads(out)


def tamper(site: Site, *statements: str) -> None:
    with closing(sqlite3.connect(site.database)) as connection, connection:
        for table in ("checkpoints", "stamps", "ledger"):
            for act in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {table}_refuse_{act}")
        for statement in statements:
            connection.execute(statement)


def test_a_checkpoint_is_signed_stamped_and_verified_with_openssl_alone(site: Site, tsa: Tsa, root: Root, tmp_path: Path) -> None:
    root.signer()
    configure(site, tsa=tsa)
    site.run("check")
    _, head, _ = site.run("ledger", "head")
    code, out, err = site.run("ledger", "checkpoint")
    assert code == 0, err
    assert "signed and stamped, and holds" in out
    code, [row] = listed(site, "--output", str(tmp_path / "files"))
    assert code == 0
    assert row["signer"] == "CN=Evidence signer"
    assert row["stamped"]
    assert int(row["head"].partition(":")[0]) >= int(head.partition(":")[0])
    assert site.run("ledger", "verify", "--expect-head", row["head"])[0] == 0

    name = f"{row['checkpoint']:07}.json"
    files = tmp_path / "files"
    for arguments in (
        ["ts", "-verify", "-data", f"{name}.p7s", "-in", f"{name}.p7s.tsr", "-CAfile", tsa.authority.roots],
        ["cms", "-verify", "-binary", "-inform", "DER", "-in", f"{name}.p7s", "-content", name, "-CAfile", str(root.path), "-purpose", "any"],
    ):
        done = subprocess.run(["openssl", *arguments], cwd=files, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    said = json.loads((files / name).read_bytes())
    assert f"{said['seq']}:{said['link']}" == row["head"]
    assert said["signer"] == {"subject": row["signer"], "sha256": row["sha256"]}


def test_a_signer_in_pkcs12_takes_its_passphrase_by_reference(site: Site, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root.signer(kind="rsa", as_pkcs12=True, passphrase="Jkw9-mine")
    configure(site, signer="{pkcs12: evidence-signer.p12, passphrase: env:SIGNER_PASSPHRASE}")
    monkeypatch.setenv("SIGNER_PASSPHRASE", "Xq7-other")
    code, out, err = site.run("ledger", "checkpoint")
    assert (code, out) == (2, "")
    assert "the passphrase does not open it" in err
    assert "Xq7-other" not in err
    monkeypatch.setenv("SIGNER_PASSPHRASE", "Jkw9-mine")
    code, out, err = site.run("ledger", "checkpoint", "--format", "json")
    assert code == 0, err
    assert json.loads(out)["state"] == "signed, and holds; not stamped: nobody was asked"
    assert b"Jkw9-mine" not in site.database.read_bytes()


def test_a_stamp_that_failed_is_told_and_added_later(site: Site, tsa: Tsa, root: Root) -> None:
    root.signer()
    configure(site, tsa=tsa)
    tsa.status = 503
    code, out, err = site.run("ledger", "checkpoint")
    assert code == 1
    assert "signed, and holds; not stamped: no time stamp: 127.0.0.1 answered 503" in out
    assert "error: no time stamp: 127.0.0.1 answered 503" in err
    code, [row] = listed(site)
    assert (code, row["stamped"]) == (0, [])
    assert row["state"].endswith("answered 503")
    assert site.run("evidence", "stamp")[0] == 1
    _, told, _ = site.run("ledger", "show", "--kind", "stamp")
    assert len(told.splitlines()) == 1, "the same trouble is recorded once"

    tsa.status = 200
    code, out, _ = site.run("evidence", "stamp")
    assert (code, out) == (0, f"checkpoint {row['checkpoint']}: stamped\n")
    assert listed(site)[1][0]["state"] == "signed and stamped, and holds"
    assert site.run("evidence", "stamp")[:2] == (0, "every checkpoint is stamped\n")
    assert site.run("ledger", "verify")[0] == 0


def test_a_stamp_that_is_not_by_a_known_root_is_not_taken(site: Site, tsa: Tsa, root: Root) -> None:
    root.signer()
    configure(site, tsa=tsa, roots=str(root.path))
    code, out, _ = site.run("ledger", "checkpoint")
    assert code == 1
    assert "does not verify: openssl: " in out
    assert listed(site)[1][0]["stamped"] == []


def test_old_checkpoints_hold_after_the_signer_has_changed(site: Site, tsa: Tsa, root: Root) -> None:
    root.signer()
    configure(site, tsa=tsa)
    site.run("ledger", "checkpoint")
    root.signer("Another signer", kind="rsa")
    configure(site, signer="{certificate: another-signer.pem, key: another-signer.key}", tsa=tsa)
    site.run("ledger", "checkpoint")
    code, rows = listed(site)
    assert code == 0
    assert [row["signer"] for row in rows] == ["CN=Evidence signer", "CN=Another signer"]
    assert len({row["sha256"] for row in rows}) == 2
    assert {row["state"] for row in rows} == {"signed and stamped, and holds"}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE checkpoints SET statement = replace(statement, 'checkpoint/1', 'checkpoint/2')", "the statement of its checkpoint is not the one"),
        ("UPDATE checkpoints SET signature = x'3000'", "the signature of its checkpoint is not the one that was recorded"),
        ("UPDATE stamps SET reply = x'3000'", "its time stamp is not the one that was recorded"),
        ("DELETE FROM stamps", "its time stamp is gone"),
        ("DELETE FROM checkpoints", "what was signed for it is gone"),
        ("INSERT INTO checkpoints SELECT 1, statement, signature FROM checkpoints", "a checkpoint or a time stamp of record 1, which speaks of none"),
    ],
)
def test_a_tampered_checkpoint_is_found_by_ledger_verify(site: Site, tsa: Tsa, root: Root, statement: str, said: str) -> None:
    root.signer()
    configure(site, tsa=tsa)
    site.run("ledger", "checkpoint")
    assert site.run("ledger", "verify")[0] == 0
    tamper(site, statement)
    code, out, _ = site.run("ledger", "verify")
    assert code == 1
    assert said in out
    if not statement.startswith("INSERT"):
        code, _, err = site.run("ledger", "checkpoints")
        assert code == 74
        assert "is not as it was recorded" in err
    assert "ledger      ok" not in site.run("db", "check")[1]


def test_a_checkpoint_that_was_signed_anew_by_a_foreign_key_shows_its_signer(site: Site, root: Root) -> None:
    root.signer()
    configure(site)
    site.run("ledger", "checkpoint")
    _, [row] = listed(site)
    with closing(sqlite3.connect(site.database)) as connection:
        [(statement, signature)] = connection.execute("SELECT statement, signature FROM checkpoints").fetchall()
    from datetime import UTC, datetime

    foreign: SigningFiles = Root(site.folder, name="foreign").signer("Evidence signer")
    forged = cms.load(foreign, secret=str).sign(bytes(statement))
    for its, holds in ((bytes(signature), True), (forged, False)):
        seq, _, link = row["head"].partition(":")
        sealed = Sealed(seq=int(seq), link=link, signer=row["sha256"], subject=row["signer"], statement=bytes(statement), signature=its)
        judged = attest.judged(Checkpoint(number=row["checkpoint"], at=datetime.now(UTC), sealed=sealed), None)
        assert (not judged.faults) is holds


def test_without_openssl_a_checkpoint_is_made_and_said_to_be_unverified(site: Site, tsa: Tsa, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root.signer()
    configure(site)
    monkeypatch.setenv("PATH", str(site.folder))
    code, out, _ = site.run("ledger", "checkpoint", "--format", "json")
    assert code == 0
    assert json.loads(out)["state"] == "signed; not stamped: nobody was asked; not verified: this machine has no openssl"


def test_an_expired_signer_signs_nothing(site: Site, root: Root) -> None:
    root.signer(until=datetime.now(UTC) - timedelta(minutes=1))
    configure(site)
    code, _, err = site.run("ledger", "checkpoint")
    assert code == 2
    assert "has expired on" in err
    assert listed(site) == (0, [])


def test_without_a_signer_or_an_authority_it_is_said_what_to_do(site: Site, root: Root) -> None:
    code, _, err = site.run("ledger", "checkpoint")
    assert code == 2
    assert "auditor evidence init-key" in err
    root.signer()
    configure(site)
    code, _, err = site.run("evidence", "stamp")
    assert code == 2
    assert "no time-stamping authority is named" in err


def test_init_key_makes_a_signer_that_works_and_says_what_it_is_worth(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNER_PASSPHRASE", "Jkw9-mine")
    arguments = ("evidence", "init-key", str(site.folder), "--name", "Аудитор", "--passphrase", "env:SIGNER_PASSPHRASE")
    code, out, err = site.run(*arguments)
    assert code == 0, err
    assert "What this key is worth" in err
    key = site.folder / "evidence-signer.key"
    assert "ENCRYPTED" in key.read_text(encoding="ascii")
    assert key.stat().st_mode & 0o077 == 0
    configure(site, signer="{certificate: evidence-signer.pem, key: evidence-signer.key, passphrase: env:SIGNER_PASSPHRASE}")
    code, made, err = site.run("ledger", "checkpoint", "--format", "json")
    assert code == 0, err
    assert json.loads(made)["signer"] == "CN=Аудитор"
    assert f"SHA-256 {json.loads(made)['sha256']}" in out
    code, _, err = site.run(*arguments)
    assert code == 2
    assert "exists and is not overwritten" in err


@pytest.mark.parametrize("reference", ["hunter2", "env:"])
def test_init_key_takes_a_passphrase_by_reference_alone(site: Site, reference: str) -> None:
    code, _, err = site.run("evidence", "init-key", str(site.folder), "--passphrase", reference)
    assert code == 2
    assert "by reference only" in err
    assert "hunter2" not in err
    assert not (site.folder / "evidence-signer.key").exists()


def test_doctor_says_whether_the_signer_can_sign(site: Site, tsa: Tsa, root: Root) -> None:
    root.signer()
    configure(site, tsa=tsa)
    site.folder.joinpath("evidence-signer.key").chmod(0o600)

    def said() -> dict[str, dict[str, Any]]:
        _, out, _ = site.run("doctor", "--offline", "--format", "json")
        return {check["name"]: check for check in json.loads(out)["checks"] if check["name"] in ("signer", "time stamps")}

    assert {name: check["status"] for name, check in said().items()} == {"signer": "ok", "time stamps": "ok"}
    configure(site)
    assert {name: check["status"] for name, check in said().items()} == {"signer": "ok", "time stamps": "warn"}
    configure(site, tsa=tsa, roots=str(site.folder / "nowhere.pem"))
    site.folder.joinpath("evidence-signer.key").write_text("no key", encoding="ascii")
    assert {name: check["status"] for name, check in said().items()} == {"signer": "fail", "time stamps": "fail"}
    assert not tsa.asked
