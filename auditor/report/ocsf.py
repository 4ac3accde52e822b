"""The report as OCSF 1.8.0 events of the class Compliance Finding (2003), one a line, for a SIEM or a data lake."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from auditor.core.model import Severity
from auditor.core.waiver import until
from auditor.report import wording
from auditor.report.jsondoc import dumped
from auditor.report.results import NO_TIME, PRODUCT, TOOL, VENDOR, Result, filled, results, run_id, stable_uuid
from auditor.report.safetext import prose, safe
from auditor.report.shown import View
from auditor.report.statuses import OCSF_COMPLIANCE, OCSF_STATUS, Answer

VERSION = "1.8.0"

_SEVERITY: Mapping[Severity | None, tuple[int, str]] = {
    None: (1, "Informational"),
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}


def render_ocsf(view: View) -> bytes:
    """The report as lines of JSON in UTF-8, one event a result; a target that was never read has one, too."""
    rows = results(view)
    run = run_id(view, rows)
    return "".join(f"{dumped(filled(_event(row, view, run)))}\n" for row in rows).encode()


def _event(row: Result, view: View, run: str) -> dict[str, Any]:
    compliance, status = row.told.ocsf
    severity, severity_name = _SEVERITY[row.severity]
    waiver = row.shown.waiver
    return {
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "type_uid": 200301,
        "type_name": "Compliance Finding: Create",
        "time": _milliseconds(row.at),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": OCSF_STATUS[status],
        "status_code": row.answer.value,
        "status_detail": safe(row.reason),
        "message": safe(f"{row.subject}: {row.message}"),
        "metadata": {
            "version": VERSION,
            "uid": stable_uuid("event", run, *row.key),
            "correlation_uid": run,
            "event_code": safe(row.rule.id),
            "product": {"name": TOOL, "vendor_name": VENDOR, "version": safe(view.engine_version)},
        },
        "finding_info": {
            "uid": safe(row.shown.id),
            "title": safe(row.rule.title),
            "desc": safe(prose(row.rule.rationale)),
            "types": ["Configuration"],
        },
        "compliance": _compliance(row, compliance),
        "resources": [_resource(row)],
        "evidences": [
            {"data": {"fact": safe(leaf.fact), "expected": safe(leaf.expected), "observed": safe(leaf.observed)}} for leaf in row.shown.leaves
        ],
        "remediation": _remediation(row) if row.rule.remediation else None,
        "unmapped": {
            "outcome": row.answer.value,
            "execution_failure": row.told.is_fault,
            "policy_sha256": row.policy_digest,
            "snapshot_sha256": row.snapshot_digest,
            "read_outcome": row.observation.outcome.value if row.observation else None,
            "waiver": {"id": waiver.id, "reason": safe(waiver.reason), "holds": until(waiver)} if waiver else None,
        },
    }


def _compliance(row: Result, status: int) -> dict[str, Any]:
    controls = [(wording.framework(framework), ids) for framework, ids in row.rule.controls]
    return {
        "control": safe(row.rule.id),
        "desc": safe(row.rule.title),
        "status_id": status,
        "status": OCSF_COMPLIANCE[status],
        "status_code": row.answer.value,
        "status_detail": safe(row.reason),
        "standards": [safe(framework) for framework, _ in controls],
        "requirements": [safe(f"{framework} {control}") for framework, ids in controls for control in ids],
        "assessments": [_assessment(row)],
    }


def _assessment(row: Result) -> dict[str, Any]:
    policy = row.policy
    own = {"name": safe(policy.name), "version": str(policy.version), "uid": policy.digest, "is_applied": True} if policy else None
    return {"name": safe(row.rule.id), "meets_criteria": row.answer is Answer.PASS, "policy": own}


def _resource(row: Result) -> dict[str, Any]:
    if row.target is None:
        return {"uid": row.subject, "name": row.subject, "type": "The auditor's own record"}
    told = row.target.standing.target
    version = row.observation.collection.product_version if row.observation else None
    return {
        "uid": safe(told.name) or "-",
        "name": safe(told.name),
        "type": PRODUCT,
        "data": {"url": safe(told.url)},
        "labels": [safe(f"{key}={value}") for key, value in told.labels],
        "owner": {"name": safe(told.owner)} if told.owner else None,
        "version": safe(version or ""),
    }


def _remediation(row: Result) -> dict[str, Any]:
    return {"desc": safe(prose(row.rule.remediation)), "references": [safe(reference) for reference in row.rule.references]}


def _milliseconds(at: datetime) -> int:
    """Since 1970, as OCSF counts time; in whole numbers, since a float would round the last digit."""
    span = at - NO_TIME
    return (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000
