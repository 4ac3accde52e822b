"""Whatever a policy file says wrong is refused with file and line, what was found, and the nearest name (rule language, section 10)."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from auditor.errors import PolicyError
from auditor.policyfile import load
from tests.policyfile.books import CONTROLS, book, policy, refused, rule, tables

GOOD = rule("require: {UseSSL: true}")
VARS = """
vars:
  ports: {type: [integer], default: [465, 587]}
  port: {type: integer, default: 587}
  hosts: {type: [host], default: []}
  shape: {type: pattern, default: "a+"}
"""


def test_what_is_written_well_is_taken(tmp_path: Path) -> None:
    assert [it.id for it in book(tmp_path, policy(GOOD, head=VARS)).policy("mine").rules] == ["T-1"]


FORM = [
    # the file as a whole, from line 1
    ("[]", 1, "a policy is a mapping, this is an empty list", ""),
    ("policy: mine\ntitle: T\n", 1, "a policy needs 'version'", ""),
    ("policy: Mine\ntitle: T\nversion: 1\n", 1, "'Mine' is no policy name", "[a-z]"),
    ("policy: mine\ntitle: 5\nversion: 1\n", 2, "a title is text, this is the integer 5", ""),
    ('policy: mine\ntitle: T\nversion: "1"\n', 3, "expected an integer, this is the text '1'", "without quotes"),
    ("policy: mine\ntitle: T\nversion: true\n", 3, "expected an integer, this is the boolean true", ""),
    ("policy: mine\ntitle: T\nversion: 1\nrules: []\n", 4, "rules is a list with one item or more, this is an empty list", ""),
    ("policy: mine\ntitle: T\nversion: 1\nrules: {}\n", 4, "rules is a list with one item or more, this is an empty mapping", ""),
    ("policy: mine\ntitle: T\nversion: 1\nrulez: []\n", 4, "a policy has no 'rulez'", "did you mean 'rules'"),
    ("policy: mine\ntitle: T\nversion: 1\nversion: 2\n", 4, "'version' stands here twice, first in line 3", "keep one"),
    ("policy: mine\ntitle: *t\nversion: 1\n", 2, "", ""),
    ("policy: mine\ntitle: &t T\nversion: 1\n", 2, "anchor &t", "not taken"),
    ("policy: mine\ntitle: !!str T\nversion: 1\n", 2, "tag ", "leave the tag out"),
    ("policy: mine\ntitle: yes\nversion: 1\n", 2, "yes means different things", 'write true, or "yes"'),
    ("policy: mine\ntitle: [\n", 3, "not YAML", ""),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), FORM)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    said, hinted = refused(tmp_path, text)
    assert said.startswith(f"p0.yaml:{line}: {message}")
    assert hint in hinted


EX = "require: {UseSSL: true}\nexamples: "
VERDICTS = "passes, fails, not_applicable, not_evaluated"

RULES = [
    # the body of a rule, of which line 1 stands in line 6 of the file where no vars are declared
    ("require: {UseSSL: true}\nwhn: {Port: 25}", 7, "a rule has no 'whn'", "did you mean 'when'"),
    ("requires: {UseSSL: true}", 6, "a rule has no 'requires'", "did you mean 'require'"),
    ("when: {UseSSL: true}", 5, "a rule needs 'require'", ""),
    ("require: {}", 6, "a condition is a mapping with one entry or more, this is an empty mapping", ""),
    ("require: true", 6, "a condition is a mapping with one entry or more, this is the boolean true", ""),
    ("require: [{UseSSL: true}]", 6, "a condition is a mapping with one entry or more, this is a list", ""),
    # names
    ("require: {UseSSl: true}", 6, "no fact is called 'UseSSl'", "did you mean 'UseSSL'"),
    ("require:\n  all:\n  - Port: 587\n  - UseTLS: true", 9, "no fact is called 'UseTLS'", "did you mean 'UseSSL'"),
    ("require: {anny: [{UseSSL: true}]}", 6, "no fact is called 'anny'", "did you mean 'any'"),
    ("require: {zzzz: 1}", 6, "no fact is called 'zzzz'", "`auditor policy fields`"),
    ("require: {Port: {gretaer: 5}}", 6, "no operator is called 'gretaer'", "did you mean 'gte'"),
    ("require: {Port: {equal: 5}}", 6, "no operator is called 'equal'", "did you mean 'equals'"),
    ("require: {Port: {start_with: a}}", 6, "no operator is called 'start_with'", "did you mean 'starts_with'"),
    ("require: {Host: {format: fqnd}}", 6, "a format is one of fqdn", "did you mean 'fqdn'"),
    ("require: {Port: {type: string}}", 6, "a JSON type is one of boolean", ""),
    ("require: {Host.provider: exchang_online}", 6, "'exchang_online' is not one of exchange_online", "did you mean 'exchange_online'"),
    ("require: {ClientSecret: kept}", 6, "'kept' is not one of stored", ""),
    ("require: {response.exposed: {contains: RelayPasword}}", 6, "the profile has no field 'RelayPasword'", "did you mean 'RelayPassword'"),
    ("require: {drift.unapproved: {contains: Hst}}", 6, "no fact is called 'Hst'", "did you mean 'Host'"),
    ("require: {RelayAuthenticationType: basic}", 6, "'basic' is no name that it knows", "did you mean 'Basic'"),
    # types
    ('require: {Port: "587"}', 6, "expected an integer, this is the text '587'", "write 587 without quotes"),
    ('require: {UseSSL: "true"}', 6, "expected a boolean, this is the text 'true'", "write true without quotes"),
    ('require: {RelayAuthenticationType: "2"}', 6, "'2' is no name that it knows", "write 2 without quotes"),
    ("require: {UseSSL: 1}", 6, "expected a boolean, this is the integer 1", ""),
    ("require: {Port: true}", 6, "expected an integer, this is the boolean true", ""),
    ("require: {SenderName: 5}", 6, "expected text, this is the integer 5", 'write "5"'),
    ("require: {Port: {in: [465, true]}}", 6, "expected an integer, this is the boolean true", ""),
    ("require: {Port: {in: 465}}", 6, "expected a list of integer values, this is the integer 465", "write [...]"),
    ("require: {Port: []}", 6, "an empty list allows nothing", ""),
    ("require: {Scope.tokens: {any_in: []}}", 6, "an empty list allows nothing", ""),
    ("require: {Port: null}", 6, "null is no value", "{unset: true}"),
    ("require: {Port: {equals: null}}", 6, "null is no value", "{unset: true}"),
    ("require: {Port: {}}", 6, "a test is a mapping with one entry or more", ""),
    ("require: {Port: {in: [465, null]}}", 6, "null is no value", ""),
    ("require: {Port: 9007199254740992}", 6, "9007199254740992 is past 2^53", ""),
    ("require: {UseSSL: [true, false]}", 6, "UseSSL is of type boolean and takes no plain value", "operators that fit: equals"),
    ("require: {UseSSL: {in: [true]}}", 6, "`in` does not fit UseSSL, which is of type boolean", "operators that fit: equals"),
    ("require: {Port: {starts_with: a}}", 6, "`starts_with` does not fit Port, which is of type integer", "operators that fit: equals"),
    ("require: {Host: {starts_with: a}}", 6, "`starts_with` does not fit Host", "under"),
    ("require: {Scope.tokens: openid}", 6, "Scope.tokens is of type [text] and takes no plain value", "any_in"),
    ("require: {Scope.tokens: {equals: openid}}", 6, "`equals` does not fit Scope.tokens", "any_in"),
    ("require: {RequestHeaders: {contains: X}}", 6, "`contains` does not fit RequestHeaders", "length"),
    ("require: {Host.provider: {type: text}}", 6, "`type` does not fit Host.provider", ""),
    ("require: {Host: {same_as: SenderAccount}}", 6, "SenderAccount is of type email, Host of type host", ""),
    ("require: {Host: {same_as: Hst}}", 6, "no fact is called 'Hst'", "did you mean 'Host'"),
    ("require: {Host: {same_as: 5}}", 6, "expected a fact, this is the integer 5", ""),
    # presence
    ("require: {Host: {set: false}}", 6, "`set` takes true alone, this is the boolean false", "write {unset: true}"),
    ("require: {Host: {unset: false}}", 6, "`unset` takes true alone, this is the boolean false", "write {set: true}"),
    ("require: {Host: {offered: 1}}", 6, "`offered` takes true or false, this is the integer 1", ""),
    # forms of literals
    ('require: {Host: "*.corp.example"}', 6, "'*.corp.example' is no hostname", "without the `*.`"),
    ("require: {Host: {under: [corp example]}}", 6, "'corp example' is no hostname", ""),
    ("require: {Host: {under: corp.example}}", 6, "expected a list of host values", "write [...]"),
    ("require: {SenderAccount: pki}", 6, "'pki' is no email", ""),
    ("require: {TokenEndpoint: /oauth}", 6, "'/oauth' is no url", ""),
    ("require: {server.cert.valid_from: 2026-02-30}", 6, "there is no day 2026-02-30", ""),
    ("require: {server.cert.valid_from: 2026-2-3}", 6, "expected a day, this is the text '2026-2-3'", "2026-12-31"),
    # number tests and patterns
    ("require: {SenderName: {length: many}}", 6, "expected an integer, this is the text 'many'", ""),
    ("require: {SenderName: {length: {}}}", 6, "an empty mapping tests nothing", ""),
    ("require: {SenderName: {length: {most: 5}}}", 6, "a number test has no 'most'", "it has: equals, lt"),
    ("require: {SenderName: {length: {let: 5}}}", 6, "a number test has no 'let'", "did you mean 'lt'"),
    ("require: {SenderName: {matches: (}}", 6, "the pattern '(' does not compile", "RE2"),
    ("require: {SenderName: {matches: (?=a)}}", 6, "the pattern '(?=a)' does not compile", "no look-around"),
    ('require: {SenderName: {matches: "(a)\\\\1"}}', 6, "the pattern", "no back-references"),
    (f"require: {{SenderName: {{matches: {'a' * 513}}}}}", 6, "a pattern has 512 characters at most, this one 513", ""),
    # groups
    ("require: {all: {UseSSL: true}}", 6, "`all` is a list with one item or more, this is a mapping", ""),
    ("require: {any: []}", 6, "`any` is a list with one item or more, this is an empty list", ""),
    ("require: {none: [UseSSL]}", 6, "a condition is a mapping with one entry or more, this is the text 'UseSSL'", ""),
    ("require: {not: []}", 6, "a condition is a mapping with one entry or more, this is an empty list", ""),
    ("require: " + "{not: " * 8 + "{UseSSL: true}" + "}" * 8, 6, "a condition has 8 levels at most", "split the rule"),
    # vars
    ("require: {Port: $portz}", 6, "no var is called '$portz'", "no var is declared"),
    ("require: {$portz: {set: true}}", 6, "no var is called '$portz'", "no var is declared"),
    ("require: {SenderName: [$a]}", 6, "a var cannot stand here: '$a'", "write it twice"),
    # the rest of a rule
    ("require: {UseSSL: true}\non_missing: ignore", 7, "on_missing is one of fail, not_evaluated, not_applicable", ""),
    ("require: {UseSSL: true}\nrationale: [a]", 7, "a rationale is text, this is a list", ""),
    ("require: {UseSSL: true}\nreferences: RFC 1", 7, "a list of references is a list with one item or more", ""),
    ("require: {UseSSL: true}\nbundles: [people]", 7, "no bundle is called 'people'", "there are: transit"),
    ("require: {UseSSL: true}\nbundles: [transitt]", 7, "no bundle is called 'transitt'", "did you mean 'transit'"),
    ("require: {UseSSL: true}\ncontrols: {nits: [SC-8]}", 7, "no framework is called 'nits'", "did you mean 'nist'"),
    ("require: {UseSSL: true}\ncontrols: {nist: [SC-88]}", 7, "nist has no control 'SC-88'", "did you mean 'SC-8'"),
    ("require: {UseSSL: true}\ncontrols: {iso: [8.24]}", 7, "8.24 means different things", 'write "8.24"'),
    # examples
    (EX + "[{}]", 7, "an example has one of passes", ""),
    (EX + "[{passes: {}, fails: {}}]", 7, f"an example has one of {VERDICTS}; this one has passes and fails", ""),
    (EX + "[{pases: {}}]", 7, "an example has no 'pases'", "did you mean 'passes'"),
    (EX + "[{passes: []}]", 7, "an example is a mapping of facts, this is an empty list", ""),
    (EX + "[{passes: {UseSSl: true}}]", 7, "no fact is called 'UseSSl'", "did you mean 'UseSSL'"),
    (EX + "[{fails: {Host: {inconclusve: x}}}]", 7, "Host: a mapping in an example is one state and its reason", "did you mean 'inconclusive'"),
    (EX + "[{fails: {Host: {missing: a, unset: b}}}]", 7, "Host: a mapping in an example is one state", ""),
    (EX + "[{fails: {Host: {inconclusive: null}}}]", 7, "Host: a reason is text, this is null", ""),
    (EX + "[{fails: {RelayAuthenticationType: Basci}}]", 7, "RelayAuthenticationType: 'Basci' is no name that it knows", "did you mean 'Basic'"),
    (EX + "[{fails: {ClientSecret: hunter}}]", 7, "ClientSecret: 'hunter' is not one of stored", ""),
    (EX + "[{fails: {Host.provider: 5}}]", 7, "Host.provider: expected a word, this is the integer 5", ""),
    (EX + "[{fails: {RequestHeaders: [{Nme: a, Value: b}]}}]", 7, "RequestHeaders: a header has no 'Nme'", "did you mean 'Name'"),
    (EX + "[{fails: {}, severity: hgih}]", 7, "a severity is one of info", "did you mean 'high'"),
    (EX + "[{passes: {}, severity: high}]", 7, "only what fails or is not evaluated has a severity", ""),
    (EX + "[{fails: {}, as_of: 2026-13-01}]", 7, "there is no day 2026-13-01", ""),
    (EX + "[{fails: {}, vars: {port: 1}}]", 7, "no var is called 'port'", "declared are: none"),
    (
        "require: {server.cert.renew_by: {days_ahead: {gt: 0}}}\nexamples: [{fails: {}}]",
        7,
        "the rule reads the date, so its examples need `as_of`",
        "such as as_of: 2026-12-31",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "line", "message", "hint"), RULES)
def test_a_rule_that_says_something_wrong_is_refused(tmp_path: Path, body: str, line: int, message: str, hint: str) -> None:
    said, hinted = refused(tmp_path, policy(rule(body)))
    about = f"p0.yaml:{line}: " + ("" if message.startswith("8.24") else "rule T-1: ")
    assert said.startswith(about + message)
    assert hint in hinted


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("require: {Port: {equals: $ports}}", "$ports is of type [integer], needed is integer", ""),
        ("require: {Port: {in: $port}}", "$port is of type integer, needed is [integer]", ""),
        ("require: {Host: $ports}", "$ports is of type [integer], needed is [host]", ""),
        ("require: {SenderName: {matches: $port}}", "$port is of type integer, needed is pattern", ""),
        ("require: {SenderName: $shape}", "$shape is of type pattern, needed is text", ""),
        ("require: {SenderName: {length: {lte: $ports}}}", "$ports is of type [integer], needed is integer", ""),
        ("require: {Port: {gte: $prot}}", "no var is called '$prot'", "did you mean 'port'"),
        ("require: {$hosts: {offered: true}}", "`offered` does not fit $hosts", "length"),
        ("require: {$port: {type: integer}}", "`type` does not fit $port", "lte"),
        ("require: {$shape: {equals: a}}", "`equals` does not fit $shape", "set"),
        ("require: {$hosts: a.example}", "$hosts is of type [host] and takes no plain value", "contains"),
    ],
)
def test_a_var_of_another_type_is_refused(tmp_path: Path, body: str, message: str, hint: str) -> None:
    said, hinted = refused(tmp_path, policy(rule(body), head=VARS))
    assert said.startswith(f"p0.yaml:11: rule T-1: {message}")
    assert hint in hinted


@pytest.mark.parametrize(
    ("severity", "message", "hint"),
    [
        ("hihg", "a severity is one of info, low, medium, high, critical, this is the text 'hihg'", "did you mean 'high'"),
        ("[]", "a severity list is a list with one item or more", ""),
        ("[{when: {UseSSL: true}, is: high}]", "a severity list ends in one plain level", ""),
        ("[low, high]", "only the last entry of a severity list is a plain level", "{when: {...}, is: LEVEL}"),
        ("[{when: {UseSSL: true}}, low]", "a severity entry needs 'is'", ""),
        ("[{when: {UseSSL: true}, is: worst}, low]", "a severity is one of info", ""),
        ("[{when: {UseSSL: true}, is: low, as: b}, low]", "a severity entry has no 'as'", ""),
        ("[{when: {}, is: low}, low]", "a condition is a mapping", ""),
    ],
)
def test_a_severity_is_a_level_or_entries_that_end_in_one(tmp_path: Path, severity: str, message: str, hint: str) -> None:
    said, hinted = refused(tmp_path, policy(f"- id: T-1\n  title: T\n  severity: {severity}\n  require: {{UseSSL: true}}\n"))
    assert said.startswith(f"p0.yaml:7: rule T-1: {message}")
    assert hint in hinted


@pytest.mark.parametrize("bad", ["t-1", "T_1", "T-", "1-T", "T 1"])
def test_an_id_of_another_form_is_refused(tmp_path: Path, bad: str) -> None:
    said, _ = refused(tmp_path, policy(rule("require: {UseSSL: true}", id_=f'"{bad}"')))
    assert said == f"p0.yaml:5: rule {bad}: {bad!r} is no rule id"


def test_an_id_that_is_no_text_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, policy(rule("require: {UseSSL: true}", id_="5")))[0] == "p0.yaml:5: rule id is text, this is the integer 5"


def test_a_rule_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, policy("- T-1\n"))[0] == "p0.yaml:5: a rule is a mapping, this is the text 'T-1'"


def test_keys_that_begin_with_x_are_free_in_policies_and_rules_and_nowhere_else(tmp_path: Path) -> None:
    assert book(tmp_path, policy(rule("require: {UseSSL: true}\nx-owner: me"), head="x-notes: {any: thing}\n")).names()
    said, _ = refused(tmp_path, policy(rule(EX + "[{passes: {}, x-why: a}]")))
    assert "an example has no 'x-why'" in said


# --- vars ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "message", "hint"),
    [
        ("Port: {type: integer, default: 1}", "$Port: 'Port' is no var name", "[a-z]"),
        ("port: {type: integer}", "$port: a declaration needs 'default'", ""),
        ("port: {type: integer, default: 1, abuot: a}", "$port: a declaration has no 'abuot'", "did you mean 'about'"),
        ("port: {type: number, default: 1}", "$port: there is no type 'number'", "there are: boolean"),
        ("port: {type: interger, default: 1}", "$port: there is no type 'interger'", "did you mean 'integer'"),
        ("port: {type: [integer, text], default: 1}", "$port: a type is a word, or a list of one word", ""),
        ("port: {type: 5, default: 1}", "$port: a type is a word, or a list of one word, this is the integer 5", ""),
        ("port: {type: header, default: 1}", "$port: there is no type 'header'", ""),
        ("port: {type: [pattern], default: []}", "$port: pattern is never listed", "write pattern"),
        ("port: {type: field, default: Port}", "$port: field is only listed", "write [field]"),
        ('port: {type: integer, default: "1"}', "$port: expected an integer, this is the text '1'", "without quotes"),
        ("port: {type: [integer], default: 1}", "$port: expected a list of integer values, this is the integer 1", ""),
        ("port: {type: [integer], default: [true]}", "$port: expected an integer, this is the boolean true", ""),
        ('port: {type: [host], default: ["*.a.example"]}', "$port: '*.a.example' is no hostname", ""),
        ("port: {type: pattern, default: (}", "$port: the pattern '(' does not compile", ""),
        ("port: {type: date, default: soon}", "$port: expected a day, this is the text 'soon'", ""),
        ("port: {type: [field], default: [Prot]}", "$port: the profile has no field 'Prot'", "did you mean 'Port'"),
        ("port: {type: [fact], default: [Host.provder]}", "$port: no fact is called 'Host.provder'", "did you mean 'Host.provider'"),
        ("port: {type: RelayAuthenticationType, default: Basci}", "$port: 'Basci' is no name that it knows", "did you mean 'Basic'"),
        ("port: 587", "$port: no base declares it", "{type: ..., default: ...}"),
    ],
)
def test_a_var_that_is_declared_wrong_is_refused(tmp_path: Path, declared: str, message: str, hint: str) -> None:
    said, hinted = refused(tmp_path, policy(GOOD, head=f"vars:\n  {declared}\n"))
    assert said.startswith(f"p0.yaml:5: {message}")
    assert hint in hinted


# --- composition --------------------------------------------------------------------------------------------------

BASE = policy(
    rule("require: {UseSSL: true}", id_="B-1") + rule("require: {Port: 587}", id_="B-2"),
    head="vars:\n  port: {type: integer, default: 587}\n",
    name="base",
)


@pytest.mark.parametrize(
    ("head", "message", "hint"),
    [
        ("extends: [bsae]", "no policy is called 'bsae'", "did you mean 'base'"),
        ("extends: [mine]", "mine extends mine: a circle has no base", ""),
        ("extends: base", "extends is a list with one item or more", ""),
        ("extends: [base]\ninclude: [B-3]", "'B-3' names no inherited rule", "did you mean"),
        ('extends: [base]\nexclude: ["glob:C-*"]', "'glob:C-*' names no inherited rule", "inherited are: B-1, B-2"),
        ("extends: [base]\nseverities: {B-3: low}", "no inherited rule in force is called 'B-3'", "did you mean"),
        ("extends: [base]\nexclude: [B-1]\nseverities: {B-1: low}", "no inherited rule in force is called 'B-1'", ""),
        ("extends: [base]\nseverities: {B-1: worst}", "a severity is one of info", ""),
        ("exclude: [B-1]", "'B-1' names no inherited rule", "inherited are: none"),
        ("extends: [base]\nvars: {prot: 25}", "$prot: no base declares it", "did you mean 'port'"),
        ('extends: [base]\nvars: {port: "25"}', "$port: expected an integer, this is the text '25'", ""),
        ("extends: [base]\nvars: {port: {type: integer, default: 25}}", "$port: declared already, by policy base", "write the value alone"),
    ],
)
def test_what_does_not_fit_its_bases_is_refused(tmp_path: Path, head: str, message: str, hint: str) -> None:
    said, hinted = refused(tmp_path, policy(GOOD, head=f"{head}\n"), BASE)
    assert said.startswith(f"p0.yaml:{3 + len(head.splitlines())}: {message}")
    assert hint in hinted


def test_a_policy_that_keeps_no_rule_is_refused(tmp_path: Path) -> None:
    said, _ = refused(tmp_path, policy(head='extends: [base]\nexclude: ["glob:*"]\n'), BASE)
    assert said == "p0.yaml:1: policy mine keeps no rule of its bases and has none of its own"


def test_a_circle_of_bases_is_refused(tmp_path: Path) -> None:
    said, _ = refused(
        tmp_path, policy(head="extends: [b]\n", name="a"), policy(head="extends: [c]\n", name="b"), policy(head="extends: [b]\n", name="c")
    )
    assert said == "p2.yaml:4: b extends c extends b: a circle has no base"


def test_two_policies_of_one_name_are_refused(tmp_path: Path) -> None:
    said, hint = refused(tmp_path, policy(GOOD), policy(GOOD))
    assert said.startswith("p1.yaml:1: there is another policy 'mine', in ")
    assert hint == "rename one of the two"


def test_one_id_twice_is_refused(tmp_path: Path) -> None:
    said, hint = refused(tmp_path, policy(GOOD + GOOD))
    assert said == "p0.yaml:9: rule T-1: the id stands here twice, first in line 5"
    assert hint == "give one of the two another id"


@pytest.mark.parametrize("exclude", ["", "exclude: [B-1]\n"])
def test_the_text_of_an_inherited_rule_is_never_overridden(tmp_path: Path, exclude: str) -> None:
    said, hint = refused(tmp_path, policy(rule("require: {UseSSL: true}", id_="B-1"), head=f"extends: [base]\n{exclude}"), BASE)
    assert "rule B-1: policy base has a rule of this id, which mine inherits" in said
    assert hint == "a rule's text is never overridden: exclude it and write another id"


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("{vars: {port: 25}}", "an override needs `labels`, `targets` or both", "set under `vars`"),
        ("{labels: {env: lab}}", "an override needs 'vars'", ""),
        ("{labels: {}, vars: {port: 25}}", "labels is a mapping with one entry or more", ""),
        ("{labels: {env: 5}, vars: {port: 25}}", "a label is text, this is the integer 5", ""),
        ("{targets: [lab-11], vars: {port: 25}}", "no target is called 'lab-11'", "did you mean 'lab-1'"),
        ('{targets: ["glob:prod-*"], vars: {port: 25}}', "no target is called 'glob:prod-*'", ""),
        ("{targets: [lab-1], vars: {prot: 25}}", "no var is called 'prot'", "did you mean 'port'"),
        ("{targets: [lab-1], vars: {port: a}}", "port: expected an integer, this is the text 'a'", ""),
        ("{targets: [lab-1], vars: {port: 25}, when: {}}", "an override has no 'when'", ""),
    ],
)
def test_an_override_that_names_nothing_is_refused(tmp_path: Path, override: str, message: str, hint: str) -> None:
    said, hinted = refused(
        tmp_path, policy(GOOD, head=f"vars:\n  port: {{type: integer, default: 587}}\noverrides:\n- {override}\n"), targets=["lab-1", "lab-2"]
    )
    assert said.startswith(f"p0.yaml:7: {message}")
    assert hint in hinted


def test_without_a_configuration_targets_of_overrides_are_not_checked(tmp_path: Path) -> None:
    head = "vars:\n  port: {type: integer, default: 587}\noverrides:\n- {targets: [anything], vars: {port: 25}}\n"
    assert book(tmp_path, policy(GOOD, head=head), targets=None).names()


# --- folders ------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none", targets=None)[0] == ": no such folder"


def test_a_file_that_only_looks_like_a_policy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text(policy(GOOD), encoding="utf-8")
    said, hint = refused(tmp_path)
    assert said == "more.yml: a policy file ends in .yaml"
    assert "rename it" in hint


def test_what_lies_in_a_policy_folder_is_read_however_deep_and_called(tmp_path: Path) -> None:
    for place in ("deeper/more.yaml", "..data/more.yaml"):  # the second is how a mounted ConfigMap repeats itself
        (tmp_path / place).parent.mkdir()
        (tmp_path / place).write_text(policy(GOOD, name="deep"), encoding="utf-8")
    assert set(book(tmp_path, policy(GOOD)).names()) == {"mine", "deep"}


@pytest.mark.parametrize("place", ["data/table.yaml", "MINE.YAML", "x.yml"])
def test_nothing_that_looks_like_a_policy_is_passed_over(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("- 1\n", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"a policy"):
        book(tmp_path, policy(GOOD))


@pytest.mark.platform_only
@pytest.mark.skipif(os.name == "nt", reason="accounts and links work otherwise there")
def test_a_folder_that_cannot_be_looked_into_is_not_passed_over() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "deeper").mkdir(mode=0o700)
        is_root = os.geteuid() == 0
        if is_root:  # nobody owns none of it
            os.seteuid(65534)
        else:
            (folder / "deeper").chmod(0)
        try:
            with pytest.raises(PolicyError, match=r"deeper: cannot be read: Permission denied"):
                load([folder], target_names=None, controls=CONTROLS, tables=tables())
        finally:
            if is_root:
                os.seteuid(0)
            (folder / "deeper").chmod(0o700)


@pytest.mark.platform_only
@pytest.mark.skipif(os.name == "nt", reason="a link needs a privilege there")
def test_a_link_to_a_folder_of_policies_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "more").symlink_to(tmp_path / "theirs")
    said, hint = refused(tmp_path / "ours", policy(GOOD))
    assert (said, hint) == ("more: a link to a folder is not followed", f"name {tmp_path / 'theirs'} under `policies`")


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    assert "larger than 1048576 bytes" in refused(tmp_path, policy(GOOD) + "# " + "x" * 1024 * 1024)[0]


# --- the mistakes of the comparison with other tools --------------------------------------------------------------

MISTAKES = {
    "misspelt key inside the rule": (policy(rule("require: {UseSSL: true}\nseverty: high")), 7, "did you mean 'severity'"),
    "misspelt section": (policy(GOOD).replace("rules:", "ruels:"), 4, "did you mean 'rules'"),
    "unknown operator": (policy(rule("require: {Port: {not_equal: 25}}")), 6, "did you mean 'not_equals'"),
    "bad pattern": (policy(rule("require: {Host: {matches: '[a-'}}")), 6, "RE2"),
    "misspelt field": (policy(rule("require: {TokenEndpont: {set: true}}")), 6, "did you mean 'TokenEndpoint'"),
    "duplicate rule id": (policy(GOOD + GOOD), 9, "another id"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_no_mistake_silently_drops_a_rule(tmp_path: Path, mistake: str) -> None:
    text, line, hint = MISTAKES[mistake]
    said, hinted = refused(tmp_path, text)
    assert said.startswith(f"p0.yaml:{line}: ")
    assert hint in hinted
