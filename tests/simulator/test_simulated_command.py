"""The simulator's modes: editions, versions, secrets, failures, what it records, and edits while it serves."""

import base64
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from auditor.core.model import Shape
from auditor.simulator.accounts import READ_SYSTEM_SETTINGS
from auditor.simulator.command import STORY_BEGINS, NotConfigured, Seen, Simulator, Unsupported
from auditor.simulator.profile import (
    COMMAND_24_4,
    COMMAND_25_1,
    COMMAND_25_4,
    MASK,
    PAM_SENTINEL,
    Release,
    Showing,
    good_profile,
    in_pam,
    stored,
)

USER, PASSWORD = r"NORDWERK\auditor", "correct: horse"
COMMAND_HEADERS = ("api-supported-versions", "x-keyfactor-product-version", "x-keyfactor-correlation-id")


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def a_simulator(**how: Any) -> Simulator:
    simulator = Simulator(**how)
    simulator.accounts.add_user(USER, PASSWORD)
    return simulator


@pytest.fixture
def simulator() -> Simulator:
    return a_simulator(seed=7)


def ask(simulator: Simulator, method: str = "GET", path: str = "/KeyfactorAPI/SMTP", version: str | None = "2", **more: str) -> httpx.Response:
    headers = {"authorization": basic(USER, PASSWORD), "x-keyfactor-requested-with": "APIClient"}
    headers |= {"x-keyfactor-api-version": version} if version is not None else {}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    with httpx.Client(transport=httpx.WSGITransport(simulator), base_url="https://command.test") as client:
        return client.request(method, path, headers=headers)


def comes_from_command(answer: httpx.Response) -> bool:
    shown = [name in answer.headers for name in COMMAND_HEADERS]
    assert all(shown) or not any(shown)
    return all(shown)


# --- editions and versions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "version", "expected"),
    [
        (COMMAND_24_4, None, Shape.V1),
        (COMMAND_24_4, "1", Shape.V1),
        (COMMAND_24_4, "1.0", Shape.V1),
        (COMMAND_24_4, "2", None),
        (COMMAND_24_4, "2.0", None),
        (COMMAND_25_1, "1", Shape.V1),
        (COMMAND_25_1, "2", Shape.V2_PAM),
        (COMMAND_25_4, None, Shape.V1),
        (COMMAND_25_4, "2.0", Shape.V2_OAUTH),
        (COMMAND_25_4, "3", None),
        (COMMAND_25_4, "two", None),
        (Release(product_version="27.1.0", api_versions=("2",)), "1", None),
        (Release(product_version="27.1.0", api_versions=("2",)), None, None),
        (Release(product_version="27.1.0", api_versions=("2",)), "2", Shape.V2_OAUTH),
    ],
)
def test_an_edition_answers_the_versions_it_offers(release: Release, version: str | None, expected: Shape | None) -> None:
    answer = ask(a_simulator(release=release), version=version)
    if expected is None:
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "UnsupportedApiVersion")
        return
    keys = answer.json().keys()
    shape = Shape.V2_OAUTH if "Scope" in keys else Shape.V2_PAM if "RelayPassword" in keys else Shape.V1
    assert (answer.status_code, shape) == (200, expected)


@pytest.mark.parametrize("status", [400, 404, 405, 406])
@pytest.mark.parametrize(
    ("form", "content_type", "read"),
    [
        (Unsupported.ERROR_OBJECT, "application/json; charset=utf-8", lambda body: body["error"]["code"]),
        (Unsupported.PASCAL_CASE, "application/json; charset=utf-8", lambda body: body["Error"]["Code"]),
        (Unsupported.PROBLEM_DETAILS, "application/problem+json; charset=utf-8", lambda body: (body["code"], body["status"])[0]),
    ],
)
def test_an_unsupported_version_is_told_in_any_likely_form(form: Unsupported, content_type: str, read: Callable[[Any], str], status: int) -> None:
    simulator = a_simulator(release=COMMAND_24_4)
    simulator.unsupported_form, simulator.unsupported_status = form, status
    answer = ask(simulator)
    assert (answer.status_code, read(answer.json()), answer.headers["content-type"]) == (status, "UnsupportedApiVersion", content_type)
    assert answer.headers["api-supported-versions"] == "1.0"


