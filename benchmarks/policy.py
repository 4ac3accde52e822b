"""What judging costs: the whole shipped book, and 12 rules beside jsonschema-rs, jsonschema and an OPA engine (regopy), whose answers must be equal.

The book is the set `strict` over snapshots of a faulty fleet: facts are derived, judged, and the evidence of every leaf is written. It stands here
twice, as the 12 rules do: as it is, and without the memory in which a rule keeps its findings for facts that it has met.

Of the 12 rules each engine is given what it judges (JSON values; for ours facts, as the wire reads them) and says, rule by rule, whether a document
passes. A rule that does not apply passes here: the others know no third answer. jsonschema-rs stands here with its errors, too: that is its evidence.

Reading is not timed. Documents are read in batches just before they are judged, as they are in an audit.
"""

import json
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import jsonschema_rs
import regopy
from timing import HEADER, row

from auditor import datatables, policyfile, resources
from auditor.command.wire import parse
from auditor.core import evaluate
from auditor.core.canonical import canonical
from auditor.core.derived import with_derived
from auditor.core.evaluate import CompiledPolicy, judge
from auditor.core.fingerprint import FingerprintKey
from auditor.core.model import RuleOutcome, Snapshot
from auditor.policyfile import PolicyBook

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


IN_PAM: dict[str, Any] = {"SecretValue": None, "Parameters": {"SecretId": "2001"}, "Provider": 1}
STORED: dict[str, Any] = {"SecretValue": "*" * 20, "Parameters": {}, "Provider": None}
EXPOSED: dict[str, Any] = {**STORED, "SecretValue": "spring"}
NO_OAUTH = dict.fromkeys(("ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders"))
FAULTS: dict[str, list[Any]] = {
    **CHOICES,
    "Id": [0, 2, None],
    "RelayPassword": [None, STORED, EXPOSED],
    "ClientSecret": [None, STORED, EXPOSED, 7],
    "Audience": ["https://mail.corp.com/", "http://x", ""],
    "RequestHeaders": [None, [], [{"Name": "Authorization", "Value": "Bearer abc"}], "x"],
}


def faulty_fleet(count: int) -> list[dict[str, Any]]:
    """`count` profiles of 2000 firms, by Basic, anonymous or by OAuth; of their fields one in seven is wrong, one in fifty is not there."""
    dice = random.Random(50)
    made = []
    for _ in range(count):
        firm = f"firm{dice.randrange(2000)}.example"
        profile: dict[str, Any] = {"Host": f"smtp{dice.randrange(3)}.{firm}", "Id": 1, "Port": 587, "UseSSL": True, **NO_OAUTH}
        profile |= {"SenderAccount": f"pki@{firm}", "SenderName": "Certificate Services"}
        profile |= dice.choice(
            [
                {"RelayAuthenticationType": 2, "RelayUsername": IN_PAM, "RelayPassword": IN_PAM},
                {"RelayAuthenticationType": 2, "RelayUsername": {**STORED, "SecretValue": "svc-mail"}, "RelayPassword": STORED},
                {"RelayAuthenticationType": 0, "RelayUsername": None, "RelayPassword": None, "Port": 25},
                {
                    "RelayAuthenticationType": 3,
                    "RelayUsername": None,
                    "RelayPassword": None,
                    "Host": "smtp.office365.com",
                    "ClientId": STORED,
                    "ClientSecret": IN_PAM,
                    "Scope": "https://outlook.office365.com/.default",
                    "TokenEndpoint": f"https://login.microsoftonline.com/3f2504e0-4f89-41d3-9a0c-{dice.randrange(2000):012}/oauth2/v2.0/token",
                },
            ]
        )
        for field, choices in FAULTS.items():
            if (thrown := dice.random()) < 1 / 7:
                profile[field] = dice.choice(choices)
            elif thrown > 1 - 1 / 50:
                profile.pop(field, None)
        made.append(profile)
    return made


@dataclass(frozen=True)
class Engine:
    """How a document is read from its bytes, which is not timed, and what is asked of it then."""

    read: Callable[[bytes], Any]
    ask: Callable[[Any], object]
    remembers: bool = True


BATCH = 100


def asked(engine: Engine, documents: list[bytes]) -> tuple[float, list[object]]:
    """Microseconds of processor time a document (others may keep this machine busy), and the answers."""
    kept = evaluate.MAX_REMEMBERED
    evaluate.MAX_REMEMBERED = kept if engine.remembers else 0
    taken, answers = 0.0, []
    try:
        for first in range(0, len(documents), BATCH):
            batch = [engine.read(document) for document in documents[first : first + BATCH]]
            begin = time.process_time()
            found = [engine.ask(document) for document in batch]
            taken += time.process_time() - begin
            answers += found
    finally:
        evaluate.MAX_REMEMBERED = kept
    return taken / len(documents) * 1e6, answers


DAY = date(2026, 11, 23)
PASSING = (RuleOutcome.PASS, RuleOutcome.NOT_APPLICABLE)


