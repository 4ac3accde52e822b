"""`auditor baseline` on a simulated server: approve, drift away, come back, let it end, take it back, keep it in git."""

import json
import platform
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from auditor.app.secrets import os_account
from auditor.simulator.command import NotConfigured
from auditor.simulator.profile import in_pam, stored
from tests.e2e.conftest import Site

WATCH = """
policy: watch
title: Approved values are kept
version: 1
rules:
- {id: OUR-001, title: A baseline exists, severity: low, require: {baseline.exists: true}}
- {id: OUR-002, title: Nothing differs from the baseline, severity: high, when: {baseline.exists: true}, require: {drift.unapproved: {length: 0}}}
- {id: OUR-003, title: The port is the approved one, severity: high, when: {baseline.exists: true}, require: {Port: {same_as: baseline.Port}}}
"""
WHO = ("--by", "Ada Lovelace", "--reason", "the new relay")


@pytest.fixture
def watched(site: Site) -> Site:
    (site.folder / "ours").mkdir()
    (site.folder / "ours" / "watch.yaml").write_text(WATCH, encoding="utf-8")
    site.extra += "policies: [ours]\n"
    site.configure(policy="watch")
    return site


def failing(site: Site) -> list[str]:
    _, report = site.check()
    return [finding["rule"] for finding in report["targets"][0]["findings"] if finding["outcome"] == "fail"]


def digest_of(site: Site, field: str) -> str:
    _, out, _ = site.run("baseline", "history", "prod", "--format", "json")
    return str([entry["digest"] for entry in json.loads(out) if entry["field"] == field][-1])


def test_an_approved_value_stays_watched(watched: Site) -> None:
    """CIPP#6187, typed: accepting a deviation must not end the watch."""
    site, smtp = watched, watched.simulator.smtp
    assert failing(site) == ["OUR-001"]  # nothing is approved implicitly
    assert site.run("baseline", "diff", "prod")[0] == 3
    code, out, _ = site.run("baseline", "approve", "prod", *WHO, "--ticket", "CHG-1")
    assert code == 0
    assert re.search(r"^prod, as seen .* UTC: approved by Ada Lovelace$", out, re.MULTILINE)
    assert re.search(r"^  Port +587$", out, re.MULTILINE)
    assert (failing(site), site.run("baseline", "diff", "prod")[0]) == ([], 0)

    smtp["Port"] = 25
    assert failing(site) == ["OUR-002", "OUR-003"]
    code, out, _ = site.run("baseline", "diff", "prod")
    assert (code, out) == (1, "Port differs: approved 587, now 25\n  by Ada Lovelace, CHG-1: the new relay\n")
    assert site.run("baseline", "approve", "prod", "--field", "Port", "--by", "Bob", "--reason", "the partner has no 587")[0] == 0
    assert failing(site) == []
    smtp["Port"] = 2525
    assert failing(site) == ["OUR-002", "OUR-003"]
    smtp["Port"] = 587  # the value before: approved once, but not any more
    assert failing(site) == ["OUR-002", "OUR-003"]

    code, out, _ = site.run("baseline", "revoke", digest_of(site, "Port")[:12], "--by", "Eve", "--reason", "they have it now")
    assert (code, out.splitlines()) == (
        0,
        ["prod: Port 25 is approved no more", "in force again: 587; by Ada Lovelace, CHG-1: the new relay"],
    )
    assert failing(site) == []


