"""The JSON Schema (2020-12) of the JSON report, and of the lines of NDJSON under `$defs/line`. `docs/report.schema.json` is a copy of it."""

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from auditor.core.baseline import Stand
from auditor.core.model import Direction, JsonType, Level, ReadOutcome, RuleOutcome, Severity, State, Verdict
from auditor.core.waiver import Concern, WaiverState
from auditor.report.jsondoc import SCHEMA_VERSION
from auditor.report.shown import Status
from auditor.report.statuses import Answer

Schema = dict[str, Any]

LINE = "#/$defs/line"
"""Where the schema of one line of NDJSON is."""


def schema_text() -> str:
    """The schema as it stands in a file."""
    return json.dumps(json_schema(), indent=1) + "\n"


def json_schema() -> Schema:
    """The schema. It takes nothing that it does not name: a report with another key is one of another version."""
    lines = {
        "run": _object(_RUN | {"kind": {"const": "run"}}),
        "policy": _object(_POLICY | {"kind": {"const": "policy"}, "run_id": _UUID}),
        "target": _object({name: part for name, part in _TARGET.items() if name != "findings"} | {"kind": {"const": "target"}, "run_id": _UUID}),
        "finding": _object(_FINDING | _RESULT_LINE),
    }
    defs = {
        "leaf": _object(_LEAF),
        "counts": _object(dict.fromkeys(_COUNTS, _COUNT)),
        "finding": _object(_FINDING),
        "waiver": _object(_WAIVER),
        "reviewed_waiver": _object(_WAIVER | _REVIEW),
        "change": _object(_CHANGE),
        "event": _object(_EVENT),
        "observation": _object(_OBSERVATION),
        "profile": _object(_PROFILE),
        "rule": _object(_RULE),
        "policy_text": _object({name: part for name, part in _POLICY.items() if name != "targets"}),
        "policy": _object(_POLICY),
        "target": _object(_TARGET),
        "line": {"oneOf": [_ref(f"{name}_line") for name in lines]},
        **{f"{name}_line": line for name, line in lines.items()},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report on the mail profiles of Keyfactor Command servers",
        **_object(_RUN | {"targets": _list(_ref("target")), "policies": _list(_ref("policy")), "installation": _list(_ref("finding"))}),
        "$defs": defs,
    }


def _object(properties: Mapping[str, Schema], *, optional: Iterable[str] = ()) -> Schema:
    required = sorted(set(properties) - set(optional))
    return {"type": "object", "additionalProperties": False, "required": required, "properties": dict(sorted(properties.items()))}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _words(kind: type[Enum]) -> Schema:
    return {"enum": [member.value for member in kind]}


