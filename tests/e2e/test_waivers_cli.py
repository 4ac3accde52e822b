"""Waivers through the command line: what is accepted exits 0 until it has ended, and a typo stops everything before a server is asked."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor import resources
from auditor.core.model import Waiver
from tests.e2e.conftest import Site
from tests.factories import body

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)


def waivers(site: Site, *entries: str, head: str = "") -> Path:
    path = site.folder / "waivers.yaml"
    path.write_text(f"{head}waivers:\n" + "".join(f"- {{{entry}}}\n" for entry in entries), encoding="utf-8")
    return path


def waiver(rule: str, *, targets: str = "[prod]", expires: object = TODAY + 60 * DAY) -> str:
    return f"rule: {rule}, targets: {targets}, reason: the relay is replaced, owner: ann, approved_by: bob, ticket: SEC-1, expires: {expires}"


@pytest.fixture
def failing(site: Site) -> list[str]:
    """The rules that the server's profile fails."""
    site.simulator.smtp["UseSSL"] = False
    code, document = site.check()
    (target,) = document["targets"]
    rules = [finding["rule"] for finding in target["findings"] if finding["outcome"] == "fail" and finding["severity"] != "info"]
    assert (code, bool(rules)) == (1, True)
    return rules


def test_waived_failures_exit_0_and_ended_waivers_1_again(site: Site, failing: list[str]) -> None:
    waivers(site, *map(waiver, failing))
    code, document = site.check()
    found = {finding["rule"]: finding for finding in document["targets"][0]["findings"]}
    assert (code, document["targets"][0]["verdict"]) == (0, "compliant_with_waivers")
    assert {rule for rule in found if found[rule]["outcome"] == "waived"} == set(failing)
    assert {(found[rule]["waiver"]["reason"], found[rule]["waiver"]["ticket"]) for rule in failing} == {("the relay is replaced", "SEC-1")}
    assert document["counts"]["waived"] == len(failing)

    waivers(site, *(waiver(rule, expires=TODAY - DAY) for rule in failing))
    code, document = site.check()
    assert (code, document["targets"][0]["verdict"], document["counts"]["waived"]) == (1, "non_compliant", 0)
    assert {entry["state"] for entry in document["waivers"]} == {"expired"}


def test_one_failure_that_is_not_waived_is_enough_for_1(site: Site, failing: list[str]) -> None:
    site.simulator.smtp["Host"] = None
    waivers(site, *map(waiver, failing))
    assert site.check()[0] == 1


def test_a_waiver_for_another_server_does_not_help(site: Site, failing: list[str]) -> None:
    waivers(site, *(waiver(rule, targets='["glob:lab-*"]') for rule in failing))
    code, document = site.check()
    assert code == 1
    assert {entry["concerns"][0]["concern"] for entry in document["waivers"]} == {"unused"}


TYPO = "rule: CFG-01"


@pytest.mark.parametrize(
    ("command", "entry"),
    [
        (["check"], TYPO),
        (["check"], "rulee: CFG-001"),
        (["check"], waiver("CFG-001", targets="[prd]")),
        (["check"], waiver("CFG-001", expires="soon")),
        (["show", "prod"], TYPO),
        (["report"], TYPO),
        (["daemon"], TYPO),
        (["waiver", "list"], TYPO),
        (["waiver", "lint"], TYPO),
    ],
)
def test_a_typo_is_refused_before_any_request(site: Site, command: list[str], entry: str) -> None:
    path = waivers(site, entry)
    code, out, err = site.run(*command)
    assert (code, out) == (2, "")
    assert f"{path}:2: waiver" in err
    assert not site.simulator.requests
    assert not site.database.exists()


def test_a_saved_answer_is_judged_without_waivers(site: Site, failing: list[str]) -> None:
    waivers(site, *(waiver(rule, targets='["glob:*"]') for rule in failing))
    saved = site.folder / "saved.json"
    saved.write_text(json.dumps(body(UseSSL=False)), encoding="utf-8")
    code, out, _ = site.run("check", "--input", str(saved), "--output", "json=-")
    assert code == 1
    assert json.loads(out)["counts"]["waived"] == 0


