"""Starts the command line: `python -m auditor`, and the installed command `auditor`."""

import sys


def main() -> None:
    from auditor.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
