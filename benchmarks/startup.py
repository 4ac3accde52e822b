"""How long `auditor --version` takes beside `python -c "import click"`, both as whole processes. Budget: below 2 x."""

import sys
from pathlib import Path

from timing import HEADER, command, paired, row

AUDITOR = str(Path(sys.executable).with_name("auditor"))


def main() -> None:
    ours, click, ratios = paired(command(AUDITOR, "--version"), command(sys.executable, "-c", "import click"), runs=15)
    print(HEADER)
    print(row("auditor --version", ours))
    print(row('python -c "import click"', click))
    print(row("ratio, pair by pair (budget: below 2)", ratios, "x"))


if __name__ == "__main__":
    main()