def test_list_and_lint_tell_how_each_waiver_stands(site: Site, failing: list[str]) -> None:
    path = waivers(
        site,
        waiver(failing[0], expires=TODAY + 3 * DAY),
        waiver("CFG-009", targets='["glob:*"]'),
        waiver(failing[0], targets='["glob:p*"]', expires=TODAY - DAY),
    )
    code, out, err = site.run("waiver", "list")
    assert (code, "3 waivers, 2 in force" in err) == (0, True)
    assert out.splitlines() == [
        f"{failing[0]} on prod  [expiring]",
        f"  through {TODAY + 3 * DAY} UTC; owner ann, approved by bob, SEC-1",
        "  the relay is replaced",
        f"  {path}:2",
        "CFG-009 on glob:*  [in force]",
        f"  through {TODAY + 60 * DAY} UTC; owner ann, approved by bob, SEC-1",
        "  the relay is replaced",
        f"  {path}:3",
        f"{failing[0]} on glob:p*  [expired]",
        f"  through {TODAY - DAY} UTC; owner ann, approved by bob, SEC-1",
        "  the relay is replaced",
        f"  {path}:4",
    ]

    listed = json.loads(site.run("waiver", "list", "--format", "json")[1])
    assert [(entry["line"], entry["state"], entry["in_scope"]) for entry in listed] == [
        (2, "expiring", ["prod"]),
        (3, "in_force", ["prod"]),
        (4, "expired", ["prod"]),
    ]
    assert Waiver.from_document(listed[0] | {"labels": []}).owner == "ann"

    code, out, err = site.run("waiver", "lint")
    assert (code, "3 waivers, 4 warnings" in err) == (0, True)
    assert out.splitlines() == [
        f"{path}:2: waiver of {failing[0]} expires soon: it holds through {TODAY + 3 * DAY} UTC",
        f"{path}:3: waiver of CFG-009 is broad: it covers every target, those to come included",
        f"{path}:3: waiver of CFG-009 is not needed: CFG-009 passes on prod",
        f"{path}:4: waiver of {failing[0]} expired: it held through {TODAY - DAY} UTC, and failures count again",
    ]
    warnings = json.loads(site.run("waiver", "lint", "--format", "json")[1])
    assert [(entry["file"], entry["line"], entry["concern"]) for entry in warnings] == [
        (str(path), 2, "expiring"),
        (str(path), 3, "broad"),
        (str(path), 3, "passes"),
        (str(path), 4, "expired"),
    ]


def test_lint_needs_no_database_and_makes_none(site: Site) -> None:
    waivers(site, waiver("CFG-001"), waiver("CFG-001", targets='["glob:lab-*"]'))
    _, out, err = site.run("waiver", "lint")
    assert "is unused: no target is in its scope" in out
    assert "2 waivers, 1 warning\n" in err
    assert not site.database.exists()


def test_without_a_file_there_are_no_waivers(site: Site) -> None:
    assert site.run("waiver", "list")[:2] == (0, "")
    assert site.run("waiver", "list", "--format", "json")[1] == "[]\n"


@pytest.mark.parametrize("owner", ["pki-team@example.org", 'Ann "the owner": O\'Hara'])
def test_a_draft_is_taken_once_reason_and_approver_are_filled_in(site: Site, owner: str) -> None:
    site.configure(owner=json.dumps(owner))
    path = site.folder / "waivers.yaml"
    for rule, said in (("CFG-001", "put it into"), ("CFG-003", "append it to")):
        code, snippet, err = site.run("waiver", "draft", f"prod/{rule}")
        assert (code, f"{said} {path}" in err) == (0, True)
        path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + snippet, encoding="utf-8")
        code, _, err = site.run("waiver", "lint")
        assert (code, "reason is text, not nothing" in err) == (2, True)
        path.write_text(
            path.read_text(encoding="utf-8").replace("reason:  ", "reason: r").replace("approved_by:  ", "approved_by: bob "), encoding="utf-8"
        )
        assert site.run("waiver", "lint")[0] == 0

    first, second = json.loads(site.run("waiver", "list", "--format", "json")[1])
    assert (first["rule"], first["targets"], first["owner"]) == ("CFG-001", ["prod"], owner)
    assert (second["rule"], second["expires_at"]) == ("CFG-003", f"{TODAY + 91 * DAY}T00:00:00Z")


