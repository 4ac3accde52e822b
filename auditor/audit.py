"""Observe, assess, record: one audit of one target, and of many side by side."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor import __version__
from auditor.core.assess import Past, assess, facts_of, judgement_key
from auditor.core.attribution import attribute
from auditor.core.coverage import Terms
from auditor.core.derived import Tables, with_derived
from auditor.core.evaluate import CompiledPolicy, judge
from auditor.core.model import Assessment, AttributionVerdict, Fact, Finding, Judgement, Observation, Target, TargetText, Waiver
from auditor.core.notices import Alerting
from auditor.core.policy import EffectivePolicy, Rule, Var
from auditor.core.slots import EPOCH, offset_of
from auditor.core.waiver import laid_over
from auditor.errors import StoreError
from auditor.recent import Recent
from auditor.store.run import Run, Stored

if TYPE_CHECKING:
    from auditor.command.client import Reader
    from auditor.policyfile import PolicyBook
    from auditor.store.calendar import Planned
    from auditor.store.memories import Memories
    from auditor.store.store import Store

log = logging.getLogger("auditor.audit")

MAX_KEPT = 4096
"""Targets of which the key of the last judgement stays at hand."""

FLAPPING = timedelta(days=30)
"""A field that goes to the same value and back again within this is told to flap."""


@dataclass
class Judge:
    """The policies in force: which one judges a target, and what it says of an observation."""

    book: "PolicyBook"
    vars: Mapping[str, Any] = field(default_factory=dict)
    target_vars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    framework: str | None = None
    """Judge only by the rules that support a control of this framework."""
    _compiled: dict[tuple[str, str], CompiledPolicy] = field(default_factory=dict, init=False, repr=False)
    _whole: dict[tuple[str, str], EffectivePolicy] = field(default_factory=dict, init=False, repr=False)
    _keys: Recent[str, tuple[tuple[object, ...], str]] = field(default_factory=lambda: Recent(MAX_KEPT), init=False, repr=False)
    _shared: dict[int, tuple[EffectivePolicy, CompiledPolicy]] = field(default_factory=dict, init=False, repr=False)
    """By the identity of a policy, which stays the same as long as it is kept here."""

    @property
    def tables(self) -> Tables:
        return self.book.tables

    def policy_for(self, target: Target) -> CompiledPolicy:
        """The policy of `target` with the vars in force for it, compiled once; rules about the installation are not judged for a target.

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
            self._whole[judged_as] = effective
            known = self._compiled[judged_as] = self._of_targets(effective)
        return known

    def _of_targets(self, effective: EffectivePolicy) -> CompiledPolicy:
        """The rules of `effective` about targets, compiled; the book gives one and the same policy for targets that read it the same."""
        shared = self._shared.get(id(effective))
        if shared is None:
            own = tuple(rule for rule in effective.rules if not rule.is_of_the_installation)
            shared = self._shared[id(effective)] = effective, self.book.compile(replace(effective, rules=own))
        return shared[1]

    def whole_policy(self, target: Target) -> EffectivePolicy:
        """The policy of `target` with all its rules, those about the installation among them."""
        self.policy_for(target)
        return self._whole[target.name, target.policy]

    def installation(self, targets: Sequence[Target]) -> CompiledPolicy:
        """The rules about the installation in the policies of `targets`, each once, with the vars of the first that has it."""
        rules: dict[str, Rule] = {}
        vars_: dict[str, Var] = {}
        for target in targets:
            whole = self.whole_policy(target)
            rules |= {rule.id: rule for rule in whole.rules if rule.is_of_the_installation and rule.id not in rules}
            vars_ |= {var.name: var for var in whole.vars if var.name not in vars_}
        named = tuple(vars_[name] for name in dict.fromkeys(name for rule in rules.values() for c in rule.criteria() for name in c.vars))
        title = "The auditor's own record"
        return self.book.compile(EffectivePolicy(name="installation", title=title, version=1, rules=tuple(rules.values()), vars=named))

    def assess(
        self,
        observation: Observation,
        target: Target,
        *,
        past: Past,
        waivers: Sequence[Waiver] = (),
        stored: "Callable[[str, date], tuple[Finding, ...] | None] | None" = None,
    ) -> Assessment:
        """Judge `observation`, lay `waivers` over what fails, and compare it with the `past` and with what of its approvals is in force.

        `stored` looks a judgement up by its key; what it knows is not judged again.
        """
        compiled = self.policy_for(target)
        policy: EffectivePolicy = compiled.policy
        collected = facts_of(
            observation,
            labels=target.labels,
            previous=past.previous,
            org_domain=self.tables.org_domain,
            waivers=waivers,
            approvals=past.approvals,
            volatile=target.volatile,
            secret_changed_at=past.secret_changed_at,
        )
        as_of = observation.started_at.date()
        key = self._key(observation, policy, {name: collected[name] for name in sorted(policy.reads) if name in collected})
        findings = stored(key, as_of) if stored else None
        if findings is None:
            findings = judge(compiled, with_derived(collected, self.tables), as_of=as_of)
        judgement = Judgement(key=key, policy_digest=policy.digest, findings=findings)
        excusing = laid_over(findings, waivers, target=target.name, labels=dict(target.labels), at=observation.started_at)
        return assess(observation, judgement, past=past, org_domain=self.tables.org_domain, waivers=excusing, volatile=target.volatile)

    def _key(self, observation: Observation, policy: EffectivePolicy, outside: Mapping[str, Fact]) -> str:
        """The judgement's key; that of a target which gives the same cause as last is not digested anew."""
        snapshot = observation.snapshot
        seen = snapshot.digest if snapshot is not None else observation.outcome.value
        # by the marks, since in Python `True == 1`; facts that say the same mostly have one
        cause = (seen, policy.digest, observation.started_at.date() if policy.is_dated else None, *(fact.mark for fact in outside.values()))
        last = self._keys.get(observation.target)
        if last is not None and last[0] == cause:
            return last[1]
        key = judgement_key(
            observation,
            policy_digest=policy.digest,
            tables=self.tables.versions,
            engine=__version__,
            is_dated=policy.is_dated,
            outside=outside,
        )
        self._keys.put(observation.target, (cause, key))
        return key


