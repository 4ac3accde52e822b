"""Size, time and memory of the report on 1, 100, 1,000 and 10,000 servers, each measured in a process of its own, and how a browser takes it.

A week of daily reads of every server is recorded straight into the database (the reads themselves are `benchmarks/sweep.py`'s subject): one server
in twenty fails, one in fifty cannot be read, one in a hundred changed. Time is told apart: reading the record, making the page, writing the pages
of the servers beside it. `--quick` leaves the pages of single servers out.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SIZES = (1, 100, 1000, 10_000)
MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
DAYS = 3
BUDGET_BYTES, BUDGET_RENDER_S, BUDGET_INTERACTIVE_S, BUDGET_MEMORY_MB = 2_000_000, 3.0, 1.0, 250
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def fill(folder: Path, servers: int) -> None:
    """A database of `servers` servers with a week on record."""
    from auditor.core.canonical import digest
    from auditor.core.coverage import MissedBecause, Terms
    from auditor.core.model import (
        Assessment,
        Collection,
        Finding,
        Judgement,
        Leaf,
        Level,
        Memory,
        Observation,
        ReadOutcome,
        RuleOutcome,
        Schedule,
        Severity,
        State,
        TargetText,
        Verdict,
    )
    from auditor.core.notices import Alerting
    from auditor.store import recording, sqlite
    from auditor.store.calendar import Planned
    from auditor.store.store import Store
    from tests.factories import snapshot

    rules = [f"CFG-{number:03}" for number in range(1, 51)]
    policy = {
        "name": "bench",
        "title": "Fifty rules",
        "version": 1,
        "vars": {},
        "var_types": {},
        "rules": [
            {
                "id": rule,
                "title": f"The setting that rule {rule} speaks of is as it should be",
                "severity": [{"when": None, "is": "high"}],
                "when": None,
                "require": {"fact": ("UseSSL", "Host", "SenderAccount", "ClientSecret", "TokenEndpoint")[number % 5], "operator": "equals"},
                "on_missing": "fail",
                "rationale": "Why it should be so, in two lines of text as a rule has them, since that is what a page is made of for the most part.",
                "remediation": "System Settings > SMTP Configuration: set it as it should be, save, and send a test mail.",
                "references": ["RFC 8314 section 4"],
                "controls": {"nist-800-53r5": ["SC-8", f"AC-{number % 9}"], "iso-27001-2022": ["8.24"]},
            }
            for number, rule in enumerate(rules)
        ],
    }
    mark, good, moved = digest(policy), snapshot(), snapshot(Host="smtp.elsewhere.example")
    leaf = Leaf(at="require/UseSSL/equals", fact="UseSSL", operator="equals", expected=True, level=Level.FALSE, state=State.VALUE, actual=False)

    def findings(failing: int, unknown: bool) -> tuple[Finding, ...]:
        def outcome(number: int) -> RuleOutcome:
            return RuleOutcome.NOT_EVALUATED if unknown else RuleOutcome.FAIL if number < failing else RuleOutcome.PASS

        return tuple(
            Finding(
                rule=rule,
                outcome=outcome(number),
                as_of=MONDAY.date(),
                severity=None if outcome(number) is RuleOutcome.PASS else Severity.HIGH,
                because=() if outcome(number) is RuleOutcome.PASS else (leaf,),
            )
            for number, rule in enumerate(rules)
        )

    kinds = {(failing, unknown): findings(failing, unknown) for failing, unknown in ((0, False), (3, False), (0, True))}
    with Store.open(f"sqlite:///{folder / 'auditor.db'}", create=True) as store:
        texts = [
            TargetText(name=f"command-{number:05}", url=f"https://command-{number:05}.example.org", owner=f"team {number % 7}")
            for number in range(servers)
        ]
        plan = [Planned(text=text, terms=Terms(since=MONDAY, schedule=Schedule(cron="0 9 * * *"))) for text in texts]
        store.take_stock(plan, MONDAY - timedelta(days=1), because=MissedBecause.NOT_RUNNING)
    engine = sqlite.engine(folder / "auditor.db")
    for day in range(-1, DAYS):
        at = MONDAY + timedelta(days=day)
        with engine.execution_options(writes=True).begin() as connection:  # one transaction a day: a disk is not what is measured
            for number, text in enumerate(texts):
                is_last = day == DAYS - 1
                unknown = is_last and number % 50 == 7
                failing = 3 if number % 20 == 3 else 0
                seen = None if unknown else moved if is_last and number % 100 == 11 else good
                kind = kinds[0 if unknown else failing, unknown]
                outcome = ReadOutcome.FORBIDDEN if unknown else ReadOutcome.OBSERVED
                read = Observation(
                    target=text.name,
                    outcome=outcome,
                    started_at=at + timedelta(seconds=1),
                    ended_at=at + timedelta(seconds=2),
                    slot=at if day >= 0 else None,
                    snapshot=seen,
                    collection=Collection(method="GET", url=f"{text.url}/KeyfactorAPI/SMTP", api_version=2, status=200),
                )
                verdict = Verdict.INDETERMINATE if unknown else Verdict.NON_COMPLIANT if failing else Verdict.COMPLIANT
                judgement = Judgement(key=digest([mark, failing, unknown, seen.digest if seen else None]), policy_digest=mark, findings=kind)
                made = Assessment(observation=read, judgement=judgement, verdict=verdict)
                recording.record(connection, folder / "auditor.db", made, text, policy, Memory(), Alerting(), is_partial=False)
    engine.dispose()


def measure(folder: Path, *, with_pages: bool) -> dict[str, Any]:
    """Make the report of the database in `folder`; what it cost, in this process."""
    from auditor import publish
    from auditor.core.model import Severity
    from auditor.core.period import parse_period
    from auditor.report.html import render_edition
    from auditor.store.store import Store

    due = {Severity.HIGH: 30}
    with Store.open(f"sqlite:///{folder / 'auditor.db'}", create=False) as store:
        names = sorted(store.names_by_number().values())
        from auditor.core.model import TargetText

        asked = publish.Commission(
            targets=tuple(TargetText(name=name, url="https://example.org") for name in names),
            period=parse_period("2026-W47", today=MONDAY.date()),
            stem="report",
            due_days=due,
            index=False,
        )
        began = time.perf_counter()
        made = publish.edition_on(store, asked)
        gathered = time.perf_counter()
        page = render_edition(made, due_days=due)
        rendered = time.perf_counter()
        publish.write(page, folder / "report.html")
        pages = 0.0
        if with_pages and made.is_fleet:
            publish.write_edition(store, asked, folder)
            pages = time.perf_counter() - rendered - (gathered - began) - (rendered - gathered)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"bytes": len(page), "read_s": gathered - began, "render_s": rendered - gathered, "pages_s": pages, "peak_mb": peak}


def browsed(page: Path) -> float | None:
    """Seconds until the page answers in Chromium, a click within it included; None where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    if program is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        tab = browser.new_page()
        tab.goto("about:blank")
        began = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="load")
        tab.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        took = time.perf_counter() - began
        browser.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--measure", type=Path)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(measure(options.measure, with_pages=not options.quick)))
        return
    sys.path.insert(0, str(Path(__file__).parent.parent))
    print(f"{'servers':>8} {'page':>10} {'reading':>9} {'rendering':>10} {'pages beside':>13} {'peak memory':>12} {'in Chromium':>12}")
    for servers in options.sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            fill(folder, servers)
            command = [sys.executable, __file__, "--measure", str(folder), *(["--quick"] if options.quick else [])]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            opened = browsed(folder / "report.html")
        shown = f"{opened:.2f} s" if opened is not None else "-"
        print(
            f"{servers:>8,} {found['bytes'] / 1000:>7,.0f} kB {found['read_s']:>7.2f} s {found['render_s']:>8.2f} s {found['pages_s']:>11.1f} s"
            f" {found['peak_mb']:>9.0f} MB {shown:>12}"
        )
        spent = (found["bytes"], found["render_s"], found["peak_mb"], opened or 0.0)
        allowed = (BUDGET_BYTES, BUDGET_RENDER_S, BUDGET_MEMORY_MB, BUDGET_INTERACTIVE_S)
        missed = [what for what, cost, limit in zip(("page", "rendering", "memory", "browser"), spent, allowed, strict=True) if cost >= limit]
        if missed:
            sys.exit(f"over the budget: {', '.join(missed)}")


if __name__ == "__main__":
    main()
