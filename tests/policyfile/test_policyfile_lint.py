"""What is sound in form and still probably not meant."""

from pathlib import Path

import pytest

from auditor.policyfile import LintWarning, lint
from tests.policyfile.books import book, policy, rule

FAILING = "\nexamples: [{fails: {}}]"
HEAD = """
vars:
  told: {type: text, default: null}
  port: {type: integer, default: 587}
"""


def doubts(folder: Path, body: str, *, head: str = HEAD, with_example: bool = True) -> list[tuple[int, str]]:
    text = policy(rule(body + (FAILING if with_example else "")), head=head)
    return [(warning.line, warning.text) for warning in lint(book(folder, text))]


def test_a_sound_policy_leaves_no_doubt(tmp_path: Path) -> None:
    assert doubts(tmp_path, "when: {RelayAuthenticationType: [Basic, 3]}\nrequire: {UseSSL: true, Port: $port}") == []


def test_two_rules_of_one_id_are_named(tmp_path: Path) -> None:
    body = rule(f"require: {{UseSSL: true}}{FAILING}")
    both = book(tmp_path, policy(body), policy(body, name="theirs"))
    assert [(Path(warning.file).name, warning.line, warning.text) for warning in lint(both)] == [
        ("p0.yaml", 5, "rule T-1: policy theirs has another rule of this id, and a waiver speaks of both"),
        ("p1.yaml", 5, "rule T-1: policy mine has another rule of this id, and a waiver speaks of both"),
    ]
    (tmp_path / "p1.yaml").write_text(policy(name="theirs", head="extends: [mine]"), encoding="utf-8")
    assert lint(book(tmp_path)) == []  # inherited, it is one rule


def test_a_rule_without_a_failing_example_is_named(tmp_path: Path) -> None:
    expected = [(8, "rule T-1: no example shows it failing")]
    assert doubts(tmp_path, "require: {UseSSL: true}", with_example=False) == expected
    assert doubts(tmp_path, "require: {UseSSL: true}\nexamples: [{passes: {UseSSL: true}}]", with_example=False) == expected


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("when: {RelayAuthenticationType: 1}\nrequire: {UseSSL: true}", 9),
        ("require: {none: [{RelayAuthenticationType: {in: [0, 1]}}]}", 9),
        ("require: {RelayAuthenticationType: {not_equals: 4}}", 9),
    ],
)
def test_an_undocumented_authentication_type_is_named(tmp_path: Path, body: str, line: int) -> None:
    assert doubts(tmp_path, body) == [(line, "rule T-1: an undocumented authentication type; documented are Anonymous (0), Basic (2), OAuth (3)")]


def test_an_undocumented_authentication_type_in_a_var_is_named(tmp_path: Path) -> None:
    head = "vars:\n  kinds: {type: [RelayAuthenticationType], default: [Basic, 1]}\n"
    assert doubts(tmp_path, "require: {RelayAuthenticationType: $kinds}", head=head) == [
        (5, "$kinds: an undocumented authentication type; documented are Anonymous (0), Basic (2), OAuth (3)")
    ]


def test_an_order_of_authentication_types_names_none(tmp_path: Path) -> None:
    assert doubts(tmp_path, "require: {RelayAuthenticationType: {gte: 1}}") == []


UNTOLD = "rule T-1: nobody has set $told, and nothing asks whether somebody has: until then the rule is not evaluated"


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("require: {SenderName: $told}", [9]),
        ("require: {$told: {contains: a}}", [9]),
        ("require: {SenderName: {set: true}, any: [{SenderName: $told}, {UseSSL: true}]}", [9]),
        ("when: {$told: {set: true}}\nrequire: {SenderName: $told}", []),
        ("when: {not: {$told: {unset: true}}}\nrequire: {SenderName: $told}", []),
        ("require: {$told: {set: true}, SenderName: $told}", []),
        ("require: {any: [{$told: {set: true, contains: a}}, {UseSSL: true}]}", []),
        ("require: {any: [{$told: {unset: true}}, {SenderName: $told}]}", []),
        ("require: {none: [{$told: {set: true}, SenderName: $told}]}", []),
        ("require: {none: [{$told: {set: true}}, {SenderName: $told}]}", [9]),
        ("require: {any: [{$told: {set: true}}, {SenderName: $told}]}", [9]),
        ("require: {$told: {set: true}}", []),
    ],
)
def test_a_var_that_nobody_has_set_is_to_be_guarded(tmp_path: Path, body: str, lines: list[int]) -> None:
    assert doubts(tmp_path, body) == [(line, UNTOLD) for line in lines]


