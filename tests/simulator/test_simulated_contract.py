"""What the simulator answers, held against the vendor's OpenAPI and against the recorded and documented bodies."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from auditor.core.model import OAUTH_FIELDS, SECRET_FIELDS
from auditor.simulator.accounts import READ_AUDIT_LOG, READ_PAM, READ_SYSTEM_SETTINGS
from auditor.simulator.auditlog import Stamp
from auditor.simulator.command import STORY_BEGINS, NotConfigured, Simulator, Unsupported
from auditor.simulator.profile import COMMAND_10, COMMAND_24_4, COMMAND_25_1, COMMAND_25_4, MASK, Release, Showing, in_pam, pam_provider, stored

CONTRACTS = Path(os.environ.get("AUDITOR_CONTRACTS", Path(__file__).parents[3] / "shared")) / "command-api"
if not CONTRACTS.is_dir():
    pytest.skip(f"the vendor's contracts are not in {CONTRACTS}; AUDITOR_CONTRACTS says where they are", allow_module_level=True)

SECRET_TYPE = "CSS.CMS.Data.Model.Models.KeyfactorAPISecret"
AUDIT, AUDIT_OF_2022, PAM = "audit-openapi-v25-v1", "audit-openapi-v10-v1", "pamproviders-openapi-v25-v2"
V1, V1_OF_2022, V2_PAM, V2_OAUTH = "smtp-openapi-v25-v1", "smtp-openapi-v10-v1", "smtp-openapi-v25.1.1-v2", "smtp-openapi-v25-v2"


@cache
def answer_of(document: str, response: str = "200", path: str = "/SMTP") -> OAS30Validator:
    contract = json.loads((CONTRACTS / "openapi" / f"{document}.json").read_text(encoding="utf-8"))
    schemas = contract["components"]["schemas"]
    if SECRET_TYPE in schemas:
        # The generator cannot write `nullable` beside a `$ref`; an unset secret was recorded as null.
        schemas[SECRET_TYPE]["nullable"] = True
    if document in (V1_OF_2022, AUDIT_OF_2022):  # a cut of 2022 that knows no `nullable` at all, though v1 always sent nulls
        for schema in schemas.values():
            for field in schema["properties"].values():
                field["nullable"] = field.get("type") == "string"
    registry = Registry().with_resource("urn:command", Resource.from_contents(contract, default_specification=DRAFT4))
    return OAS30Validator(
        {"$ref": f"urn:command#/paths/{path.replace('/', '~1')}/get/responses/{response}/content/application~1json/schema"}, registry=registry
    )


def breaches(document: str, body: Any, path: str = "/SMTP") -> list[str]:
    return [error.message for error in answer_of(document, path=path).iter_errors(body)]


def fixture(name: str) -> Any:
    return json.loads((CONTRACTS / "fixtures" / f"{name}.json").read_text(encoding="utf-8"))


def shape_of(value: Any) -> Any:
    """Keys and JSON types, and nothing that differs between one answer and the next."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    return type(value).__name__


def read(simulator: Simulator, version: str | None = "2", path: str = "/SMTP", **more: str) -> httpx.Response:
    simulator.accounts.add_token("a-token", permissions=[READ_SYSTEM_SETTINGS, READ_AUDIT_LOG, READ_PAM])
    sent = {"Authorization": "Bearer a-token", "x-keyfactor-requested-with": "APIClient", **more}
    if version:
        sent["x-keyfactor-api-version"] = version
    with httpx.Client(transport=httpx.WSGITransport(simulator), base_url="https://keyfactor.example.com") as client:
        return client.get(f"/KeyfactorAPI{path}", headers=sent)


