"""The one table of what a rule came to and how each format says it. Nothing else decides it, in any format.

What was not evaluated is a pass in none of them. Where a format has no word for it, it gets the one that makes a reader look.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from auditor.core.model import Finding, RuleOutcome
from auditor.report.shown import Status


class Answer(StrEnum):
    """What a rule came to, as formats tell it: the six outcomes, and apart from trouble what the source can never show."""

    PASS = "pass"
    FAIL = "fail"
    WAIVED = "waived"
    NOT_EVALUATED = "not_evaluated"
    STANDING_LIMIT = "standing_limit"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


def answer_of(finding: Finding) -> Answer:
    """The row of the table for `finding`."""
    return Answer.STANDING_LIMIT if finding.outcome is RuleOutcome.NOT_EVALUATED and finding.standing else Answer(finding.outcome.value)


class Element(StrEnum):
    """What a JUnit test case may hold; a case that passed holds nothing."""

    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How an answer is told.

    `status` and `words` are for people (html, text, markdown). `oscal` is state and reason of a finding's target, None where there is an observation
    alone. `sarif` is kind and level. `ocsf` are `compliance.status_id` and the finding's own `status_id`. `is_gap`: the run did not show what it
    was to show; `is_fault`: for a bug of ours.
    """

    status: Status
    words: str
    oscal: tuple[str, str] | None
    sarif: tuple[str, str]
    junit: Element | None
    ocsf: tuple[int, int]
    is_gap: bool = False
    is_fault: bool = False


OCSF_COMPLIANCE: Mapping[int, str] = {1: "Pass", 2: "Warning", 3: "Fail", 99: "Other"}
OCSF_STATUS: Mapping[int, str] = {1: "New", 3: "Suppressed", 4: "Resolved", 99: "Other"}
"""The captions that OCSF 1.8.0 gives these numbers."""

_NOT_SEEN = ("not-satisfied", "other")
_OPEN = ("open", "none")

STATUSES: Mapping[Answer, Told] = {
    Answer.PASS: Told(status=Status.PASS, words="passing", oscal=("satisfied", "pass"), sarif=("pass", "none"), junit=None, ocsf=(1, 4)),
    Answer.FAIL: Told(
        status=Status.FAIL, words="failing", oscal=("not-satisfied", "fail"), sarif=("fail", "error"), junit=Element.FAILURE, ocsf=(3, 1)
    ),
    # a waived failure is still one: it is excused, not mended
    Answer.WAIVED: Told(
        status=Status.WAIVED, words="waived", oscal=("not-satisfied", "fail"), sarif=("fail", "error"), junit=Element.SKIPPED, ocsf=(3, 3)
    ),
    Answer.NOT_EVALUATED: Told(
        status=Status.UNKNOWN, words="not evaluated", oscal=_NOT_SEEN, sarif=_OPEN, junit=Element.ERROR, ocsf=(2, 1), is_gap=True
    ),
    # the exit code does not count a standing limit, so neither a build that reads JUnit nor `executionSuccessful` may
    Answer.STANDING_LIMIT: Told(
        status=Status.UNKNOWN, words="not evaluated, a standing limit", oscal=_NOT_SEEN, sarif=_OPEN, junit=Element.SKIPPED, ocsf=(2, 1)
    ),
    Answer.NOT_APPLICABLE: Told(
        status=Status.NEUTRAL, words="not applicable", oscal=None, sarif=("notApplicable", "none"), junit=Element.SKIPPED, ocsf=(99, 99)
    ),
    Answer.ERROR: Told(
        status=Status.UNKNOWN,
        words="not evaluated, an error of the auditor itself",
        oscal=_NOT_SEEN,
        sarif=_OPEN,
        junit=Element.ERROR,
        ocsf=(2, 1),
        is_gap=True,
        is_fault=True,
    ),
}
"""Sources: OCSF 1.8.0 says of 2 Warning that a check *did not yield a result due to missing information*; OSCAL knows satisfied and not-satisfied
alone, and NIST SP 800-53A reads the latter as *unable to obtain sufficient information*, too."""
