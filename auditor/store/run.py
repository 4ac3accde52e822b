"""What is handed to the store to be judged and recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from auditor.core.assess import Past
from auditor.core.model import Assessment, Finding, Memory, Observation, PolicyText, TargetText
from auditor.core.notices import Alerting

Stored = Callable[[str, date], tuple[Finding, ...] | None]
"""The findings that are stored under a judgement's key, dated so; None where it was never judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One read that is to be judged and recorded.

    `conclude` makes the assessment of the observation, whose slot is known by then. With `due_at` the read serves the newest slot that is open at
    that time; without, the one that the observation names. Events that ended up to `look_back` before it count for flapping. `is_partial`: it is
    judged by a part of the target's policy.
    """

    target: TargetText
    observation: Observation
    memory: Memory
    conclude: Callable[[Observation, Past, Stored], Assessment]
    policy: PolicyText
    policy_document: Mapping[str, Any]
    alerting: Alerting
    due_at: datetime | None = None
    look_back: timedelta = timedelta(0)
    is_partial: bool = False