def test_show_and_history_tell_who_by_name_and_who_by_account(watched: Site) -> None:
    site = watched
    site.check()
    assert "nothing is approved for prod" in site.run("baseline", "show", "prod")[1]
    assert "nothing is approved for prod" in site.run("baseline", "history", "prod")[1]
    site.run("baseline", "approve", "prod", "--field", "Host", "--field", "Port", *WHO, "--expires", "2999-12-31")
    site.simulator.smtp["Port"] = 25
    site.check()
    _, out, _ = site.run("baseline", "show", "prod")
    assert out.splitlines()[2:5] == [
        f"{'Port':<24} 587  [differs]",
        f"{'':<24} by Ada Lovelace, through 2999-12-31 (UTC): the new relay",
        f"{'':<24} now: 25",
    ]
    assert out.splitlines()[-1].startswith("not approved: Id, ")
    _, out, _ = site.run("baseline", "show", "prod", "--format", "json")
    shown = json.loads(out)
    assert (shown["target"], shown["exists"], [(f["field"], f["approved"], f["seen"], f["stands"]) for f in shown["fields"]]) == (
        "prod",
        True,
        [("Host", "smtp.office365.com", "smtp.office365.com", "holds"), ("Port", "587", "25", "differs")],
    )
    account = os_account()
    assert shown["fields"][0]["recorded"] | {"at": ""} == {"at": "", "account": account, "host": platform.node()}
    _, out, _ = site.run("baseline", "diff", "prod", "--format", "json")
    assert [field["field"] for field in json.loads(out)["fields"]] == ["Port"]

    site.run("baseline", "approve", "prod", "--field", "Port", "--by", "Bob", "--reason", "r")
    site.run("baseline", "revoke", digest_of(site, "Host"), "--by", "Eve", "--reason", "no")
    _, out, _ = site.run("baseline", "history", "prod")
    states = re.findall(r"^[0-9a-f]{12} (\w+): \S+  \[(.*)\]$", out, re.MULTILINE)
    assert states == [("Host", "revoked"), ("Port", "replaced"), ("Port", "in force")]
    assert f"by Eve ({account} on {platform.node()}): no" in out


def test_the_report_and_show_put_the_approved_value_beside_the_field(watched: Site) -> None:
    site = watched
    site.check()
    assert "Nothing is approved for this server." in site.run("show", "prod")[1]
    site.run("baseline", "approve", "prod", "--field", "Port", "--field", "Host", *WHO, "--ticket", "CHG-1")
    site.simulator.smtp["Port"] = 25
    site.check()
    _, out, _ = site.run("show", "prod")
    assert "2 approved values, not as approved: Port." in out
    assert "differs: approved is 587, by Ada Lovelace, CHG-1" in " ".join(out.split())
    assert "! prod: Port differs from the approved value. It is 25; approved is 587" in " ".join(out.split())
    _, out, _ = site.run("show", "prod", "--output", "json=-")
    (target,) = json.loads(out)["targets"]
    assert {name: (one["approved"], one["by"], one["stands"]) for name, one in target["profile"]["baseline"].items()} == {
        "Host": ("smtp.office365.com", "Ada Lovelace", "holds"),
        "Port": ("587", "Ada Lovelace", "differs"),
    }
    page = Path(site.run("report")[1].strip()).read_text(encoding="utf-8")
    assert '<span class="approval differs" dir="auto">differs: approved is 587, by Ada Lovelace, CHG-1</span>' in page
    assert '<span class="approval" dir="auto">approved by Ada Lovelace, CHG-1</span>' in page


def test_an_approval_that_has_ended_holds_nothing_any_more(watched: Site) -> None:
    site = watched
    site.check()
    file = site.folder / "old.yaml"
    file.write_text(
        'approvals:\n- {target: prod, field: Port, value: 25, by: Ada, reason: r, approved_at: "2020-01-01T00:00:00Z", expires: 2020-06-30}\n',
        encoding="utf-8",
    )
    assert site.run("baseline", "import", str(file))[1] == "1 new, 0 on record already\n"
    assert failing(site) == ["OUR-001"]
    assert "[expired]" in site.run("baseline", "history", "prod")[1]