def test_an_upgrade_is_seen_at_the_next_request() -> None:
    simulator = a_simulator(release=COMMAND_24_4)
    before = ask(simulator)
    simulator.release = COMMAND_25_4
    assert (before.status_code, ask(simulator).status_code) == (400, 200)


def test_an_old_server_does_not_say_what_it_is() -> None:
    answer = ask(a_simulator(release=Release(product_version=None, api_versions=("1.0",))), version="1")
    assert answer.status_code == 200
    assert "x-keyfactor-product-version" not in answer.headers


# --- the profile --------------------------------------------------------------------------------------------------


def test_an_edit_shows_in_the_next_answer(simulator: Simulator) -> None:
    simulator.smtp["UseSSL"] = False
    simulator.smtp["Port"] = "25"
    simulator.smtp["Surprise"] = [1, None]
    del simulator.smtp["Scope"]
    expected = {**ask(a_simulator()).json(), "UseSSL": False, "Port": "25", "Surprise": [1, None]}
    del expected["Scope"]
    assert ask(simulator).json() == expected


def test_a_profile_can_be_replaced_whole(simulator: Simulator) -> None:
    simulator.smtp = {"Host": "mail.nordwerk-industrie.eu"}
    assert (ask(simulator).json(), len(simulator.smtp)) == ({"Host": "mail.nordwerk-industrie.eu"}, 1)


def test_two_simulators_share_nothing() -> None:
    one, other = a_simulator(), a_simulator()
    one.smtp["ClientId"]["SecretValue"] = None
    one.showing["ClientId"] = Showing.CLEAR
    assert ask(other).json()["ClientId"]["SecretValue"] == MASK
    assert good_profile() == dict(other.smtp)


@pytest.mark.parametrize(
    ("field", "value", "showing", "expected"),
    [
        ("RelayPassword", stored("planted"), Showing.MASKED, {"SecretValue": MASK, "Parameters": {}, "Provider": None}),
        ("RelayPassword", stored("planted"), Showing.WITHHELD, "absent"),
        ("RelayPassword", None, Showing.WITHHELD, "absent"),
        ("RelayPassword", stored("planted"), Showing.CLEAR, stored("planted")),
        ("RelayPassword", None, Showing.MASKED, None),
        ("RelayPassword", {"SecretValue": None, "Parameters": None, "Provider": None}, Showing.MASKED, "same"),
        ("ClientSecret", in_pam(3, SecretId="9"), Showing.MASKED, {"SecretValue": None, "Parameters": {"SecretId": "9"}, "Provider": 3}),
        ("ClientSecret", in_pam(3, SecretId="9"), Showing.CLEAR, "same"),
        ("ClientSecret", stored("planted"), Showing.WITHHELD, "absent"),
        ("RelayUsername", stored("name"), Showing.CLEAR, "same"),
        ("ClientId", "not an object", Showing.MASKED, "same"),
    ],
)
def test_a_secret_is_shown_in_v2_as_its_setting_says(field: str, value: Any, showing: Showing, expected: Any) -> None:
    simulator = a_simulator()
    simulator.smtp[field], simulator.showing[field] = value, showing
    assert ask(simulator).json().get(field, "absent") == (value if expected == "same" else expected)
    assert simulator.smtp[field] == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), (stored(USER), USER), (in_pam(1, SecretId="4"), PAM_SENTINEL), ({"SecretValue": None}, None), ("plain", "plain")],
)
def test_v1_shows_the_username_in_clear_unless_it_is_in_pam(value: Any, expected: str | None) -> None:
    simulator = a_simulator()
    simulator.smtp["RelayUsername"] = value
    assert ask(simulator, version="1").json()["RelayUsername"] == expected


def test_v1_has_the_deprecated_sender_address_only_where_it_is_set(simulator: Simulator) -> None:
    assert "SenderAddress" not in ask(simulator, version="1").json()
    simulator.smtp["SenderAddress"] = "pki@nordwerk-industrie.eu"
    assert ask(simulator, version="1").json()["SenderAddress"] == "pki@nordwerk-industrie.eu"
    assert "SenderAddress" not in ask(simulator, version="2").json()


def test_v1_answers_a_profile_that_has_lost_its_username(simulator: Simulator) -> None:
    del simulator.smtp["RelayUsername"]
    assert "RelayUsername" not in ask(simulator, version="1").json()


