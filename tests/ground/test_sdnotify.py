"""What systemd hears of us: messages on a stand-in for its datagram socket, and silence where there is none."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditor import sdnotify

pytestmark = [pytest.mark.platform_only, pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd's socket is a Unix one")]
_on_linux = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")

_CALLS: list[Callable[[], bool]] = [sdnotify.ready, lambda: sdnotify.status("x"), sdnotify.alive, sdnotify.stopping, sdnotify.reloading]


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket that stands where systemd's would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield ear


@pytest.mark.parametrize(
    ("call", "heard"),
    [
        (sdnotify.ready, b"READY=1"),
        (lambda: sdnotify.ready("3 targets"), b"READY=1\nSTATUS=3 targets"),
        (lambda: sdnotify.status("reading prod"), b"STATUS=reading prod"),
        (sdnotify.alive, b"WATCHDOG=1"),
        (sdnotify.stopping, b"STOPPING=1"),
        (lambda: sdnotify.status("prod-\N{LATIN SMALL LETTER U WITH DIAERESIS} \ud800"), b"STATUS=prod-\xc3\xbc ?"),
    ],
    ids=["ready", "ready, with a status", "status", "alive", "stopping", "a status that is no UTF-8"],
)
def test_each_call_is_one_message_of_the_protocol(manager: socket.socket, call: Callable[[], bool], heard: bytes) -> None:
    assert call() is True
    assert manager.recv(4096) == heard


def test_a_reload_says_when_it_began_by_the_clock_that_systemd_compares_with(manager: socket.socket) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert sdnotify.reloading()
    first, second = manager.recv(4096).decode().split("\n")
    name, began = second.split("=")
    assert (first, name) == ("RELOADING=1", "MONOTONIC_USEC")
    assert before <= int(began) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_status_cannot_smuggle_in_another_message(manager: socket.socket) -> None:
    sdnotify.status("configuration is wrong:\nSTOPPING=1\r\nFDSTORE=1")
    assert manager.recv(4096) == b"STATUS=configuration is wrong: STOPPING=1 FDSTORE=1"


@_on_linux
def test_a_socket_in_the_abstract_namespace_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"auditor-test-{os.getpid()}-{os.urandom(4).hex()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0{name}")
        ear.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        assert sdnotify.ready()
        assert ear.recv(4096) == b"READY=1"


@pytest.mark.parametrize(
    "address",
    [None, "", "relative", "vsock:2:1234", "/nowhere/notify", "/" + "x" * 300, "@" + "x" * 300, "/tmp", "/dev/null"],
    ids=["none", "empty", "relative", "vsock", "nobody there", "too long", "too long, abstract", "a folder", "no socket"],
)
def test_where_nobody_listens_nothing_happens(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert [call() for call in _CALLS] == [False] * len(_CALLS)


@_on_linux
def test_a_manager_that_does_not_read_holds_nobody_up_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr(sdnotify, "SEND_TIMEOUT_S", 0.05)
        begin = time.monotonic()
        heard = 0
        while sdnotify.alive():
            heard += 1
            assert time.monotonic() - begin < 30, "its queue takes everything"
        assert heard > 0


def test_a_system_without_unix_sockets_is_told_nothing() -> None:
    program = "import socket\nif hasattr(socket, 'AF_UNIX'):\n    del socket.AF_UNIX\nfrom auditor import sdnotify\nprint(sdnotify.ready('x'))"
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=os.environ | {"NOTIFY_SOCKET": "/run/x"}, timeout=60
    )
    assert run.stdout == "False\n"


@pytest.mark.parametrize(
    ("limit_us", "pid", "period_s"),
    [
        ("60000000", None, 30.0),
        ("60000000", "ours", 30.0),
        ("60000000", "1", None),
        (None, None, None),
        ("0", None, None),
        ("1", None, 0.0000005),
        ("-5", None, None),
        ("soon", None, None),
        ("\N{SUPERSCRIPT TWO}", None, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_systemd_asks(
    monkeypatch: pytest.MonkeyPatch, limit_us: str | None, pid: str | None, period_s: float | None
) -> None:
    for name, value in (("WATCHDOG_USEC", limit_us), ("WATCHDOG_PID", str(os.getpid()) if pid == "ours" else pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert sdnotify.feed_every_s() == period_s
