"""Tries policies on what was really seen, before they are deployed: on saved answers of a server, and on the last snapshot of every target.

Nothing is stored, and no server is asked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path

from auditor.app import App
from auditor.app.judging import observe_saved
from auditor.audit import Judge
from auditor.core.assess import Past, facts_of
from auditor.core.derived import with_derived
from auditor.core.evaluate import judge
from auditor.core.model import Collection, Finding, Observation, ReadOutcome, RuleOutcome, Snapshot, Target
from auditor.core.words import leaf_text
from auditor.errors import PolicyError, UsageError, did_you_mean
from auditor.policyfile import ExampleResult, PolicyBook
from auditor.policyfile.examples import ANY_DAY, explained
from auditor.policyfile.rules import VERDICTS

# --- fixtures: saved answers and what a rule must make of them ----------------------------------------------------

_FIXTURE = re.compile(rf"({'|'.join(VERDICTS)})[^@]*(?:@([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}))?[.]json")


def run_fixtures(book: PolicyBook, names: Sequence[str], folder: Path) -> list[ExampleResult]:
    """Judge each saved answer of `GET /SMTP` in `folder`, which has one folder for each rule, called by its id; the name of a file begins with what
    must come out, and ends in `@2026-12-31` before `.json` where the rule reads the date.

    A rule is judged as it stands in each policy of `names` that has it; without `names`, in the policy that it is written in.

    Raises:
        PolicyError: The folder holds what is no fixture, or none.
        UsageError: A file cannot be read.
    """
    homes = {rule_id: name for policy in map(book.policy, book.names()) for rule_id, name in policy.homes.items()}
    results: list[ExampleResult] = []
    for place in _listed(folder):
        if not place.is_dir():
            raise PolicyError(f"{place}: not a folder", hint=f"fixtures stand in a folder for each rule: {folder}/RULE/passes.json")
        if place.name not in homes:
            raise PolicyError(f"{place}: no rule is called {place.name!r}", hint=did_you_mean(place.name, homes))
        judging = [name for name in names if place.name in book.policy(name).homes] if names else [homes[place.name]]
        for path in _listed(place):
            results += (_fixture(book, name, place.name, path, index) for index, name in enumerate(judging))
    if not results:
        raise PolicyError(f"{folder}: no fixture for these policies", hint=f"save an answer of GET /SMTP as {folder}/RULE/fails.json")
    return results


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise PolicyError(f"{folder}: no such folder")
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _fixture(book: PolicyBook, policy: str, rule_id: str, path: Path, index: int) -> ExampleResult:
    named = _FIXTURE.fullmatch(path.name)
    if named is None:
        hint = f"its name begins with {', '.join(VERDICTS)} and ends in .json, as in fails-no-tls.json or fails@2026-12-31.json"
        raise PolicyError(f"{path}: not a fixture", hint=hint)
    effective = book.effective(policy, target="", labels={})
    (rule,) = (rule for rule in effective.rules if rule.id == rule_id)
    if rule.is_dated and named[2] is None:
        raise PolicyError(f"{path}: rule {rule_id} reads the date", hint=f"say as of which day: {path.stem}@2026-12-31.json")
    try:
        day = date.fromisoformat(named[2]) if named[2] else ANY_DAY
    except ValueError:
        raise PolicyError(f"{path}: there is no day {named[2]}") from None
    observation = observe_saved(path, at=datetime.combine(day, time(), UTC))
    facts = facts_of(observation, labels=(), previous=None, org_domain=book.tables.org_domain)
    (finding,) = judge(book.compile(replace(effective, rules=(rule,))), with_derived(facts, book.tables), as_of=day)
    expected, ok = VERDICTS[named[1]], finding.outcome is VERDICTS[named[1]]
    got = finding.outcome.value if ok else explained(finding.outcome.value, finding)
    return ExampleResult(rule=rule_id, index=index, expected=expected.value, got=got, file=str(path), line=1, ok=ok)


# --- two policies on the last snapshot of every target ------------------------------------------------------------


class Shift(StrEnum):
    """How a rule's result changes from one policy to another."""

    NEWLY_FAILING = "newly_failing"
    SEVERITY = "severity"
    NOT_EVALUATED = "not_evaluated"
    NO_LONGER_ASKED = "no_longer_asked"
    NEWLY_PASSING = "newly_passing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One rule that comes to something else for one target. `before` and `after` are None where the policy has no such rule."""

    target: str
    rule: str
    title: str
    shift: Shift
    before: Finding | None
    after: Finding | None

    @property
    def why(self) -> str:
        """The first piece of evidence for the result that stands out: the new one, or what fails no more."""
        finding = self.after or self.before
        leaves = (*finding.because, *finding.applies) if finding else ()
        return leaf_text(leaves[0]) if leaves else ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes from one policy to another: `judged` are the targets that a snapshot is kept of, `unseen` those without."""

    differences: tuple[Difference, ...]
    judged: tuple[str, ...]
    unseen: tuple[str, ...]


def compare(app: App, old: str, new: str, targets: Sequence[Target]) -> Comparison:
    """Judge the last snapshot of each of `targets` by `old` and by `new`, as of the day on which it was seen.

    Either is the name of a policy, or the path of a file or folder with drafts, which stand in the place of the policies of their names. A name and
    a file judge every target by that policy, a folder judges each target by its own. Waivers and earlier reads are left out.

    Raises:
        UsageError: `old` or `new` is neither.
        PolicyError: A draft is wrong, or does not go with the configuration.
    """
    sides = [_side(app, old), _side(app, new)]
    differences: list[Difference] = []
    judged, unseen = [], []
    for target in targets:
        seen = app.store.last_observed(target.name)
        if seen is None:
            unseen.append(target.name)
            continue
        judged.append(target.name)
        observation, approvals = _seen_again(target, *seen), app.store.approvals(target.name)
        titles: dict[str, str] = {}
        found = []
        for judging, policy in sides:
            judged_as = replace(target, policy=policy or target.policy)
            titles |= {rule.id: rule.title for rule in judging.policy_for(judged_as).policy.rules}
            findings = judging.assess(observation, judged_as, past=Past(approvals=approvals)).judgement.findings
            found.append({finding.rule: finding for finding in findings})
        differences += _differences(target.name, titles, *found)
    return Comparison(tuple(differences), tuple(judged), tuple(unseen))


def _seen_again(target: Target, at: datetime, snapshot: Snapshot) -> Observation:
    """A stored snapshot as if it had just been read."""
    return Observation(
        target=target.name,
        outcome=ReadOutcome.OBSERVED if snapshot.configured else ReadOutcome.NOT_CONFIGURED,
        started_at=at,
        ended_at=at,
        snapshot=snapshot,
        collection=Collection(method="store", url=target.url),
    )


def _side(app: App, named: str) -> tuple[Judge, str | None]:
    """Who judges, and by which policy; None for each target's own."""
    names, path = app.judge.book.names(), Path(named)
    if named in names:
        return _by(app.judge_by(None), named)
    if not path.exists():
        hint = did_you_mean(named, names, else_say=f"there are: {', '.join(sorted(names))}")
        raise UsageError(f"{named}: no policy of this name, and no file or folder", hint=hint)
    drafted = app.judge_by(path)
    if path.is_dir():
        return drafted, None
    return _by(drafted, next(p.name for p in drafted.book.policies.values() if p.part.file.path == str(path)))