def test_what_is_not_seen_in_an_owner_does_not_reach_the_terminal_by_a_draft(site: Site) -> None:
    site.configure(owner='"a\\u009b31m\\u202eb"')
    _, out, _ = site.run("waiver", "draft", "prod/CFG-001")
    assert '  owner: "a\\u009b31m\\u202eb"\n' in out


@pytest.mark.parametrize("margin", ["", "  ", "    "])
def test_a_draft_stands_below_the_waivers_that_are_there(site: Site, margin: str) -> None:
    path = site.folder / "waivers.yaml"
    path.write_text(f"waivers:\n{margin}- {{{waiver('CFG-003')}}}\n", encoding="utf-8")
    _, snippet, _ = site.run("waiver", "draft", "prod/CFG-001")
    filled = snippet.replace("reason:  ", "reason: r").replace("owner:  ", "owner: ann").replace("approved_by:  ", "approved_by: bob ")
    path.write_text(path.read_text(encoding="utf-8") + filled, encoding="utf-8")
    code, _, err = site.run("waiver", "lint")
    assert (code, "2 waivers, 0 warnings" in err) == (0, True)


def test_the_schema_that_is_printed_is_the_shipped_one_and_knows_your_rules(site: Site) -> None:
    shipped = (resources.folder("policies") / "data" / "waivers.schema.json").read_text(encoding="utf-8")
    assert site.run("waiver", "schema")[:2] == (0, shipped)
    (site.folder / "policies").mkdir()
    (site.folder / "policies" / "ours.yaml").write_text(
        "policy: ours\ntitle: Ours\nversion: 1\nrules: [{id: OUR-1, title: T, severity: low, require: {UseSSL: true}}]", encoding="utf-8"
    )
    site.extra += "policies: [policies]\n"
    site.configure()
    assert '"OUR-1"' in site.run("waiver", "schema", "--format", "json")[1]


def test_a_first_draft_names_the_schema_where_init_has_put_it(site: Site) -> None:
    assert site.run("waiver", "draft", "prod/CFG-001")[1].startswith("waivers:\n")
    assert site.run("init", str(site.folder / "new"))[0] == 0
    (site.folder / "new" / "waivers.schema.json").rename(site.folder / "waivers.schema.json")
    assert site.run("waiver", "draft", "prod/CFG-001")[1].startswith(
        "# yaml-language-server: $schema=waivers.schema.json\nwaivers:\n- rule: CFG-001\n"
    )


def test_a_draft_keeps_to_the_length_that_the_file_allows(site: Site) -> None:
    path = waivers(site, waiver("CFG-003", expires=TODAY), head="max_days: 7\n")
    _, out, _ = site.run("waiver", "draft", "prod/CFG-001", "--format", "json")
    drafted = json.loads(out)
    assert (drafted["finding"], drafted["file"]) == ("prod/CFG-001", str(path))
    assert f"expires: {TODAY + 6 * DAY} " in drafted["snippet"]


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        ("prod", "a finding is written TARGET/RULE"),
        ("prd/CFG-001", "no target is called 'prd'"),
        ("prod/CFG-1", "prod is not judged by a rule 'CFG-1'"),
        ("prod/", "prod is not judged by a rule ''"),
    ],
)
def test_a_draft_is_for_a_finding_that_can_be(site: Site, finding: str, message: str) -> None:
    code, out, err = site.run("waiver", "draft", finding)
    assert (code, out) == (2, "")
    assert message in err
