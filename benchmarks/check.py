"""How long a cold `auditor check` of one loopback target takes, TLS, HTML report and all, as a whole process. Budget: below 0.6 s.

Beside it, in turn: a process that imports what the check cannot do without (httpx, SQLAlchemy, pydantic, Jinja2) and does nothing.
"""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from timing import HEADER, command, paired, row

from auditor.simulator.ca import PrivateCa
from auditor.simulator.command import Simulator
from auditor.simulator.server import ServerTls, serve

AUDITOR = str(Path(sys.executable).with_name("auditor"))
CONFIG = """\
targets:
- {{name: bench, url: {url}, ca_file: root.pem, auth: {{type: basic, username: 'CORP\\svc', password: env:BENCH_PASSWORD}}}}
"""


def main() -> None:
    now = datetime.now(UTC)
    authority = PrivateCa.create(at=now)
    issued = authority.issue(["127.0.0.1"], valid_from=now - timedelta(hours=1), valid_until=now + timedelta(hours=1))
    simulator = Simulator()
    simulator.accounts.add_user(r"CORP\svc", "bench")
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(simulator, tls=ServerTls(certificate_pem=issued.certificate_pem, key_pem=issued.key_pem)) as url,
    ):
        config = Path(folder) / "auditor.yaml"
        config.write_text(CONFIG.format(url=url), encoding="utf-8")
        (Path(folder) / "root.pem").write_bytes(authority.certificate_pem)
        check = command(AUDITOR, "--config", str(config), "check", "--output", f"html={folder}/report.html", env={"BENCH_PASSWORD": "bench"})
        imports = command(sys.executable, "-c", "import click, httpx, sqlalchemy, pydantic, jinja2, yaml")
        ours, floor, ratios = paired(check, imports, runs=11)
    print(HEADER)
    print(row("auditor check, one target, HTML (budget: 0.6)", ours))
    print(row("python -c 'import click, httpx, ...'", floor))
    print(row("ratio, pair by pair", ratios, "x"))


if __name__ == "__main__":
    main()