def _by(whoever: Judge, policy: str) -> tuple[Judge, str]:
    """Judges every target by `policy`; what a target sets for a policy of its own says nothing to this one."""
    known = whoever.book.policy(policy).vars
    fitting = {target: {var: value for var, value in own.items() if var in known} for target, own in whoever.target_vars.items()}
    return replace(whoever, target_vars=fitting), policy


def _differences(target: str, titles: Mapping[str, str], old: Mapping[str, Finding], new: Mapping[str, Finding]) -> Iterator[Difference]:
    for rule, title in titles.items():
        before, after = old.get(rule), new.get(rule)
        if (shift := _shift(before, after)) is not None:
            yield Difference(target=target, rule=rule, title=title, shift=shift, before=before, after=after)


_UNKNOWN = (RuleOutcome.NOT_EVALUATED, RuleOutcome.ERROR)


def _shift(before: Finding | None, after: Finding | None) -> Shift | None:
    was, becomes = before and before.outcome, after and after.outcome
    if becomes is RuleOutcome.FAIL and was is RuleOutcome.FAIL:
        return Shift.SEVERITY if before and after and before.severity is not after.severity else None
    if becomes is RuleOutcome.FAIL:
        return Shift.NEWLY_FAILING
    if becomes is RuleOutcome.PASS:
        return Shift.NEWLY_PASSING if was is not RuleOutcome.PASS else None
    if becomes in _UNKNOWN:
        return Shift.NOT_EVALUATED if was not in _UNKNOWN else None
    return Shift.NO_LONGER_ASKED if was in (RuleOutcome.FAIL, RuleOutcome.PASS) else None
