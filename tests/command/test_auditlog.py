"""The audit log read over HTTP: both dialects of the query, both forms of timestamps, pages, signatures, denials, and far ends that mean no good."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from auditor.command import auditlog, listing
from auditor.command.listing import Dialect, dialects
from auditor.core.attribution import attribute
from auditor.core.model import (
    AttributionVerdict,
    AuditTrail,
    ClientCredentials,
    Memory,
    Naming,
    ReadOutcome,
    SecretRef,
    Signature,
    Target,
    TrailOutcome,
)
from auditor.simulator.accounts import READ_AUDIT_LOG, READ_SYSTEM_SETTINGS
from auditor.simulator.auditlog import CREATED, DELETED, Stamp
from auditor.simulator.command import TOKEN_PATH, Simulator
from auditor.simulator.profile import COMMAND_10, COMMAND_25_4, Release, stored
from tests.command.far_end import COMMAND, NOW, PASSWORD, SECRETS, FarEnd, OurEnd, Reply, Request, drip, reply, target_at

URL = "https://command.corp.example"
ACCOUNT = r"corp.example\auditor"
AFTER, UNTIL = NOW - timedelta(hours=1), NOW
ADMIN = r"CORP\jsmith"


@pytest.fixture
def simulator(ours: OurEnd) -> Simulator:
    simulator = Simulator(clock=lambda: ours.at, seed=7)
    simulator.accounts.add_user(ACCOUNT, PASSWORD, permissions=[READ_SYSTEM_SETTINGS, READ_AUDIT_LOG])
    ours.reader.transport = lambda _: httpx.WSGITransport(simulator)  # type: ignore[arg-type]
    return simulator


@pytest.fixture
def target() -> Target:
    return target_at(URL, attribution=True)


def trail(ours: OurEnd, target: Target, product_version: str | None = "25.4.1+dc0db2c8") -> AuditTrail:
    return ours.reader.audit_trail(target, after=AFTER, until=UNTIL, product_version=product_version)


def minutes_ago(minutes: int) -> datetime:
    return NOW - timedelta(minutes=minutes)


def asked(simulator: Simulator) -> list[str]:
    return [seen.path.removeprefix("/KeyfactorAPI") for seen in simulator.requests]


# --- what is read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", Stamp)
@pytest.mark.parametrize("release", [COMMAND_25_4, COMMAND_10])
@pytest.mark.parametrize("strict", [True, False], ids=["refusing", "passing over"])
@pytest.mark.parametrize("product_version", ["25.4.1", "10.4.5", None])
def test_the_entry_of_a_change_is_found_in_each_edition_whichever_is_tried_first(
    ours: OurEnd, simulator: Simulator, target: Target, release: Release, stamp: Stamp, strict: bool, product_version: str | None
) -> None:
    simulator.release, simulator.audit_log.stamp, simulator.strict_queries = release, stamp, strict
    for minutes in range(300, 65, -1):
        simulator.audit_log.add(at=minutes_ago(minutes), user="somebody earlier")
    at = minutes_ago(20) + timedelta(milliseconds=17)
    id_ = simulator.audit_log.add(at=at, user=ADMIN, identifier="SMTP Configuration")

    found = trail(ours, target, product_version)

    assert (found.outcome, found.complete, found.message, found.clock_offset_ms) == (TrailOutcome.READ, True, "", 0)
    (entry,) = found.entries
    assert asdict(entry) == {
        "id": id_,
        "at": at,
        "user": ADMIN,
        "operation": "Updated",
        "category": "ApplicationSetting",
        "entity_type": "ApplicationSetting",
        "identifier": "SMTP Configuration",
        "named": (Naming.SMTP_IN_IDENTIFIER,),
        "signature": Signature.VALID,
    }


def test_an_edit_of_the_profile_is_laid_to_who_made_it(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    before, memory = ours.reader.observe(target, Memory())
    ours.at += timedelta(minutes=10)
    with simulator.editing(user=ADMIN) as profile:
        profile["Host"] = "smtp.elsewhere.example"
    ours.at += timedelta(minutes=10)
    after, _ = ours.reader.observe(target, memory)

    found = ours.reader.audit_trail(target, after=before.started_at, until=after.started_at)
    laid = attribute(["Host"], not_before=before.started_at, not_after=after.started_at, trail=found)

    assert laid.verdict is AttributionVerdict.ATTRIBUTED
    assert laid.by is not None
    assert (laid.by.user, laid.by.operation, laid.by.at, laid.by.signature) == (ADMIN, "Updated", NOW + timedelta(minutes=10), Signature.VALID)


def test_pages_are_read_to_the_end(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    for n in range(120):
        simulator.audit_log.add(at=minutes_ago(30) + timedelta(seconds=n), user=ADMIN, identifier="Console timeout")

    for simulator.total_count in (True, False):
        simulator.forget_requests()
        found = trail(ours, target)

        assert (len(found.entries), found.complete) == (120, True)
        assert [entry.at for entry in found.entries] == sorted(entry.at for entry in found.entries)
        assert asked(simulator) == ["/Audit"] * (3 if simulator.total_count else 4), "without a count, an empty page is the end"


def test_a_log_without_an_end_is_read_so_far_and_no_further(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    most = listing.MAX_PAGES * listing.PER_PAGE
    for n in range(most + 1):
        simulator.audit_log.add(at=minutes_ago(30) + timedelta(milliseconds=n), user=ADMIN, identifier="Console timeout")

    found = trail(ours, target)

    assert (len(found.entries), found.complete, found.message) == (most, False, f"the list has more than {listing.MAX_PAGES} pages")
    assert found.entries[-1].at == minutes_ago(30) + timedelta(milliseconds=most), "the newest are those that were read"


@pytest.mark.parametrize(("seconds", "names"), [(-3, 0), (-1, 1), (0, 1), (3601, 1), (3603, 0)])
def test_entries_outside_the_interval_are_not_kept(ours: OurEnd, simulator: Simulator, target: Target, seconds: int, names: int) -> None:
    simulator.audit_log.add(at=AFTER + timedelta(seconds=seconds), user=ADMIN)

    assert len(trail(ours, target).entries) == names


def test_what_others_do_in_command_is_not_kept(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.audit_log.add(at=minutes_ago(9), user="enroller", category=2001, identifier="CN=x", message="<m>a@mail.example</m>")
    simulator.audit_log.add(at=minutes_ago(8), user="reader", operation=9)
    simulator.audit_log.add(at=minutes_ago(7), user="denied", category=2012, operation=5, identifier="SMTP")
    kept = simulator.audit_log.add(at=minutes_ago(6), user=None, entity_type=None, identifier=None, message=None)

    (entry,) = trail(ours, target).entries

    assert (entry.id, entry.user, entry.named, entry.signature) == (kept, "", (), Signature.UNCHECKED)
    assert asked(simulator) == ["/Audit"], "only entries that name the profile are validated"


@pytest.mark.parametrize("offset", [timedelta(seconds=7), timedelta(hours=3), timedelta(days=-2)])
def test_the_interval_is_told_by_the_server_s_clock(ours: OurEnd, simulator: Simulator, target: Target, offset: timedelta) -> None:
    simulator.clock = lambda: ours.at + offset
    id_ = simulator.audit_log.add(at=minutes_ago(30) + offset, user=ADMIN)
    simulator.audit_log.add(at=minutes_ago(90) + offset, user="earlier")

    found = trail(ours, target)

    assert found.clock_offset_ms == offset // timedelta(milliseconds=1)
    assert [entry.id for entry in found.entries] == [id_]
    laid = attribute(["Host"], not_before=AFTER, not_after=UNTIL, trail=found)
    assert laid.verdict is AttributionVerdict.ATTRIBUTED


# --- signatures ---------------------------------------------------------------------------------------------------


def test_each_entry_that_names_the_profile_is_validated(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    good = simulator.audit_log.add(at=minutes_ago(9), user=ADMIN, operation=CREATED)
    bad = simulator.audit_log.add(at=minutes_ago(8), user=ADMIN, operation=DELETED)
    simulator.audit_log.add(at=minutes_ago(7), user=ADMIN, identifier="Console timeout")
    simulator.audit_log.invalid.add(bad)

    found = trail(ours, target)

    assert [entry.signature for entry in found.entries] == [Signature.VALID, Signature.INVALID, Signature.UNCHECKED]
    assert asked(simulator) == ["/Audit", f"/Audit/{good}/Validate", f"/Audit/{bad}/Validate"]


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, b"true"), (401, b""), (404, b"true"), (500, b""), (200, b'"true"'), (200, b"1"), (200, b"null"), (200, b"tru"), (200, b"")],
)
def test_where_command_does_not_say_the_signature_is_unchecked_and_it_is_not_asked_on(
    ours: OurEnd, simulator: Simulator, target: Target, status: int, body: bytes
) -> None:
    for minutes in (9, 8):
        simulator.audit_log.add(at=minutes_ago(minutes), user=ADMIN)
    simulator.answer_with(status, body=body, where="validate")

    found = trail(ours, target)

    assert [entry.signature for entry in found.entries] == [Signature.UNCHECKED] * 2
    assert len(asked(simulator)) == 2


def test_no_more_than_so_many_signatures_are_asked_for(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    for n in range(auditlog.MAX_VALIDATED + 1):
        simulator.audit_log.add(at=minutes_ago(30) + timedelta(seconds=n), user=ADMIN)

    signatures = [entry.signature for entry in trail(ours, target).entries]

    assert signatures == [Signature.UNCHECKED, *[Signature.VALID] * auditlog.MAX_VALIDATED]


# --- not permitted, not asked, failed -----------------------------------------------------------------------------


def test_without_the_setting_nothing_is_asked(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    found = trail(ours, replace(target, attribution=False))

    assert found.outcome is TrailOutcome.NOT_ASKED
    assert simulator.requests == ()


def test_without_the_permission_it_is_one_denied_call_and_no_back_off(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.accounts.add_user(ACCOUNT, PASSWORD)

    found = trail(ours, replace(target, attempts=3))
    observation, memory = ours.reader.observe(target, Memory())

    assert (found.outcome, found.entries) == (TrailOutcome.NOT_PERMITTED, ())
    assert found.message == "command.corp.example answered 403 to /Audit: our account lacks the permission /auditing/read/"
    assert asked(simulator) == ["/Audit", "/SMTP"]
    assert (observation.outcome, memory.denied_until) == (ReadOutcome.OBSERVED, None)


def test_a_credential_that_is_not_taken_is_not_permitted_either(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.accounts.remove(ACCOUNT)

    found = trail(ours, target)

    assert (found.outcome, found.message) == (
        TrailOutcome.NOT_PERMITTED,
        "command.corp.example answered 401 to /Audit: it does not take our credential",
    )


def test_a_missing_credential_fails_without_a_request(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    ours.secrets.clear()

    assert (trail(ours, target).outcome, simulator.requests) == (TrailOutcome.FAILED, ())


def test_a_withdrawn_token_is_replaced_once(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    client = ClientCredentials(token_url=URL + TOKEN_PATH, client_id="me", client_secret=SecretRef("env", "CLIENT_SECRET"))
    simulator.accounts.add_client("me", SECRETS["CLIENT_SECRET"], permissions=[READ_AUDIT_LOG])
    oauth = replace(target, auth=client)
    assert trail(ours, oauth).outcome is TrailOutcome.READ
    simulator.accounts.revoke_tokens()

    assert trail(ours, oauth).outcome is TrailOutcome.READ


def test_trouble_that_passes_is_waited_for(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.fail_with(503, times=1, where="audit")

    assert trail(ours, target).outcome is TrailOutcome.FAILED
    simulator.fail_with(503, times=1, where="audit")
    assert trail(ours, replace(target, attempts=2)).outcome is TrailOutcome.READ
    assert len(ours.slept) == 1


@pytest.mark.parametrize("status", [302, 404, 410, 500])
def test_an_answer_that_is_no_log_fails(ours: OurEnd, simulator: Simulator, target: Target, status: int) -> None:
    simulator.fail_with(status, where="audit")

    found = trail(ours, target)

    assert (found.outcome, str(status) in found.message, found.complete) == (TrailOutcome.FAILED, True, False)


def test_a_server_that_refuses_both_dialects_says_so_once(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.fail_with(400, where="audit")

    found = trail(ours, target)

    assert (found.outcome, found.message) == (
        TrailOutcome.FAILED,
        "command.corp.example answered 400 to /Audit (Command's error code 0xA0110002)",
    )
    assert asked(simulator) == ["/Audit"] * 2


def test_an_edition_without_version_1_of_the_log_fails(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    simulator.answer_with(400, COMMAND | {"Api-Supported-Versions": "3"}, b"{}", where="audit")

    assert trail(ours, target).message == "command.corp.example does not offer version 1 of its audit log"


# --- how the query is written -------------------------------------------------------------------------------------


def test_the_query_asks_for_the_interval_and_five_minutes_more(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(200, "[]", COMMAND)) as far_end:
        ours.reader.audit_trail(target_at(far_end.url, attribution=True), after=AFTER, until=UNTIL)

    (request,) = far_end.requests
    assert {name: values[0] for name, values in parse_qs(urlsplit(request.line.split(" ")[1]).query).items()} == {
        "QueryString": 'Timestamp -gt "2026-05-04T08:55:00Z" AND Timestamp -lt "2026-05-04T10:05:01Z"',
        "PageReturned": "1",
        "ReturnLimit": "50",
        "SortField": "Timestamp",
        "SortAscending": "1",
    }
    assert request.headers["x-keyfactor-api-version"] == "1"


@pytest.mark.parametrize(
    ("product_version", "first"),
    [
        *((version, Dialect.DOTTED) for version in ("10.4.5+a", "9.1", "11.0.1")),
        *((version, Dialect.PLAIN) for version in ("12.0", "24.4.2", "25.4.1", "", "10", "x10.1", None)),
    ],
)
def test_the_dialect_of_the_edition_is_tried_first(product_version: str | None, first: Dialect) -> None:
    assert dialects(product_version)[0] is first
    assert set(dialects(product_version)) == set(Dialect)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-18T16:59:20.017Z", datetime(2026, 3, 18, 16, 59, 20, 17_000, UTC)),
        ("2026-03-19T20:20:03.2630000", datetime(2026, 3, 19, 20, 20, 3, 263_000, UTC)),
        ("2026-03-19T20:20:03", datetime(2026, 3, 19, 20, 20, 3, 0, UTC)),
        ("2000-01-23 04:56:07+00:00", datetime(2000, 1, 23, 4, 56, 7, 0, UTC)),
        ("2026-03-18T16:59:20.017+02:00", datetime(2026, 3, 18, 14, 59, 20, 17_000, UTC)),
        ("2026-02-30T16:59:20Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-03-18T16:59:20.0170000000Z", None),
        ("2026-03-18", None),
        ("2026-03-18T16:59:20Z" + " " * 40, None),
        ("٢٠٢٦-03-18T16:59:20Z", None),
        (1_774_000_000, None),
        (None, None),
    ],
)
def test_timestamps_are_read_in_every_form_that_was_recorded(text: object, instant: datetime | None) -> None:
    assert auditlog.timestamp(text) == instant


# --- far ends that mean no good -----------------------------------------------------------------------------------


def raw(**changes: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "Id": 90412,
        "Timestamp": "2026-05-04T09:30:00.0000000",
        "Message": "<xml/>",
        "Signature": "c2ln",
        "Category": 2007,
        "Operation": 2,
        "Level": 0,
        "User": ADMIN,
        "EntityType": "ApplicationSetting",
        "AuditIdentifier": "SMTP",
        "ImmutableIdentifier": "17",
    }
    return usual | changes


def from_far_end(ours: OurEnd, answer: Reply | Callable[[Request], Reply], **changes: object) -> AuditTrail:
    with FarEnd(answer if callable(answer) else lambda _: answer) as far_end:
        return ours.reader.audit_trail(target_at(far_end.url, attribution=True, **changes), after=AFTER, until=UNTIL)


def listed(*entries: object) -> Callable[[Request], Reply]:
    """Every page of the log is this, whatever is asked."""
    headers = COMMAND | {"X-Total-Count": str(len(entries)), "Date": "Mon, 04 May 2026 10:00:00 GMT"}
    return lambda request: reply(200, "true" if request.line.endswith("Validate HTTP/1.1") else json.dumps(entries), headers)


@pytest.mark.parametrize(
    "odd",
    [
        raw(Timestamp="yesterday"),
        raw(Timestamp=None),
        raw(Operation="Updated"),
        raw(Operation=True),
        raw(Category=None),
        raw(User=["x"]),
        raw(Message={"smtp": 1}),
        raw(Id="90412"),
        raw(Id=True),
        raw(Id=0),
        raw(Id=2**31),
        raw(Id=1.5),
        {},
        "an entry",
        None,
    ],
    ids=str,
)
def test_an_entry_that_cannot_be_read_leaves_the_log_incomplete(ours: OurEnd, odd: object) -> None:
    found = from_far_end(ours, listed(raw(Id=1), odd))

    assert (found.outcome, [entry.id for entry in found.entries], found.complete) == (TrailOutcome.READ, [1], False)
    assert "1 of its" in found.message
    assert attribute(["Host"], not_before=AFTER, not_after=UNTIL, trail=found).verdict is not AttributionVerdict.ATTRIBUTED


@pytest.mark.parametrize("body", ["", "{}", "null", "[1", '{"Id": 1}', "[" * 12 + "]" * 12, json.dumps([{}] * 1001)])
def test_what_is_no_list_fails(ours: OurEnd, body: str) -> None:
    found = from_far_end(ours, reply(200, body))

    assert (found.outcome, found.entries) == (TrailOutcome.FAILED, ())


def test_nothing_at_all_is_an_empty_log(ours: OurEnd) -> None:
    found = from_far_end(ours, reply(204))

    assert (found.outcome, found.entries, found.complete) == (TrailOutcome.READ, (), True)


def test_a_server_that_repeats_its_page_is_not_read_for_ever(ours: OurEnd) -> None:
    requests: list[str] = []

    def answer(request: Request) -> Reply:
        requests.append(request.line)
        return reply(200, "true" if "Validate" in request.line else json.dumps([raw()]))

    found = from_far_end(ours, answer)

    assert (len(found.entries), found.complete, found.message) == (1, False, "each page of the answer is the same")
    assert len(requests) == 5, "two pages in either dialect, and one signature"


def test_a_page_past_the_limit_is_not_read(ours: OurEnd) -> None:
    found = from_far_end(ours, listed(raw(Message="x" * listing.MAX_PAGE_BYTES)))

    assert (found.outcome, f"sent more than {listing.MAX_PAGE_BYTES} bytes" in found.message) == (TrailOutcome.FAILED, True)


def test_all_pages_together_have_a_limit_too(ours: OurEnd) -> None:
    ids = iter(range(1, 1000))
    blank = " " * (listing.MAX_PAGE_BYTES - 1000)

    found = from_far_end(ours, lambda _: reply(200, json.dumps([raw(Id=next(ids))]) + blank), timeout_s=60.0)

    assert (found.outcome, f"sent more than {listing.MAX_LIST_BYTES} bytes for /Audit" in found.message) == (TrailOutcome.FAILED, True)
    assert next(ids) < listing.MAX_PAGES


def test_a_drip_ends_with_the_deadline(ours: OurEnd) -> None:
    begun = time.monotonic()
    with FarEnd(lambda _: drip(far_end, b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n")) as far_end:
        found = ours.reader.audit_trail(target_at(far_end.url, attribution=True, timeout_s=0.3), after=AFTER, until=UNTIL)

    assert (found.outcome, "in time" in found.message) == (TrailOutcome.FAILED, True)
    assert time.monotonic() - begun < 2


def test_many_slow_pages_end_with_one_deadline(ours: OurEnd) -> None:
    ids = iter(range(1, 1000))

    def answer(_: Request) -> Reply:
        time.sleep(0.12)
        return reply(200, json.dumps([raw(Id=next(ids))]))

    begun = time.monotonic()
    found = from_far_end(ours, answer, timeout_s=0.2)

    assert found.outcome is TrailOutcome.FAILED
    assert time.monotonic() - begun < 2


def test_an_answer_that_took_long_says_nothing_of_the_server_s_clock(ours: OurEnd) -> None:
    def answer(_: Request) -> Reply:
        ours.at += timedelta(seconds=3)
        return reply(200, "[]", {"Date": "Mon, 04 May 2026 10:00:07 GMT"})

    assert from_far_end(ours, answer).clock_offset_ms is None


def test_texts_are_bounded_and_show_all_that_is_in_them(ours: OurEnd) -> None:
    hostile = raw(User="a\u202eb\n" + "x" * 5000, AuditIdentifier="smtp\x1b[2J", EntityType="\u200b")

    (entry,) = from_far_end(ours, listed(hostile)).entries

    assert entry.user.startswith("a[U+202E]b[U+000A]xxx")
    assert len(entry.user) == auditlog.MAX_USER
    assert (entry.identifier, entry.entity_type) == ("smtp[U+001B][2J", "[U+200B]")


def test_no_secret_of_a_message_leaves(ours: OurEnd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret, token = "planted-4711-secret", "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6"
    planted = raw(
        Message=f"<Password>{secret}</Password>", Signature=secret, AuditIdentifier=f"SMTP {token}", ImmutableIdentifier=secret, Extra=secret
    )

    found = from_far_end(ours, listed(planted))
    laid = attribute(["Host"], not_before=AFTER, not_after=UNTIL, trail=found)
    failed = from_far_end(ours, reply(400, json.dumps({"Message": secret})))
    odd = from_far_end(ours, listed(raw(Timestamp=secret, User=secret, Message=secret)))

    said = repr((found, failed, odd, laid.document())) + caplog.text
    assert laid.verdict is AttributionVerdict.ATTRIBUTED
    for text in (secret, token, PASSWORD):
        assert text not in said


def test_no_secret_of_the_profile_leaves_by_way_of_the_audit_log(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    with simulator.editing(user=ADMIN) as profile:
        profile["RelayPassword"] = stored("planted-4711-secret")

    found = trail(ours, target)

    assert "planted-4711-secret" in simulator.audit_log.entries()[0]["Message"]
    assert Naming.SMTP_IN_MESSAGE in found.entries[0].named
    assert "planted-4711-secret" not in repr(found)


def test_entities_of_a_message_are_not_resolved(ours: OurEnd) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "smtp"><!ENTITY b SYSTEM "file:///etc/passwd">]><x>&a;&b;</x>'.replace("smtp", "sm&#116;p")

    (entry,) = from_far_end(ours, listed(raw(Message=bomb, AuditIdentifier="Console timeout"))).entries

    assert entry.named == ()
