"""Composition: what a policy inherits, which vars are in force for a target, and what that comes to."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from auditor.core.canonical import digest
from auditor.core.evaluate import judge
from auditor.core.model import Fact, PolicyText, RuleOutcome, Severity, State
from auditor.core.policy import EffectivePolicy
from auditor.errors import PolicyError
from auditor.policyfile import ControlTable, load, load_controls
from auditor.policyfile.book import picks
from tests.core.judging import Facts, facts
from tests.policyfile.books import CONTROLS, book, policy, refused, rule, tables


def named(folder: Path, *texts: str) -> list[str]:
    return [it.id for it in book(folder, *texts).policy("mine").rules]


BASE = policy(
    rule("require: {UseSSL: true}", id_="B-1") + rule("require: {Port: $port}", id_="B-2") + rule("require: {Host: {set: true}}", id_="C-1"),
    head="vars:\n  port: {type: integer, default: 587}\n  hosts: {type: [host], default: []}\n",
    name="base",
)
OWN = rule("require: {UseSSL: true}", id_="M-1")


# --- rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "ids"),
    [
        ("", ["B-1", "B-2", "C-1", "M-1"]),
        ("include: [B-2, C-1]\n", ["B-2", "C-1", "M-1"]),
        ('include: ["glob:B-*"]\n', ["B-1", "B-2", "M-1"]),
        ("exclude: [B-1]\n", ["B-2", "C-1", "M-1"]),
        ('include: ["glob:B-*"]\nexclude: [B-1]\n', ["B-2", "M-1"]),
        ('exclude: ["glob:*"]\n', ["M-1"]),
    ],
)
def test_a_policy_has_the_rules_that_it_keeps_and_its_own(tmp_path: Path, head: str, ids: list[str]) -> None:
    assert named(tmp_path, policy(OWN, head=f"extends: [base]\n{head}"), BASE) == ids


def test_a_base_may_be_read_after_what_extends_it_and_is_left_as_it_is(tmp_path: Path) -> None:
    both = book(tmp_path, policy(head="extends: [base]\nseverities: {B-1: [{when: {Port: $port}, is: critical}, low]}\nvars: {port: 25}\n"), BASE)
    assert {it.id: it.severity_text for it in both.policy("mine").rules} == {"B-1": "critical or low", "B-2": "high", "C-1": "high"}
    assert {it.id: it.severity_text for it in both.policy("base").rules} == {"B-1": "high", "B-2": "high", "C-1": "high"}
    assert [both.policy(name).vars["port"].value for name in ("mine", "base")] == [25, 587]


def test_a_policy_of_vars_alone_may_be_a_base_but_judges_nobody(tmp_path: Path) -> None:
    both = book(tmp_path, policy(OWN, head="extends: [site]\n"), policy(head="vars:\n  port: {type: integer, default: 25}\n", name="site"))
    assert both.policy("mine").vars["port"].value == 25
    with pytest.raises(PolicyError, match="policy site has no rule, so it can only be a base"):
        both.effective("site", target="a", labels={})


def test_one_rule_along_two_paths_is_one_rule(tmp_path: Path) -> None:
    left, right = (policy(head="extends: [base]\n", name=name) for name in ("left", "right"))
    assert named(tmp_path, policy(head="extends: [left, right]\n"), BASE, left, right) == ["B-1", "B-2", "C-1"]


LEFT = policy(head="extends: [base]\nseverities: {B-1: low}\nvars: {port: 25}\n", name="left")
RIGHT = policy(head="extends: [base]\n", name="right")


@pytest.mark.parametrize(
    ("settled", "message"),
    [
        ("", "its bases disagree on $port: policy left and policy base"),
        ("vars: {port: 465}\n", "its bases disagree on rule B-1"),
        ("severities: {B-1: high}\n", "its bases disagree on $port: policy left and policy base"),
    ],
)
def test_bases_that_differ_are_refused_unless_all_is_settled(tmp_path: Path, settled: str, message: str) -> None:
    said, _ = refused(tmp_path, policy(head=f"extends: [left, right]\n{settled}"), BASE, LEFT, RIGHT)
    assert said == f"p0.yaml:4: {message}"


@pytest.mark.parametrize("settled", ["severities: {B-1: medium}\n", "exclude: [B-1]\n"])
def test_bases_that_differ_are_taken_once_all_is_settled(tmp_path: Path, settled: str) -> None:
    mine = book(tmp_path, policy(head=f"extends: [left, right]\nvars: {{port: 465}}\n{settled}"), BASE, LEFT, RIGHT).policy("mine")
    assert {it.id: it.severity_text for it in mine.rules}.get("B-1") == ("medium" if "severities" in settled else None)
    assert (mine.vars["port"].value, mine.vars["port"].origin) == (465, "policy mine")


def test_two_texts_under_one_id_are_settled_by_leaving_both_out_and_by_nothing_else(tmp_path: Path) -> None:
    other = policy(rule("require: {UseSSL: true}", id_="B-1"), name="other")
    assert "disagree on rule B-1" in refused(tmp_path, policy(head="extends: [base, other]\nseverities: {B-1: low}\n"), BASE, other)[0]
    assert named(tmp_path, policy(OWN, head="extends: [base, other]\nexclude: [B-1]\n"), BASE, other) == ["B-2", "C-1", "M-1"]


def test_vars_of_two_types_are_never_settled(tmp_path: Path) -> None:
    other = policy(head="vars:\n  port: {type: text, default: a}\n", name="other")
    assert "disagree on $port" in refused(tmp_path, policy(head="extends: [base, other]\nvars: {port: 1}\n"), BASE, other)[0]


def test_policies_that_nobody_extends_together_may_share_an_id(tmp_path: Path) -> None:
    assert set(book(tmp_path, policy(OWN), policy(OWN, name="copy")).names()) == {"mine", "copy"}


# --- vars in force ------------------------------------------------------------------------------------------------

LAYERED = policy(
    OWN,
    head="""
    extends: [base]
    vars: {port: 1}
    overrides:
    - {labels: {env: lab}, vars: {port: 3}}
    - {targets: ["glob:lab-*"], labels: {site: a}, vars: {port: 4}}
    - {targets: [lab-9], vars: {port: null}}
    """,
)


@pytest.mark.parametrize(
    ("target", "labels", "more", "value", "origin"),
    [
        ("prod-1", {}, {}, 1, "policy mine"),
        ("prod-1", {}, {"installation": {"port": 2}}, 2, "the configuration"),
        ("prod-1", {"env": "lab"}, {"installation": {"port": 2}}, 3, "policy mine, override in line 7"),
        ("lab-1", {"env": "lab", "site": "a"}, {}, 4, "policy mine, override in line 8"),
        ("lab-1", {"site": "b"}, {}, 1, "policy mine"),
        ("prod-1", {"site": "a"}, {}, 1, "policy mine"),
        ("lab-9", {"env": "lab", "site": "a"}, {}, None, "policy mine, override in line 9"),
        ("lab-9", {"env": "lab"}, {"installation": {"port": 2}, "own": {"port": 5}}, 5, "target lab-9"),
    ],
)
def test_the_last_who_sets_a_var_wins_and_is_named(
    tmp_path: Path, target: str, labels: dict[str, str], more: dict[str, Any], value: Any, origin: str
) -> None:
    effective = book(tmp_path, LAYERED, BASE).effective("mine", target=target, labels=labels, **more)
    (port,) = (var for var in effective.vars if var.name == "port")
    assert (port.value, port.origin) == (value, origin)


def test_overrides_of_bases_come_first(tmp_path: Path) -> None:
    child = policy(head='extends: [mine]\noverrides:\n- {targets: ["glob:*"], vars: {port: 9}}\n', name="child")
    effective = book(tmp_path, LAYERED, BASE, child).effective("child", target="lab-1", labels={"env": "lab"})
    assert [(var.value, var.origin) for var in effective.vars if var.name == "port"] == [(9, "policy child, override in line 6")]


def test_an_override_along_two_paths_is_one(tmp_path: Path) -> None:
    left, right = (policy(head="extends: [mine]\n", name=name) for name in ("left", "right"))
    both = book(tmp_path, LAYERED, BASE, left, right, policy(head="extends: [left, right]\n", name="child"))
    assert both.policy("child").overrides == both.policy("mine").overrides


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"installation": {"prot": 1}}, "vars: policy mine has no var 'prot'", "did you mean 'port'"),
        ({"own": {"prot": 1}}, "vars: policy mine has no var 'prot'", "did you mean 'port'"),
        ({"own": {"elsewhere": 1}}, "vars: policy mine has no var 'elsewhere'", "policy mine declares: port, hosts"),
        ({"installation": {"port": "25"}}, "vars: port: expected an integer, this is the text '25'", "without quotes"),
        ({"own": {"hosts": ["*.a.example"]}}, "vars: hosts: '*.a.example' is no hostname", "without the `*.`"),
    ],
)
def test_settings_of_the_configuration_are_checked(tmp_path: Path, settings: dict[str, Any], message: str, hint: str) -> None:
    other = policy(rule("require: {UseSSL: true}", id_="O-1"), head="vars:\n  elsewhere: {type: integer, default: 1}\n", name="other")
    with pytest.raises(PolicyError) as refusal:
        book(tmp_path, LAYERED, BASE, other).effective("mine", target="a", labels={}, **settings)
    assert str(refusal.value) == message
    assert hint in refusal.value.hint


def test_an_installation_may_set_what_another_policy_declares(tmp_path: Path) -> None:
    other = policy(rule("require: {UseSSL: true}", id_="O-1"), head="vars:\n  elsewhere: {type: integer, default: 1}\n", name="other")
    effective = book(tmp_path, LAYERED, BASE, other).effective("mine", target="a", labels={}, installation={"elsewhere": 5})
    assert {var.name for var in effective.vars} == {"port", "hosts"}


def test_no_policy_of_a_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no policy is called 'mien'") as refusal:
        book(tmp_path, policy(OWN)).policy("mien")
    assert refusal.value.hint == "did you mean 'mine'?"


@pytest.mark.parametrize(
    ("pick", "name", "named_"), [("a", "a", True), ("a*", "ab", False), ("glob:a*", "ab", True), ("glob:A*", "ab", False), ("glob:a?", "ab", True)]
)
def test_a_pattern_is_one_only_where_it_says_so(pick: str, name: str, named_: bool) -> None:
    assert picks(pick, name) is named_


# --- the effective policy -----------------------------------------------------------------------------------------


def effective(folder: Path, text: str, **more: Any) -> EffectivePolicy:
    return book(folder, text).effective("mine", target="a", labels={}, **more)


DOCUMENTED = policy(
    rule(
        "when: {not: {Port: $port}}\nrequire: {SenderName: {length: {lte: $port}, not_equals: '$$x'}, Host: {in: $hosts}}\non_missing: not_applicable"
    ),
    head="""
    when: {profile.configured: true}
    vars:
      port: {type: integer, default: 587}
      hosts: {type: [host], default: [a.example]}
      until: {type: date, default: 2026-12-31}
      told: {type: text, default: null}
    """,
)


def test_the_document_says_all_that_a_finding_depends_on(tmp_path: Path) -> None:
    it = effective(tmp_path, DOCUMENTED)
    assert it.document() == {
        "name": "mine",
        "title": "Mine",
        "version": 1,
        "vars": {"port": 587, "hosts": ["a.example"], "until": "2026-12-31", "told": None},
        "var_types": {"port": "integer", "hosts": "[host]", "until": "date", "told": "text"},
        "rules": [
            {
                "id": "T-1",
                "title": "A title",
                "severity": [{"when": None, "is": "high"}],
                "when": {
                    "all": [
                        {"fact": "profile.configured", "type": "boolean", "operator": "equals", "operand": True},
                        {"fact": "Port", "type": "integer", "operator": "equals", "operand": "$port", "negated": True},
                    ]
                },
                "require": {
                    "all": [
                        {
                            "all": [
                                {"fact": "SenderName", "type": "text", "operator": "length", "operand": {"lte": "$port"}},
                                {"fact": "SenderName", "type": "text", "operator": "not_equals", "operand": "$$x"},
                            ]
                        },
                        {"fact": "Host", "type": "host", "operator": "in", "operand": "$hosts"},
                    ]
                },
                "on_missing": "not_applicable",
                "rationale": "",
                "remediation": "",
                "references": [],
                "controls": {},
            }
        ],
    }
    assert it.digest == digest(it.document())


def test_a_reader_gets_the_policy_out_of_its_document(tmp_path: Path) -> None:
    it = effective(tmp_path, policy(rule("require: {UseSSL: true}\nbundles: [transit]\nrationale: Because.")))
    text = PolicyText.from_document(it.document())
    assert (text.name, text.digest, text.rules[0].rationale) == ("mine", it.digest, "Because.")
    assert text.rules[0].controls == (("iso", ("8.24",)), ("nist", ("SC-13", "SC-8")))


def test_a_var_that_changes_changes_the_digest_and_who_set_it_does_not(tmp_path: Path) -> None:
    plain, same, other = (effective(tmp_path, DOCUMENTED, own=own) for own in ({}, {"port": 587}, {"port": 25}))
    assert plain.digest == same.digest != other.digest
    assert plain != same


@pytest.mark.parametrize(
    ("require", "reads", "is_dated"),
    [
        ("{UseSSL: true}", set(), False),
        ("{collection.profile_age_hours: {lte: 3}, target.labels: {contains: a=b}}", {"collection.profile_age_hours", "target.labels"}, False),
        ("{Port: {same_as: baseline.Port}}", {"baseline.Port"}, False),
        ("{server.cert.renew_by: {days_ahead: {gt: 0}}}", set(), True),
        ("{server.probed: true, ClientSecret.age_days: {lte: 9}, Host.provider: other}", {"server.probed", "ClientSecret.age_days"}, False),
    ],
)
def test_a_policy_tells_what_it_reads_beside_the_snapshot_and_whether_it_reads_the_date(
    tmp_path: Path, require: str, reads: set[str], is_dated: bool
) -> None:
    it = effective(tmp_path, policy(rule(f"require: {require}")))
    assert (it.reads, it.is_dated) == (reads, is_dated)


def test_a_date_in_a_severity_makes_a_rule_dated(tmp_path: Path) -> None:
    text = policy("- {id: T-1, title: T, severity: [{when: {Host.basic_ends_on: {days_ahead: {lt: 0}}}, is: high}, low], require: {UseSSL: true}}\n")
    assert effective(tmp_path, text).is_dated


def test_targets_that_read_the_same_share_what_was_compiled(tmp_path: Path) -> None:
    it = book(tmp_path, LAYERED, BASE)
    one, two, lab = (it.effective("mine", target=target, labels=labels) for target, labels in (("a", {}), ("b", {}), ("c", {"env": "lab"})))
    assert one is two
    assert it.compile(one).rules is it.compile(two).rules is not it.compile(lab).rules
    assert it.compile(lab).policy is lab


def test_a_compiled_policy_judges(tmp_path: Path) -> None:
    it = book(tmp_path, policy(rule("require: {SenderName: {matches: '[A-Z]+'}, Host: {under: [corp.example]}}")))
    compiled = it.compile(it.effective("mine", target="a", labels={}))
    day = date(2026, 1, 1)

    def outcome(**seen: Any) -> RuleOutcome:
        return judge(compiled, facts(**seen), as_of=day)[0].outcome

    assert outcome(SenderName="PKI", Host="SMTP.corp.example.") is RuleOutcome.PASS
    assert outcome(SenderName="pki", Host="smtp.corp.example") is RuleOutcome.FAIL
    assert judge(compiled, Facts(Host=Fact(State.INCONCLUSIVE)), as_of=day)[0].severity is Severity.HIGH


def test_loading_policies_without_patterns_loads_no_pattern_engine_and_no_heavy_library(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(policy(OWN), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from auditor import datatables, policyfile;"
        f"book = policyfile.load([Path({str(tmp_path)!r})], target_names=None, controls=policyfile.ControlTable(), tables=datatables.load());"
        "book.compile(book.effective('mine', target='a', labels={}));"
        "print([name for name in ('re2', 'idna', 'publicsuffixlist', 'pydantic', 'httpx', 'sqlalchemy', 'jinja2', 'rich') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


# --- controls -----------------------------------------------------------------------------------------------------


def controls(folder: Path, text: str) -> ControlTable:
    path = folder / "controls.yaml"
    path.write_text(text, encoding="utf-8")
    return load_controls(path)


def test_the_control_table_has_frameworks_and_bundles(tmp_path: Path) -> None:
    table = controls(tmp_path, "frameworks:\n  nist: {title: NIST, ids: [SC-8, SC-13]}\nbundles:\n  T: {nist: [SC-8]}\n")
    assert table == ControlTable({"nist": frozenset({"SC-8", "SC-13"})}, {"T": {"nist": ("SC-8",)}}, {"nist": "NIST"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frameworks: {nist: {title: NIST, ids: [SC-8]}}\nbundles: {T: {nits: [SC-8]}}\n", "controls.yaml:2: no framework is called 'nits'"),
        ("frameworks: {nist: {title: NIST, ids: [SC-8]}}\nbundles: {T: {nist: [SC-9]}}\n", "controls.yaml:2: nist has no control 'SC-9'"),
        ("frameworks: {nist: {title: NIST}}\nbundles: {T: {nist: [SC-9]}}\n", "controls.yaml:1: a framework needs 'ids'"),
        ("frameworks: {nist: {title: NIST, ids: [SC-8]}}\n", "controls.yaml:1: the control table needs 'bundles'"),
    ],
)
def test_a_control_table_that_does_not_add_up_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        controls(tmp_path, text)
    assert str(refusal.value).endswith(message)


# --- frameworks, drafts, sets without rules -------------------------------------------------------------------------

CITING = policy(
    rule("require: {UseSSL: true}\ncontrols: {nist: [SC-8]}") + rule("require: {Port: 587}\ncontrols: {iso: ['8.24']}", id_="T-2"),
    name="citing",
)


def test_a_framework_leaves_the_rules_that_support_it_and_shows(tmp_path: Path) -> None:
    it = book(tmp_path, CITING)
    whole, part = (it.effective("citing", target="a", labels={}, framework=framework) for framework in (None, "nist"))
    assert (part.name, part.title, [rule_.id for rule_ in part.rules]) == ("citing[nist]", "Mine (only what supports NIST)", ["T-1"])
    assert whole.digest != part.digest
    assert [rule_.id for rule_ in whole.rules] == ["T-1", "T-2"]


def test_a_framework_that_is_unknown_or_that_nothing_supports_is_refused(tmp_path: Path) -> None:
    it = book(tmp_path, CITING, policy(rule("require: {UseSSL: true}"), name="bare"))
    with pytest.raises(PolicyError, match="no framework is called 'nits'") as refusal:
        it.effective("citing", target="a", labels={}, framework="nits")
    assert refusal.value.hint == "did you mean 'nist'?"
    with pytest.raises(PolicyError, match="no rule of policy bare supports a control of nist"):
        it.effective("bare", target="a", labels={}, framework="nist")


def test_a_draft_stands_in_the_place_of_the_policy_of_its_name(tmp_path: Path) -> None:
    deployed, drafts = tmp_path / "deployed", tmp_path / "drafts"
    for folder in (deployed, drafts):
        folder.mkdir()
    (deployed / "base.yaml").write_text(policy(rule("require: {UseSSL: true}"), name="base"), encoding="utf-8")
    (deployed / "mine.yaml").write_text(policy(head="extends: [base]\n"), encoding="utf-8")
    (drafts / "new.yaml").write_text(policy(rule("require: {Port: 587}", id_="N-1"), name="base"), encoding="utf-8")
    for draft in (drafts, drafts / "new.yaml"):
        it = load([deployed], target_names=None, controls=CONTROLS, tables=tables(), draft=draft)
        assert [rule_.id for rule_ in it.policy("mine").rules] == ["N-1"]


def test_a_set_without_rules_that_nothing_builds_on_is_refused(tmp_path: Path) -> None:
    said, hinted = refused(
        tmp_path, policy(rule("require: {UseSSL: true}"), name="other"), policy(head="vars:\n  port: {type: integer, default: 25}\n")
    )
    assert said == "p1.yaml:1: policy mine has no rule, and no policy extends it"
    assert "extends" in hinted
