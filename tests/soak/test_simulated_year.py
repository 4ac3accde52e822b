"""A year of fifteen servers at 15 minutes: every slot accounted for, memory flat, and what an unchanged observation costs in the file.

Each slot of the year is accounted for, more than half a million; about one in thirty is read (a busy pool, outages), the others are missed, since a
read takes milliseconds and a year of them hours.
"""

import ctypes
import gc
import logging
import random
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from auditor.core.ledger import Kind
from tests.e2e.storybook import FAULTS, Fleet
from tests.naive import Plan

BEGINS = datetime(2026, 1, 1, 0, 7, tzinfo=UTC)
DAYS = 366
MAX_GROWTH_BYTES = 5 * 1024 * 1024
MAX_OBSERVATION_BYTES = 200
UNCHANGED = 200
"""So many rounds of unchanged reads are measured."""


def resident_bytes(fleet: Fleet) -> int:
    """What the process holds, less what is free to be used again: pages that SQLite keeps at hand, up to 2 MiB a connection, and the allocator's."""
    assert fleet.app is not None
    with ExitStack() as stack:
        engine = fleet.app.store._engine
        for connection in [stack.enter_context(engine.connect()) for _ in range(engine.pool.checkedin())]:  # type: ignore[attr-defined]
            connection.execute(text("PRAGMA shrink_memory"))
    gc.collect()
    with suppress(AttributeError, OSError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def file_bytes(fleet: Fleet) -> int:
    assert fleet.app is not None
    with fleet.app.store._engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    return (fleet.folder / "auditor.db").stat().st_size


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads its memory from /proc")
def test_a_year_is_accounted_for_to_the_slot_in_memory_that_does_not_grow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "auditor")  # pytest would keep each warning of the year
    fleet = Fleet(tmp_path, BEGINS, random.Random(365), takes=(0.0, 3.0), minutes=(DAYS + 9) * 24 * 60)
    servers = [fleet.add(f"cmd{number:02}", Plan(every_min=15)) for number in range(15)]
    fleet.start()
    fleet.serve()
    ends, chance, early = BEGINS + timedelta(days=DAYS), fleet.random, 0
    while fleet.at < ends:
        fleet.at += timedelta(minutes=chance.choice([15, 30, 60, 90, 120, 120]))
        dice = chance.random()
        if dice < 0.02:
            fleet.edit(chance.choice(servers), "Port", chance.choice([587, 465, 25]))
        elif dice < 0.023:
            fleet.restart()
        elif dice < 0.0235:
            fleet.policy_version += fleet.policy_version < 12
            fleet.restart()
        elif dice < 0.0245:
            fleet.stop()
            fleet.at += timedelta(hours=chance.uniform(1, 30))
            fleet.start()
        elif dice < 0.0265:
            fleet.at += chance.choice([timedelta(hours=-1), timedelta(minutes=-7), timedelta(hours=2)])
            fleet.epoch += 1
            fleet.stand_still()
        elif dice < 0.028:
            server = chance.choice(servers)
            today = fleet.at.date()
            plans = (Plan(every_min=15), Plan(every_min=10), replace(server.plan, paused_until=today + timedelta(days=2)), OFFICE)
            server.plan = chance.choice(plans)
            fleet.restart()
        elif dice < 0.0285:
            server = chance.choice(servers)
            server.renamed_from, server.name = server.name, f"{server.key}-{fleet.at:%Y%m%d%H%M}"
            fleet.restart()
        if dice > 0.998:
            fleet.serve(0.5, crash_after=1)
        else:
            fleet.serve(0.17, fault=chance.choice(FAULTS) if dice > 0.95 else "")
        if not early and fleet.at > BEGINS + timedelta(days=DAYS / 10):
            early = resident_bytes(fleet)
    late = resident_bytes(fleet)
    for server in servers:
        server.plan = Plan(every_min=15)
    fleet.restart()
    fleet.at += timedelta(hours=3)
    fleet.serve()
    before, reads = file_bytes(fleet), sum(server.reads for server in servers)
    for _ in range(UNCHANGED):
        fleet.at += timedelta(minutes=15)
        fleet.serve()
    unchanged = sum(server.reads for server in servers) - reads
    each = (file_bytes(fleet) - before) / unchanged
    fleet.restart()
    accounted, counts = fleet.account(BEGINS), fleet.records()
    events = fleet.drift()
    with capsys.disabled():
        print(f"\n{accounted} slots accounted for, {sum(server.reads for server in servers)} reads, {len(events)} drift events, ledger verified:")
        print(
            f"  {sum(counts.values())} records; {file_bytes(fleet) / 2**20:.1f} MiB; {each:.0f} bytes an unchanged observation ({unchanged} measured)"
        )
        print(f"  memory {early / 2**20:.1f} MiB after a tenth of the year, {late / 2**20:.1f} MiB at its end")
    assert unchanged == UNCHANGED * len(servers)
    assert accounted >= 500_000
    assert counts[Kind.SLOT] > 12_000
    assert late - early < MAX_GROWTH_BYTES
    assert each <= MAX_OBSERVATION_BYTES
    fleet.stop()


OFFICE = Plan(local=tuple(time(hour, 5) for hour in range(6, 20)), zone="America/New_York")
