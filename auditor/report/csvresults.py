"""The report as CSV: one row a result, each of which stands alone when it is sampled. How a cell is written is `csvdoc`."""

from auditor.core.waiver import until
from auditor.report.csvdoc import render_csv
from auditor.report.results import Result, results, run_id
from auditor.report.shown import View
from auditor.report.wording import iso

COLUMNS = (
    "run_id",
    "subject",
    "target",
    "rule",
    "outcome",
    "standing_limit",
    "execution_failure",
    "severity",
    "title",
    "reason",
    "finding_id",
    "policy",
    "policy_version",
    "policy_sha256",
    "snapshot_sha256",
    "judgement_key",
    "read_outcome",
    "read_started_at",
    "read_ended_at",
    "slot",
    "url",
    "api_version",
    "account",
    "owner",
    "labels",
    "target_verdict",
    "waiver",
    "waiver_holds",
    "waiver_reason",
    "waiver_owner",
    "waiver_approved_by",
    "controls",
    "remediation",
    "engine_version",
)


def render_results(view: View) -> bytes:
    """The results of all targets and of the installation, by target and rule; a target that was never read has a row, too."""
    rows = results(view)
    run = run_id(view, rows)
    return render_csv(COLUMNS, (_row(row) | {"run_id": run, "engine_version": view.engine_version} for row in rows))


def _row(row: Result) -> dict[str, object]:
    return _judged(row) | _read(row) | _excused(row)


def _judged(row: Result) -> dict[str, object]:
    subject, name, rule = row.key
    policy = row.policy
    return {
        "subject": subject,
        "target": name,
        "rule": rule,
        "outcome": row.shown.finding.outcome.value,
        "standing_limit": row.shown.finding.standing,
        "execution_failure": row.told.is_fault,
        "severity": row.severity.value if row.severity else None,
        "title": row.rule.title,
        "reason": row.reason,
        "finding_id": row.shown.id,
        "policy": policy.name if policy else None,
        "policy_version": policy.version if policy else None,
        "policy_sha256": row.policy_digest,
        "controls": "; ".join(f"{framework}: {', '.join(ids)}" for framework, ids in row.rule.controls),
        "remediation": row.rule.remediation,
    }


def _read(row: Result) -> dict[str, object]:
    if row.target is None:
        return {"read_ended_at": iso(row.at)}
    told, assessment = row.target.standing.target, row.target.standing.assessment
    own: dict[str, object] = {
        "url": told.url,
        "owner": told.owner,
        "labels": ", ".join(f"{key}={value}" for key, value in told.labels),
    }
    if assessment is None:
        return own
    observation = assessment.observation
    return own | {
        "url": observation.collection.url,
        "snapshot_sha256": row.snapshot_digest,
        "judgement_key": assessment.judgement.key,
        "read_outcome": observation.outcome.value,
        "read_started_at": iso(observation.started_at),
        "read_ended_at": iso(observation.ended_at),
        "slot": iso(observation.slot) if observation.slot else None,
        "api_version": observation.collection.api_version,
        "account": observation.collection.account,
        "target_verdict": assessment.verdict.value,
    }


def _excused(row: Result) -> dict[str, object]:
    waiver = row.shown.waiver
    if waiver is None:
        return {}
    return {
        "waiver": waiver.id,
        "waiver_holds": until(waiver),
        "waiver_reason": waiver.reason,
        "waiver_owner": waiver.owner,
        "waiver_approved_by": waiver.approved_by,
    }