@pytest.mark.parametrize(
    ("way", "status", "body"),
    [
        (NotConfigured.NO_CONTENT, 204, b""),
        (NotConfigured.EMPTY, 200, b""),
        (NotConfigured.NULL, 200, b"null"),
        (NotConfigured.NOT_FOUND, 404, b'{"ErrorCode":"0xA0110002","Message":"The SMTP profile was not found."}'),
    ],
)
def test_an_absent_profile_is_told_in_each_way_with_command_s_headers(simulator: Simulator, way: NotConfigured, status: int, body: bytes) -> None:
    simulator.not_configured = way
    answer = ask(simulator)
    assert (answer.status_code, answer.content, comes_from_command(answer)) == (status, body, True)
    assert ("content-type" in answer.headers) is (status != 204)
    assert answer.headers.get("content-length") == (None if status == 204 else str(len(body)))
    simulator.not_configured = None
    assert ask(simulator).json()["Host"] == "smtp.office365.com"


# --- who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        basic(USER, "wrong"),
        basic(USER, ""),
        basic("", ""),
        basic("auditor@nordwerk", PASSWORD),
        basic("auditor", PASSWORD),
        "Bearer nobody-s",
        "Negotiate YII=",
    ],
)
def test_a_stranger_is_sent_away_by_iis(simulator: Simulator, credential: str) -> None:
    answer = ask(simulator, authorization=credential)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="Keyfactor Command"')
    assert (answer.headers["content-type"], comes_from_command(answer)) == ("text/html", False)


@pytest.mark.parametrize("credential", [basic(USER, PASSWORD), basic(USER.lower(), PASSWORD).replace("Basic", "basic")])
def test_a_basic_user_is_let_in_whatever_the_case_of_the_name(simulator: Simulator, credential: str) -> None:
    assert ask(simulator, authorization=credential).status_code == 200
    assert simulator.requests[-1].account == USER


def test_the_challenge_names_what_the_server_takes() -> None:
    simulator = Simulator()
    assert ask(simulator).headers.get_list("www-authenticate") == ["Bearer"]
    simulator.accounts.add_user(USER, "other")
    assert ask(simulator).headers.get_list("www-authenticate") == ['Basic realm="Keyfactor Command"']
    simulator.accounts.add_token("a-token")
    assert ask(simulator).headers.get_list("www-authenticate") == ['Basic realm="Keyfactor Command"', "Bearer"]


def test_a_rotated_password_replaces_the_old_one(simulator: Simulator) -> None:
    simulator.accounts.add_user(USER.upper(), "new")
    assert ask(simulator).status_code == 401
    assert ask(simulator, authorization=basic(USER, "new")).status_code == 200


def test_an_account_without_the_permission_is_forbidden() -> None:
    simulator = Simulator()
    simulator.accounts.add_user(USER, PASSWORD, permissions=("/certificates/read/",))
    answer = ask(simulator)
    assert (answer.status_code, comes_from_command(answer)) == (403, True)
    assert answer.json() == {"ErrorCode": "0xA0140002", "Message": rf"User {USER} doesn't have the required permission"}
    simulator.accounts.add_user(USER, PASSWORD, permissions=(READ_SYSTEM_SETTINGS,))
    assert ask(simulator).status_code == 200


def test_denial_strikes_those_named_or_everybody_until_recovery(simulator: Simulator) -> None:
    simulator.accounts.add_token("a-token", account="spare")
    simulator.deny(USER.upper())
    assert [ask(simulator).status_code, ask(simulator, authorization="Bearer a-token").status_code] == [403, 200]
    simulator.deny()
    assert [ask(simulator).status_code, ask(simulator, authorization="Bearer a-token").status_code] == [403, 403]
    simulator.recover()
    assert [ask(simulator).status_code, ask(simulator, authorization="Bearer a-token").status_code] == [200, 200]


# --- requests that are not an auditor's ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/KeyfactorAPI/SMTP", "/KeyfactorAPI/SMTP/Test"])
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_a_write_is_refused_and_recorded(simulator: Simulator, method: str, path: str) -> None:
    before = dict(simulator.smtp)
    answer = ask(simulator, method, path)
    assert (answer.status_code, answer.headers["allow"], answer.json()["ErrorCode"]) == (405, "GET", "0xA0110002")
    assert [(seen.method, seen.path, seen.status) for seen in simulator.requests] == [(method, path, 405)]
    assert dict(simulator.smtp) == before