def test_a_guard_in_the_when_of_the_policy_counts(tmp_path: Path) -> None:
    assert doubts(tmp_path, "require: {SenderName: $told}", head="when: {$told: {set: true}}\n" + HEAD.lstrip()) == []


NEVER = "rule T-1: its `when` never holds, so nothing reaches the rule"


@pytest.mark.parametrize(
    ("when", "lines"),
    [
        ("{Port: 25, all: [{Port: [465, 587]}]}", [9]),
        ("{UseSSL: true, not: {UseSSL: true}}", [9]),
        ("{Port: 25, not: {Port: [25, 26]}}", []),  # not looked into so deeply
        ("{Port: [25, 465], all: [{Port: [465, 587]}]}", []),
        ("{Port: 25, all: [{Port: $port}]}", []),
        ("{Port: 25, any: [{Port: 465}, {Port: 587}]}", []),
        ("{Port: 25, UseSSL: true}", []),
    ],
)
def test_a_rule_that_nothing_reaches_is_named(tmp_path: Path, when: str, lines: list[int]) -> None:
    assert doubts(tmp_path, f"when: {when}\nrequire: {{UseSSL: true}}") == [(line, NEVER) for line in lines]


def test_a_rule_that_the_policy_keeps_from_applying_is_named_where_they_part(tmp_path: Path) -> None:
    assert doubts(tmp_path, "when: {profile.configured: false}\nrequire: {UseSSL: true}", head="when: {profile.configured: true}\n") == [(7, NEVER)]


def test_a_severity_entry_that_nothing_reaches_is_named(tmp_path: Path) -> None:
    text = policy("""
    - id: T-1
      title: T
      severity:
      - {when: {Port: 25}, is: high}
      - {when: {any: [{Port: 25}, {Port: 26}]}, is: low}
      - {when: {Port: 25}, is: medium}
      - low
      require: {UseSSL: true}
      examples: [{fails: {}}]
    """)
    file = str(tmp_path / "p0.yaml")
    assert lint(book(tmp_path, text)) == [
        LintWarning(file=file, line=10, text="rule T-1: an entry above it has the same `when`, so nothing reaches this one")
    ]


LABELLED = policy(
    rule("require: {UseSSL: true}" + FAILING),
    head="""
    vars:
      port: {type: integer, default: 587}
    overrides:
    - {labels: {env: lab, site: a}, vars: {port: 25}}
    - {targets: [b], vars: {port: 25}}
    """,
)


def test_a_label_that_no_target_has_is_named(tmp_path: Path) -> None:
    targets = {"a": {"env": "lab"}, "b": {"site": "b"}}
    it = book(tmp_path, LABELLED, targets=targets)
    assert [(warning.line, warning.text) for warning in lint(it, targets=targets)] == [(7, "no target has the label site=a")]


@pytest.mark.parametrize(
    ("test", "named"),
    [
        ("{contains: env=lab}", []),
        ("{contains: env=prd}", ["env=prd"]),
        ("{any_in: [env=lab, env, site=a]}", ["env", "site=a"]),
        ("{none_in: $labels}", []),
        ("{length: 2}", []),
    ],
)
def test_a_label_that_a_rule_asks_for_and_no_target_has_is_named(tmp_path: Path, test: str, named: list[str]) -> None:
    head = "vars:\n  labels: {type: [text], default: [env=dev]}\n"
    it = book(tmp_path, policy(rule(f"when: {{target.labels: {test}}}\nrequire: {{UseSSL: true}}" + FAILING), head=head))
    found = lint(it, targets={"a": {"env": "lab"}})
    assert [(warning.line, warning.text) for warning in found] == [(8, f"rule T-1: no target has the label {label}") for label in named]
    assert lint(it) == []


def test_without_targets_labels_are_not_looked_at(tmp_path: Path) -> None:
    assert lint(book(tmp_path, LABELLED)) == []


def test_a_doubt_of_a_base_is_named_once(tmp_path: Path) -> None:
    base = policy(rule("require: {UseSSL: true}"), name="base")
    assert len(lint(book(tmp_path, base, policy(head="extends: [base]\n")))) == 1
