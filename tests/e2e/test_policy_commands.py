"""Working on policies: explained, tried on saved answers and on last snapshots, selected by framework."""

import importlib.util
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor import resources
from auditor.app.judging import policy_book
from auditor.cli.policyexplain import page
from auditor.policyfile import explain
from tests.e2e.conftest import Site

OURS = """
policy: ours
title: Ours
version: 1
extends: [recommended]
vars: {our_relays: {type: [host], default: [smtp.corp.com]}}
rules:
- id: OUR-001
  title: Host is a relay of ours
  severity: high
  require: {Host: $our_relays}
  controls: {nis2: [21(2)(e)]}
  examples: [{passes: {Host: SMTP.corp.com.}}, {fails: {Host: smtp.corp-com.com}}]
"""


@pytest.fixture
def ours(site: Site) -> Site:
    """A policy of one's own is configured for `prod`."""
    write(site, "ours/ours.yaml", OURS)
    site.extra = "policies: [ours]\nvars: {allowed_ports: [587, 2587]}\n"
    site.configure(policy="ours", labels="{env: prod}")
    return site


def write(site: Site, name: str, text: str) -> Path:
    path = site.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.lstrip("\n"), encoding="utf-8")
    return path


def json_of(site: Site, *arguments: str, code: int = 0) -> Any:
    got, out, err = site.run(*arguments, "--format", "json")
    assert got == code, err
    return json.loads(out)


# --- explain --------------------------------------------------------------------------------------------------------


def test_a_rule_is_explained_in_80_columns(site: Site) -> None:
    code, out, _ = site.run("policy", "explain", "CFG-006")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for said in (
        "CFG-006  Port is a submission port\n==================================\n",
        "Policy recommended, written in transport.",
        "  - Port is 465 or 587 ($allowed_ports)\n",
        "  - RelayAuthenticationType is 0 (Anonymous) and Port is 25\n",
        "  high      where Port is less than 1 or is more than 65535\n",
        "  low       otherwise\n",
        "  $allowed_ports = [465, 587]  ([integer]; policy transport)\n",
        "  passes          Port: 25, RelayAuthenticationType: Anonymous\n",
        '  fails high      Port: "587", RelayAuthenticationType: Basic\n',
    ):
        assert said in out


def test_every_shipped_rule_has_its_page() -> None:
    book = policy_book(None)
    for name in ("recommended", "strict"):
        effective = book.effective(name, target="", labels={})
        for rule in effective.rules:
            lines = list(page(explain(book, effective, rule.id)))
            assert lines[0].startswith(f"{rule.id}  {rule.title}")
            assert [line for line in lines if len(line) > 80 and " " in line.strip().removeprefix("- ")] == []
            assert "  -" not in lines  # an address stands beside its dash
            assert {"Requires", "Severity", "Why", "What to do", "Supports", "Examples"} <= set(lines)


def test_parameters_are_those_in_force_with_their_origin(ours: Site) -> None:
    (parameter,) = json_of(ours, "policy", "explain", "CFG-006")["parameters"]
    assert (parameter["value"], parameter["origin"]) == ([587, 2587], "the configuration")
    ours.configure(policy="ours", vars="{allowed_ports: [25]}")
    (parameter,) = json_of(ours, "policy", "explain", "CFG-006", "--target", "prod")["parameters"]
    assert (parameter["value"], parameter["origin"]) == ([25], "target prod")


def test_the_last_result_of_a_target_is_told_leaf_by_leaf(ours: Site) -> None:
    assert json_of(ours, "policy", "explain", "OUR-001", "--target", "prod")["last"] is None
    assert "The target was never read." in ours.run("policy", "explain", "OUR-001", "--target", "prod")[1]
    ours.simulator.smtp["Host"] = "mail\x1b[2J.evil.example"
    ours.run("check")
    _, out, _ = ours.run("policy", "explain", "OUR-001", "--target", "prod")
    assert "Last result for prod" in out
    assert "fail, high" in out
    assert "because   Host: expected" in out
    assert "\x1b" not in out
    last = json_of(ours, "policy", "explain", "OUR-001", "--target", "prod")["last"]
    assert (last["policy"], last["finding"]["outcome"], last["waiver"]) == ("ours", "fail", None)
    assert last["finding"]["because"][0]["expected"] == ["smtp.corp.com"]
    ours.run("check", "--framework", "hipaa")
    assert "did not have the rule" in ours.run("policy", "explain", "OUR-001", "--target", "prod")[1]


