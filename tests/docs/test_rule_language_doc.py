"""`docs/rule-language.md` is true: every block loads or is refused as it says, every example and every output comes out, every word is there."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from auditor import cli, config, datatables, policyfile, resources
from auditor.core.assess import facts_of
from auditor.core.catalogue import FACTS, Group, Kind
from auditor.core.derived import with_derived
from auditor.core.formats import FORMATS
from auditor.core.model import JsonType, Severity, State
from auditor.core.operators import COMPARISONS, OPERATORS
from auditor.errors import PolicyError
from auditor.policyfile import PolicyBook
from tests.docs.pages import Block, blocks, named, rows, section, text_of
from tests.factories import observation, snapshot

PAGE = "rule-language.md"
BLOCKS = blocks(PAGE)
POLICIES = [block for block in BLOCKS if block.language == "yaml" and block.text.startswith("policy:")]
CONFIGURATIONS = [block for block in BLOCKS if block.language == "yaml" and block.text.startswith("targets:")]
OUTPUTS = [block for block in BLOCKS if block.language == "console"]
SHIPPED = resources.folder("policies")
TABLES = datatables.load()
CONTROLS = policyfile.load_controls(SHIPPED / "data" / "controls.yaml")


def book(folder: Path, text: str, *, targets: Collection[str] = ("prod",)) -> PolicyBook:
    """The policy in `text`, beside those shipped."""
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    return policyfile.load([SHIPPED, folder], target_names=targets, controls=CONTROLS, tables=TABLES)


def name_of(block: Block) -> str:
    return block.text.splitlines()[0].removeprefix("policy: ")


def marked(*marks: str) -> list[Block]:
    return [block for block in POLICIES if block.mark in marks]


# --- policies ---------------------------------------------------------------------------------------------------------


def test_every_yaml_block_is_a_policy_or_a_configuration_and_every_mark_is_known() -> None:
    assert [str(block) for block in BLOCKS if block.language == "yaml" and block not in (*POLICIES, *CONFIGURATIONS)] == []
    assert {block.mark for block in BLOCKS} == {"", "refused", "warned", "wrong"}
    assert {block.mark for block in BLOCKS if block not in POLICIES} == {""}


@pytest.mark.parametrize("block", marked(""), ids=str)
def test_a_policy_of_the_page_loads_and_its_examples_come_out(block: Block, tmp_path: Path) -> None:
    loaded = book(tmp_path, block.text)
    name = name_of(block)

    assert [(result.line, result.expected, result.got) for result in policyfile.run_examples(loaded, name) if not result.ok] == []
    assert loaded.effective(name, target="prod", labels={}).rules


@pytest.mark.parametrize("block", marked("refused"), ids=str)
def test_a_policy_that_is_called_refused_is_refused_in_these_words(block: Block, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as refusal:
        book(tmp_path, block.text)

    assert block.says in str(refusal.value)


@pytest.mark.parametrize("block", marked("warned"), ids=str)
def test_a_policy_that_is_called_doubtful_has_this_doubt_alone(block: Block, tmp_path: Path) -> None:
    loaded = book(tmp_path, block.text)

    (warning,) = policyfile.lint(loaded)
    assert block.says in warning.text
    assert all(result.ok for result in policyfile.run_examples(loaded, name_of(block)))


@pytest.mark.parametrize("block", marked("wrong"), ids=str)
def test_an_example_that_is_called_wrong_is_wrong_in_these_words(block: Block, tmp_path: Path) -> None:
    (result,) = policyfile.run_examples(book(tmp_path, block.text), name_of(block))

    assert f"expected {result.expected}, got {result.got}" == block.says
    assert not result.ok


# --- what commands say --------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's configuration and its saved answer."""
    (configuration,) = CONFIGURATIONS
    (answer,) = [block for block in BLOCKS if block.language == "json"]
    (tmp_path / config.FILE_NAME).write_text(configuration.text, encoding="utf-8")
    (tmp_path / "profile.json").write_text(answer.text, encoding="utf-8")
    (tmp_path / "policies").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.mark.parametrize("block", OUTPUTS, ids=str)
