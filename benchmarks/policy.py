"""12 rules over 10 000 documents, beside jsonschema-rs, jsonschema and an OPA engine (regopy); the answers are compared for equality.

Each engine is given what it judges (JSON values; for ours facts, as the wire reads them) and says, rule by rule, whether a document passes. Reading
is not timed. Ours writes the evidence of every leaf; it stands here twice: as it is, and without the memory in which a rule keeps its findings for
facts that it has met (servers of one fleet mostly say the same). A rule that does not apply passes here: the others know no third answer.
"""

import json
import random
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import jsonschema_rs
import regopy
from timing import HEADER, row

from auditor import datatables, policyfile, resources
from auditor.app import policy_book
from auditor.command.wire import parse
from auditor.core import evaluate
from auditor.core.canonical import canonical
from auditor.core.derived import with_derived
from auditor.core.evaluate import judge
from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import RuleOutcome, Snapshot

DOCUMENTS = 10_000
POLICY = """\
policy: bench
title: Twelve rules
version: 1
rules:
- {id: B-01, title: t, severity: high, require: {UseSSL: true}}
- {id: B-02, title: t, severity: high, require: {Port: [465, 587]}}
- {id: B-03, title: t, severity: high, require: {RelayAuthenticationType: {not_equals: Anonymous}}}
- {id: B-04, title: t, severity: high, require: {Host: {set: true, not_in: [localhost, relay]}}}
- {id: B-05, title: t, severity: high, require: {SenderAccount: {contains: "@"}}}
- {id: B-06, title: t, severity: high, require: {SenderName: {length: {lte: 20}}}}
- {id: B-07, title: t, severity: high, when: {RelayAuthenticationType: Basic}, require: {UseSSL: true}}
- {id: B-08, title: t, severity: high, when: {RelayAuthenticationType: OAuth}, require: {TokenEndpoint: {starts_with: "https://"}}}
- {id: B-09, title: t, severity: high, require: {Port: {gte: 1, lte: 65535}}}
- {id: B-10, title: t, severity: high, when: {Port: 465}, require: {UseSSL: true}}
- {id: B-11, title: t, severity: high, require: {any: [{Port: 587}, {Port: 25, RelayAuthenticationType: Anonymous}]}}
- {id: B-12, title: t, severity: high, require: {Scope: {contains: ".default"}}}
"""

TEXT, INTEGER = {"type": "string", "minLength": 1}, {"type": "integer"}


def has(**fields: Any) -> dict[str, Any]:
    """The schema of an object that has these fields."""
    return {"type": "object", "required": list(fields), "properties": fields}