ANONYMOUS = {"RelayAuthenticationType": 0, "ClientId": None, "ClientSecret": None, "TokenEndpoint": None, "Scope": None}
BASIC = {**ANONYMOUS, "RelayAuthenticationType": 2, "RelayUsername": stored(r"NORDWERK\svc-mail"), "RelayPassword": stored("planted")}
BASIC_PAM = {**BASIC, "RelayUsername": in_pam(1, SecretId="1042"), "RelayPassword": in_pam(1, SecretId="1043")}
HEADED = {"RequestHeaders": [{"Name": "X-Tenant", "Value": "pki"}], "Audience": "mail"}
PROFILES = {"oauth": {}, "anonymous": ANONYMOUS, "basic": BASIC, "basic-pam": BASIC_PAM, "headed": HEADED}


@pytest.mark.parametrize("change", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize(
    ("release", "version", "document"),
    [
        (COMMAND_24_4, "1", V1),
        (COMMAND_24_4, "1", V1_OF_2022),
        (COMMAND_25_1, "1.0", V1),
        (COMMAND_25_1, "2", V2_PAM),
        (COMMAND_25_4, "1", V1),
        (COMMAND_25_4, "2.0", V2_OAUTH),
    ],
)
def test_every_answer_is_one_the_vendor_describes(release: Release, version: str, document: str, change: dict[str, Any]) -> None:
    simulator = Simulator(release=release)
    simulator.smtp.update(change)
    for showing in Showing:
        simulator.showing = dict.fromkeys(SECRET_FIELDS, showing)
        assert breaches(document, read(simulator, version).json()) == []


def test_the_check_against_the_vendor_s_schema_would_notice() -> None:
    body = read(Simulator()).json()
    assert breaches(V2_OAUTH, {**body, "Port": "587"}) == ["'587' is not of type 'integer'"]
    assert breaches(V2_OAUTH, {**body, "Surprise": 1}) != []
    assert breaches(V2_PAM, body) != []
    assert breaches(V1, body) != []


@pytest.mark.parametrize(
    ("release", "version", "recorded"),
    [
        (COMMAND_24_4, None, "synthetic-smtp-v1-anonymous"),
        (COMMAND_24_4, "1", "synthetic-smtp-v1-basic"),
        (COMMAND_24_4, "1", "synthetic-smtp-v1-basic-with-deprecated-senderaddress"),
        (COMMAND_25_1, "2", "synthetic-smtp-v2-25.1-basic-pam"),
        (COMMAND_25_4, "2", "synthetic-smtp-v2-anonymous"),
        (COMMAND_25_4, "2", "synthetic-smtp-v2-basic-local-secret"),
        (COMMAND_25_4, "2", "synthetic-smtp-v2-oauth-pam"),
    ],
)
def test_each_contract_body_comes_out_as_it_was_put_in(release: Release, version: str | None, recorded: str) -> None:
    body = fixture(recorded)
    simulator = Simulator({**dict.fromkeys(["RelayPassword", *OAUTH_FIELDS], stored("hidden")), **body}, release=release)
    assert read(simulator, version).json() == body


def test_a_secret_that_command_keeps_looks_as_recorded() -> None:
    simulator = Simulator()
    simulator.smtp["ClientSecret"] = stored("planted")
    recorded = fixture("recorded-secret-shapes-from-certificateauthority")
    assert read(simulator).json()["ClientSecret"] == recorded["ClientSecret"] == {"SecretValue": MASK, "Parameters": {}, "Provider": None}


def test_the_header_set_is_the_recorded_one() -> None:
    lines = (CONTRACTS / "fixtures" / "recorded-response-headers.txt").read_text(encoding="utf-8").splitlines()
    recorded = dict(line.split(": ", 1) for line in lines if not line.startswith(("#", "HTTP/")))
    answer = read(Simulator())
    assert {name.title() for name in answer.headers} == recorded.keys() - {"X-Total-Count"}  # that one counts lists
    for name in ("Api-Supported-Versions", "Content-Type", "Server", "X-Keyfactor-Product-Version"):
        assert answer.headers[name] == recorded[name]
    assert answer.headers["Content-Length"] == str(len(answer.content))


@pytest.mark.parametrize(
    ("form", "recorded"),
    [
        (Unsupported.ERROR_OBJECT, "inferred-error-unsupported-version-errorobject"),
        (Unsupported.PROBLEM_DETAILS, "inferred-error-unsupported-version-problemdetails"),
    ],
)
def test_an_unsupported_version_is_refused_in_the_words_expected(form: Unsupported, recorded: str) -> None:
    simulator = Simulator(release=COMMAND_24_4)
    simulator.unsupported_form = form
    answer = read(simulator)
    assert (answer.status_code, answer.json()) == (400, fixture(recorded))
    assert answer.headers["Api-Supported-Versions"] == "1.0"


def test_command_s_own_errors_have_the_documented_form() -> None:
    simulator = Simulator()
    without_header = read(simulator, **{"x-keyfactor-requested-with": ""})
    assert (without_header.status_code, shape_of(without_header.json())) == (400, shape_of(fixture("recorded-error-400")))
    assert without_header.json()["ErrorCode"] == fixture("recorded-error-400")["ErrorCode"]
    simulator.deny()
    assert read(simulator).json() == {**fixture("documented-error-403"), "Message": "User static-token doesn't have the required permission"}
    simulator.recover()
    simulator.not_configured = NotConfigured.NOT_FOUND
    assert shape_of(read(simulator).json()) == shape_of(fixture("recorded-error-400"))


# --- the audit log and the PAM providers ------------------------------------------------------------------------------


def audited() -> Simulator:
    simulator = Simulator()
    with simulator.editing(user=r"NORDWERK\jsmith") as profile:
        profile["Host"] = "smtp.elsewhere.example"
    simulator.audit_log.add(at=STORY_BEGINS, user=None, entity_type=None, identifier=None, message=None)
    return simulator


@pytest.mark.parametrize(("release", "document"), [(COMMAND_25_4, AUDIT), (COMMAND_25_4, AUDIT_OF_2022), (COMMAND_10, AUDIT_OF_2022)])
def test_the_audit_log_is_one_the_vendor_describes(release: Release, document: str) -> None:
    simulator = audited()
    simulator.release = release
    id_ = simulator.audit_log.entries()[0]["Id"]

    answer = read(simulator, "1", "/Audit")

    assert (breaches(document, answer.json(), "/Audit"), len(answer.json())) == ([], 2)
    assert breaches(document, [{**answer.json()[0], "Operation": "Updated"}], "/Audit") == ["'Updated' is not of type 'integer'"]
    assert breaches(document, read(simulator, "1", f"/Audit/{id_}/Validate").json(), "/Audit/{id}/Validate") == []


def test_an_entry_of_the_audit_log_looks_like_the_fixture() -> None:
    (expected,) = fixture("synthetic-audit-entries")
    simulator = audited()

    assert shape_of(read(simulator, "1", "/Audit").json()[0]) == shape_of(expected)
    for simulator.audit_log.stamp, form in ((Stamp.ZULU, "2026-03-16T07:00:00.000Z"), (Stamp.SEVEN_DIGITS, "2026-03-16T07:00:00.0000000")):
        assert read(simulator, "1", "/Audit").json()[0]["Timestamp"] == form


def test_the_pam_providers_are_as_the_vendor_describes_and_as_they_were_recorded() -> None:
    simulator = Simulator()
    recorded = fixture("recorded-pamproviders-v1-list")[0]
    values = {parameter["Name"]: "x" for parameter in recorded["ProviderType"]["ProviderTypeParams"]}
    simulator.pam_providers = [pam_provider(1, "Vault", **values)]

    v2, v1 = read(simulator, "2", "/PamProviders"), read(simulator, "1", "/PamProviders")

    assert (breaches(PAM, v2.json(), "/PamProviders"), v1.headers["X-Total-Count"]) == ([], "1")
    assert breaches(PAM, v1.json(), "/PamProviders") != [], "v1 has two keys more"
    assert v1.json()[0].keys() == recorded.keys()
    assert v1.json()[0]["ProviderTypeParamValues"][0].keys() == recorded["ProviderTypeParamValues"][0].keys()
