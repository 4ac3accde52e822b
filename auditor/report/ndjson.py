"""The report as NDJSON: all that the JSON report says, one line for the run, each policy, each target and each result.

A line of a result stands alone: it names its run, its policy and its snapshot. Its schema is that of the JSON report (`schema`).
"""

from collections.abc import Iterator
from typing import Any

from auditor.report.jsondoc import document, dumped, finding
from auditor.report.results import Result, results
from auditor.report.shown import View
from auditor.report.wording import iso


def render_ndjson(view: View) -> bytes:
    """The report in lines of JSON, UTF-8, each with its `kind`: one `run`, then every `policy`, `target` and `finding`."""
    return "".join(f"{dumped(line)}\n" for line in lines(view)).encode()


def lines(view: View) -> Iterator[dict[str, Any]]:
    """The lines as plain JSON values."""
    whole = document(view)
    targets, policies = whole.pop("targets"), whole.pop("policies")
    del whole["installation"]
    run = {"run_id": whole["run_id"]}
    yield {"kind": "run"} | whole
    yield from ({"kind": "policy"} | run | policy for policy in policies)
    for target in targets:
        del target["findings"]
        yield {"kind": "target"} | run | target
    yield from ({"kind": "finding"} | run | _result(row) for row in results(view) if not row.is_unread)


def _result(row: Result) -> dict[str, Any]:
    subject, name, _ = row.key
    return finding(row.shown) | {
        "subject": subject,
        "target": name,
        "at": iso(row.at),
        "answer": row.answer.value,
        "execution_failure": row.told.is_fault,
        "policy_digest": row.policy_digest,
        "snapshot_digest": row.snapshot_digest,
        "read_outcome": row.observation.outcome.value if row.observation else None,
    }