def test_a_waiver_over_the_last_result_is_told(ours: Site) -> None:
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    waiver = f"{{rule: OUR-001, targets: [prod], reason: the relay is on order, owner: mail-team, approved_by: ciso, expires: {day}}}"
    write(ours, "waivers.yaml", f"waivers:\n- {waiver}\n")
    ours.extra += "waivers: waivers.yaml\n"
    ours.configure(policy="ours")
    ours.simulator.smtp["Host"] = "mail.other.example"
    ours.run("check")
    _, out, err = ours.run("policy", "explain", "OUR-001", "--target", "prod")
    assert "approved by ciso: the relay is on order" in " ".join(out.split()), err
    assert json_of(ours, "policy", "explain", "OUR-001", "--target", "prod")["last"]["waiver"]["approved_by"] == "ciso"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["CFG-0001"], "did you mean 'CFG-001'"),
        (["OUR-001", "--policy", "recommended"], "policy recommended has no rule 'OUR-001'"),
        (["CFG-001", "--policy", "recomended"], "did you mean 'recommended'"),
        (["CFG-001", "--target", "prd"], "did you mean 'prod'"),
        (["CFG-001", "--target", "prod", "--policy", "ours"], "--policy goes without --target"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_a_suggestion(ours: Site, arguments: list[str], said: str) -> None:
    code, _, err = ours.run("policy", "explain", *arguments)
    assert (code, said in err) == (2, True), err


# --- test, lint, schema, controls -----------------------------------------------------------------------------------

BASIC = {"Host": "smtp.corp.com", "Port": 587, "RelayAuthenticationType": 2, "UseSSL": True}


def test_fixtures_are_saved_answers_that_must_come_out_as_their_names_say(ours: Site) -> None:
    write(ours, "tried/OUR-001/passes.json", json.dumps(BASIC))
    write(ours, "tried/OUR-001/fails-elsewhere.json", json.dumps(BASIC | {"Host": "mail.evil.example"}))
    write(ours, "tried/OUR-001/not_evaluated-cut.json", '{"Host": ')
    write(ours, "tried/CFG-001/not_applicable-none.json", "null")
    code, out, err = ours.run("policy", "test", "ours", "--fixtures", str(ours.folder / "tried"), "--require-failing")
    assert (code, out) == (0, ""), err
    path = write(ours, "tried/CFG-001/passes-in-clear.json", json.dumps(BASIC | {"UseSSL": "true"}))
    code, out, _ = ours.run("policy", "test", "--fixtures", str(ours.folder / "tried"))
    assert code == 1
    assert out == f'{path}:1: CFG-001: expected pass, got fail: UseSSL: expected boolean true, got text "true"\n'


def test_a_fixture_of_a_rule_that_reads_the_date_names_its_day(ours: Site) -> None:
    office = json.dumps(BASIC | {"Host": "smtp.office365.com"})
    path = write(ours, "tried/CFG-030/fails.json", office)
    code, _, err = ours.run("policy", "test", "--fixtures", str(ours.folder / "tried"))
    assert (code, "fails@2026-12-31.json" in err) == (2, True)
    path.rename(path.with_name("fails-soon@2026-12-31.json"))
    assert ours.run("policy", "test", "--fixtures", str(ours.folder / "tried"))[0] == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("OUR-01/passes.json", "did you mean 'OUR-001'"),
        ("OUR-001/pass.json", "not a fixture"),
        ("OUR-001/passes.yaml", "not a fixture"),
        ("OUR-001/passes@2026-02-30.json", "there is no day 2026-02-30"),
        ("passes.json", "not a folder"),
        (".hidden", "no fixture for these policies"),
    ],
)
def test_what_is_no_fixture_is_not_passed_over(ours: Site, name: str, said: str) -> None:
    write(ours, f"tried/{name}", "{}")
    code, _, err = ours.run("policy", "test", "--fixtures", str(ours.folder / "tried"))
    assert (code, said in err) == (2, True), err


