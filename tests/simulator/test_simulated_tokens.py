"""The simulator's token endpoint: which clients get a token, and how long Command honours it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from auditor.simulator.command import STORY_BEGINS, Simulator

CLIENT, SECRET = "client/7:é", "s3cret:+%&"


@pytest.fixture
def simulator() -> Simulator:
    simulator = Simulator(seed=1)
    simulator.accounts.add_client(CLIENT, SECRET, scopes=("api", "extra"), audience="command")
    return simulator


GOOD = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "scope": "api", "audience": "command"}


def transport(simulator: Simulator) -> httpx.Client:
    return httpx.Client(transport=httpx.WSGITransport(simulator), base_url="https://command.test")


def post(simulator: Simulator, form: dict[str, Any], **how: Any) -> httpx.Response:
    with transport(simulator) as client:
        return client.post("/oauth2/token", data=form, **how)


def read_with(simulator: Simulator, token: str) -> int:
    with transport(simulator) as client:
        headers = {"Authorization": f"Bearer {token}", "x-keyfactor-requested-with": "APIClient"}
        return client.get("/KeyfactorAPI/SMTP", headers=headers).status_code


def quoted(text: str) -> str:
    """As RFC 6749 section 2.3.1 wants both halves of `client_secret_basic`."""
    return httpx.QueryParams({"": text}).__str__().removeprefix("=")


BY_HEADER = {name: value for name, value in GOOD.items() if not name.startswith("client_")}
AUTH = (quoted(CLIENT), quoted(SECRET))


def test_a_client_gets_a_token_by_post_and_by_basic_and_may_read(simulator: Simulator) -> None:
    answers = [post(simulator, GOOD), post(simulator, BY_HEADER, auth=AUTH)]
    assert [answer.status_code for answer in answers] == [200, 200]
    tokens = [answer.json()["access_token"] for answer in answers]
    assert answers[0].json() == {"access_token": tokens[0], "token_type": "Bearer", "expires_in": 3600, "scope": "api"}
    assert answers[0].headers["cache-control"] == "no-store"
    assert simulator.accounts.issued_tokens == tuple(tokens)
    assert [read_with(simulator, token) for token in tokens] == [200, 200]
    assert simulator.requests[-1].account == CLIENT


def test_a_client_that_asks_for_no_scope_gets_all_of_its_own(simulator: Simulator) -> None:
    assert post(simulator, {**GOOD, "scope": ""}).json()["scope"] == "api extra"


def test_a_client_without_scopes_gets_none_told() -> None:
    simulator = Simulator()
    simulator.accounts.add_client("plain", "secret")
    answer = post(simulator, {"grant_type": "client_credentials", "client_id": "plain", "client_secret": "secret"})
    assert (answer.status_code, "scope" in answer.json()) == (200, False)


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
        ({"scope": "api admin"}, 400, "invalid_scope"),
        ({"scope": "api,extra"}, 400, "invalid_scope"),
        ({"audience": ""}, 400, "invalid_target"),
        ({"audience": "other"}, 400, "invalid_target"),
        ({"scope": ["api", "extra"]}, 400, "invalid_request"),
    ],
)
def test_a_wrong_request_gets_no_token(simulator: Simulator, change: dict[str, Any], status: int, error: str) -> None:
    answer = post(simulator, GOOD | change)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["content-type"] == "application/json"
    assert "www-authenticate" not in answer.headers
    assert simulator.accounts.issued_tokens == ()


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        (BY_HEADER, (CLIENT.replace("é", "e"), SECRET), 401, "invalid_client"),
        (BY_HEADER, (AUTH[0], "wrong"), 401, "invalid_client"),
        (GOOD, AUTH, 400, "invalid_request"),
    ],
)
def test_a_wrong_basic_authentication_gets_no_token(
    simulator: Simulator, form: dict[str, str], auth: tuple[str, str], status: int, error: str
) -> None:
    answer = post(simulator, form, auth=auth)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers.get("www-authenticate") == ('Basic realm="token"' if status == 401 else None)


@pytest.mark.parametrize(("method", "by_post", "by_basic"), [("client_secret_post", 200, 401), ("client_secret_basic", 401, 200)])
def test_a_client_may_be_held_to_one_method(method: str, by_post: int, by_basic: int) -> None:
    simulator = Simulator()
    simulator.accounts.add_client(CLIENT, SECRET, scopes=("api",), methods=(method,))
    assert (post(simulator, GOOD).status_code, post(simulator, BY_HEADER, auth=AUTH).status_code) == (by_post, by_basic)


def test_only_a_posted_form_is_a_token_request(simulator: Simulator) -> None:
    with transport(simulator) as client:
        answers = [client.get("/oauth2/token"), client.post("/oauth2/token", json=GOOD), client.post("/oauth2/token")]
    assert [answer.status_code for answer in answers] == [405, 400, 400]


@pytest.mark.parametrize(("age_s", "status"), [(0, 200), (299, 200), (300, 401), (301, 401)])
def test_a_token_ends_with_its_lifetime(simulator: Simulator, age_s: int, status: int) -> None:
    simulator.accounts.token_lifetime_s = 300
    answer = post(simulator, GOOD).json()
    simulator.clock = lambda: STORY_BEGINS + timedelta(seconds=age_s)
    assert (answer["expires_in"], read_with(simulator, answer["access_token"])) == (300, status)


def test_tokens_can_be_revoked_before_their_time(simulator: Simulator) -> None:
    token = post(simulator, GOOD).json()["access_token"]
    simulator.accounts.revoke_tokens()
    assert (read_with(simulator, token), simulator.accounts.issued_tokens) == (401, ())
    assert read_with(simulator, post(simulator, GOOD).json()["access_token"]) == 200


def test_a_removed_account_takes_its_tokens_along(simulator: Simulator) -> None:
    simulator.accounts.add_token("fixed", account="robot")
    simulator.accounts.add_user(r"NORDWERK\someone", "secret")
    token = post(simulator, GOOD).json()["access_token"]
    for name in (CLIENT, "robot", r"nordwerk\SOMEONE"):
        simulator.accounts.remove(name)
    with transport(simulator) as client:
        by_password = client.get("/KeyfactorAPI/SMTP", auth=(r"NORDWERK\someone", "secret")).status_code
    assert [read_with(simulator, token), read_with(simulator, "fixed"), post(simulator, GOOD).status_code, by_password] == [401] * 4


def test_a_static_token_never_expires(simulator: Simulator) -> None:
    simulator.accounts.add_token("fixed")
    simulator.clock = lambda: STORY_BEGINS + timedelta(days=4000)
    assert read_with(simulator, "fixed") == 200


def test_a_client_without_the_permission_gets_a_token_and_no_profile(simulator: Simulator) -> None:
    simulator.accounts.add_client("limited", "secret", permissions=())
    token = post(simulator, {"grant_type": "client_credentials", "client_id": "limited", "client_secret": "secret"}).json()["access_token"]
    assert read_with(simulator, token) == 403


def test_the_token_endpoint_fails_on_its_own(simulator: Simulator) -> None:
    token = post(simulator, GOOD).json()["access_token"]
    simulator.fail_with(503, times=1, where="token")
    simulator.answer_with(200, {"Content-Type": "application/json"}, b'{"access_token":"odd"}', times=1, where="token")
    assert read_with(simulator, token) == 200
    assert [post(simulator, GOOD).status_code, post(simulator, GOOD).json(), post(simulator, GOOD).status_code] == [503, {"access_token": "odd"}, 200]


def test_no_secret_is_in_a_repr_or_in_the_record(simulator: Simulator) -> None:
    token = post(simulator, GOOD).json()["access_token"]
    read_with(simulator, token)
    text = repr(simulator.requests) + repr(simulator.accounts) + repr(vars(simulator.accounts)["_clients"])
    assert SECRET not in text
    assert token not in text


def test_tokens_follow_the_seed() -> None:
    def token(seed: int) -> str:
        simulator = Simulator(seed=seed)
        simulator.accounts.add_client(CLIENT, SECRET, scopes=("api",))
        return str(post(simulator, GOOD).json()["access_token"])

    assert (token(3) == token(3), token(3) == token(4)) == (True, False)
