"""The report as JSON: complete, for machines. What it consists of is `schema`; that changes only with `SCHEMA_VERSION`."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from auditor.core.baseline import Stand, stands
from auditor.core.drift import said
from auditor.core.model import Approval, Collection, DriftEvent, Observation, PolicyText, Snapshot, Waiver
from auditor.core.waiver import Review
from auditor.core.words import leaf_text
from auditor.report.results import results, run_id
from auditor.report.safetext import is_hidden
from auditor.report.shown import Counts, ShownChange, ShownFinding, ShownTarget, View
from auditor.report.wording import iso

SCHEMA_VERSION = 1


def render_json(view: View) -> bytes:
    """The report as one JSON document in UTF-8: sorted keys, a newline at the end, values whole.

    What would be hidden on a screen stands there as its JSON escape (`\\u202e`), so that nothing is lost and nothing plays tricks.
    """
    return (dumped(document(view), indent=2) + "\n").encode()


def dumped(value: Any, *, indent: int | None = None) -> str:
    """`value` as JSON, its keys sorted, on one line unless `indent` is given; what would be hidden on a screen stands there as its escape."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, indent=indent, separators=separators, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return _NOT_ASCII.sub(_escaped_if_hidden, text)


def document(view: View) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id(view, results(view)),
        "title": view.title,
        "period": view.period,
        "as_of": _iso(view.as_of),
        "engine_version": view.engine_version,
        "verdict": {"status": view.status.value, "sentence": view.verdict},
        "counts": _counts(view.counts),
        "warnings": list(view.warnings),
        "targets": [_target(target) for target in sorted(view.targets, key=lambda target: target.name)],
        "policies": [policy_text(shown.policy) | {"targets": list(shown.targets)} for shown in view.policies],
        "needed_vars": [{"var": needed.name, "rules": list(needed.rules), "targets": list(needed.targets)} for needed in view.needed_vars],
        "waivers": [reviewed(shown.review) for shown in view.waivers],
        "installation_policy": policy_text(view.installation_policy) if view.installation_policy else None,
        "installation": [finding(shown) for shown in view.installation],
        "blind_spots": list(view.blind_spots),
    }


def _target(target: ShownTarget) -> dict[str, Any]:
    standing, told = target.standing, target.standing.target
    assessment = standing.assessment
    return {
        "name": told.name,
        "url": told.url,
        "labels": dict(told.labels),
        "owner": told.owner,
        "insecure_skip_verify": told.insecure_skip_verify,
        "insecure_http": told.insecure_http,
        "verdict": assessment.verdict.value if assessment else None,
        "status": target.status.value,
        "sentence": target.sentence,
        "counts": _counts(target.counts),
        "policy_digest": standing.policy.digest if standing.policy else None,
        "judgement_key": assessment.judgement.key if assessment else None,
        "observation": _observation(assessment.observation) if assessment else None,
        "last_seen": _iso(standing.last_seen),
        "profile": _profile(standing.last_snapshot, target) if standing.last_snapshot else None,
        "previous": {"snapshot_digest": assessment.previous_digest, "seen_at": _iso(assessment.previous_at)} if assessment else None,
        "changes": [_change(change) for change in target.changes],
        "earlier_changes": [_change(change) for change in target.earlier],
        "open_drift": [_event(event) for event in (assessment.drift.open if assessment else ())],
        "standing_limits": [{"reason": limit.reason, "facts": list(limit.facts), "rules": list(limit.rules)} for limit in target.limits],
        "findings": [finding(shown) for shown in sorted(target.findings, key=lambda shown: shown.rule.id)],
    }


def finding(shown: ShownFinding) -> dict[str, Any]:
    """One rule's result as plain JSON values."""
    because = shown.finding.because
    return shown.finding.document() | {
        "id": shown.id,
        "title": shown.rule.title,
        "as_of": shown.finding.as_of.isoformat(),
        "because_text": [leaf_text(leaf) for leaf in because],
        "waiver": _waiver(shown.waiver) if shown.waiver else None,
    }


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return waiver.document() | {"id": waiver.id, "labels": dict(waiver.labels)}


def reviewed(review: Review) -> dict[str, Any]:
    """A waiver and how it stands, as plain JSON values."""
    return _waiver(review.waiver) | {
        "state": review.state.value,
        "in_scope": list(review.targets),
        "failing": list(review.failing),
        "concerns": [{"concern": concern.value, "text": text} for concern, text in review.concerns],
    }


def _event(event: DriftEvent) -> dict[str, Any]:
    return {
        "event": event.number,
        "change": event.change.document(),
        "approved_or_before": said(event.subject, event.reference),
        "is_deviation": event.is_deviation,
        "is_change": event.is_change,
        "not_before": _iso(event.not_before),
        "not_after": _iso(event.not_after),
        "flaps": event.flaps,
        "attribution": event.attribution.document() if event.attribution else None,
    }


def _observation(observation: Observation) -> dict[str, Any]:
    return {
        "outcome": observation.outcome.value,
        "started_at": _iso(observation.started_at),
        "ended_at": _iso(observation.ended_at),
        "slot": _iso(observation.slot),
        "message": observation.message,
        "hint": observation.hint,
        "snapshot_digest": observation.snapshot.digest if observation.snapshot else None,
        "collection": _collection(observation.collection),
    }


def _collection(collection: Collection) -> dict[str, Any]:
    values = {field.name: getattr(collection, field.name) for field in fields(collection)}
    return {name: _iso(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _profile(snapshot: Snapshot, target: ShownTarget) -> dict[str, Any]:
    found = stands(snapshot, target.approved)
    return {
        "digest": snapshot.digest,
        "snapshot": snapshot.document(),
        "words": {name: row.words for row in target.profile for name in row.fields},
        "baseline": {name: _approval(approval, found[name]) for name, approval in target.approved.items()} or None,
    }


def _approval(approval: Approval, stand: Stand) -> dict[str, Any]:
    return approval.document() | {
        "approved": said(approval.field, approval.value),
        "approved_at": _iso(approval.approved_at),
        "digest": approval.digest,
        "stands": stand.value,
    }


def _change(shown: ShownChange) -> dict[str, Any]:
    change = shown.change
    return {
        "field": change.field,
        "kind": change.kind,
        "direction": change.direction.value,
        "severity": change.severity.value,
        "before": change.before,
        "after": change.after,
        "not_before": _iso(shown.not_before),
        "not_after": _iso(shown.not_after),
    }


def policy_text(policy: PolicyText) -> dict[str, Any]:
    """A policy as it read when it judged, as plain JSON values."""
    return {
        "name": policy.name,
        "title": policy.title,
        "version": policy.version,
        "digest": policy.digest,
        "vars": dict(policy.vars),
        "rules": {
            rule.id: {
                "title": rule.title,
                "rationale": rule.rationale,
                "remediation": rule.remediation,
                "references": list(rule.references),
                "controls": {framework: list(ids) for framework, ids in rule.controls},
            }
            for rule in policy.rules
        },
    }


def _counts(counts: Counts) -> Mapping[str, int]:
    return {
        "results": counts.results,
        "fail": counts.fail,
        "waived": counts.waived,
        "not_evaluated": counts.not_evaluated,
        "standing_limits": counts.standing_limits,
        "error": counts.error,
        "not_applicable": counts.not_applicable,
        "pass": counts.passed,
    }


def _iso(at: datetime | None) -> str | None:
    return iso(at) if at else None


_NOT_ASCII = re.compile("[^\x20-\x7e\n]")


def _escaped_if_hidden(found: re.Match[str]) -> str:
    character = found[0]
    if not is_hidden(character):
        return character
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"
