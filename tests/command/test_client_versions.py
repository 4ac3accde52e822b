"""Which API version is asked for, what is remembered of a target between reads, and when it is asked again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.core.model import BasicAuth, ClientCertificate, Memory, ReadOutcome, SecretRef, Shape, Target
from tests.command.far_end import COMMAND, NOW, Authority, FarEnd, OurEnd, Reply, Request, reply, target_at

V1 = '{"Host": "smtp.corp.example", "Id": 1, "Port": 25, "RelayAuthenticationType": 0, "RelayUsername": null, "UseSSL": false}'
V2 = V1[:-1] + ', "RelayPassword": null}'
ERROR_OBJECT = '{"error": {"code": "UnsupportedApiVersion", "message": "m", "innerError": null}}'
PASCAL_CASE = '{"Error": {"Code": "UnsupportedApiVersion", "Message": "m", "InnerError": null}}'
PROBLEM = '{"type": "https://docs.api-versioning.org/problems#unsupported", "title": "Unsupported API version", "status": 400}'
IN_WORDS = "The HTTP resource that matches the request URI does not support the API version '2'."
V1_ALONE = {"Api-Supported-Versions": "1.0", "X-Keyfactor-Product-Version": "24.4.0"}


def by_version(v1: bytes, v2: bytes) -> Callable[[Request], Reply]:
    return lambda request: {"1": v1, "2": v2}[request.headers["x-keyfactor-api-version"]]


def asked(far_end: FarEnd) -> str:
    return "".join(request.headers["x-keyfactor-api-version"] for request in far_end.requests)


@pytest.mark.parametrize("status", [400, 404, 405, 406])
@pytest.mark.parametrize(
    ("body", "headers"),
    [(ERROR_OBJECT, {}), (PASCAL_CASE, {}), (PROBLEM, {}), (IN_WORDS, {}), ("<html>", V1_ALONE), ("", {"Api-Supported-Versions": "0.9, 1"})],
)
def test_a_server_without_version_2_is_asked_for_version_1(ours: OurEnd, status: int, body: str, headers: dict[str, str]) -> None:
    with FarEnd(by_version(reply(200, V1, V1_ALONE), reply(status, body, headers))) as far_end:
        observation, memory = ours.reader.observe(target_at(far_end.url), Memory())
        assert (asked(far_end), observation.outcome, memory.api_version) == ("21", ReadOutcome.OBSERVED, 1)
        assert observation.snapshot is not None
        assert (observation.snapshot.shape, observation.collection.api_version, observation.collection.attempts) == (Shape.V1, 1, 2)

        _, again = ours.reader.observe(target_at(far_end.url), memory)
        assert (asked(far_end), again) == ("211", memory)


def test_version_2_is_tried_again_when_command_is_another_edition(ours: OurEnd) -> None:
    versions = {"1": reply(200, V1, V1_ALONE), "2": reply(400, ERROR_OBJECT)}
    with FarEnd(lambda request: versions[request.headers["x-keyfactor-api-version"]]) as far_end:
        target = target_at(far_end.url)
        _, memory = ours.reader.observe(target, Memory())
        versions |= {"1": reply(200, V1, V1_ALONE | {"X-Keyfactor-Product-Version": "24.5.0"})}
        still_v1, memory = ours.reader.observe(target, memory)
        assert (asked(far_end), memory.api_version, memory.product_version) == ("2112", 1, "24.5.0")
        assert (still_v1.outcome, still_v1.collection.status, still_v1.collection.api_version) == (ReadOutcome.OBSERVED, 200, 1)

        versions |= {"1": reply(200, V1, COMMAND), "2": reply(200, V2, COMMAND)}
        newer, memory = ours.reader.observe(target, memory)
        assert (asked(far_end)[4:], memory.api_version, newer.collection.api_version) == ("12", 2, 2)
        assert newer.snapshot is not None
        assert newer.snapshot.shape is Shape.V2_PAM


def test_a_denial_at_version_1_is_no_reason_to_be_denied_at_version_2_as_well(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(403, "", COMMAND)) as far_end:
        target = target_at(far_end.url)
        _, known = ours.reader.observe(target, Memory())
        remembered = Memory(identity=known.identity, api_version=1, product_version="24.4.0")
        ours.reader.observe(target, remembered)
        assert asked(far_end) == "21"


def test_a_server_that_gave_up_version_1_is_asked_for_version_2(ours: OurEnd) -> None:
    with FarEnd(by_version(reply(400, ERROR_OBJECT), reply(200, V2, COMMAND))) as far_end:
        target = target_at(far_end.url)
        _, memory = ours.reader.observe(target, Memory())
        _, memory = ours.reader.observe(target, replace(memory, api_version=1))
        assert (asked(far_end), memory.api_version) == ("212", 2)


def test_a_server_with_neither_version_is_told_apart(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(404, "{}", {"Api-Supported-Versions": "3.0"})) as far_end:
        observation, memory = ours.reader.observe(target_at(far_end.url), Memory())
    assert (asked(far_end), observation.outcome, memory.api_version) == ("21", ReadOutcome.UNSUPPORTED_VERSION, None)
    assert observation.message.endswith("offers neither version 2 nor 1 of its SMTP profile (it lists 3.0)")


def test_a_404_of_an_old_server_that_lists_version_1_is_no_profile(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(404, "", V1_ALONE)) as far_end:
        observation, memory = ours.reader.observe(target_at(far_end.url), Memory())
    assert (asked(far_end), observation.outcome, memory.api_version) == ("21", ReadOutcome.NOT_CONFIGURED, 1)


# --- backing off --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "outcome"), [(401, ReadOutcome.UNAUTHENTICATED), (403, ReadOutcome.FORBIDDEN)])
def test_after_a_denial_no_request_is_made_until_the_back_off_ends(ours: OurEnd, status: int, outcome: ReadOutcome) -> None:
    with FarEnd(lambda _: reply(status)) as far_end:
        target = target_at(far_end.url, backoff_s=3600, attempts=3)
        denied, memory = ours.reader.observe(target, Memory())
        assert (denied.outcome, len(far_end.requests), ours.slept) == (outcome, 1, [])
        assert (memory.denied_as, memory.denied_at, memory.denied_until) == (outcome, NOW, NOW + timedelta(hours=1))

        ours.at += timedelta(minutes=59, seconds=59)
        held, after = ours.reader.observe(target, memory)
        assert (held.outcome, len(far_end.requests), after) == (ReadOutcome.BACKING_OFF, 1, memory)
        assert held.message == (
            f"no request was made: access was denied ({outcome.value}) on 2026-05-04 10:00 UTC, the next try is due on 2026-05-04 11:00 UTC"
        )
        assert "`--force`" in held.hint
        assert (held.collection.attempts, held.collection.status) == (0, None)

        ours.at += timedelta(seconds=1)
        again, _ = ours.reader.observe(target, memory)
        assert (again.outcome, len(far_end.requests)) == (outcome, 2)


def test_force_asks_at_once_and_a_success_ends_the_back_off(ours: OurEnd) -> None:
    answers = iter([reply(403), reply(200, V2), reply(200, V2)])
    with FarEnd(lambda _: next(answers)) as far_end:
        target = target_at(far_end.url)
        _, memory = ours.reader.observe(target, Memory())
        forced, memory = ours.reader.observe(target, memory, force=True)
        assert (forced.outcome, memory.denied_as) == (ReadOutcome.OBSERVED, None)
        assert ours.reader.observe(target, memory)[0].outcome is ReadOutcome.OBSERVED


def test_other_trouble_does_not_end_a_back_off(ours: OurEnd) -> None:
    answers = iter([reply(403), reply(500)])
    with FarEnd(lambda _: next(answers)) as far_end:
        target = target_at(far_end.url)
        _, memory = ours.reader.observe(target, Memory())
        forced, memory = ours.reader.observe(target, memory, force=True)
        assert forced.outcome is ReadOutcome.SERVER_ERROR
        assert ours.reader.observe(target, memory)[0].outcome is ReadOutcome.BACKING_OFF


def test_a_clock_set_back_does_not_prolong_a_back_off(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(403)) as far_end:
        target = target_at(far_end.url)
        _, memory = ours.reader.observe(target, Memory())
        ours.at -= timedelta(days=365)
        assert ours.reader.observe(target, memory)[0].outcome is ReadOutcome.FORBIDDEN


def test_a_changed_credential_or_target_ends_a_back_off(ours: OurEnd, authority: Authority, tmp_path: Path) -> None:
    def new_password(target: Target) -> Target:
        ours.secrets["PASSWORD"] += "!"
        return target

    shown = ClientCertificate(certificate=str(authority.certificate))
    changes: dict[str, Callable[[Target], Target]] = {
        "password": new_password,
        "user": lambda target: replace(target, auth=BasicAuth(username="other", password=SecretRef("env", "PASSWORD"))),
        "reference": lambda target: replace(target, auth=BasicAuth(username="auditor@corp.example", password=SecretRef("env", "TOKEN"))),
        "path": lambda target: replace(target, api_path="Keyfactor/API"),
        "certificate": lambda target: replace(target, client_certificate=shown),
    }
    with FarEnd(lambda _: reply(403)) as far_end:
        target = target_at(far_end.url)
        for name, change in changes.items():
            _, memory = ours.reader.observe(target, Memory())
            assert ours.reader.observe(target, memory)[0].outcome is ReadOutcome.BACKING_OFF
            assert ours.reader.observe(replace(target, labels=(("env", "prod"),)), memory)[0].outcome is ReadOutcome.BACKING_OFF
            changed, _ = ours.reader.observe(change(target), memory)
            assert changed.outcome is not ReadOutcome.BACKING_OFF, name


def test_nothing_of_another_server_is_remembered(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(200, V2)) as far_end:
        ours.reader.observe(target_at(far_end.url), Memory(identity="another", api_version=1, product_version="24.4.0"))
        assert asked(far_end) == "2"


# --- trying again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_can_pass_is_tried_again(ours: OurEnd, status: int) -> None:
    answers = iter([reply(status), reply(status), reply(200, V2)])
    with FarEnd(lambda _: next(answers)) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url, attempts=3), Memory())
    assert (observation.outcome, observation.collection.attempts, ours.slept) == (ReadOutcome.OBSERVED, 3, [0.5, 1.0])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 501])
def test_what_cannot_pass_is_not_tried_again(ours: OurEnd, status: int) -> None:
    with FarEnd(lambda _: reply(status)) as far_end:
        ours.reader.observe(target_at(far_end.url, attempts=3), Memory())
    assert (len(far_end.requests), ours.slept) == (1, [])


@pytest.mark.parametrize(
    ("retry_after", "slept_s"),
    [
        ("7", 7.5),
        ("0", 0.5),
        ("86400", 30.5),
        ("Mon, 04 May 2026 10:00:09 GMT", 9.5),
        ("Mon, 04 May 2026 10:00:09 -0000", 9.5),
        ("Mon, 04 May 2026 09:00:00 GMT", 0.5),
        ("soon", 0.5),
        ("9" * 60, 0.5),
    ],
)
def test_retry_after_is_honoured_and_capped(ours: OurEnd, retry_after: str, slept_s: float) -> None:
    answers = iter([reply(429, "", {"Retry-After": retry_after}), reply(200, V2)])
    with FarEnd(lambda _: next(answers)) as far_end:
        ours.reader.observe(target_at(far_end.url, attempts=2, timeout_s=30), Memory())
    assert ours.slept == [slept_s]


def test_no_wait_goes_past_four_times_the_timeout(ours: OurEnd) -> None:
    with FarEnd(lambda _: reply(429, "", {"Retry-After": "25"})) as far_end:
        observation, _ = ours.reader.observe(target_at(far_end.url, attempts=10, timeout_s=5), Memory())
    assert (observation.outcome, len(far_end.requests), ours.slept) == (ReadOutcome.THROTTLED, 1, [])
