"""Starts the command line: `python -m auditor`, and the installed command `auditor`."""

import gc
import os
import sys


def main() -> None:
    # pydantic runs whatever installed package calls itself a plugin of it, and reads the entry points of all of them to find out
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    # A run allocates a million objects and leaves hardly a cycle: to look for some after each 700 takes a tenth of a check.
    gc.set_threshold(50_000)
    from auditor.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