def test_a_rule_without_a_failing_example_gives_exit_1_where_one_is_required(ours: Site) -> None:
    write(ours, "ours/ours.yaml", OURS.replace(", {fails: {Host: smtp.corp-com.com}}", ""))
    assert ours.run("policy", "test")[0] == 0
    code, out, _ = ours.run("policy", "test", "--require-failing")
    assert (code, out) == (1, "OUR-001: no example shows it failing\n")
    assert [row["rule"] for row in json_of(ours, "policy", "test", "ours", "--require-failing", code=1) if not row["ok"]] == ["OUR-001"]
    write(ours, "tried/OUR-001/fails.json", json.dumps(BASIC | {"Host": "a.example"}))
    assert ours.run("policy", "test", "--require-failing", "--fixtures", str(ours.folder / "tried"))[0] == 0


def test_lint_knows_the_labels_of_the_configured_targets(ours: Site) -> None:
    with_labels = OURS + "overrides:\n- {labels: {env: prd}, vars: {our_relays: []}}\n- {labels: {env: prod}, vars: {our_relays: []}}\n"
    write(ours, "ours/ours.yaml", with_labels)
    (warning,) = json_of(ours, "policy", "lint")
    assert warning["warning"] == "no target has the label env=prd"


def test_the_schema_that_is_printed_is_the_one_that_is_shipped(site: Site) -> None:
    code, out, _ = site.run("policy", "schema")
    assert (code, out) == (0, (resources.folder("policies") / "data" / "policy.schema.json").read_text(encoding="utf-8"))


def test_controls_show_which_rules_support_them(ours: Site) -> None:
    rows = json_of(ours, "policy", "controls", "--framework", "nis2")
    assert {row["framework"] for row in rows} == {"nis2"}
    assert "OUR-001" in next(row["supported_by"] for row in rows if row["control"] == "21(2)(e)")
    _, out, _ = ours.run("policy", "controls")
    assert "supported by" in out
    assert "compli" not in out
    iso = [row["control"] for row in json_of(ours, "policy", "controls", "--framework", "iso-27001-2022")]
    assert iso.index("8.9") < iso.index("8.20")


# --- frameworks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["check"], ["policy", "list"], ["policy", "controls"]])
def test_an_unknown_framework_is_refused_with_a_suggestion(site: Site, command: list[str]) -> None:
    code, _, err = site.run(*command, "--framework", "nis3")
    assert (code, "did you mean 'nis2'" in err) == (2, True)
    assert site.simulator.requests == ()


def test_a_framework_selects_rules_and_the_policy_says_so(ours: Site) -> None:
    _, whole = ours.check()
    _, part = ours.check("--framework", "nis2")
    (policy,) = part["policies"]
    assert policy["name"] == "ours[nis2]"
    assert policy["title"] == "Ours (only what supports NIS2, Directive (EU) 2022/2555)"
    assert policy["digest"] != whole["policies"][0]["digest"]
    ids = set(policy["rules"])
    assert {"OUR-001", "CFG-001"} <= ids <= set(whole["policies"][0]["rules"])
    _, few = ours.check("--framework", "disa-stig")
    assert "CFG-001" in few["policies"][0]["rules"].keys() < set(whole["policies"][0]["rules"]) - {"OUR-001"}
    assert {row["rule"] for row in json_of(ours, "policy", "list", "ours", "--framework", "nis2")} - {
        "DRF-004"
    } == ids  # which is judged for the installation, not for a target
    rows = {row["policy"]: row["rules"] for row in json_of(ours, "policy", "list", "--framework", "nis2")}
    assert rows["ours"] == len(ids) + 1


def test_a_saved_answer_is_judged_by_framework_too(ours: Site) -> None:
    body = write(ours, "saved.json", json.dumps(BASIC))
    _, out, _ = ours.run("check", "--input", str(body), "--framework", "disa-stig", "--output", "json=-")
    assert json.loads(out)["policies"][0]["name"] == "recommended[disa-stig]"
    write(ours, "ours/bare.yaml", "policy: bare\ntitle: B\nversion: 1\nrules:\n- {id: B-1, title: B, severity: low, require: {UseSSL: true}}\n")
    code, _, err = ours.run("check", "--input", str(body), "--policy", "bare", "--framework", "nis2")
    assert (code, "no rule of policy bare supports a control of nis2" in err) == (2, True)


# --- diff -----------------------------------------------------------------------------------------------------------


