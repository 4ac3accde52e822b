"""A command pays for what it uses: what `auditor --version` must not import, and what no module may need to be imported at all."""

import json
import subprocess
import sys

_HEAVY = {"alembic", "apscheduler", "cryptography", "httpx", "jinja2", "pydantic", "rich", "sqlalchemy"}

_VERSION = """
import json, sys
from auditor.cli import run
code = run(["--version"])
print(json.dumps({"code": code, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""

_WITHOUT_POSIX = """
import builtins, importlib, json, pkgutil, signal, sys

for posix_only in {"SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"} & set(dir(signal)):
    delattr(signal, posix_only)

real_import = builtins.__import__

def windows_import(name, globals=None, *rest):
    # Only our own imports meet the barrier: the standard library has its own ways around what a platform lacks.
    if (globals or {}).get("__name__", "").startswith("auditor") and name.split(".")[0] in {"fcntl", "grp", "pwd", "resource", "termios"}:
        raise ImportError(f"no module named {name} on this platform")
    return real_import(name, globals, *rest)

builtins.__import__ = windows_import
stopped = []
for probe in ("import fcntl", "from termios import tcgetattr", "from signal import SIGHUP"):
    try:
        exec(probe, {"__name__": "auditor.probe"})
    except ImportError:
        stopped.append(probe)
import auditor
names = ["auditor", *(module.name for module in pkgutil.walk_packages(auditor.__path__, "auditor.", onerror=lambda _: None))]
failed = {}
for name in names:
    try:
        importlib.import_module(name)
    except Exception as failure:
        failed[name] = repr(failure)
print(json.dumps({"names": names, "failed": failed, "stopped": len(stopped)}))
"""


def _run(program: str) -> tuple[list[str], dict[str, object]]:
    """What `program` printed, its last line read as JSON."""
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, encoding="utf-8", timeout=60)
    *lines, last = run.stdout.splitlines()
    return lines, json.loads(last)


def test_asking_for_the_version_imports_nothing_heavy() -> None:
    from auditor import __version__

    lines, result = _run(_VERSION)

    assert (lines, result["code"]) == ([f"auditor {__version__}"], 0)
    assert isinstance(result["modules"], list)
    assert _HEAVY & set(result["modules"]) == set()


def test_every_module_imports_where_the_posix_modules_and_signals_are_missing() -> None:
    _, result = _run(_WITHOUT_POSIX)

    assert result["stopped"] == 3, "what is tested must meet the barrier"
    assert isinstance(result["names"], list)
    assert {"auditor.core.model", "auditor.cli", "auditor.store"} <= set(result["names"])
    assert result["failed"] == {}
