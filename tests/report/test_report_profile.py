"""How an observation came about, and odd profiles, in rows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from auditor.core.model import Collection, Fact, JsonType, Observation, ReadOutcome, SecretPlace, State, UnknownField
from auditor.report.profile import ProfileRow, collected, rows
from tests.factories import KEY, snapshot
from tests.report.standings import AT, standing


def test_what_an_auditor_asks_years_later_is_there() -> None:
    assessment = standing().assessment
    assert assessment is not None
    observation = replace(assessment.observation, slot=AT)
    observation = replace(observation, collection=replace(observation.collection, attempts=2))
    assert observation.snapshot is not None

    assert collected(observation) == (
        ("Read", "Tue 17 Nov 2026 09:30 UTC, in 0.4 s"),
        ("Scheduled for", "Tue 17 Nov 2026 09:30 UTC"),
        ("Request", "GET https://command-prod-eu.example.org/KeyfactorAPI/SMTP"),
        ("API version", "2 (the server offers 1.0, 2)"),
        ("Command version", "25.5.1"),
        ("Answer", "HTTP 200, 912 bytes"),
        ("Account", "svc-audit (OAuth client credentials)"),
        ("TLS", "TLSv1.3, certificate verified"),
        ("Server certificate", f"SHA-256 {'ab' * 32}"),
        ("Server address", "192.0.2.7:443"),
        ("Server clock", "in step with ours"),
        ("Correlation id", "6f1f9b52-37ab-4b0e-9d7b-0a9a1f0c5a11"),
        ("Collected by", "audit01, auditor 0.1.0"),
        ("Attempts", "2"),
        ("Snapshot", f"SHA-256 {observation.snapshot.digest}"),
    )


def test_what_was_never_learnt_is_left_out() -> None:
    observation = Observation(
        target="a",
        outcome=ReadOutcome.TIMEOUT,
        started_at=AT,
        ended_at=AT + timedelta(seconds=30),
        collection=Collection(url="https://a.example/SMTP"),
    )

    assert collected(observation) == (
        ("Read", "Tue 17 Nov 2026 09:30 UTC, in 30.0 s"),
        ("Request", "GET https://a.example/SMTP"),
        ("Collected by", "unknown host, auditor unknown"),
    )


@pytest.mark.parametrize(
    ("learnt", "line"),
    [
        ({"clock_offset_ms": 1999}, ("Server clock", "in step with ours")),
        ({"clock_offset_ms": 2000}, ("Server clock", "2 seconds ahead of ours")),
        ({"clock_offset_ms": -95_000}, ("Server clock", "95 seconds behind ours")),
        ({"tls_version": "TLSv1.2", "tls_verified": False}, ("TLS", "TLSv1.2, certificate NOT verified")),
        ({"tls_version": "TLSv1.2"}, ("TLS", "TLSv1.2, verification unknown")),
        ({"account": "svc"}, ("Account", "svc")),
        ({"status": 204}, ("Answer", "HTTP 204")),
        ({"api_version": 1}, ("API version", "1")),
    ],
)
def test_each_circumstance_has_words(learnt: dict[str, object], line: tuple[str, str]) -> None:
    collection = Collection(url="https://a.example/SMTP", **learnt)  # type: ignore[arg-type]
    observation = Observation(target="a", outcome=ReadOutcome.OBSERVED, started_at=AT, ended_at=AT, collection=collection)

    assert line in collected(observation)


def test_a_field_that_no_version_documents_shows_its_kind_and_not_its_value() -> None:
    extra = UnknownField(name="Banner", sent=JsonType.TEXT, length="17-64", fingerprint=KEY.of("Banner", "x"))

    assert ProfileRow(fields=("Banner",), words="undocumented field: text, 17-64") in rows(snapshot(others={"unknown": (extra,)}))


def test_an_old_snapshot_that_lacks_a_field_is_shown_without_it() -> None:
    seen = snapshot()
    older = replace(seen, facts={name: fact for name, fact in seen.facts.items() if name != "Audience"})

    assert [row.fields for row in rows(seen) if row not in rows(older)] == [("Audience",)]


@pytest.mark.parametrize(
    ("name", "vault", "told"),
    [
        (None, None, ""),
        ("HashiCorp", Fact(State.VALUE, "external"), "; provider 3 is HashiCorp, an external vault"),
        ("LocalDB", Fact(State.VALUE, "command"), "; provider 3 is LocalDB, Command's own"),
        ("HashiCorp", None, "; provider 3 is HashiCorp"),
        (None, Fact(State.NOT_OFFERED, reason="no permission"), "; provider 3 is not known: no permission"),
    ],
)
def test_the_provider_that_keeps_a_secret_is_named(name: str | None, vault: Fact | None, told: str) -> None:
    place = SecretPlace(provider=3, name=name)
    seen = snapshot(others={"secrets": {"ClientSecret": place}}, **({"ClientSecret.vault": vault} if vault else {}))

    assert ProfileRow(fields=("ClientSecret",), words=f"kept in PAM (provider 3){told}") in rows(seen)


def test_nothing_seen_has_no_rows() -> None:
    assert rows(None) == ()
