"""Check, daemon, database, report and JSON come to one answer for every waiver at every instant (what is ended for one is in force for none)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor import config, daemon
from auditor.app import App
from auditor.core.assess import exit_code
from auditor.core.model import RuleOutcome, Verdict
from auditor.report.formats import FORMATS
from auditor.simulator.command import Simulator

CONFIG = """\
targets:
- {name: lab, url: "https://command.corp.example", labels: {env: lab}}
defaults: {auth: {type: basic, username: 'CORP\\a', password: env:P}, policy: one, attempts: 1}
policies: [policies]
"""
POLICY = """\
policy: one
title: One rule
version: 1
rules:
- {id: X-001, title: The port is 465, severity: high, require: {Port: 465}}
"""
END = datetime(2026, 12, 31, tzinfo=UTC)
"""Around midnight of the days about this one the generated instants lie."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A configured target that fails the one rule there is; `at` is the time for it and for us."""
    folder = tmp_path_factory.mktemp("agree")
    (folder / "policies").mkdir()
    (folder / "policies" / "one.yaml").write_text(POLICY, encoding="utf-8")
    (folder / "auditor.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "waivers.yaml").write_text("", encoding="utf-8")
    here = SimpleNamespace(at=END, folder=folder)
    simulator = Simulator(clock=lambda: here.at)
    simulator.accounts.add_user(r"CORP\a", "secret")
    simulator.smtp["Port"] = 587

    def opened() -> App:
        return App(
            config.load(folder / "auditor.yaml"),
            clock=lambda: here.at,
            secret=lambda _: "secret",
            transport=lambda _: httpx.WSGITransport(simulator),  # type: ignore[arg-type]
        )

    here.opened = opened
    with opened() as app:
        here.judge, here.store = app.judge, app.store
        yield here


def answers(place: SimpleNamespace) -> dict[str, bool]:
    """Whether the failure is waived, by each way that there is to ask."""
    app = place.opened()
    app.judge, app._store = place.judge, place.store  # compiled and open already
    (checked,) = app.auditor.audit_all(app.config.targets, clock=app.clock)
    daemon.Reads(app)._read(app.config.targets[0])
    (read,) = (app.store.latest("lab"),)
    view = app.view(app.config.targets)
    document = json.loads(FORMATS["json"](view))
    (finding,), page, text = document["targets"][0]["findings"], FORMATS["html"](view).decode(), FORMATS["text"](view).decode()
    assert read is not None
    assert [found.outcome for found in (*checked.judgement.findings, *read.judgement.findings)] == [RuleOutcome.FAIL] * 2
    assert bool(finding["waiver"]) == (finding["outcome"] == "waived")
    assert document["counts"]["fail"] + document["counts"]["waived"] == 1
    return {
        "exit code of check": exit_code([checked]) == 0,
        "verdict of check": checked.verdict is Verdict.COMPLIANT_WITH_WAIVERS,
        "finding of check": checked.findings[0].outcome is RuleOutcome.WAIVED,
        "verdict of the daemon": read.verdict is Verdict.COMPLIANT_WITH_WAIVERS,
        "finding of the daemon": read.findings[0].outcome is RuleOutcome.WAIVED,
        "counts of the report": view.counts.waived == 1,
        "page": 'class="finding waived" id="lab.X-001"' in page,
        "text": "◐ high X-001 The port is 465 is waived" in text,
        "json": finding["outcome"] == "waived",
        "state in the report": any(shown.review.state.is_in_force and shown.review.failing for shown in view.waivers),
    }


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.sampled_from([("[lab]", True), ('["glob:l*"]', True), ('["glob:x*"]', False), ("", True)]),
    label=st.sampled_from([("lab", True), ("prod", False), ("", True)]),
    day=st.integers(-2, 2),
    hour=st.integers(0, 24),
    offset=st.integers(-12, 14),
    is_instant=st.booleans(),
    approved=st.sampled_from([None, -2, 0, 1]),
    away=st.sampled_from([timedelta(days=-1), timedelta(microseconds=-1), timedelta(0), timedelta(seconds=1), timedelta(days=1)]),
)
def test_every_way_to_ask_gives_the_same_answer(
    place: SimpleNamespace,
    where: tuple[str, bool],
    label: tuple[str, bool],
    day: int,
    hour: int,
    offset: int,
    is_instant: bool,
    approved: int | None,
    away: timedelta,
) -> None:
    last = (END + timedelta(days=day)).date()
    zone = f"{'-' if offset < 0 else '+'}{abs(offset):02}:00"
    if is_instant:
        expires, ends = f"{last}T{hour % 24:02}:00{zone}", datetime(last.year, last.month, last.day, hour % 24, tzinfo=UTC) - timedelta(hours=offset)
    else:
        expires, ends = f"{last}", datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    place.at = ends + away
    approved_on = None if approved is None else (place.at + timedelta(days=approved)).date()
    if approved_on and datetime(approved_on.year, approved_on.month, approved_on.day, tzinfo=UTC) >= ends:
        approved_on = None  # that one is refused, which other tests see to
    lines = ["waivers:", "- rule: X-001", "  reason: r", "  owner: ann", "  approved_by: bob", f"  expires: {expires}"]
    lines += [f"  targets: {where[0]}"] * bool(where[0]) + [f"  labels: {{env: {label[0]}}}"] * bool(label[0])
    lines += [f"  approved_on: {approved_on}"] * bool(approved_on)
    (place.folder / "waivers.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    expected = where[1] and label[1] and place.at < ends and (approved_on is None or approved_on <= place.at.date())

    found = answers(place)
    assert found == dict.fromkeys(found, expected)


def test_what_was_waived_stays_recorded_when_the_waiver_is_gone(place: SimpleNamespace) -> None:
    place.at = END
    waiver = "waivers:\n- {rule: X-001, targets: [lab], reason: r, owner: ann, approved_by: bob, expires: 2026-12-31}\n"
    (place.folder / "waivers.yaml").write_text(waiver, encoding="utf-8")
    assert all(answers(place).values())

    (place.folder / "waivers.yaml").write_text("", encoding="utf-8")
    app: App = place.opened()
    app.judge, app._store = place.judge, place.store
    view = app.view(app.config.targets)
    assert (view.counts.waived, view.waivers) == (1, ()), "the report tells what stood at the newest read"
    assert not any(answers(place).values()), "the next read counts the failure again"


def test_a_report_on_some_targets_shows_the_waivers_that_speak_of_them(place: SimpleNamespace, tmp_path: Path) -> None:
    place.at = END
    (place.folder / "waivers.yaml").write_text("", encoding="utf-8")
    answers(place)  # a report is as of the newest read
    own, none = (f"{{rule: X-001, targets: [{name}], reason: r, owner: ann, approved_by: bob, expires: 2027-01-31}}" for name in ("lab", '"glob:x*"'))
    two = CONFIG.replace("defaults", '- {name: other, url: "https://other.corp.example"}\ndefaults')
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "one.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "auditor.yaml").write_text(two, encoding="utf-8")
    (tmp_path / "waivers.yaml").write_text(f"waivers:\n- {own}\n- {none}\n", encoding="utf-8")
    app = App(config.load(tmp_path / "auditor.yaml"), clock=lambda: END)
    app._store = place.store
    lab, other = app.config.targets

    shown = {
        names: [row.scope for row in app.view(targets).waivers] for names, targets in {"lab": [lab], "other": [other], "all": [lab, other]}.items()
    }

    assert shown == {"lab": ["lab"], "other": [], "all": ["glob:x*", "lab"]}
