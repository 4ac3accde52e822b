"""The report as SARIF 2.1.0 (OASIS), for DefectDojo, editors and code scanning: one run, one result for each rule and target.

Results keep their fingerprint from run to run, so a reader recognises them; what is waived is suppressed, what was not seen is `open`.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from auditor.core.model import Severity
from auditor.core.waiver import until
from auditor.report.jsondoc import dumped
from auditor.report.results import INSTALLATION, TOOL, Result, policies, results, rules, run_id, stable_uuid, trouble_text
from auditor.report.safetext import prose, safe
from auditor.report.shown import View
from auditor.report.wording import READ_WORDS, iso

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FAULT = "error"
"""The notification of a bug of ours; those of reads that failed go by the outcome of the read."""

NEVER = "never_read"
EMPTY = "empty"
_NOTIFICATIONS: Mapping[str, str] = {
    **{outcome.value: words for outcome, words in READ_WORDS.items() if not outcome.is_observed},
    NEVER: "never read",
    EMPTY: "nothing was audited",
    FAULT: "an error of the auditor itself",
}

_RANK: Mapping[Severity | None, float] = {
    None: 0.0,
    Severity.INFO: 1.0,
    Severity.LOW: 3.0,
    Severity.MEDIUM: 5.0,
    Severity.HIGH: 8.0,
    Severity.CRITICAL: 9.5,
}
"""As GitHub's `security-severity` (0 to 10, which it reads as CVSS bands); ten times that is SARIF's own `rank`."""


def render_sarif(view: View) -> bytes:
    """The report as one SARIF log in UTF-8."""
    rows = results(view)
    told = rules(rows)
    index = {rule.id: number for number, rule in enumerate(told)}
    run = run_id(view, rows)
    notifications = list(_notifications(view, rows, index))
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(view, rows)},
                "automationDetails": {"id": f"{TOOL}/{safe(view.period)}", "guid": run, "description": _message(view.verdict)},
                "invocations": [_invocation(rows, notifications)],
                "results": [_result(row, index, run) for row in rows],
                "columnKind": "unicodeCodePoints",
                "properties": {
                    "policies": [{"name": safe(policy.name), "version": policy.version, "sha256": policy.digest} for policy in policies(view)],
                },
            }
        ],
    }
    return (dumped(log, indent=1) + "\n").encode()


def _driver(view: View, rows: Sequence[Result]) -> dict[str, Any]:
    worst: dict[str, float] = {}
    for row in rows:
        worst[row.rule.id] = max(worst.get(row.rule.id, 0.0), _RANK[row.severity])
    return {
        "name": TOOL,
        "version": safe(view.engine_version),
        "rules": [
            {
                "id": safe(rule.id),
                "shortDescription": {"text": _said(rule.title)},
                "fullDescription": {"text": _said(rule.rationale or rule.title)},
                "help": {"text": _said(rule.remediation or rule.title)},
                **_help_uri(rule.references),
                "properties": {
                    "security-severity": f"{worst[rule.id]:.1f}",
                    "references": [safe(reference) for reference in rule.references],
                    "tags": [safe(f"{framework}:{control}") for framework, controls in rule.controls for control in controls],
                },
            }
            for rule in rules(rows)
        ],
        "notifications": [{"id": name, "shortDescription": {"text": words}} for name, words in _NOTIFICATIONS.items()],
    }


def _help_uri(references: Sequence[str]) -> dict[str, str]:
    link = next((reference for reference in references if _LINK.fullmatch(reference)), None)
    return {"helpUri": link} if link else {}


_LINK = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/#?=&%-]*)?")


def _invocation(rows: Sequence[Result], notifications: list[dict[str, Any]]) -> dict[str, Any]:
    reads = [row.observation for row in rows if row.observation]
    times = {"startTimeUtc": iso(min(read.started_at for read in reads)), "endTimeUtc": iso(max(read.ended_at for read in reads))} if reads else {}
    return {
        # standing limits are no gap, as for the exit code
        "executionSuccessful": bool(rows) and not any(row.told.is_gap for row in rows),
        **times,
        "toolExecutionNotifications": notifications,
    }


def _notifications(view: View, rows: Sequence[Result], index: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """What kept the run from showing what it was to show: reads that failed, targets that were never read, bugs of ours."""
    for target in sorted(view.targets, key=lambda target: target.name):
        assessment = target.standing.assessment
        if assessment is None:
            yield _notice(NEVER, f"{target.name}: {target.sentence}", {"target": safe(target.name)})
        elif target.trouble:
            observation = assessment.observation
            text = f"{target.name}: {trouble_text(target.trouble)}"
            yield _notice(observation.outcome.value, text, {"target": safe(target.name)}) | {"timeUtc": iso(observation.ended_at)}
    for row in rows:
        if row.told.is_fault:
            rule = {"id": safe(row.rule.id), "index": index[row.rule.id]}
            yield _notice(FAULT, f"{row.shown.id}: {row.reason}", {"target": safe(row.subject)}) | {"associatedRule": rule}
    if not rows:
        yield _notice(EMPTY, _NOTIFICATIONS[EMPTY], {})


def _notice(name: str, text: str, properties: dict[str, str]) -> dict[str, Any]:
    descriptor = {"id": name, "index": list(_NOTIFICATIONS).index(name)}
    return {"level": "error", "descriptor": descriptor, "message": _message(text), "properties": properties}


def _result(row: Result, index: Mapping[str, int], run: str) -> dict[str, Any]:
    kind, level = row.told.sarif
    return {
        "ruleId": safe(row.rule.id),
        "ruleIndex": index[row.rule.id],
        "kind": kind,
        "level": level,
        "rank": _RANK[row.severity] * 10,
        "message": _message(f"{row.subject}: {row.message}"),
        "locations": [_location(row)],
        "guid": stable_uuid("result", run, *row.key),
        "correlationGuid": stable_uuid("finding", *row.key),
        "partialFingerprints": {"finding/v1": hashlib.sha256(json.dumps(row.key).encode()).hexdigest()},
        # an empty list would say that nothing is suppressed, for certain; none at all, that nobody looked
        "suppressions": list(_suppressions(row)),
        "properties": {
            "outcome": row.answer.value,
            "severity": row.severity.value if row.severity else "none",
            "findingId": safe(row.shown.id),
            "policySha256": row.policy_digest or "none",
            "snapshotSha256": row.snapshot_digest or "none",
            "evidence": [{"fact": safe(leaf.fact), "expected": safe(leaf.expected), "observed": safe(leaf.observed)} for leaf in row.shown.leaves],
        },
    }


def _location(row: Result) -> dict[str, Any]:
    """The address that was asked, the same in every run; what it says of which field are logical locations."""
    facts = list(dict.fromkeys(leaf.fact for leaf in row.shown.leaves))
    logical = [
        {"name": safe(row.subject), "fullyQualifiedName": safe(row.subject), "kind": "resource"},
        *({"name": safe(fact), "fullyQualifiedName": safe(f"{row.subject}/{fact}"), "kind": "member"} for fact in facts),
    ]
    url = row.target.standing.target.url if row.target else INSTALLATION
    return {"physicalLocation": {"artifactLocation": {"uri": quote(safe(url), safe=":/?#@!$&'()*+,;=")}}, "logicalLocations": logical}


def _suppressions(row: Result) -> Iterator[dict[str, Any]]:
    waiver = row.shown.waiver
    if waiver is not None:
        yield {
            "kind": "external",
            "status": "accepted",
            "guid": stable_uuid("waiver", waiver.id),
            "justification": safe(waiver.reason),
            "properties": {"waiver": waiver.id, "owner": safe(waiver.owner), "approvedBy": safe(waiver.approved_by), "holds": until(waiver)},
        }


def _message(text: str) -> dict[str, str]:
    return {"text": _said(text)}


def _said(text: str) -> str:
    """`text` as a message of SARIF (3.11.5, 3.11.6): braces are doubled, for single ones are placeholders, and nothing in it becomes a link."""
    return safe(prose(text)).replace("{", "{{").replace("}", "}}").replace("](", "] (")
