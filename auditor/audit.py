"""Observe, assess, record: one audit of one target, and of many side by side."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from auditor import __version__
from auditor.core.assess import Seen, assess, facts_of, judgement_key
from auditor.core.derived import Tables, with_derived
from auditor.core.evaluate import CompiledPolicy, judge
from auditor.core.model import Approval, Assessment, Finding, Judgement, Observation, Target, TargetText, Waiver
from auditor.core.policy import EffectivePolicy
from auditor.core.slots import newest_slot, offset_of
from auditor.core.waiver import laid_over

if TYPE_CHECKING:
    from auditor.command.client import Reader
    from auditor.policyfile import PolicyBook
    from auditor.store.store import Store

log = logging.getLogger("auditor.audit")


@dataclass
class Judge:
    """The policies in force: which one judges a target, and what it says of an observation."""

    book: "PolicyBook"
    vars: Mapping[str, Any] = field(default_factory=dict)
    target_vars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    framework: str | None = None
    """Judge only by the rules that support a control of this framework."""
    _compiled: dict[tuple[str, str], CompiledPolicy] = field(default_factory=dict, init=False, repr=False)

    @property
    def tables(self) -> Tables:
        return self.book.tables

    def policy_for(self, target: Target) -> CompiledPolicy:
        """The policy of `target` with the vars in force for it, compiled once.

        Raises:
            PolicyError: It has no such policy, or a var does not fit.
        """
        judged_as = (target.name, target.policy)  # `policy diff` asks for one target by several policies
        known = self._compiled.get(judged_as)
        if known is None:
            effective = self.book.effective(
                target.policy,
                target=target.name,
                labels=dict(target.labels),
                installation=self.vars,
                own=self.target_vars.get(target.name, {}),
                framework=self.framework,
            )
            known = self._compiled[judged_as] = self.book.compile(effective)
        return known

    def assess(
        self,
        observation: Observation,
        target: Target,
        *,
        previous: Seen | None,
        waivers: Sequence[Waiver] = (),
        approvals: Sequence[Approval] = (),
        stored: "Callable[[str, date], tuple[Finding, ...] | None] | None" = None,
    ) -> Assessment:
        """Judge `observation`, lay `waivers` over what fails, and compare it with `previous` and with what of `approvals` is in force.

        `stored` looks a judgement up by its key; what it knows is not judged again.
        """
        compiled = self.policy_for(target)
        policy: EffectivePolicy = compiled.policy
        collected = facts_of(
            observation, labels=target.labels, previous=previous, org_domain=self.tables.org_domain, waivers=waivers, approvals=approvals
        )
        as_of = observation.started_at.date()
        key = judgement_key(
            observation,
            policy_digest=policy.digest,
            tables=self.tables.versions,
            engine=__version__,
            is_dated=policy.is_dated,
            outside={name: collected[name] for name in sorted(policy.reads) if name in collected},
        )
        findings = stored(key, as_of) if stored else None
        if findings is None:
            findings = judge(compiled, with_derived(collected, self.tables), as_of=as_of)
        judgement = Judgement(key=key, policy_digest=policy.digest, findings=findings)
        excusing = laid_over(findings, waivers, target=target.name, labels=dict(target.labels), at=observation.started_at)
        return assess(observation, judgement, previous=previous, org_domain=self.tables.org_domain, waivers=excusing)


@dataclass
class Auditor:
    """Audits targets: each run is one observation, judged, and recorded in one transaction whatever came of it."""

    reader: "Reader"
    store: "Store"
    judge: Judge
    spread_s: int = 0
    waivers: tuple[Waiver, ...] = ()

    def audit(self, target: Target, *, at: datetime, force: bool = False) -> Assessment:
        """Read `target` once, judge what it says, record it. The run serves the newest slot due at `at`, if nobody has yet.

        Raises:
            StoreError: It cannot be recorded.
        """
        slot = self.due_slot(target, at)
        observation, memory = self.reader.observe(target, self.store.memory(target.name), force=force)
        observation = replace(observation, slot=slot)
        assessment = self.judge.assess(
            observation,
            target,
            previous=self.store.last_observed(target.name),
            waivers=self.waivers,
            approvals=self.store.approvals(target.name),
            stored=self._stored,
        )
        policy = self.judge.policy_for(target).policy
        self.store.record(assessment, target=text_of(target), policy_document=policy.document(), memory=memory)
        log.info(
            "audited",
            extra={
                "target": target.name,
                "outcome": observation.outcome.value,
                "verdict": assessment.verdict.value,
                "duration_ms": round((observation.ended_at - observation.started_at).total_seconds() * 1000),
            },
        )
        return assessment

    def audit_all(self, targets: Sequence[Target], *, clock: Callable[[], datetime], force: bool = False, workers: int = 16) -> Iterator[Assessment]:
        """Audit `targets` side by side, at most `workers` at a time; each assessment as it comes.

        Raises:
            StoreError: One cannot be recorded; those not begun yet are left out.
        """
        pool = ThreadPoolExecutor(max_workers=min(workers, len(targets)), thread_name_prefix="audit")

        def run(target: Target) -> Assessment:
            return self.audit(target, at=clock(), force=force)

        try:
            for done in as_completed([pool.submit(run, target) for target in targets]):
                yield done.result()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)  # what runs is recorded whole or not at all; a person does not wait for a slow server
            raise
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        pool.shutdown()

    def due_slot(self, target: Target, at: datetime) -> datetime | None:
        """The newest slot of the target's schedule that is due at `at` and not served; None where there is none."""
        if target.schedule is None:
            return None
        newest = newest_slot(target.schedule, at, offset_s=offset_of(target.name, spread_s=self.spread_s))
        served = self.store.newest_slot(target.name)
        is_open = served is None or served > at or (newest is not None and newest > served)  # served after now: the clock was set back
        return newest if is_open else None

    def _stored(self, key: str, as_of: date) -> tuple[Finding, ...] | None:
        return self.store.findings(key, as_of=as_of)


def text_of(target: Target) -> TargetText:
    """What a reader is told of `target`."""
    return TargetText(
        name=target.name,
        url=target.url,
        labels=target.labels,
        owner=target.owner,
        insecure_skip_verify=target.insecure_skip_verify,
        insecure_http=target.insecure_http,
    )
