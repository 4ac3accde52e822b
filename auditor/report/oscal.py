"""The report as OSCAL Assessment Results 1.2.1 (NIST), for GRC tools: an observation for each result, a finding for each that speaks to the target.

What a thing is called does not change from run to run: observations, findings, targets and risks keep their UUIDs, the document and its one result
have those of the run. The plan that OSCAL wants to see is a resource of the document itself: the policies that judged, with their hashes.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from auditor.core.canonical import digest_text
from auditor.core.waiver import until
from auditor.report.jsondoc import dumped, policy_text
from auditor.report.markdown import escaped
from auditor.report.results import NAMESPACE, NO_TIME, PRODUCT, TOOL, VENDOR, Result, filled, policies, results, run_id, stable_uuid
from auditor.report.safetext import prose, safe
from auditor.report.shown import View
from auditor.report.wording import count, iso

VERSION = "1.2.1"
NS = f"urn:uuid:{NAMESPACE}"
"""The namespace of our properties: OSCAL keeps names without one for itself."""

_COMPONENT = stable_uuid("component", TOOL)
_PLATFORM = stable_uuid("platform", TOOL)
_PLAN = "plan"


def render_oscal(view: View) -> bytes:
    """The report as one JSON document in UTF-8."""
    rows = results(view)
    run = run_id(view, rows)
    at = iso(view.as_of or NO_TIME)
    plan = stable_uuid(_PLAN, run)
    title = _line(f"{view.title}, {view.period}")
    document = {
        "assessment-results": {
            "uuid": stable_uuid("document", run),
            "metadata": {
                "title": title,
                "last-modified": at,
                "version": at,
                "oscal-version": VERSION,
                "props": _props(("run-id", run), ("engine-version", view.engine_version)),
            },
            "import-ap": {"href": f"#{plan}", "remarks": "The policies that judged stand for the plan: a resource of this document."},
            "results": [_result(view, rows, run=run, title=title, at=at)],
            "back-matter": {"resources": [_plan(view, plan)]},
        }
    }
    return (dumped(filled(document), indent=1) + "\n").encode()


def _result(view: View, rows: Sequence[Result], *, run: str, title: str, at: str) -> dict[str, Any]:
    starts = [row.observation.started_at for row in rows if row.observation]
    judged = [row for row in rows if row.told.oscal]
    log = _log(rows, run)
    return {
        "uuid": run,
        "title": title,
        "description": escaped(view.verdict),
        "start": iso(min(starts)) if starts else at,
        "end": at,
        "props": _props(("results", str(len(rows))), ("verdict", view.status.value)),
        "reviewed-controls": _reviewed(rows),
        "observations": [_observation(row) for row in rows],
        "risks": [_risk(row, at) for row in rows if row.shown.waiver],
        "findings": [_finding(row) for row in judged],
        "local-definitions": _definitions(view),
        "assessment-log": {"entries": log} if log else None,
    }


def _definitions(view: View) -> dict[str, Any]:
    """What was looked at, and with what."""
    items = [
        {
            "uuid": _subject_uuid("target", target.name),
            "description": _line(target.name),
            "props": _props(
                ("target", target.name),
                ("url", target.standing.target.url),
                ("owner", target.standing.target.owner or ""),
                *(("label", f"{key}={value}") for key, value in target.standing.target.labels),
            ),
            "remarks": escaped(target.sentence),
        }
        for target in sorted(view.targets, key=lambda target: target.name)
    ]
    component = {
        "uuid": _COMPONENT,
        "type": "software",
        "title": TOOL,
        "description": f"Reads and judges the mail profile of {PRODUCT}.",
        "props": _props(("version", view.engine_version), ("vendor", VENDOR)),
        "status": {"state": "operational"},
    }
    platform = {"uuid": _PLATFORM, "title": TOOL, "uses-components": [{"component-uuid": _COMPONENT}]}
    return {
        "inventory-items": items,
        "assessment-assets": {"components": [component], "assessment-platforms": [platform]},
    }


def _observation(row: Result) -> dict[str, Any]:
    observation = row.observation
    evidence = [
        {"description": escaped(f"{leaf.fact}: expected {leaf.expected}, observed {leaf.observed}"), "props": _props(("fact", leaf.fact))}
        for leaf in row.shown.leaves
    ]
    return {
        "uuid": stable_uuid("observation", *row.key),
        "title": _line(row.rule.title),
        "description": escaped(f"{row.subject}: {row.message}"),
        "props": _props(
            ("result", "unknown" if row.told.oscal == ("not-satisfied", "other") else row.answer.value),
            ("outcome", row.answer.value),
            ("finding-id", row.shown.id),
            ("severity", row.severity.value if row.severity else ""),
            ("policy-sha256", row.policy_digest or ""),
            ("snapshot-sha256", row.snapshot_digest or ""),
            ("read-outcome", observation.outcome.value if observation else ""),
        ),
        "methods": ["TEST"],
        "types": ["control-objective"],
        "origins": [_ORIGIN],
        "subjects": [_subject(row)],
        "relevant-evidence": evidence,
        "collected": iso(row.at),
    }


def _finding(row: Result) -> dict[str, Any]:
    assert row.told.oscal is not None
    state, reason = row.told.oscal
    return {
        "uuid": stable_uuid("finding", *row.key),
        "title": _line(f"{row.rule.id} {row.rule.title}"),
        "description": escaped(f"{row.subject}: {row.message}"),
        "props": _props(
            ("outcome", row.answer.value),
            ("finding-id", row.shown.id),
            *((f"control-{_token(framework)}", control) for framework, controls in row.rule.controls for control in controls),
        ),
        "origins": [_ORIGIN],
        "target": {
            "type": "objective-id",
            "target-id": _token(row.rule.id),
            "title": _line(row.rule.title),
            "status": {"state": state, "reason": reason, "remarks": escaped(row.reason)},
            "remarks": escaped(row.rule.remediation),
        },
        "related-observations": [{"observation-uuid": stable_uuid("observation", *row.key)}],
        "related-risks": [{"risk-uuid": _risk_uuid(row)}] if row.shown.waiver else [],
    }


def _risk(row: Result, at: str) -> dict[str, Any]:
    """A waiver: the failure is there, and somebody has taken it upon himself until a day."""
    waiver = row.shown.waiver
    assert waiver is not None
    approved = f"{waiver.approved_on.isoformat()}T00:00:00Z" if waiver.approved_on else at
    return {
        "uuid": _risk_uuid(row),
        "title": _line(f"{row.subject} does not meet {row.rule.id}"),
        "description": _line(waiver.reason),
        "statement": _line(waiver.risk or waiver.reason),
        "props": _props(
            ("waiver", waiver.id),
            ("owner", waiver.owner),
            ("requested-by", waiver.requested_by or ""),
            ("approved-by", waiver.approved_by),
            ("ticket", waiver.ticket or ""),
            ("holds", until(waiver)),
        ),
        "status": "deviation-approved",
        "deadline": iso(waiver.expires_at),
        "risk-log": {
            "entries": [
                {
                    "uuid": stable_uuid("approval", waiver.id, *row.key),
                    "title": _line(f"Approved by {waiver.approved_by}"),
                    "start": approved,
                    "status-change": "deviation-approved",
                }
            ]
        },
        "related-observations": [{"observation-uuid": stable_uuid("observation", *row.key)}],
    }


def _log(rows: Sequence[Result], run: str) -> list[dict[str, Any]]:
    """The reads, and whatever went wrong in them; a bug of ours is an entry of its own."""
    entries = []
    for row in rows:
        observation = row.observation
        if observation is not None:
            entries.append(
                {
                    "uuid": stable_uuid("read", run, row.subject),
                    "title": _line(f"{row.subject}: {observation.outcome.value}"),
                    "description": escaped(observation.message),
                    "start": iso(observation.started_at),
                    "end": iso(observation.ended_at),
                    "props": _props(("read-outcome", observation.outcome.value), ("url", observation.collection.url)),
                }
            )
    reads = list({entry["uuid"]: entry for entry in entries}.values())
    faults = [
        {
            "uuid": stable_uuid("fault", run, *row.key),
            "title": _line(f"Execution failure: {row.shown.id}"),
            "description": escaped(row.reason),
            "start": iso(row.at),
            "props": _props(("execution-failure", row.shown.id)),
        }
        for row in rows
        if row.told.is_fault
    ]
    return [*reads, *faults]


def _reviewed(rows: Sequence[Result]) -> dict[str, Any]:
    """The controls of NIST SP 800-53 that the rules support, as its OSCAL catalogue calls them; the rules themselves where they name none.

    Never `include-all`: that would say that a whole catalogue was assessed.
    """
    told = {control for row in rows for framework, ids in row.rule.controls if framework == "nist-800-53r5" for control in ids}
    catalogued = sorted({name for name in map(_catalogued, told) if name})
    rules = sorted({_token(row.rule.id) for row in rows if row.told.oscal}) or ["none"]
    return {
        "description": f"{count(len(rows), 'result')} of rules, each of which names the controls that it supports.",
        "control-selections": [{"include-controls": [{"control-id": name} for name in catalogued or rules]}],
        "control-objective-selections": [{"include-objectives": [{"objective-id": rule} for rule in rules]}],
    }


def _catalogued(control: str) -> str | None:
    """`IA-5(1)(c)` is `ia-5.1` there; None for what is no control of the catalogue."""
    found = _CONTROL.match(control)
    if found is None:
        return None
    return f"{found[1]}-{found[2]}".lower() + (f".{found[3]}" if found[3] else "")


_CONTROL = re.compile(r"([A-Z]{2})-([0-9]+)(?:\(([0-9]+)\))?(?:\([a-z0-9]+\))*\Z")


def _plan(view: View, uuid: str) -> dict[str, Any]:
    """The policies, whole, and the hash of each as results name it (of its canonical form in the auditor's store)."""
    judged = policies(view)
    content = dumped([policy_text(policy) for policy in judged], indent=1)
    links = [
        {"href": f"policies/{policy.digest}.json", "media-type": "application/json", "hashes": [{"algorithm": "SHA-256", "value": policy.digest}]}
        for policy in judged
    ]
    return {
        "uuid": uuid,
        "title": "Policies in force",
        "description": "What was judged by: rules, texts and variables of every policy that judged in this run.",
        "props": [
            {"name": "type", "value": "plan"},
            *_props(
                ("content-sha256", digest_text(content)),
                *(("policy", f"{policy.name} {policy.version} {policy.digest}") for policy in judged),
            ),
        ],
        "rlinks": links,
        "base64": {"filename": "policies.json", "media-type": "application/json", "value": base64.b64encode(content.encode()).decode()},
    }


# --- what OSCAL takes ---------------------------------------------------------------------------------------------

_ORIGIN: Mapping[str, Any] = {"actors": [{"type": "assessment-platform", "actor-uuid": _PLATFORM}]}


def _subject(row: Result) -> dict[str, Any]:
    if row.target is None:
        return {"subject-uuid": _COMPONENT, "type": "component", "title": TOOL}
    return {"subject-uuid": _subject_uuid(*row.key[:2]), "type": "inventory-item", "title": _line(row.subject)}


def _subject_uuid(kind: str, name: str) -> str:
    return stable_uuid("subject", kind, name)


def _risk_uuid(row: Result) -> str:
    assert row.shown.waiver is not None
    return stable_uuid("risk", row.shown.waiver.id, *row.key)


def _props(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    """Properties of ours, without those that say nothing: an empty value is refused."""
    written = ((name, _value(value)) for name, value in pairs)
    return [{"name": name, "ns": NS, "value": value} for name, value in written if value]


def _value(text: str) -> str:
    """On one line, with no blank at either end."""
    return safe(prose(text)).strip()


def _line(text: str) -> str:
    """A line of Markdown, which must not be empty."""
    return escaped(text).strip() or "-"


def _token(text: str) -> str:
    """A name as XML takes it: letters, digits, dot, hyphen and underscore, a letter or underscore first."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else f"_{ord(c):x}_" for c in text[:200])
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"
