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
    assert site.run("check")[0] == 0
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    whole_s = time.perf_counter() - begin
    moments, killed = random.Random(47), 0
    for number in range(KILLS):
        site.simulator.smtp["SenderName"] = f"Certificate Services {number}"  # each run has a new snapshot and judgement to write
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(whole_s * moments.uniform(0.5, 1.0))
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        with sqlite3.connect(site.database) as connection:
            assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
            assert connection.execute("pragma foreign_key_check").fetchall() == []
            written = [connection.execute(f"select count(*) from {table}").fetchone()[0] for table in ("snapshots", "findings", "judgements")]
            distinct = connection.execute("select count(distinct snapshot_id) from observations").fetchone()[0]
        connection.close()
        assert written[0] == distinct, "a snapshot without its observation would be half a record"
        assert written[2] == distinct
        code, _out, err = site.run("show", "prod", "--output", "json=-")
        assert code == 0, err
    assert killed > 0, "some kills must have met a running check"
    site.simulator.smtp["SenderName"] = "Certificate Services"
    assert site.run("check")[0] == 0
