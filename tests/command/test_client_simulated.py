"""The Reader against the simulated Command, in process: each edition of it, and an OAuth client."""

from dataclasses import replace

import httpx
import pytest

from auditor.core.model import BasicAuth, ClientCredentials, Memory, ReadOutcome, SecretRef, Shape, Target
from auditor.simulator.command import TOKEN_PATH, NotConfigured, Simulator, Unsupported
from auditor.simulator.profile import COMMAND_24_4, COMMAND_25_1, COMMAND_25_4, Release
from tests.command.far_end import PASSWORD, SECRETS, OurEnd, target_at

URL = "https://command.corp.example"


@pytest.fixture
def simulator(ours: OurEnd) -> Simulator:
    simulator = Simulator(clock=lambda: ours.at, seed=7)
    simulator.accounts.add_user(r"corp.example\auditor", PASSWORD)
    simulator.accounts.add_client("smtp auditor", SECRETS["CLIENT_SECRET"])
    ours.reader.transport = lambda _: httpx.WSGITransport(simulator)  # type: ignore[arg-type]
    return simulator


@pytest.fixture
def target() -> Target:
    return target_at(URL, auth=BasicAuth(username="auditor@corp.example", password=SecretRef("env", "PASSWORD")))


@pytest.mark.parametrize("form", Unsupported)
@pytest.mark.parametrize(
    ("release", "shape", "version"), [(COMMAND_24_4, Shape.V1, 1), (COMMAND_25_1, Shape.V2_PAM, 2), (COMMAND_25_4, Shape.V2_OAUTH, 2)]
)
def test_each_edition_is_read_in_the_newest_version_it_has(
    ours: OurEnd, simulator: Simulator, target: Target, release: Release, shape: Shape, version: int, form: Unsupported
) -> None:
    simulator.release, simulator.unsupported_form, simulator.smtp["RelayAuthenticationType"] = release, form, 2
    observation, memory = ours.reader.observe(target, Memory())
    assert (observation.outcome, observation.collection.clock_offset_ms) == (ReadOutcome.OBSERVED, 0)
    assert observation.snapshot is not None
    assert (observation.snapshot.shape, memory.api_version) == (shape, version)
    assert observation.snapshot.facts["response.ill_typed_fields"].value == ()


def test_a_token_of_the_simulated_provider_is_taken_and_renewed(ours: OurEnd, simulator: Simulator, target: Target) -> None:
    client = ClientCredentials(token_url=URL + TOKEN_PATH, client_id="smtp auditor", client_secret=SecretRef("env", "CLIENT_SECRET"))
    oauth = replace(target, auth=client)
    assert ours.reader.observe(oauth, Memory())[0].outcome is ReadOutcome.OBSERVED
    simulator.accounts.revoke_tokens()
    renewed, _ = ours.reader.observe(oauth, Memory())
    assert (renewed.outcome, renewed.collection.attempts) == (ReadOutcome.OBSERVED, 2)
    ours.secrets["CLIENT_SECRET"] = "wrong"
    refused, _ = ours.reader.observe(oauth, Memory())
    assert (refused.outcome, refused.message) == (
        ReadOutcome.UNAUTHENTICATED,
        "the token endpoint command.corp.example gave no token: it answered 401 (invalid_client)",
    )


@pytest.mark.parametrize("way", NotConfigured)
def test_each_way_of_having_no_profile_is_understood(ours: OurEnd, simulator: Simulator, target: Target, way: NotConfigured) -> None:
    simulator.not_configured = way
    assert ours.reader.observe(target, Memory())[0].outcome is ReadOutcome.NOT_CONFIGURED
