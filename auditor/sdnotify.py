"""Tells systemd how this process stands (sd_notify(3)), over the socket that NOTIFY_SOCKET names; without one, and on Windows, it does nothing.

Nothing here raises: that nobody can be told is no reason to stop working. Each call says whether the message was taken.
"""

import os
import socket
import time

SEND_TIMEOUT_S = 1.0
"""A service manager that does not read its socket must not hold up who talks to it."""


def ready(status: str = "") -> bool:
    """The start, or a reload that was begun with `reloading`, is over; `status` is one line for `systemctl status`."""
    return _send("READY=1", *([_status(status)] if status else []))


def status(text: str) -> bool:
    """Show `text`, as one line, in `systemctl status`."""
    return _send(_status(text))


def alive() -> bool:
    """Feed the watchdog; systemd kills a service that stays silent for longer than its WatchdogSec."""
    return _send("WATCHDOG=1")


def stopping() -> bool:
    """The end has begun: running reads are finished."""
    return _send("STOPPING=1")


def reloading() -> bool:
    """The configuration is read anew; `ready` has to follow, whatever came of it. The time tells systemd that it was not a reload before."""
    return _send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def feed_every_s() -> float | None:
    """How often to call `alive`, in seconds: half of what systemd waits, as sd_watchdog_enabled(3) advises. None where no watchdog is set for us."""
    limit_us, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    is_ours = not pid or pid == str(os.getpid())
    return int(limit_us) / 2_000_000 if is_ours and limit_us.isascii() and limit_us.isdecimal() and int(limit_us) > 0 else None


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}"  # a line of its own would be another message


def _send(*assignments: str) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return False
    where = f"\0{address[1:]}" if address.startswith("@") else address  # "@": the abstract namespace of Linux
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.settimeout(SEND_TIMEOUT_S)
            way.connect(os.fsencode(where))
            way.sendall("\n".join(assignments).encode("utf-8", "replace"))
    except (OSError, ValueError):  # ValueError: a name that is none, with NUL in it
        return False
    return True