@dataclass
class Auditor:
    """Audits targets: each run is one observation, judged, and recorded in one transaction whatever came of it."""

    reader: "Reader"
    store: "Store"
    judge: Judge
    waivers: tuple[Waiver, ...] = ()
    is_scheduled: bool = True
    """Whether its reads serve slots; those beside a daemon do not."""
    alerting: Alerting = field(default_factory=Alerting)
    events: Path | None = None
    """The file that every result is appended to, for a SIEM."""
    events_fault: StoreError | None = field(default=None, init=False)
    """Why a result could not be appended there. It is on record all the same, and neither other targets nor alerts wait for that file."""

    def audit(self, target: Target, *, at: datetime, force: bool = False, memories: "Memories | None" = None) -> Assessment:
        """Read `target` once, judge what it says, record it. The run serves the newest slot due at `at`, if nobody has yet.

        `memories` are what the store remembers of the targets of a sweep that this one is among.

        Raises:
            StoreError: It cannot be recorded.
        """
        remembered = memories.of(target.name) if memories is not None else self.store.memory(target.name)
        observation, memory = self.reader.observe(target, remembered, force=force)
        policy = self.judge.policy_for(target).policy

        def conclude(read: Observation, past: Past, stored: Stored) -> Assessment:
            return self.judge.assess(read, target, past=past, waivers=self.waivers, stored=stored)

        run = Run(
            target=text_of(target),
            observation=observation,
            memory=memory,
            conclude=conclude,
            policy=policy.text,
            policy_document=policy.document(),
            alerting=self.alerting,
            due_at=at if self.is_scheduled else None,
            look_back=FLAPPING,
            is_partial=self.judge.framework is not None,
        )
        assessment = self.store.conclude(run)
        if self.events is not None:
            self._append_events(self.events, assessment, target)
        if target.attribution and observation.snapshot is not None:
            self._attribute(target, assessment, at=observation.ended_at)
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

    def serve_due(self, targets: Sequence[Target], *, clock: Callable[[], datetime], workers: int = 16) -> Iterator[Assessment]:
        """Audit those of `targets` that owe a read by now, side by side; each assessment as it comes."""
        return self.audit_all(self.due(targets, clock()), clock=clock, workers=workers)

    def due(self, targets: Sequence[Target], at: datetime) -> list[Target]:
        """Those of `targets` that owe a read at `at`, those that were never read among them."""
        owing = set(self.store.due(at))
        return [target for target in targets if target.name in owing]

    def audit_all(self, targets: Sequence[Target], *, clock: Callable[[], datetime], force: bool = False, workers: int = 16) -> Iterator[Assessment]:
        """Audit `targets` side by side, at most `workers` at a time; each assessment as it comes.

        Raises:
            StoreError: One cannot be recorded; those not begun yet are left out.
        """
        if not targets:
            return
        memories = self.store.memories([target.name for target in targets])
        pool = ThreadPoolExecutor(max_workers=min(workers, len(targets)), thread_name_prefix="audit")

        def run(target: Target) -> Assessment:
            return self.audit(target, at=clock(), force=force, memories=memories)

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

    def _append_events(self, path: Path, assessment: Assessment, target: Target) -> None:
        from auditor.notify.eventfile import append_events, events_of

        try:
            append_events(path, events_of(assessment, text_of(target)))
        except StoreError as fault:
            log.error("no events written", extra={"target": target.name, "reason": str(fault)})  # noqa: TRY400 - the message says it all
            self.events_fault = fault

    def _attribute(self, target: Target, assessment: Assessment, *, at: datetime) -> None:
        """Ask Command's audit log who caused the open drift events of which that is not settled yet.

        One reading serves them all. A denial is asked again only when something new has happened: Command logs each.
        """
        waiting = (None, AttributionVerdict.PENDING, *([AttributionVerdict.NOT_PERMITTED] if assessment.drift.opened else []))
        open_events, _ = self.store.drift_of(target.name, ended_since=at)
        asked = [e for e in open_events if e.is_change and e.not_before and (e.attribution.verdict if e.attribution else None) in waiting]
        if not asked:
            return
        after, until = min(e.not_before for e in asked if e.not_before), max(e.not_after for e in asked)
        version = assessment.observation.collection.product_version
        trail = self.reader.audit_trail(target, after=after, until=until, product_version=version)
        for event in asked:
            assert event.not_before is not None
            assert event.number is not None
            found = attribute([event.subject], not_before=event.not_before, not_after=event.not_after, trail=trail)
            if found != event.attribution:
                self.store.attribute(event.number, found, at=at)


def planned(target: Target, *, spread_s: int, late_after_s: int) -> "Planned":
    """`target` as the calendar needs it."""
    from auditor.store.calendar import Planned

    terms = Terms(
        since=EPOCH,
        schedule=target.schedule,
        offset_s=offset_of(target.name, spread_s=spread_s),
        late_after_s=late_after_s,
        paused_until=target.paused_until,
        paused_reason=target.paused_reason,
        retired_on=target.retired_on,
    )
    return Planned(text=text_of(target), terms=terms, renamed_from=target.renamed_from)


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
