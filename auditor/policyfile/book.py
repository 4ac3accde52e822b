"""All policies of an installation, and what one of them comes to for one target: its rules, and its vars as they were set for it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from auditor.core.derived import Tables
from auditor.core.evaluate import CompiledPolicy, compile_policy
from auditor.core.operators import Lookups
from auditor.core.policy import EffectivePolicy, Rule, Value, Var
from auditor.errors import PolicyError, did_you_mean
from auditor.policyfile.controls import ControlTable
from auditor.policyfile.part import MisfitError, Part
from auditor.policyfile.rules import WrittenRule
from auditor.policyfile.values import compile_pattern, setting

GLOB = "glob:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Vars set for some targets: those that carry all `labels`, and where `targets` are named, are one of them."""

    labels: tuple[tuple[str, str], ...]
    targets: tuple[str, ...]
    vars: Mapping[str, Value | None]
    origin: str

    def matches(self, target: str, labels: Mapping[str, str]) -> bool:
        named = not self.targets or any(picks(pick, target) for pick in self.targets)
        return named and all(labels.get(key) == value for key, value in self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy with what it inherits: `rules` and `vars` are those in force in it, `written` the rules of its own file."""

    name: str
    title: str
    version: int
    part: Part
    rules: tuple[Rule, ...]
    vars: Mapping[str, Var]
    overrides: tuple[Override, ...]
    written: tuple[WrittenRule, ...]
    homes: Mapping[str, str]
    """Which policy each rule in force is written in."""


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """Policies that were read, checked and put together."""

    policies: Mapping[str, Policy]
    tables: Tables
    controls: ControlTable
    _effective: dict[Any, EffectivePolicy] = field(default_factory=dict, repr=False)
    _compiled: dict[str, CompiledPolicy] = field(default_factory=dict, repr=False)

    def names(self) -> Collection[str]:
        return self.policies.keys()

    def policy(self, name: str) -> Policy:
        """The policy called `name`.

        Raises:
            PolicyError: There is none.
        """
        if name not in self.policies:
            raise PolicyError(
                f"no policy is called {name!r}", hint=did_you_mean(name, self.policies, else_say=f"there are: {', '.join(self.policies)}")
            )
        return self.policies[name]

    def written(self, name: str, rule_id: str) -> tuple[Policy, WrittenRule]:
        """Where a rule that is in force in the policy called `name` is written: the policy, and the rule as it stands there."""
        home = self.policies[self.policies[name].homes[rule_id]]
        return home, next(written for written in home.written if written.rule.id == rule_id)

    def effective(
        self,
        name: str,
        *,
        target: str,
        labels: Mapping[str, str],
        installation: Mapping[str, Any] | None = None,
        own: Mapping[str, Any] | None = None,
        framework: str | None = None,
    ) -> EffectivePolicy:
        """What `target` is judged by: vars as declared, then as set along `extends`, by the `installation`, by each override that matches, by the
        target's `own` settings; the last wins. An installation may set vars that another policy declares. With a `framework` only the rules that
        support one of its controls are in it, and its name says so: `recommended[nis2]`.

        Raises:
            PolicyError: There is no such policy, var or framework, a value is of another type, or the policy has no rule (for the framework).
        """
        policy = self.policy(name)
        if not policy.rules:
            raise PolicyError(
                f"{policy.part.file.where()}: policy {name} has no rule, so it can only be a base", hint="name a policy that extends it"
            )
        elsewhere = {var for other in self.policies.values() for var in other.vars}
        layers = [
            (_checked(policy, installation or {}, "vars", elsewhere), "the configuration"),
            *((override.vars, override.origin) for override in policy.overrides if override.matches(target, labels)),
            (_checked(policy, own or {}, "vars", ()), f"target {target}"),
        ]
        in_force = dict(policy.vars)
        for values, origin in layers:
            in_force |= {var: replace(in_force[var], value=value, origin=origin) for var, value in values.items()}
        key = (name, framework, *in_force.values())
        if key not in self._effective:
            whole = EffectivePolicy(name=name, title=policy.title, version=policy.version, rules=policy.rules, vars=tuple(in_force.values()))
            self._effective[key] = self._supporting(whole, framework) if framework else whole
        return self._effective[key]

    def _supporting(self, policy: EffectivePolicy, framework: str) -> EffectivePolicy:
        rules = supporting(policy.rules, framework, self.controls)
        if not rules:
            raise PolicyError(f"no rule of policy {policy.name} supports a control of {framework}", hint="`auditor policy controls` shows what does")
        title = f"{policy.title} (only what supports {self.controls.titles.get(framework, framework)})"
        return replace(policy, name=f"{policy.name}[{framework}]", title=title, rules=rules)

    def compile(self, policy: EffectivePolicy) -> CompiledPolicy:
        """`policy` ready to judge; compiled once for all targets that it reads the same for."""
        if policy.digest not in self._compiled:
            self._compiled[policy.digest] = compile_policy(policy, self.lookups)
        return replace(self._compiled[policy.digest], policy=policy)

    @property
    def lookups(self) -> Lookups:
        return Lookups(to_ascii=self.tables.to_ascii, org_domain=self.tables.org_domain, compile_pattern=compile_pattern)


def supporting(rules: Iterable[Rule], framework: str, table: ControlTable) -> tuple[Rule, ...]:
    """Those of `rules` that support a control of `framework`.

    Raises:
        PolicyError: The control table knows no such framework.
    """
    if framework not in table.frameworks:
        hint = did_you_mean(framework, table.frameworks, else_say=f"there are: {', '.join(table.frameworks)}")
        raise PolicyError(f"no framework is called {framework!r}", hint=hint)
    return tuple(rule for rule in rules if framework in dict(rule.controls))


def picks(pick: str, name: str) -> bool:
    """Whether `pick`, a name or `glob:` and a pattern, speaks of `name`."""
    return fnmatchcase(name, pick.removeprefix(GLOB)) if pick.startswith(GLOB) else pick == name


def _checked(policy: Policy, values: Mapping[str, Any], about: str, elsewhere: Collection[str]) -> dict[str, Value | None]:
    """Settings from the configuration that concern `policy`; their lines are known to whoever read it."""
    read = {}
    for name, written in values.items():
        if name in policy.vars:
            try:
                read[name] = setting(written, policy.vars[name].type)
            except MisfitError as misfit:
                raise PolicyError(f"{about}: {name}: {misfit}", hint=misfit.hint) from None
        elif name not in elsewhere:
            hint = did_you_mean(name, (*policy.vars, *elsewhere), else_say=f"policy {policy.name} declares: {', '.join(policy.vars) or 'none'}")
            raise PolicyError(f"{about}: policy {policy.name} has no var {name!r}", hint=hint)
    return read
