"""The simulated audit log and the simulated PAM providers: who may read them, how a query selects, sorts and pages, and what is refused."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from auditor.simulator.accounts import READ_AUDIT_LOG, READ_PAM, READ_SYSTEM_SETTINGS
from auditor.simulator.auditlog import DELETED, DOTTED, PLAIN
from auditor.simulator.command import STORY_BEGINS, Simulator
from auditor.simulator.profile import COMMAND_10, COMMAND_25_4, Release, pam_provider, stored

LISTS = ["/Audit", "/PamProviders"]


@pytest.fixture
def simulator() -> Simulator:
    simulator = Simulator(seed=7)
    simulator.accounts.add_token("reader", permissions=[READ_AUDIT_LOG, READ_PAM])
    for n in range(7):
        simulator.audit_log.add(at=STORY_BEGINS + timedelta(minutes=n), user=f"user {n}", operation=1 + n % 3)
    simulator.pam_providers = [pam_provider(n, f"Vault {n}") for n in range(1, 8)]
    return simulator


def ask(simulator: Simulator, path: str, *values: object, names: tuple[str, ...] = PLAIN, token: str = "reader", **more: str) -> httpx.Response:
    """GET a list; `values` are those of the parameters called `names`, in their order."""
    query = urlencode({name: value for name, value in zip(names, values, strict=False) if value is not None})
    headers = {"authorization": f"Bearer {token}", "x-keyfactor-requested-with": "APIClient", "x-keyfactor-api-version": "1"} | more
    with httpx.Client(transport=httpx.WSGITransport(simulator), base_url="https://command.test") as client:
        return client.get(f"/KeyfactorAPI{path}?{query}", headers=headers)


def ids(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200
    return [item["Id"] % 1000 for item in answer.json()]


@pytest.mark.parametrize(("path", "permission"), [("/Audit", READ_AUDIT_LOG), ("/Audit/90001/Validate", READ_AUDIT_LOG), ("/PamProviders", READ_PAM)])
def test_each_list_has_a_permission_of_its_own(simulator: Simulator, path: str, permission: str) -> None:
    simulator.accounts.add_token("narrow", permissions=[permission])
    simulator.accounts.add_token("others", permissions={READ_SYSTEM_SETTINGS, READ_AUDIT_LOG, READ_PAM} - {permission})

    assert [ask(simulator, path, token=token).status_code for token in ("narrow", "others", "nobody")] == [200, 403, 401]


@pytest.mark.parametrize("path", [*LISTS, "/Audit/90001/Validate"])
def test_a_list_can_only_be_read(simulator: Simulator, path: str) -> None:
    with httpx.Client(transport=httpx.WSGITransport(simulator), base_url="https://command.test") as client:
        answer = client.post(f"/KeyfactorAPI{path}", headers={"authorization": "Bearer reader"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(("release", "names"), [(COMMAND_25_4, PLAIN), (COMMAND_10, DOTTED)])
def test_a_query_pages_and_sorts(simulator: Simulator, path: str, release: Release, names: tuple[str, ...]) -> None:
    simulator.release = release

    def page(*values: object) -> list[int]:
        return ids(ask(simulator, path, *values, names=names))

    assert page() == [1, 2, 3, 4, 5, 6, 7]
    assert page("", 1, 3) == [1, 2, 3]
    assert page("", 3, 3) == [7]
    assert page("", 4, 3) == []
    assert page("", 1, 3, "Id", 1) == [7, 6, 5], "1 is descending"
    assert page("", 1, 3, "Id", 0) == [1, 2, 3]
    assert ask(simulator, path, "", 2, 3, names=names).headers["X-Total-Count"] == "7"


def test_a_list_of_many_is_cut_where_nothing_is_said(simulator: Simulator) -> None:
    simulator.pam_providers = [pam_provider(n, "Vault") for n in range(1, 62)]
    assert len(ids(ask(simulator, "/PamProviders"))) == 50


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('Timestamp -gt "2026-03-16T07:04:00Z"', [6, 7]),
        ('Timestamp -ge "2026-03-16T07:04:00Z" AND Timestamp -lt "2026-03-16T07:06:00Z"', [5, 6]),
        ('Operation -eq "2"', [2, 5]),
        ('Operation -eq "2" AND Timestamp -le "2026-03-16T07:01:00Z"', [2]),
        ('User -ne "user 0"', [2, 3, 4, 5, 6, 7]),
    ],
)
def test_a_query_selects(simulator: Simulator, query: str, found: list[int]) -> None:
    answer = ask(simulator, "/Audit", query)
    assert (ids(answer), answer.headers["X-Total-Count"]) == (found, str(len(found)))


@pytest.mark.parametrize(
    "values",
    [
        ("Timestamp > now",),
        ('Nothing -eq "1"',),
        ('Timestamp -gt "yesterday"',),
        ('Operation -eq "two"',),
        ("", "one"),
        ("", 1, "-1"),
        ("", 1, 1, "Nothing"),
    ],
    ids=str,
)
def test_a_query_that_is_not_understood_is_refused(simulator: Simulator, values: tuple[object, ...]) -> None:
    answer = ask(simulator, "/Audit", *values)
    assert (answer.status_code, answer.json()["ErrorCode"], answer.headers["Api-Supported-Versions"]) == (400, "0xA0110002", "1.0")


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("release", "names"), [(COMMAND_25_4, DOTTED), (COMMAND_10, PLAIN)])
def test_parameters_of_another_edition_are_refused_or_passed_over(
    simulator: Simulator, release: Release, names: tuple[str, ...], strict: bool
) -> None:
    simulator.release, simulator.strict_queries = release, strict
    answer = ask(simulator, "/Audit", 'Operation -eq "2"', 1, 1, names=names)
    assert (answer.status_code, len(answer.json())) == ((400, 2) if strict else (200, 7))


def test_the_audit_log_has_no_version_2_and_the_providers_have(simulator: Simulator) -> None:
    v2 = {"x-keyfactor-api-version": "2"}
    audit, providers = (ask(simulator, path, **v2) for path in LISTS)
    assert (audit.status_code, audit.headers["Api-Supported-Versions"]) == (400, "1.0")
    assert (providers.status_code, providers.headers["Api-Supported-Versions"]) == (200, "1.0, 2")


def test_an_edit_is_logged_under_the_name_of_who_makes_it(simulator: Simulator) -> None:
    with simulator.editing() as profile:
        profile["Port"] = 25
    with simulator.editing(user=r"NORDWERK\jsmith", operation=DELETED) as profile:
        profile["RelayPassword"] = stored("a & b < c")

    entry: dict[str, Any] = ask(simulator, "/Audit", "", 1, 1, "Id", 1).json()[0]

    assert (entry["Id"], entry["User"], entry["Operation"], entry["Timestamp"]) == (90_008, r"NORDWERK\jsmith", 3, "2026-03-16T07:00:00.000Z")
    before, _, after = entry["Message"].partition("</Before>")
    assert ("&quot;" in before, "a &amp; b &lt; c" in before, "a &amp; b &lt; c" in after) == (False, False, True)


def test_a_signature_holds_unless_it_was_broken(simulator: Simulator) -> None:
    simulator.audit_log.invalid.add(90_002)
    assert [ask(simulator, f"/Audit/{id_}/Validate").json() for id_ in (90_001, 90_002)] == [True, False]
    assert ask(simulator, "/Audit/91000/Validate").status_code == 404


@pytest.mark.parametrize(("where", "path"), [("audit", "/Audit"), ("validate", "/Audit/90001/Validate"), ("pam", "/PamProviders")])
def test_each_answer_can_be_made_to_fail_alone(simulator: Simulator, where: Any, path: str) -> None:
    simulator.fail_with(503, times=1, where=where)
    assert [ask(simulator, path).status_code for _ in range(2)] == [503, 200]
    assert [ask(simulator, other).status_code for other in LISTS] == [200, 200]