def test_an_export_is_imported_once_and_means_the_same_elsewhere(watched: Site) -> None:
    site = watched
    site.simulator.smtp.update({"ClientSecret": in_pam(3, SecretId="vault-entry-77"), "ClientId": stored("the-client-id")})
    site.simulator.smtp["RequestHeaders"] = [{"Name": "X-Tenant", "Value": "tenant-value-123"}]
    site.check()
    site.run("baseline", "approve", "prod", *WHO)
    site.run("baseline", "revoke", digest_of(site, "Id")[:8], "--by", "Eve", "--reason", "no")
    file = site.folder / "approved.yaml"
    assert site.run("baseline", "export", "-o", str(file))[0] == 0
    text = file.read_text(encoding="utf-8")
    assert site.run("baseline", "export", "prod")[1] == text
    for secret in (site.password, "vault-entry-77", "tenant-value-123"):
        assert secret not in text
    assert site.run("baseline", "import", str(file))[1] == f"0 new, {text.count('target: ')} on record already\n"

    site.database.unlink()
    for extra in ("-wal", "-shm"):
        site.database.with_name(site.database.name + extra).unlink(missing_ok=True)
    assert site.run("baseline", "import", str(file))[1] == f"{text.count('target: ')} new, 0 on record already\n"
    assert site.run("baseline", "export")[1] == text
    assert failing(site) == []
    assert site.run("baseline", "diff", "prod")[0] == 0


def test_approvals_that_live_in_a_folder_are_imported_at_start_and_edited_there(watched: Site) -> None:
    site, folder = watched, watched.folder / "approved"
    folder.mkdir()
    site.check()
    site.run("baseline", "approve", "prod", "--field", "UseSSL", *WHO)
    (folder / "prod.yaml").write_text("approvals:\n- {target: prod, field: Port, value: 25, by: Ada, reason: r}\n", encoding="utf-8")
    site.extra += "baselines: approved\n"
    site.configure(policy="watch")
    assert failing(site) == ["OUR-002", "OUR-003"]
    for arguments in (("approve", "prod", *WHO), ("revoke", "0" * 64, *WHO), ("import", str(folder / "prod.yaml"))):
        code, _, err = site.run("baseline", *arguments)
        assert code == 2
        assert f"approvals live in {folder}: edit the file there" in err
    code, _, err = site.run("baseline", "show", "prod")
    assert code == 0
    assert "approved values do not stand in the folder" in err
    assert "UseSSL" in err
    (folder / "prod.yaml").write_text(
        "approvals:\n- {target: prod, field: Port, value: 25, by: Ada, reason: r, revoked: {by: Eve, reason: no}}\n", encoding="utf-8"
    )
    assert "Port" not in site.run("baseline", "show", "prod")[1].partition("not approved")[0]

    (folder / "prod.yaml").write_text("approvals:\n- {target: prod, field: Prot, value: 25, by: Ada, reason: r}\n", encoding="utf-8")
    site.configure(policy="watch", schedule="{every: 15m}")
    before = len(site.simulator.requests)
    for command in ("check", "report", "daemon"):
        code, _, err = site.run(command)
        assert (code, "prod.yaml:2: no field is called 'Prot'" in err, "did you mean 'Port'?" in err) == (2, True, True)
    assert len(site.simulator.requests) == before


def test_a_folder_that_is_not_there_is_refused(site: Site) -> None:
    site.extra += "baselines: nowhere\n"
    site.configure()
    code, _, err = site.run("check")
    assert (code, "baselines: " in err, "is not a folder" in err) == (2, True, True)


def test_what_cannot_be_approved_is_said(watched: Site) -> None:
    site = watched

    def refused(*arguments: str) -> str:
        code, _, err = site.run("baseline", *arguments)
        assert code == 2
        return err

    assert "prod was never read" in refused("approve", "prod", *WHO)
    site.simulator.smtp["Port"] = "587"
    site.check()
    assert "no field is called 'port'" in refused("approve", "prod", "--field", "port", *WHO)
    assert 'there is no value to approve: Port (text "587" (ill-typed))' in refused("approve", "prod", "--field", "Port", *WHO)
    assert "--reason is empty" in refused("approve", "prod", "--by", "Ada", "--reason", " ")
    assert "--by has a character that is not seen" in refused("approve", "prod", "--by", "A\u202eda", "--reason", "r")
    for day in ("2020-01-01", "2026-02-30", "tomorrow", "29990101", "2999-W01-1", "", "2999-01-01 "):
        assert "is not a day to come" in refused("approve", "prod", *WHO, "--expires", day)
    _, out, _ = site.run("baseline", "approve", "prod", *WHO)
    assert 'not approved, for there is no value to approve: Port (text "587" (ill-typed))' in out
    assert site.run("baseline", "approve", "prod", *WHO)[1].startswith("prod: these values are approved already")
    assert "names no approval to revoke" in refused("revoke", "abc", *WHO)
    digest = digest_of(site, "Host")
    assert site.run("baseline", "revoke", digest, *WHO)[1].splitlines()[1] == "no value of Host is approved now"
    assert f"{digest[:12]} was revoked by Ada Lovelace" in refused("revoke", digest, *WHO)
    assert "this very approval of Host was revoked" in refused("approve", "prod", "--field", "Host", *WHO)