_TEXT: Schema = {"type": "string"}
_TRUTH: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_INTEGER: Schema = {"type": "integer"}
_DIGEST: Schema = {"type": "string", "description": "SHA-256 in lower-case hexadecimal"}
_UUID: Schema = {"type": "string", "format": "uuid"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_DAY: Schema = {"type": "string", "format": "date"}
_COUNTS = ("results", "fail", "waived", "not_evaluated", "standing_limits", "error", "not_applicable", "pass")

_LEAF: dict[str, Schema] = {
    "at": _TEXT,
    "fact": _TEXT,
    "operator": _TEXT,
    "negated": _TRUTH,
    "expected": {},
    "var": _or_null(_TEXT),
    "state": _words(State),
    "reason": _or_null(_TEXT),
    "actual": {},
    "sent": _or_null(_words(JsonType)),
    "level": {"enum": [level.name.lower() for level in Level]},
}
_WAIVER: dict[str, Schema] = {
    "id": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
    **dict.fromkeys(("rule", "reason", "owner", "approved_by"), _TEXT),
    **dict.fromkeys(("requested_by", "ticket", "risk"), _or_null(_TEXT)),
    "targets": _list(_TEXT),
    "labels": _map(_TEXT),
    "approved_on": _or_null(_DAY),
    "expires_at": _TIME,
}
_REVIEW: dict[str, Schema] = {
    "state": _words(WaiverState),
    "in_scope": _list(_TEXT),
    "failing": _list(_TEXT),
    "concerns": _list(_object({"concern": _words(Concern), "text": _TEXT})),
}
_FINDING: dict[str, Schema] = {
    "id": {**_TEXT, "description": "TARGET/RULE, the same in every run"},
    "rule": _TEXT,
    "title": _TEXT,
    "outcome": _words(RuleOutcome),
    "severity": _or_null(_words(Severity)),
    "standing": {**_TRUTH, "description": "Not evaluated for a limit of the source alone"},
    "as_of": _DAY,
    "applies": _list(_ref("leaf")),
    "because": _list(_ref("leaf")),
    "severity_because": _list(_ref("leaf")),
    "because_text": _list(_TEXT),
    "detail": _TEXT,
    "waiver": _or_null(_ref("waiver")),
}
_RESULT_LINE: dict[str, Schema] = {
    "kind": {"const": "finding"},
    "run_id": _UUID,
    "subject": {"enum": ["target", "installation"]},
    "target": _TEXT,
    "at": _TIME,
    "answer": _words(Answer),
    "execution_failure": {**_TRUTH, "description": "A bug of the auditor"},
    "policy_digest": _or_null(_DIGEST),
    "snapshot_digest": _or_null(_DIGEST),
    "read_outcome": _or_null(_words(ReadOutcome)),
}
_MOVED: dict[str, Schema] = {
    "field": _TEXT,
    "kind": _TEXT,
    "direction": _words(Direction),
    "severity": _words(Severity),
    "before": _TEXT,
    "after": _TEXT,
}
_CHANGE: dict[str, Schema] = {**_MOVED, "not_before": _or_null(_TIME), "not_after": _TIME}
_EVENT: dict[str, Schema] = {
    "event": _or_null(_INTEGER),
    "change": _object({**_MOVED, "since": _TIME, "ignored": {"const": True}}, optional=("since", "ignored")),
    "approved_or_before": _or_null(_TEXT),
    "is_deviation": _TRUTH,
    "is_change": _TRUTH,
    "not_before": _or_null(_TIME),
    "not_after": _TIME,
    "flaps": _COUNT,
    "attribution": _or_null({"type": "object", "required": ["schema", "verdict", "entries", "reason"]}),
}
_COLLECTION: dict[str, Schema] = {
    **dict.fromkeys(("method", "url", "collector_host", "collector_version"), _TEXT),
    **dict.fromkeys(("api_version", "status", "clock_offset_ms", "body_bytes"), _or_null(_INTEGER)),
    "server_date": _or_null(_TIME),
    "tls_verified": _or_null(_TRUTH),
    "attempts": _COUNT,
    **dict.fromkeys(
        ("product_version", "supported_versions", "correlation_id", "remote_address", "tls_leaf_sha256", "tls_version", "account", "auth_method"),
        _or_null(_TEXT),
    ),
}
_OBSERVATION: dict[str, Schema] = {
    "outcome": _words(ReadOutcome),
    "started_at": _TIME,
    "ended_at": _TIME,
    "slot": _or_null(_TIME),
    "message": _TEXT,
    "hint": _TEXT,
    "snapshot_digest": _or_null(_DIGEST),
    "collection": _object(_COLLECTION),
}
_PROFILE: dict[str, Schema] = {
    "digest": _DIGEST,
    "snapshot": {
        "type": "object",
        "properties": {"schema": {"const": "smtp-snapshot/1"}},
        "required": ["schema", "configured", "shape", "detectors", "facts", "secrets", "headers", "unknown"],
        "description": "What was read, redacted; the digest is that of its canonical form (RFC 8785)",
    },
    "words": _map(_TEXT),
    "baseline": _or_null(
        _map(
            {
                "type": "object",
                "properties": {"schema": {"const": "approval/1"}, "approved_at": _TIME, "digest": _DIGEST, "stands": _words(Stand)},
                "required": ["schema", "field", "value", "by", "reason", "approved", "approved_at", "digest", "stands"],
            }
        )
    ),
}
_RULE: dict[str, Schema] = {
    **dict.fromkeys(("title", "rationale", "remediation"), _TEXT),
    "references": _list(_TEXT),
    "controls": _map(_list(_TEXT)),
}
_POLICY: dict[str, Schema] = {
    "name": _TEXT,
    "title": _TEXT,
    "version": _INTEGER,
    "digest": _DIGEST,
    "vars": {"type": "object"},
    "rules": _map(_ref("rule")),
    "targets": _list(_TEXT),
}
_TARGET: dict[str, Schema] = {
    "name": _TEXT,
    "url": _TEXT,
    "labels": _map(_TEXT),
    "owner": _or_null(_TEXT),
    "insecure_skip_verify": _TRUTH,
    "insecure_http": _TRUTH,
    "verdict": _or_null(_words(Verdict)),
    "status": _words(Status),
    "sentence": _TEXT,
    "counts": _ref("counts"),
    "policy_digest": _or_null(_DIGEST),
    "judgement_key": _or_null(_TEXT),
    "observation": _or_null(_ref("observation")),
    "last_seen": _or_null(_TIME),
    "profile": _or_null(_ref("profile")),
    "previous": _or_null(_object({"snapshot_digest": _or_null(_DIGEST), "seen_at": _or_null(_TIME)})),
    "changes": _list(_ref("change")),
    "earlier_changes": _list(_ref("change")),
    "open_drift": _list(_ref("event")),
    "standing_limits": _list(_object({"reason": _TEXT, "facts": _list(_TEXT), "rules": _list(_TEXT)})),
    "findings": _list(_ref("finding")),
}
_RUN: dict[str, Schema] = {
    "schema_version": {"const": SCHEMA_VERSION},
    "run_id": {**_UUID, "description": "The same for the same data"},
    "title": _TEXT,
    "period": _TEXT,
    "as_of": _or_null(_TIME),
    "engine_version": _TEXT,
    "verdict": _object({"status": _words(Status), "sentence": _TEXT}),
    "counts": _ref("counts"),
    "warnings": _list(_TEXT),
    "needed_vars": _list(_object({"var": _TEXT, "rules": _list(_TEXT), "targets": _list(_TEXT)})),
    "waivers": _list(_ref("reviewed_waiver")),
    "installation_policy": _or_null(_ref("policy_text")),
    "blind_spots": _list(_TEXT),
}
