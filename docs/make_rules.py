"""Makes what is generated from the shipped policies: `docs/rules.md`, the JSON Schemas in `policies/data/`, and the first line of each policy file.

    .venv/bin/python docs/make_rules.py

The suite checks that all of it is current.
"""

from collections.abc import Iterator
from pathlib import Path

from auditor import waiverfile
from auditor.app.judging import policy_book
from auditor.core.words import literal_text
from auditor.policyfile import Explanation, PolicyBook, explain, home_of
from auditor.policyfile.explain import ON_MISSING
from auditor.policyfile.schema import schema_text

TOP = Path(__file__).resolve().parent.parent
PAGE = TOP / "docs" / "rules.md"
SCHEMA = TOP / "policies" / "data" / "policy.schema.json"
WAIVERS = SCHEMA.with_name(waiverfile.SCHEMA_NAME)
HEADER = "# yaml-language-server: $schema=data/policy.schema.json\n"


def main() -> None:
    book = policy_book(None)
    rules = {rule.id for policy in book.policies.values() for rule in policy.rules}
    for path, text in ((PAGE, page(book)), (SCHEMA, schema_text(book.controls)), (WAIVERS, waiverfile.schema_text(rules))):
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path)
    for path in sorted((TOP / "policies").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if not text.startswith(HEADER):
            path.write_text(HEADER + text, encoding="utf-8", newline="\n")
            print(path)


def page(book: PolicyBook) -> str:
    """The rule book in Markdown."""
    return "\n".join(_page(book)) + "\n"


def _page(book: PolicyBook) -> Iterator[str]:
    ids = sorted({rule.id for policy in book.policies.values() for rule in policy.rules})
    rules = {id_: _explained(book, id_) for id_ in ids}
    sets = {name: {rule.id for rule in book.policy(name).rules} for name in book.names() if name in ("recommended", "strict")}
    yield from (
        "# The rules",
        "",
        "<!-- Made by docs/make_rules.py from policies/; do not edit. -->",
        "",
        "What the shipped policies require of the mail profile of Keyfactor Command. `auditor policy explain RULE` shows the same for one rule, with",
        "examples and with the parameters in force on your side; `--target NAME` adds its last result for a server.",
        "",
        f"| Rule | Title | Severity | {' | '.join(sets)} |",
        f"|---|---|---|{'---|' * len(sets)}",
    )
    for id_, it in rules.items():
        marks = " | ".join("yes" if id_ in inside else "" for inside in sets.values())
        yield f"| [{id_}](#{id_.lower()}) | {_plain(it.rule.title)} | {it.rule.severity_text} | {marks} |"
    for id_, it in rules.items():
        yield from ("", f"## {id_}", "")
        yield from _rule(it)
    yield from (
        "",
        "## Controls",
        "",
        "A rule *supports* a control; whether a control is met, an assessor says.",
        "",
        "| Framework | Rules |",
        "|---|---|",
    )
    for key in book.controls.frameworks:
        supporting = [f"[{id_}](#{id_.lower()})" for id_, it in rules.items() if key in dict(it.supports)]
        if supporting:
            yield f"| {_plain(book.controls.titles[key])} (`{key}`) | {', '.join(supporting)} |"


def _rule(it: Explanation) -> Iterator[str]:
    rule = it.rule
    yield f"**{_plain(rule.title)}** · {rule.severity_text} · policy `{it.home.name}`"
    if it.applies:
        yield from ("", f"Applies where {_plain(it.applies)}.")
    lead, *parts = it.requires
    yield from ("", f"Requires {lead[1]}" if parts else "Requires:", "")
    for depth, line in parts or [lead]:
        yield f"{'  ' * max(depth - 1, 0)}- {_plain(line)}"
    yield from ("", ON_MISSING[rule.on_missing])
    if len(it.ladder) > 1:
        said = "; ".join(f"{level} {'where ' if when != 'otherwise' else ''}{_plain(when)}" for level, when in it.ladder)
        yield from ("", f"Severity: {said}.")
    for title, text in (("Why", rule.rationale), ("What to do", rule.remediation)):
        yield from ("", f"*{title}.* {_plain(text)}")
    if it.vars:
        yield from ("", "| Parameter | Type | Default | |", "|---|---|---|---|")
    for var in it.vars:
        value = "not set" if var.value is None else f"`{literal_text(var.value, var.type)}`".replace("|", "\\|")  # it ends a cell, in code too
        yield f"| `{var.name}` | {str(var.type).replace('|', '/')} | {value} | {_plain(var.about)} |"
    if it.supports:
        yield from ("", "Supports: " + " · ".join(f"`{framework}` {', '.join(ids)}" for framework, ids in it.supports) + ".")
    if rule.references:
        yield from ("", "References: " + "; ".join(map(_plain, rule.references)) + ".")


def _explained(book: PolicyBook, rule_id: str) -> Explanation:
    return explain(book, book.effective(home_of(book, rule_id), target="", labels={}), rule_id)


def _plain(text: str) -> str:
    """A text that Markdown leaves as it is."""
    for character in "\\`*_<|[":
        text = text.replace(character, f"\\{character}")
    return text


if __name__ == "__main__":
    main()