def test_an_approval_that_gave_way_to_another_value_is_not_called_approved_already(watched: Site) -> None:
    site, smtp = watched, watched.simulator.smtp
    for port in (587, 465, 587):
        smtp["Port"] = port
        site.check()
        code, _, err = site.run("baseline", "approve", "prod", "--field", "Port", *WHO)
    assert (code, "this very approval of Port was replaced" in err, "--reason or --ticket" in err) == (2, True, True)
    assert site.run("baseline", "approve", "prod", "--field", "Port", *WHO, "--ticket", "CHG-2")[0] == 0
    assert site.run("baseline", "diff", "prod")[0] == 0
    # the same value is approved in other words since: nothing is to be done, so a script may run again
    assert site.run("baseline", "approve", "prod", "--field", "Port", *WHO)[:2] == (0, "prod: these values are approved already\n")


def test_a_revocation_is_not_undone_by_an_import_and_that_is_said(watched: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site = watched
    site.check()
    site.run("baseline", "approve", "prod", "--field", "Port", *WHO)
    folder = site.folder / "approved"
    folder.mkdir()
    file = folder / "prod.yaml"
    assert site.run("baseline", "export", "-o", str(file))[0] == 0
    site.run("baseline", "revoke", digest_of(site, "Port"), *WHO)
    code, out, _ = site.run("baseline", "import", str(file))
    assert (code, out.splitlines()) == (
        0,
        [
            "0 new, 1 on record already",
            "revoked on record, and stays so: prod Port 587, by Ada Lovelace: the new relay",
            "to approve it again, say why in its reason or ticket",
        ],
    )
    assert site.run("baseline", "diff", "prod")[0] == 3
    site.extra += "baselines: approved\n"
    site.configure(policy="watch")
    _, _, err = site.run("baseline", "show", "prod")
    assert "revoked on record, and stay so" in err
    assert "fields=['Port']" in err


@pytest.mark.parametrize("name", ["prod.yml", "prod.YAML", "more/"])
def test_a_file_of_approvals_that_would_not_be_read_is_refused(watched: Site, name: str) -> None:
    folder = watched.folder / "approved"
    folder.mkdir()
    (folder / name).mkdir() if name.endswith("/") else (folder / name).write_text("approvals: []", encoding="utf-8")
    (folder / "README.md").write_text("Where we keep approvals.", encoding="utf-8")
    (folder / "..data").mkdir()  # as a mounted ConfigMap has it
    watched.extra += "baselines: approved\n"
    watched.configure(policy="watch")
    code, _, err = watched.run("check")
    assert (code, f"{folder / name}: a file of approvals ends in .yaml" in err) == (2, True)
    assert not watched.simulator.requests


def test_a_server_without_a_profile_has_nothing_to_approve(watched: Site) -> None:
    watched.simulator.not_configured = NotConfigured.NO_CONTENT
    watched.check()
    code, _, err = watched.run("baseline", "approve", "prod", *WHO)
    assert (code, "prod has no mail profile" in err) == (2, True)


def test_no_secret_is_in_the_record(watched: Site) -> None:
    site = watched
    site.simulator.smtp.update({"RelayAuthenticationType": 2, "RelayUsername": stored("svc"), "RelayPassword": stored("hunter2-hunter2")})
    site.check()
    out = "".join(
        site.run("baseline", *arguments)[1] for arguments in (("approve", "prod", *WHO), ("show", "prod"), ("history", "prod"), ("export",))
    )
    with closing(sqlite3.connect(site.database)) as connection:
        out += "".join(document for (document,) in connection.execute("SELECT document FROM approvals"))
    assert "hunter2" not in out