def test_a_command_of_the_page_says_what_the_page_shows(block: Block, installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command, *shown = block.text.splitlines()
    written = [policy for policy in POLICIES if policy.line < block.line][-1]
    (installed / "policies" / "corp.yaml").write_text(written.text, encoding="utf-8")

    cli.run([*command.removeprefix("$ auditor ").split()])

    said = "".join(capsys.readouterr()).replace(str(installed), "/etc/auditor").replace("\\policies\\", "/policies/")
    lines = iter(said.splitlines())
    assert [line for line in shown if line not in lines] == [], said  # each is looked for after the one before it


@pytest.mark.parametrize(("require", "facts", "words"), [row[:3] for row in rows(section(PAGE, "How a finding explains itself"))])
def test_a_finding_says_what_the_page_shows(require: str, facts: str, words: str, tmp_path: Path) -> None:
    rule = f"{{id: R-1, title: T, severity: low, require: {{{require.strip('`')}}}, examples: [{{passes: {{{facts.strip('`')}}}}}]}}"

    (result,) = policyfile.run_examples(book(tmp_path, f"policy: mine\ntitle: T\nversion: 1\nrules:\n- {rule}\n"), "mine")

    assert result.got.partition(": ")[2] == words.strip("`")


# --- the words of the language ------------------------------------------------------------------------------------------


def first_cells(title: str) -> Iterator[str]:
    return (word for row in rows(section(PAGE, title)) for word in named(row[0]))


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Operators", set(OPERATORS)),
        ("Formats", set(FORMATS)),
        ("Types", {kind.value for kind in Kind}),
        ("What may be absent", {state.value for state in State} - {"value"}),
    ],
)
def test_a_table_of_the_reference_has_all_words_of_the_language(title: str, words: set[str]) -> None:
    assert set(first_cells(title)) == words


def test_the_tables_of_keys_have_all_keys() -> None:
    policy, rule = section(PAGE, "The file").split("| key of a rule")

    assert {word for row in rows(policy) for word in named(row[0])} == {
        *("policy", "title", "version", "extends", "include", "exclude", "severities", "vars", "overrides", "when", "rules", "x-…")
    }
    assert {word for row in rows(rule) for word in named(row[0])} == {
        *(
            "id",
            "title",
            "severity",
            "require",
            "when",
            "on_missing",
            "rationale",
            "remediation",
            "references",
            "bundles",
            "controls",
            "examples",
            "x-…",
        )
    }


def test_json_types_comparisons_severities_and_groups_of_facts_are_named() -> None:
    operators, file, facts = (section(PAGE, title) for title in ("Operators", "The file", "Facts"))

    assert {kind.value for kind in JsonType} <= set(named(operators))
    assert set(COMPARISONS) <= set(named(operators))
    assert {level.value for level in Severity} <= set(named(file))
    assert {row[0] for row in rows(facts)} == {group.value for group in Group}


def test_every_operator_and_every_format_stands_in_an_example_of_the_page(tmp_path: Path) -> None:
    used: set[str] = set()
    formats: set[object] = set()
    for block in marked(""):
        for written in book(tmp_path, block.text).policy(name_of(block)).written:
            used |= {criterion.operator for criterion in written.rule.criteria()}
            formats |= {criterion.operand for criterion in written.rule.criteria() if criterion.operator == "format"}

    assert used == set(OPERATORS)
    assert formats == set(FORMATS)


def test_the_facts_that_nothing_looks_at_yet_are_those_that_the_page_names() -> None:
    (paragraph,) = [part for part in text_of(PAGE).split("\n\n") if part.startswith("<!-- not looked at -->")]
    patterns = named(paragraph.split(":", 1)[1].split(". The", 1)[0])
    facts = with_derived(facts_of(observation(snapshot()), labels=(), previous=None, org_domain=TABLES.org_domain), TABLES)
    unseen = {name for name, entry in FACTS.items() if entry.group not in (Group.PROFILE, Group.READING) and facts[name].state is State.NOT_OFFERED}
    compared = {"drift.downgrades", "drift.redirections"}  # there is no earlier read here

    def is_named(fact: str) -> bool:
        return any(fact.startswith(pattern.removesuffix("*")) if pattern.endswith("*") else fact == pattern for pattern in patterns)

    derived_from_clear_text = {"RelayUsername.account", "RelayUsername.mailbox"}
    assert {name for name in unseen - compared - derived_from_clear_text if not is_named(name)} == set()
    assert {name for name in FACTS if is_named(name)} - unseen == {"server.probed", "domain.probed", "token_endpoint.probed", "baseline.exists"}
