"""A week of twenty servers in seconds: what the auditor recorded is compared with what the story knows, slot by slot and edit by edit."""

import random
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from auditor.core.ledger import Kind
from auditor.core.model import CONFIGURED, EventState
from tests.e2e.storybook import FAULTS, Fleet, Server
from tests.naive import Plan

BEGINS = datetime(2026, 3, 2, 0, 7, tzinfo=UTC)
QUARTERLY = Plan(every_min=15)
VALUES = {"Port": (587, 465, 25), "SenderName": ("Certificate Services", "PKI", "IT"), "UseSSL": (True, False)}


def edit(fleet: Fleet, server: Server) -> None:
    name = fleet.random.choice(sorted(VALUES))
    fleet.edit(server, name, fleet.random.choice([value for value in VALUES[name] if value != server.simulator.smtp[name]]))


def set_clock(fleet: Fleet, by: timedelta) -> None:
    """The clock jumps under a running auditor, which notices."""
    fleet.at += by
    fleet.epoch += 1
    fleet.stand_still()


def reconfigure(fleet: Fleet, server: Server, plan: Plan) -> None:
    server.plan = plan
    fleet.restart()


def test_a_week_of_twenty_targets_is_accounted_for_to_the_slot_and_the_edit(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, BEGINS, random.Random(20261124), takes=(0.0, 25.0))
    servers = [fleet.add(f"cmd{number:02}", QUARTERLY) for number in range(20)]
    fleet.start()
    fleet.serve()

    def rename() -> None:
        servers[3].renamed_from, servers[3].name = servers[3].name, "munich"
        fleet.restart()

    def leave_or_return(*, is_there: bool) -> None:
        servers[7].is_configured = is_there
        fleet.restart()

    def new_policy() -> None:
        fleet.policy_version += 1
        fleet.restart()

    def outage(hours: float) -> None:
        fleet.stop()
        fleet.at += timedelta(hours=hours)
        fleet.start()

    def wrong_clock() -> None:
        set_clock(fleet, timedelta(hours=3))
        fleet.serve(0.3)
        set_clock(fleet, -timedelta(hours=3))

    def fault_each() -> None:
        for fault in FAULTS:
            fleet.at += timedelta(minutes=15)
            fleet.serve(0.1, fault=fault)

    day = BEGINS.date()
    acts = {
        9: fault_each,
        40: lambda: outage(5.5),
        70: lambda: fleet.vanish(servers[11]),
        115: lambda: fleet.vanish(servers[11], back=True),
        120: lambda: set_clock(fleet, -timedelta(hours=1)),
        150: rename,
        170: lambda: reconfigure(fleet, servers[5], replace(QUARTERLY, paused_until=day + timedelta(days=4))),
        200: lambda: reconfigure(fleet, servers[6], replace(QUARTERLY, retired_on=day + timedelta(days=3))),
        230: lambda: leave_or_return(is_there=False),
        260: wrong_clock,
        300: lambda: reconfigure(fleet, servers[8], Plan(every_min=10)),
        330: lambda: set_clock(fleet, timedelta(hours=2)),
        360: new_policy,
        400: lambda: leave_or_return(is_there=True),
        430: lambda: reconfigure(fleet, servers[9], Plan(local=(time(7), time(19)), zone="Asia/Kolkata")),
        460: lambda: outage(0.01),
        500: lambda: fleet.check_by_hand(servers[0]),
        530: lambda: set_clock(fleet, -timedelta(minutes=10)),
        531: lambda: reconfigure(fleet, servers[8], Plan(every_min=5)),
        560: fault_each,
    }
    steps, ends = 0, BEGINS + timedelta(days=7)
    while fleet.at < ends:
        steps += 1
        fleet.at += timedelta(seconds=fleet.random.choice([30, 840, 900, 900, 900]))
        acts.get(steps, lambda: None)()
        if fleet.random.random() < 0.15:
            edit(fleet, fleet.random.choice(servers))
        if fleet.random.random() < 0.01:
            fleet.restart()
        chance = fleet.random.random()
        if chance < 0.02:
            fleet.serve(0.4, crash_after=fleet.random.randrange(3))
        else:
            fleet.serve(1.0 if chance > 0.995 else 0.05, fault=fleet.random.choice(FAULTS) if chance < 0.1 else "")
    assert steps > max(acts)
    fleet.restart()
    fleet.serve()
    fleet.restart()
    accounted = fleet.account(BEGINS)
    assert accounted > 12_000
    met = fleet.faults_met
    assert {*FAULTS, "backing_off", ""} <= met.keys(), "every outcome was met"
    counts = fleet.records()
    assert counts[Kind.MISSED] > 100
    assert counts[Kind.POLICY] >= len(servers), "each target was judged by a new policy"
    events = fleet.drift()
    assert {event.state for event in events} == {EventState.OPEN, EventState.RETURNED, EventState.SUPERSEDED}
    assert CONFIGURED in {event.field for event in events}
    assert len(events) > 20
    fleet.stop()


BERLIN_NIGHT = Plan(local=(time(2, 30),), zone="Europe/Berlin")
BERLIN_QUARTERLY = Plan(local=tuple(time(hour, minute) for hour in range(24) for minute in (0, 15, 30, 45)), zone="Europe/Berlin")
NEW_YORK = Plan(local=(time(1, 30), time(2, 30)), zone="America/New_York")


@pytest.mark.parametrize(
    ("switch", "nightly", "quarterly"),
    [
        (datetime(2026, 3, 29, tzinfo=UTC), ["29 01:30", "30 00:30"], 96 * 2),
        (datetime(2026, 10, 25, tzinfo=UTC), ["25 00:30", "26 01:30"], 96 * 2 - 4),
        (datetime(2026, 3, 8, tzinfo=UTC), ["08 01:30", "09 01:30"], 96 * 2),
        (datetime(2026, 11, 1, tzinfo=UTC), ["01 01:30", "02 01:30"], 96 * 2),
    ],
    ids=["spring in Berlin", "autumn in Berlin", "spring in New York", "autumn in New York"],
)
def test_both_changes_to_and_from_summer_time_are_accounted_for_to_the_slot(
    tmp_path: Path, switch: datetime, nightly: list[str], quarterly: int
) -> None:
    begins = switch - timedelta(hours=1)
    fleet = Fleet(tmp_path, begins, random.Random(int(switch.timestamp())), takes=(0.0, 90.0))
    night, often, york = fleet.add("night", BERLIN_NIGHT), fleet.add("often", BERLIN_QUARTERLY), fleet.add("york", NEW_YORK)
    fleet.start()
    fleet.serve()
    while fleet.at < begins + timedelta(days=2):
        fleet.at += timedelta(seconds=fleet.random.choice([60, 900, 1800]))
        fleet.serve(0.3, fault=fleet.random.choice(["", "", "", "timeout"]))
    fleet.restart()
    fleet.account(begins)
    fleet.records()
    until = begins + timedelta(days=2)
    assert [f"{slot:%d %H:%M}" for slot in night.own.owed(until)] == nightly
    assert len([slot for slot in often.own.owed(until) if slot > begins]) == quarterly
    assert 3 <= len(list(york.own.owed(until))) <= 4, "two a day, but for the hour that New York skips"
    fleet.stop()