def implied(condition: dict[str, Any], field: str, domain: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """`condition` on `field` implies `then`; a document that lacks `field`, or has it of another type, does not pass."""
    return {"allOf": [has(**{field: domain}), {"anyOf": [{"not": has(**{field: condition})}, then]}]}


TLS = has(UseSSL={"const": True})
SCHEMAS = [
    TLS,
    has(Port={"enum": [465, 587]}),
    has(RelayAuthenticationType={"type": "integer", "not": {"const": 0}}),
    has(Host={**TEXT, "not": {"enum": ["localhost", "relay"]}}),
    has(SenderAccount={"type": "string", "pattern": "@"}),
    has(SenderName={**TEXT, "maxLength": 20}),
    implied({"const": 2}, "RelayAuthenticationType", INTEGER, TLS),
    implied({"const": 3}, "RelayAuthenticationType", INTEGER, has(TokenEndpoint={"type": "string", "pattern": "^https://"})),
    has(Port={"type": "integer", "minimum": 1, "maximum": 65535}),
    implied({"const": 465}, "Port", INTEGER, TLS),
    {"anyOf": [has(Port={"const": 587}), has(Port={"const": 25}, RelayAuthenticationType={"const": 0})]},
    has(Scope={"type": "string", "pattern": r"\.default"}),
]

REGO = """\
package bench
default r01 := false
r01 if { input.UseSSL == true }
default r02 := false
r02 if { input.Port in {465, 587} }
default r03 := false
r03 if { is_number(input.RelayAuthenticationType); input.RelayAuthenticationType != 0 }
default r04 := false
r04 if { is_string(input.Host); input.Host != ""; not input.Host in {"localhost", "relay"} }
default r05 := false
r05 if { contains(input.SenderAccount, "@") }
default r06 := false
r06 if { is_string(input.SenderName); input.SenderName != ""; count(input.SenderName) <= 20 }
default r07 := false
r07 if { is_number(input.RelayAuthenticationType); input.RelayAuthenticationType != 2 }
r07 if { input.RelayAuthenticationType == 2; input.UseSSL == true }
default r08 := false
r08 if { is_number(input.RelayAuthenticationType); input.RelayAuthenticationType != 3 }
r08 if { input.RelayAuthenticationType == 3; startswith(input.TokenEndpoint, "https://") }
default r09 := false
r09 if { is_number(input.Port); input.Port >= 1; input.Port <= 65535 }
default r10 := false
r10 if { is_number(input.Port); input.Port != 465 }
r10 if { input.Port == 465; input.UseSSL == true }
default r11 := false
r11 if { input.Port == 587 }
r11 if { input.Port == 25; input.RelayAuthenticationType == 0 }
default r12 := false
r12 if { contains(input.Scope, ".default") }
all := [r01, r02, r03, r04, r05, r06, r07, r08, r09, r10, r11, r12]
"""

CHOICES: dict[str, list[Any]] = {
    "UseSSL": [True, True, False, "true", 1, None],
    "Port": [587, 587, 465, 25, 2525, 0, 70000, "587", None],
    "RelayAuthenticationType": [0, 2, 3, 3, 1, [3], None],
    "Host": ["smtp.corp.com", "mail.corp.com", "localhost", "relay", "", None, ["a"], 5],
    "SenderAccount": ["pki@corp.com", "pki", "", None, ["pki@corp.com"]],
    "SenderName": ["Certificates", "x" * 30, "", None, 7],
    "TokenEndpoint": ["https://idp.corp.com/t", "http://idp.corp.com/t", "", None, 3],
    "Scope": ["https://outlook.office365.com/.default", "none", "", None],
}


def documents(count: int) -> list[dict[str, Any]]:
    """`count` profiles with every kind of fault, the same in each run."""
    dice = random.Random(12)
    made = []
    for number in range(count):
        document: dict[str, Any] = {"Id": number, "ClientId": None}
        for field, choices in CHOICES.items():
            if dice.random() > 0.1:
                document[field] = dice.choice(choices)
        made.append(document)
    return made


def snapshots(made: list[dict[str, Any]]) -> list[Snapshot]:
    """The documents as our wire reads them."""
    fingerprint = FingerprintKey(b"b" * 32).of
    read = [parse(canonical(document).encode(), api_version=2, fingerprint=fingerprint) for document in made]
    return [snapshot for snapshot in read if isinstance(snapshot, Snapshot)]


def without_memory(made: list[dict[str, Any]]) -> Callable[[], list[list[bool]]]:
    remembered, evaluate.MAX_REMEMBERED = evaluate.MAX_REMEMBERED, 0
    answers = ours(made)

    def ask() -> list[list[bool]]:
        evaluate.MAX_REMEMBERED = 0
        try:
            return answers()
        finally:
            evaluate.MAX_REMEMBERED = remembered

    return ask


def ours(made: list[dict[str, Any]]) -> Callable[[], list[list[bool]]]:
    with TemporaryDirectory() as folder:
        (Path(folder) / "bench.yaml").write_text(POLICY, encoding="utf-8")
        controls = policyfile.load_controls(resources.folder("policies") / "data" / "controls.yaml")
        book = policyfile.load([Path(folder)], target_names=None, controls=controls, tables=datatables.load())
    compiled = book.compile(book.effective("bench", target="t", labels={}, installation={}, own={}))
    day = date(2026, 11, 23)
    facts = [with_derived(snapshot.facts, book.tables) for snapshot in snapshots(made)]
    passing = (RuleOutcome.PASS, RuleOutcome.NOT_APPLICABLE)
    return lambda: [[finding.outcome in passing for finding in judge(compiled, fact, as_of=day)] for fact in facts]


def with_jsonschema_rs(made: list[dict[str, Any]]) -> Callable[[], list[list[bool]]]:
    validators = [jsonschema_rs.validator_for(schema) for schema in SCHEMAS]
    return lambda: [[validator.is_valid(document) for validator in validators] for document in made]


def with_jsonschema(made: list[dict[str, Any]]) -> Callable[[], list[list[bool]]]:
    validators = [jsonschema.Draft202012Validator(schema) for schema in SCHEMAS]
    return lambda: [[validator.is_valid(document) for validator in validators] for document in made]


def with_regopy(made: list[dict[str, Any]]) -> Callable[[], list[list[bool]]]:
    interpreter = regopy.Interpreter()
    interpreter.add_module("bench", REGO)

    def answers() -> list[list[bool]]:
        found = []
        for document in made:
            interpreter.set_input(document)
            result = interpreter.query("x = data.bench.all")
            found.append(json.loads(str(result.binding("x"))))
        return found

    return answers


def whole_book(made: list[dict[str, Any]]) -> str:
    """Seconds for every shipped rule over all of `made`: facts are derived, rules judged, evidence written."""
    book = policy_book(None)
    compiled = book.compile(book.effective("strict", target="t", labels={}))
    read, day = [snapshot.facts for snapshot in snapshots(made)], date(2026, 11, 23)
    taken = []
    for _ in range(3):
        begin = time.perf_counter()
        for facts in read:
            judge(compiled, with_derived(facts, book.tables), as_of=day)
        taken.append(time.perf_counter() - begin)
    return row(f"the whole book, {len(compiled.policy.rules)} rules", taken, "s")


def main() -> None:
    made = documents(DOCUMENTS)
    rates = {}
    reference: list[list[bool]] = []
    print(f"{DOCUMENTS} documents, 12 rules; microseconds a document")
    print(HEADER)
    for name, engine, count, runs in (
        ("auditor, with evidence", ours, DOCUMENTS, 5),
        ("auditor, with evidence, nothing remembered", without_memory, DOCUMENTS, 3),
        ("jsonschema-rs, no evidence", with_jsonschema_rs, DOCUMENTS, 5),
        ("jsonschema, no evidence", with_jsonschema, DOCUMENTS, 3),
        ("regopy (rego-cpp), no evidence", with_regopy, DOCUMENTS, 1),
    ):
        taken, answers = [], []
        for _ in range(runs):
            ask = engine(made[:count])
            begin = time.perf_counter()
            answers = ask()
            taken.append((time.perf_counter() - begin) / count * 1e6)
        reference = reference or answers
        if answers != reference[:count]:
            wrong = next(number for number, answer in enumerate(answers) if answer != reference[number])
            raise SystemExit(f"{name} disagrees on {made[wrong]}: {answers[wrong]} instead of {reference[wrong]}")
        rates[name] = sorted(taken)[len(taken) // 2]
        print(row(name, taken, "us"))
    first = next(iter(rates.values()))
    print("answers are equal; time of the others in multiples of ours:", ", ".join(f"{name} {rate / first:.1f}" for name, rate in rates.items()))
    print(whole_book(made))


if __name__ == "__main__":
    main()
