"""`kill -9` at any moment of a check: the database opens, and nothing in it is half-written."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from tests.e2e.conftest import Site

KILLS = 20


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (POSIX)")
def test_a_check_killed_at_any_moment_leaves_a_sound_database(site: Site) -> None:
    command = [sys.executable, "-m", "auditor", "--config", str(site.config), "check"]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    whole_s = time.perf_counter() - begin
    moments, killed = random.Random(47), 0
    for number in range(KILLS):
        if number % 4 == 0:  # now and then a first check, which makes database and key
            for path in (*site.folder.glob("auditor.db*"), site.folder / "auditor.key"):
                path.unlink(missing_ok=True)
        site.simulator.smtp["SenderName"] = f"Certificate Services {number}"  # each run has a new snapshot and judgement to write
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(whole_s * moments.uniform(0.1, 1.0))
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        assert site.run("check")[0] in (0, 1), "a low change, or none"
        with sqlite3.connect(site.database) as connection:
            assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
            assert connection.execute("pragma foreign_key_check").fetchall() == []
            count = {
                table: connection.execute(f"select count(*) from {table}").fetchone()[0]
                for table in ("snapshots", "findings", "judgements", "changes")
            }
            seen = connection.execute(
                "select count(distinct snapshot_id), count(distinct judgement_id), count(distinct changes_id) from observations"
            )
            snapshots, judgements, changes = seen.fetchone()
            findings = connection.execute("select count(distinct findings_id) from judgements").fetchone()[0]
        connection.close()
        in_use = {"snapshots": snapshots, "findings": findings, "judgements": judgements, "changes": changes}
        assert count == in_use, "a row that nothing refers to would be half a record"
    assert killed >= KILLS // 2, "most kills must have met a running check"
