"""Prometheus' text format: the figures of `/metrics`, written from a report."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from auditor.core.model import Standing
from auditor.report.prometheus import of_targets, of_waivers, render_prometheus
from auditor.report.view import view
from tests.report.specimen import BARE, VIEWS, specimen
from tests.report.standings import AT, FAILS, WAIVED, WAIVER, never, standing, unread

Sample = tuple[str, tuple[tuple[str, str], ...], float]


def samples(text: str) -> list[Sample]:
    return [(s.name, tuple(sorted(s.labels.items())), s.value) for family in text_string_to_metric_families(text) for s in family.samples]


def figure(name: str, *standings: Standing, **labels: str) -> float | None:
    found = [
        value
        for told, given, value in samples(render_prometheus(view(standings, engine_version="1")).decode())
        if told == name and dict(given) == labels
    ]
    return found[0] if found else None


class _Told(Collector):
    """The families as the client library of Prometheus writes them."""

    def collect(self) -> list[Metric]:
        told = []
        standings = sorted((target.standing for target in specimen().targets), key=lambda standing: standing.target.name)
        for family in (*of_targets(standings), of_waivers([shown.review.waiver for shown in specimen().waivers], at=specimen().as_of or AT)):
            gauge = GaugeMetricFamily(family.name, family.about, labels=list(family.labels))
            for values, number in family.samples:
                gauge.add_metric(list(values), number)
            told.append(gauge)
        return told


def test_what_is_written_by_hand_is_what_the_client_library_writes() -> None:
    registry = CollectorRegistry()
    registry.register(_Told())

    assert samples(render_prometheus(specimen()).decode()) == samples(generate_latest(registry).decode())


@pytest.mark.parametrize("name", ["prod", 'a"b', "a\\b", "a\\", "ä", "{x}", "a=b,c"])
def test_a_label_is_read_back_as_it_was(name: str) -> None:
    assert figure("auditor_target_compliant", standing(name), target=name) == 1.0


def test_a_label_with_a_line_break_stays_on_its_line() -> None:
    assert figure("auditor_target_compliant", standing("a\nb"), target="a[U+000A]b") == 1.0


def test_a_target_complies_with_waivers_too_and_not_otherwise() -> None:
    assert figure("auditor_target_compliant", standing("p", WAIVED), target="p") == 1.0
    assert figure("auditor_target_compliant", standing("p", FAILS), target="p") == 0.0
    assert figure("auditor_target_compliant", unread("p"), target="p") == 0.0
    assert figure("auditor_target_compliant", never("p"), target="p") is None


def test_a_target_was_read_if_its_newest_read_showed_it() -> None:
    assert [figure("auditor_target_read", one, target="p") for one in (standing("p"), unread("p"), never("p"))] == [1.0, 0.0, 0.0]


def test_failures_stand_by_severity_and_results_by_outcome() -> None:
    one = standing("p", FAILS, WAIVED)

    assert figure("auditor_findings_failing", one, target="p", severity="critical") == 1.0
    assert figure("auditor_findings_failing", one, target="p", severity="low") == 0.0  # it is waived
    assert figure("auditor_results", one, target="p", outcome="waived") == 1.0
    assert figure("auditor_results", one, target="p", outcome="pass") == 4.0


def test_times_are_seconds_and_never_rounded() -> None:
    later = replace(never("q"), last_seen=None)

    assert figure("auditor_last_success_timestamp_seconds", standing("p"), later, target="p") == AT.timestamp()
    assert figure("auditor_last_success_timestamp_seconds", later, target="q") is None
    assert figure("auditor_last_sweep_timestamp_seconds", standing("p"), unread("q")) == AT.timestamp() + 1
    assert figure("auditor_last_sweep_timestamp_seconds", never()) is None
    assert figure("auditor_read_duration_seconds", standing("p"), target="p") == 0.412
    assert b"1794907801.0\n" in render_prometheus(view([unread()], engine_version="1"))


def test_a_waiver_counts_its_days_down() -> None:
    family = of_waivers([WAIVER, BARE], at=AT)

    assert [values[0] for values, _ in family.samples] == ["CFG-006", "CFG-009"]
    assert [round(days, 3) for _, days in family.samples] == [44.604, 14.312]


def test_every_sample_has_a_value_for_each_label() -> None:
    standings = [target.standing for target in specimen().targets]

    for family in (*of_targets(standings), of_waivers([WAIVER], at=AT)):
        assert {len(values) for values, _ in family.samples} <= {len(family.labels)}, family.name


def test_every_family_says_what_it_is_even_where_it_has_no_figure() -> None:
    names = {
        name: [line.split()[2] for line in render_prometheus(make()).decode().splitlines() if line.startswith("# TYPE")]
        for name, make in VIEWS.items()
    }

    assert all(told[:8] == names["report"][:8] for told in names.values())
    assert {name: told[8:] for name, told in names.items()} == {
        name: ["auditor_waiver_days_left"] if name in ("report", "alone", "sound") else [] for name in VIEWS
    }
