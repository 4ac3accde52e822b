"""What is concluded of an observation, piece by piece: leaves, findings, changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any

from auditor.core.model.fact import UNKNOWN, JsonType, State


class Severity(StrEnum):
    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 4 for critical."""
        return list(Severity).index(self)


class Level(IntEnum):
    """What a condition can come to, from bad to good (rule language, section 4)."""

    FALSE = 0
    ABSENT = 1
    UNSEEN = 2
    TRUE = 3


class RuleOutcome(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    WAIVED = "waived"
    NOT_EVALUATED = "not_evaluated"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One test of a rule and what it met (rule language, section 9). `expected` and `actual` are plain JSON values, vars and aliases resolved."""

    at: str
    fact: str
    operator: str
    expected: Any
    level: Level
    state: State
    negated: bool = False
    var: str | None = None
    reason: str | None = None
    actual: Any = None
    sent: JsonType | None = None

    def document(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "fact": self.fact,
            "operator": self.operator,
            "negated": self.negated,
            "expected": self.expected,
            "var": self.var,
            "state": self.state.value,
            "reason": self.reason,
            "actual": self.actual,
            "sent": self.sent.value if self.sent else None,
            "level": self.level.name.lower(),
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Leaf":
        return Leaf(
            **{key: document[key] for key in ("at", "fact", "operator", "negated", "expected", "var", "reason", "actual")},
            state=State(document["state"]),
            sent=JsonType(document["sent"]) if document["sent"] else None,
            level=Level[document["level"].upper()],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule came to for one target.

    `severity` is there for fail, waived and not_evaluated. `standing` marks a not_evaluated that rests on a limit of the source alone (what
    this API shape cannot show), not on trouble. `as_of` is the UTC day of the observation. `detail` names the fault of an `error`.
    """

    rule: str
    outcome: RuleOutcome
    as_of: date
    severity: Severity | None = None
    standing: bool = False
    applies: tuple[Leaf, ...] = ()
    because: tuple[Leaf, ...] = ()
    severity_because: tuple[Leaf, ...] = ()
    detail: str = ""

    def document(self) -> dict[str, Any]:
        """The finding as JSON; `as_of` stays outside, with the observation, so that an unchanged judgement is one row."""
        return {
            "rule": self.rule,
            "outcome": self.outcome.value,
            "severity": self.severity.value if self.severity else None,
            "standing": self.standing,
            "applies": [leaf.document() for leaf in self.applies],
            "because": [leaf.document() for leaf in self.because],
            "severity_because": [leaf.document() for leaf in self.severity_because],
            "detail": self.detail,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any], *, as_of: date) -> "Finding":
        return Finding(
            rule=document["rule"],
            outcome=RuleOutcome(document["outcome"]),
            as_of=as_of,
            severity=Severity(document["severity"]) if document["severity"] else None,
            standing=document["standing"],
            applies=tuple(Leaf.from_document(leaf) for leaf in document["applies"]),
            because=tuple(Leaf.from_document(leaf) for leaf in document["because"]),
            severity_because=tuple(Leaf.from_document(leaf) for leaf in document["severity_because"]),
            detail=document["detail"],
        )


class Verdict(StrEnum):
    COMPLIANT = "compliant"
    COMPLIANT_WITH_WAIVERS = "compliant_with_waivers"
    NON_COMPLIANT = "non_compliant"
    INDETERMINATE = "indeterminate"


class Direction(StrEnum):
    """Which way a change goes for the safety of the mail."""

    DOWNGRADE = "downgrade"
    REDIRECTION = "redirection"
    UPGRADE = "upgrade"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that differs between two snapshots. `kind` is value, set, cleared, secret_state, provider, parameter, api_shape or unknown_field.

    `before` and `after` are display texts with no secret in them. `severity` is how bad the change is by itself. `since` is when the old value was
    last shown, None where that was the read before. `is_ignored` marks a field that the configuration calls volatile: kept, and no drift.
    """

    field: str
    kind: str
    direction: Direction
    before: str
    after: str
    severity: Severity = Severity.INFO
    since: datetime | None = None
    is_ignored: bool = False

    @property
    def subject(self) -> str:
        """The field by a name that no other has: `unknown:NAME` for one that no version documents."""
        return f"{UNKNOWN}{self.field}" if self.kind == "unknown_field" else self.field

    def document(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "kind": self.kind,
            "direction": self.direction.value,
            "before": self.before,
            "after": self.after,
            "severity": self.severity.value,
            **({"since": self.since.isoformat()} if self.since else {}),
            **({"ignored": True} if self.is_ignored else {}),
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "FieldChange":
        return FieldChange(
            **{key: document[key] for key in ("field", "kind", "before", "after")},
            direction=Direction(document["direction"]),
            severity=Severity(document["severity"]),
            since=datetime.fromisoformat(document["since"]) if "since" in document else None,
            is_ignored=document.get("ignored", False),
        )