def test_the_header_that_command_requires_is_required(simulator: Simulator) -> None:
    answer = ask(simulator, x_keyfactor_requested_with="")
    assert (answer.status_code, comes_from_command(answer)) == (400, True)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/KeyfactorAPI/SMTP", 200),
        ("/keyfactorapi/smtp", 200),
        ("/KeyfactorAPI/SMTP/", 404),
        ("/KeyfactorAPI", 404),
        ("/Keyfactor/API/SMTP", 404),
        ("/", 404),
    ],
)
def test_a_wrong_path_does_not_look_like_command(simulator: Simulator, path: str, status: int) -> None:
    answer = ask(simulator, path=path)
    assert (answer.status_code, comes_from_command(answer)) == (status, status == 200)


def test_the_api_path_may_have_several_parts() -> None:
    simulator = a_simulator(api_path="/Keyfactor/API/")
    assert ask(simulator, path="/Keyfactor/API/SMTP").status_code == 200


# --- failures on demand -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "server", "content_type"),
    [
        (400, "istio-envoy", "application/json; charset=utf-8"),
        (401, "Microsoft-IIS/10.0", "text/html"),
        (403, "istio-envoy", "application/json; charset=utf-8"),
        (404, "Microsoft-IIS/10.0", "text/html"),
        (406, "istio-envoy", "application/json; charset=utf-8"),
        (429, "nginx", "text/html"),
        (500, "nginx", "text/html"),
        (502, "nginx", "text/html"),
        (503, "nginx", "text/html"),
        (504, "nginx", "text/html"),
        (599, "nginx", "text/html"),
    ],
)
def test_a_failure_has_the_form_of_whoever_sends_it(simulator: Simulator, status: int, server: str, content_type: str) -> None:
    simulator.fail_with(status)
    answer = ask(simulator)
    assert (answer.status_code, answer.headers["server"], answer.headers["content-type"]) == (status, server, content_type)
    assert comes_from_command(answer) is (server == "istio-envoy")
    assert answer.text.startswith("<html>" if content_type == "text/html" else '{"ErrorCode":"0xA01')
    assert ask(simulator).status_code == status
    simulator.recover()
    assert ask(simulator).status_code == 200


def test_a_forced_denial_names_nobody_it_does_not_know(simulator: Simulator) -> None:
    simulator.fail_with(403)
    assert ask(simulator, authorization="").json()["Message"] == "User <user-id> doesn't have the required permission"


def test_failures_queue_up_and_end(simulator: Simulator) -> None:
    simulator.fail_with(503, times=2)
    simulator.fail_with(429, times=1, retry_after=30)
    answers = [ask(simulator) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [503, 503, 429, 200, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == [None, None, "30", None, None]


def test_a_lasting_failure_is_replaced_by_the_next(simulator: Simulator) -> None:
    simulator.fail_with(502, times=1)
    simulator.fail_with(503)
    simulator.fail_with(500, retry_after="Mon, 16 Mar 2026 07:01:00 GMT")
    answers = [ask(simulator) for _ in range(3)]
    assert [(answer.status_code, answer.headers.get("retry-after")) for answer in answers] == [
        (502, None),
        (500, "Mon, 16 Mar 2026 07:01:00 GMT"),
        (500, "Mon, 16 Mar 2026 07:01:00 GMT"),
    ]


def test_an_answer_can_be_given_word_for_word(simulator: Simulator) -> None:
    simulator.answer_with(302, {"Location": "https://elsewhere.test/"}, b"moved", times=1)
    simulator.answer_with(200, None, b'[{"Host":"a"}]', times=1)
    moved, listed = ask(simulator), ask(simulator)
    assert (moved.status_code, dict(moved.headers), moved.content) == (302, {"location": "https://elsewhere.test/", "content-length": "5"}, b"moved")
    assert (listed.json(), comes_from_command(listed), listed.headers["content-length"]) == ([{"Host": "a"}], True, "14")


def test_a_content_length_may_lie(simulator: Simulator) -> None:
    simulator.answer_with(200, {"content-length": "10"}, b"short")
    assert ask(simulator).headers.get_list("content-length") == ["10"]


def test_a_body_may_be_made_chunk_by_chunk(simulator: Simulator) -> None:
    def endless() -> Iterator[bytes]:
        return itertools.repeat(b" " * 1024)

    simulator.answer_with(200, {}, endless)
    headers = {"authorization": basic(USER, PASSWORD)}
    with (
        httpx.Client(transport=httpx.WSGITransport(simulator)) as client,
        client.stream("GET", "https://command.test/KeyfactorAPI/SMTP", headers=headers) as answer,
    ):
        assert "content-length" not in answer.headers
        assert sum(len(chunk) for chunk in itertools.islice(answer.iter_raw(), 100)) == 102_400


# --- time, ids, record --------------------------------------------------------------------------------------------


def test_the_date_header_is_the_simulator_s_clock(simulator: Simulator) -> None:
    simulator.clock = lambda: datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1)))
    assert ask(simulator).headers.get_list("date") == ["Sun, 25 Oct 2026 01:30:00 GMT"]
    simulator.fail_with(503)
    assert ask(simulator).headers.get_list("date") == ["Sun, 25 Oct 2026 01:30:00 GMT"]