def book_in(folder: Path) -> PolicyBook:
    controls = policyfile.load_controls(resources.folder("policies") / "data" / "controls.yaml")
    return policyfile.load([folder], target_names=None, controls=controls, tables=datatables.load())


def compiled_from(book: PolicyBook, name: str) -> CompiledPolicy:
    return book.compile(book.effective(name, target="t", labels={}, installation={}, own={}))


def snapshot(document: bytes) -> Snapshot:
    """The document as our wire reads it."""
    read = parse(document, api_version=2, fingerprint=FINGERPRINT)
    if not isinstance(read, Snapshot):
        raise TypeError(f"not read: {read}")
    return read


FINGERPRINT = FingerprintKey(b"b" * 32).of


def whole_book(*, remembers: bool = True) -> Engine:
    """Gives nothing back, so that no answer is kept: what remains of 10 000 judgements is what the policy remembers."""
    book = book_in(resources.folder("policies"))
    compiled = compiled_from(book, "strict")

    def ask(seen: Snapshot) -> None:
        judge(compiled, with_derived(seen.facts, book.tables), as_of=DAY)

    return Engine(snapshot, ask, remembers=remembers)


def ours(*, remembers: bool = True) -> Engine:
    with TemporaryDirectory() as folder:
        (Path(folder) / "bench.yaml").write_text(POLICY, encoding="utf-8")
        book = book_in(Path(folder))
    compiled = compiled_from(book, "bench")
    return Engine(
        lambda document: with_derived(snapshot(document).facts, book.tables),
        lambda facts: [finding.outcome in PASSING for finding in judge(compiled, facts, as_of=DAY)],
        remembers=remembers,
    )


def with_jsonschema_rs() -> Engine:
    validators = [jsonschema_rs.validator_for(schema) for schema in SCHEMAS]
    return Engine(json.loads, lambda document: [validator.is_valid(document) for validator in validators])


def with_jsonschema_rs_and_errors() -> Engine:
    validators = [jsonschema_rs.validator_for(schema) for schema in SCHEMAS]
    return Engine(json.loads, lambda document: [not list(validator.iter_errors(document)) for validator in validators])


def with_jsonschema() -> Engine:
    validators = [jsonschema.Draft202012Validator(schema) for schema in SCHEMAS]
    return Engine(json.loads, lambda document: [validator.is_valid(document) for validator in validators])


def with_regopy() -> Engine:
    interpreter = regopy.Interpreter()
    interpreter.add_module("bench", REGO)

    def ask(document: Any) -> object:
        interpreter.set_input(document)
        result = interpreter.query("x = data.bench.all")  # named: a binding does not keep its result alive
        return json.loads(str(result.binding("x")))

    return Engine(json.loads, ask)


def judge_the_book() -> None:
    fleet = [canonical(profile).encode() for profile in faulty_fleet(DOCUMENTS)]
    print(f"{DOCUMENTS} snapshots of a faulty fleet, the set strict, facts derived, evidence written; microseconds a snapshot")
    print(HEADER)
    asked(whole_book(), fleet[:BATCH])  # the public suffix list is read once a process
    for name, remembers in (("strict", True), ("strict, nothing remembered", False)):
        taken = [asked(whole_book(remembers=remembers), fleet)[0] for _ in range(3)]
        print(row(name, taken, "us"), f"{statistics.median(taken) * DOCUMENTS / 1e6:.2f} s in all")


def compare() -> None:
    made = documents(DOCUMENTS)
    read = [canonical(document).encode() for document in made]
    engines: list[tuple[str, Callable[[], Engine], int]] = [
        ("auditor, with evidence", ours, 5),
        ("auditor, with evidence, nothing remembered", lambda: ours(remembers=False), 3),
        ("jsonschema-rs, no evidence", with_jsonschema_rs, 5),
        ("jsonschema-rs, with its errors", with_jsonschema_rs_and_errors, 3),
        ("jsonschema, no evidence", with_jsonschema, 1),
        ("regopy (rego-cpp), no evidence", with_regopy, 1),
    ]
    times: dict[str, list[float]] = {name: [] for name, _, _ in engines}
    reference: list[object] = []
    for turn in range(5):  # in turn, so that a machine whose speed drifts favours none
        for name, engine, runs in engines:
            if turn < runs:
                taken, answers = asked(engine(), read)
                times[name].append(taken)
                reference = reference or answers
                if answers != reference:
                    wrong = next(number for number, answer in enumerate(answers) if answer != reference[number])
                    raise SystemExit(f"{name} disagrees on {made[wrong]}: {answers[wrong]} instead of {reference[wrong]}")
    print(f"\n{DOCUMENTS} documents, 12 rules; microseconds a document")
    print(HEADER)
    for name, taken in times.items():
        print(row(name, taken, "us"))
    mine = statistics.median(times["auditor, with evidence"])
    print("answers are equal; time of the others in multiples of ours:")
    print(", ".join(f"{name} {statistics.median(taken) / mine:.2f}" for name, taken in times.items()))


def main() -> None:
    judge_the_book()
    compare()


if __name__ == "__main__":
    main()
