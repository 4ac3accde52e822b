"""Starts the command line: `python -m auditor`, and the installed command `auditor`."""

import gc
import os
import sys

INTERRUPTED = 130


def main() -> None:
    # pydantic runs whatever installed package calls itself a plugin of it, and reads the entry points of all of them to find out
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    # A run allocates a million objects and leaves hardly a cycle: to look for some after each 700 takes a tenth of a check.
    gc.set_threshold(50_000)
    from auditor.cli import run

    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        # Reads that still wait for a server are left behind: what they would record is one transaction, there or not there.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