def test_correlation_ids_differ_and_follow_the_seed() -> None:
    def ids(seed: int | None) -> list[str]:
        simulator = a_simulator(seed=seed)
        return [ask(simulator).headers["x-keyfactor-correlation-id"] for _ in range(3)]

    assert ids(1) == ids(1)
    assert len({*ids(1), *ids(2), *ids(None)}) == 9


def test_a_request_is_recorded_without_its_secrets(simulator: Simulator) -> None:
    simulator.clock = lambda: STORY_BEGINS + timedelta(hours=1)
    ask(simulator, path="/KeyfactorAPI/SMTP?token=planted", cookie="planted", user_agent="smtp-auditor/1", accept="application/json")
    ask(simulator, version=None, authorization=basic(USER, "planted"))
    seen, stranger = simulator.requests
    assert seen == Seen(
        at=datetime(2026, 3, 16, 8, 0, tzinfo=UTC),
        method="GET",
        path="/KeyfactorAPI/SMTP",
        version="2",
        account=USER,
        status=200,
        headers={
            "accept": "application/json",
            "accept-encoding": seen.headers["accept-encoding"],
            "host": "command.test",
            "user-agent": "smtp-auditor/1",
            "x-keyfactor-requested-with": "APIClient",
        },
    )
    assert (stranger.version, stranger.account, stranger.status) == (None, None, 401)
    assert "planted" not in repr(simulator.requests)
    assert PASSWORD not in repr(simulator.requests)
    simulator.forget_requests()
    assert simulator.requests == ()


# --- edits while it serves ----------------------------------------------------------------------------------------


def test_no_answer_falls_between_edits_that_belong_together(simulator: Simulator) -> None:
    stop = threading.Event()
    simulator.smtp["Port"] = simulator.smtp["Id"]

    def edit() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            with simulator.editing() as smtp:
                smtp["Port"] = number
                smtp[f"Extra{number % 7}"] = number
                smtp.pop(f"Extra{(number + 3) % 7}", None)
                smtp["Id"] = number

    editor = threading.Thread(target=edit)
    editor.start()
    ports: set[int] = set()
    try:
        for _ in range(10_000):
            body = ask(simulator).json()
            assert body["Port"] == body["Id"]
            ports.add(body["Port"])
            if len(ports) == 20:
                break
    finally:
        stop.set()
        editor.join()
    assert len(ports) == 20


def test_requests_from_many_threads_are_all_counted(simulator: Simulator) -> None:
    simulator.fail_with(503, times=20)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.extend(ask(simulator).status_code for _ in range(10))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 20 + [503] * 20
    assert sorted(seen.status for seen in simulator.requests) == sorted(statuses)


def test_hostile_text_is_sent_as_json_escapes(simulator: Simulator) -> None:
    simulator.smtp["SenderName"] = "\ud800\u202e\x1b"
    assert b'"SenderName":"\\ud800\\u202e\\u001b"' in ask(simulator).content
    assert json.loads(ask(simulator).content)["SenderName"] == "\ud800\u202e\x1b"
