"""`auditor doctor` against every fault of the simulator, which lists them itself: each shows in the right line, with the right next step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import get_args

import pytest

from auditor.simulator.accounts import READ_AUDIT_LOG, READ_PAM, READ_SYSTEM_SETTINGS
from auditor.simulator.command import TOKEN_PATH, NotConfigured, Simulator, Unsupported, Where
from auditor.simulator.profile import COMMAND_10, COMMAND_25_4, Showing
from tests.e2e.conftest import Site
from tests.e2e.test_doctor import doctor


@dataclass(frozen=True)
class Fault:
    """What is done to a server, and the line of the doctor that shows it: `ok` where it is none of the doctor's business."""

    arrange: Callable[[Site], object]
    line: str
    status: str
    next_step: str = ""


def _all(site: Site) -> None:
    """Everything that the doctor looks at is on: a token, the audit log, PAM."""
    permissions = (READ_SYSTEM_SETTINGS, READ_AUDIT_LOG, READ_PAM)
    site.simulator.accounts.add_client("auditor", site.password, scopes=["read"], permissions=permissions)
    auth = f"{{type: oauth, token_url: '{site.url}{TOKEN_PATH}', client_id: auditor, client_secret: env:E2E_PASSWORD}}"
    site.configure(auth=auth, attribution="true", pam_providers="true")


def _set(name: str, value: object) -> Callable[[Site], None]:
    return lambda site: setattr(site.simulator, name, value)


def _ahead(hours: int) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + timedelta(hours=hours)


AT: dict[Where, tuple[str, str]] = {
    "smtp": ("answer", "its log"),
    "token": ("token", "token"),
    "audit": ("audit log", "turn `attribution` off"),
    "pam": ("pam providers", "turn `pam_providers` off"),
    "validate": ("answer", ""),
}
"""The line that shows trouble at each address of the simulator. Whether entries are genuine is asked after a change, not by the doctor."""

SHOWN: dict[Showing, str] = dict.fromkeys(Showing, "ok")
"""How a secret looks is for the rules to judge."""

ANSWERS: dict[int, tuple[str, str]] = {
    302: ("answer", "`url` and `api_path`"),
    400: ("answer", "its log"),
    401: ("login", "user, password"),
    403: ("permission", "/system_settings/read/"),
    404: ("answer", "`api_path`"),
    405: ("answer", "its log"),
    429: ("answer", "schedule slower"),
    500: ("answer", "its log"),
    503: ("answer", "its log"),
}


def _faults() -> Iterator[tuple[str, str, Fault]]:
    for status, (line, step) in ANSWERS.items():
        yield "fail_with", str(status), Fault(partial(lambda site, status: site.simulator.fail_with(status), status=status), line, "fail", step)
    for where, (line, step) in AT.items():
        status = "fail" if step else "ok"
        yield "fail_with", where, Fault(partial(lambda site, where: site.simulator.fail_with(503, where=where), where=where), line, status, step)
        login_page = partial(lambda site, where: site.simulator.answer_with(200, {"Content-Type": "text/html"}, b"<html>", where=where), where=where)
        yield "answer_with", where, Fault(login_page, line, status, "login page" if where == "smtp" else step)
    yield "deny", "everybody", Fault(lambda site: site.simulator.deny(), "permission", "fail", "/system_settings/read/")
    for form in NotConfigured:
        yield "not_configured", form, Fault(_set("not_configured", form), "profile", "warn", "CFG-035")
    future = replace(COMMAND_25_4, product_version="99.1", api_versions=("3.0",))
    yield "release", "future", Fault(_set("release", future), "api", "fail", "out of date")
    yield "release", "10", Fault(_set("release", COMMAND_10), "api", "ok")
    for form in Unsupported:
        yield "unsupported_form", f"{form} of the future", Fault(_both(release=future, unsupported_form=form), "api", "fail", "out of date")
        yield "unsupported_form", f"{form} of v1", Fault(_both(release=COMMAND_10, unsupported_form=form), "api", "ok")
    for code in (400, 404, 406):
        yield "unsupported_status", str(code), Fault(_both(release=COMMAND_10, unsupported_status=code), "api", "ok")
    for hours in (-1, 1):
        yield "clock", f"{hours}h", Fault(_set("clock", _ahead(hours)), "clock", "warn", "NTP")
    yield "api_path", "elsewhere", Fault(_set("api_path", "Elsewhere"), "answer", "fail", "`api_path`")
    yield "accounts", "unknown", Fault(lambda site: site.simulator.accounts.remove("auditor"), "token", "fail", "client_secret")
    for showing, status in SHOWN.items():
        shown = partial(lambda site, how: site.simulator.showing.update(dict.fromkeys(site.simulator.showing, how)), how=showing)
        yield "showing", showing.name, Fault(shown, "profile", status)
    yield "strict_queries", "on", Fault(_set("strict_queries", True), "audit log", "ok")
    yield "total_count", "off", Fault(_set("total_count", False), "audit log", "ok")


def _both(**attributes: object) -> Callable[[Site], None]:
    def arrange(site: Site) -> None:
        for name, value in attributes.items():
            setattr(site.simulator, name, value)

    return arrange


FAULTS = list(_faults())
HARMLESS = {
    "smtp": "what the profile says is judged by rules",
    "editing": "the same",
    "audit_log": "what it holds is looked at after a change",
    "pam_providers": "what they are is judged by rules",
    "recover": "the end of faults",
    "requests": "what was seen",
    "forget_requests": "what was seen",
}


@pytest.mark.parametrize(("fault"), [pytest.param(fault, id=f"{member}-{case}") for member, case, fault in FAULTS])
def test_every_fault_of_the_simulator_shows_in_its_line_with_the_right_next_step(site: Site, fault: Fault) -> None:
    _all(site)
    fault.arrange(site)
    told = doctor(site)
    line = told.line(fault.line)
    assert (line["status"], told.failed()) == (fault.status, [fault.line] if fault.status == "fail" else []), line
    assert fault.next_step in line["next_step"], line
    assert told.code == (1 if fault.status == "fail" else 0)


def test_whatever_can_be_set_in_the_simulator_is_expected_here() -> None:
    """A fault that is new there fails here, until the doctor is asked about it."""
    members = {name for name in {*dir(Simulator), *vars(Simulator())} if not name.startswith("_")}
    assert members == {member for member, _, _ in FAULTS} | HARMLESS.keys()
    assert AT.keys() == {*get_args(Where)}
    assert {case for member, case, _ in FAULTS if member == "not_configured"} == {*NotConfigured}
    assert {case for member, case, _ in FAULTS if member == "showing"} == {showing.name for showing in Showing}