def test_what_a_draft_would_change_is_shown_before_it_is_deployed(ours: Site) -> None:
    ours.simulator.smtp["Host"] = "smtp.corp.com"
    code, _, err = ours.run("policy", "diff", "ours", "recommended")
    assert (code, "no snapshot yet of: prod" in err) == (3, True)
    ours.run("check")
    draft = write(
        ours,
        "draft/ours.yaml",
        OURS.replace("[smtp.corp.com]", "[relay.corp.com]").replace("extends: [recommended]", "extends: [recommended]\nexclude: [SMTP-001]"),
    )
    for drafted in (draft, draft.parent):
        told = json_of(ours, "policy", "diff", "ours", str(drafted))
        assert told["targets"] == ["prod"]
        assert [(row["target"], row["rule"], row["change"]) for row in told["changes"]] == [
            ("prod", "SMTP-001", "no_longer_asked"),
            ("prod", "OUR-001", "newly_failing"),
        ]
    assert told["changes"][1]["after"] == {"outcome": "fail", "severity": "high"}
    _, out, _ = ours.run("policy", "diff", "ours", str(draft))
    assert out.startswith("Newly failing\n  OUR-001  Host is a relay of ours: pass -> fail high\n      prod\n")
    assert "No longer asked\n  SMTP-001  UseSSL is on: pass -> no such rule\n" in out
    _, back, _ = ours.run("policy", "diff", str(draft), "ours")
    assert back.startswith("Newly passing\n  OUR-001")
    assert ours.run("policy", "diff", "ours", "ours")[1] == "nothing differs\n"


def test_policies_that_no_target_is_configured_with_are_compared_by_name(site: Site) -> None:
    """A judge that remembered the policy of a target by its name alone said "nothing differs" of any two policies."""
    site.simulator.smtp.update({"Port": 25, "RelayAuthenticationType": 0, "UseSSL": False})
    site.check()
    told = json_of(site, "policy", "diff", "recommended", "essentials")
    assert {(row["rule"], row["change"]) for row in told["changes"]} >= {("CFG-003", "no_longer_asked"), ("CFG-035", "no_longer_asked")}
    back = json_of(site, "policy", "diff", "essentials", "recommended")
    assert ("CFG-003", "newly_failing") in {(row["rule"], row["change"]) for row in back["changes"]}


def test_a_target_that_sets_vars_of_its_own_policy_is_compared_by_others_too(ours: Site) -> None:
    ours.simulator.smtp["Host"] = "smtp.corp.com"
    ours.configure(policy="ours", vars="{our_relays: [relay.corp.com]}")
    ours.run("check")
    told = json_of(ours, "policy", "diff", "recommended", "ours")
    assert ("OUR-001", "newly_failing") in {(row["rule"], row["change"]) for row in told["changes"]}  # by its own setting
    assert json_of(ours, "policy", "diff", "recommended", "essentials")["targets"] == ["prod"]


def test_another_severity_and_what_cannot_be_evaluated_are_told(ours: Site) -> None:
    ours.simulator.smtp["Host"] = "mail.other.example"
    ours.run("check")
    worse = write(ours, "draft/ours.yaml", OURS.replace("severity: high", "severity: critical"))
    (row,) = json_of(ours, "policy", "diff", "ours", str(worse))["changes"]
    assert (row["change"], row["before"]["severity"], row["after"]["severity"]) == ("severity", "high", "critical")
    blind = write(
        ours,
        "draft/ours.yaml",
        OURS.replace("require: {Host: $our_relays}", "require: {server.mode: implicit}").replace(
            "fails: {Host: smtp.corp-com.com}", "not_evaluated: {}"
        ),
    )
    (row,) = json_of(ours, "policy", "diff", "ours", str(blind), "--target", "prod", "--label", "env=prod")["changes"]
    assert row["change"] == "not_evaluated"


def test_a_draft_that_is_wrong_or_not_there_is_refused(ours: Site) -> None:
    code, _, err = ours.run("policy", "diff", "ours", "recomended")
    assert (code, "did you mean 'recommended'" in err) == (2, True)
    wrong = write(ours, "draft/ours.yaml", OURS.replace("Host: $our_relays", "Hots: a"))
    code, _, err = ours.run("policy", "diff", "ours", str(wrong))
    assert (code, "did you mean 'Host'" in err) == (2, True)


# --- what is generated ----------------------------------------------------------------------------------------------


def test_the_page_of_rules_is_current() -> None:
    script = Path(__file__).parents[2] / "docs" / "make_rules.py"
    spec = importlib.util.spec_from_file_location("make_rules", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (script.parent / "rules.md").read_text(encoding="utf-8") == module.page(policy_book(None)), "run docs/make_rules.py"
