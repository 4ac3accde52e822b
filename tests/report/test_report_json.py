"""The JSON format: complete, stable, lossless, and safe to print."""

import json
from datetime import timedelta
from typing import Any

import pytest

from auditor.core.model import Leaf, Snapshot, Standing
from auditor.report.formats import FORMATS
from auditor.report.jsondoc import dumped
from auditor.report.safetext import is_hidden
from auditor.report.view import view
from tests.report.hostile import VALUES, hostile, hostile_trouble
from tests.report.standings import AT, BROKE, FAILS, LIMITED, POLICY, TLS_OFF, UNSEEN, WAITS, WAIVED, never, standing, unread


def written(*standings: Standing) -> bytes:
    return FORMATS["json"](view(standings, engine_version="1.0"))


def read(*standings: Standing) -> Any:
    return json.loads(written(*standings))


EU = standing("prod-eu", FAILS, WAIVED, UNSEEN, WAITS, BROKE, LIMITED, changes=(TLS_OFF,), target={"owner": "PKI", "labels": (("env", "prod"),)})


def test_the_top_says_when_what_and_how_many() -> None:
    document = read(EU, unread(), never())
    counts = {"results": 12, "fail": 1, "waived": 1, "not_evaluated": 8, "standing_limits": 1, "error": 1, "not_applicable": 1, "pass": 0}

    assert set(document) == {
        "schema_version",
        "run_id",
        "title",
        "period",
        "as_of",
        "engine_version",
        "verdict",
        "counts",
        "warnings",
        "targets",
        "policies",
        "needed_vars",
        "waivers",
        "installation",
        "installation_policy",
        "blind_spots",
    }
    assert (document["schema_version"], document["as_of"], document["engine_version"]) == (1, "2026-11-17T09:30:01Z", "1.0")
    assert document["counts"] == counts
    assert document["verdict"]["status"] == "fail"
    assert [target["name"] for target in document["targets"]] == ["lab", "new", "prod-eu"]
    assert document["needed_vars"] == [{"var": "approved_hosts", "rules": ["CFG-013"], "targets": ["prod-eu"]}]


def test_a_target_can_be_rebuilt_from_its_part() -> None:
    (target,) = read(EU)["targets"]
    assert EU.assessment is not None
    observation = EU.assessment.observation
    assert observation.snapshot is not None

    assert (target["owner"], target["labels"], target["verdict"], target["status"]) == ("PKI", {"env": "prod"}, "non_compliant", "fail")
    assert (target["policy_digest"], target["judgement_key"]) == (POLICY.digest, "k" * 64)
    assert Snapshot.from_document(target["profile"]["snapshot"]).digest == target["profile"]["digest"] == observation.snapshot.digest
    assert target["profile"]["words"]["RelayAuthenticationType"] == "3 (OAuth)"
    assert target["observation"]["started_at"] == "2026-11-17T09:30:00Z"
    assert target["observation"]["ended_at"] == "2026-11-17T09:30:00.412000Z"
    assert target["observation"]["collection"]["tls_leaf_sha256"] == "ab" * 32
    assert target["previous"] == {"snapshot_digest": "b" * 64, "seen_at": "2026-11-17T09:15:00Z"}
    assert target["changes"] == [
        {
            "field": "UseSSL",
            "kind": "value",
            "direction": "downgrade",
            "severity": "critical",
            "before": "true",
            "after": "false",
            "not_before": "2026-11-17T09:15:00Z",
            "not_after": "2026-11-17T09:30:00.412000Z",
        }
    ]
    assert target["standing_limits"] == [{"reason": "API v1 cannot show this", "facts": ["TokenEndpoint.scheme"], "rules": ["OAU-003"]}]


def test_a_finding_carries_its_evidence_for_machines_and_for_people() -> None:
    (target,) = read(EU)["targets"]
    finding = target["findings"][0]

    assert [each["id"] for each in target["findings"]] == [f"prod-eu/{rule.id}" for rule in POLICY.rules]
    assert (finding["outcome"], finding["severity"], finding["as_of"]) == ("fail", "critical", "2026-11-17")
    assert tuple(Leaf.from_document(leaf) for leaf in finding["because"]) == FAILS.because
    assert finding["because_text"] == ["UseSSL: expected true, got false"]


def test_the_policy_that_judged_is_there_with_its_rules() -> None:
    (policy,) = read(EU)["policies"]

    assert (policy["name"], policy["version"], policy["digest"], policy["targets"]) == ("recommended", 1, POLICY.digest, ["prod-eu"])
    assert policy["vars"] == {"allowed_ports": [465, 587]}
    assert policy["rules"]["CFG-001"]["controls"] == {"iso-27001-2022": ["8.24"], "nist-800-53r5": ["SC-8", "IA-5(1)(c)"]}


def test_what_was_never_read_has_no_observation_and_no_verdict() -> None:
    (target,) = read(never("new"))["targets"]

    assert {key: target[key] for key in ("verdict", "observation", "profile", "previous", "policy_digest", "last_seen", "findings")} == {
        "verdict": None,
        "observation": None,
        "profile": None,
        "previous": None,
        "policy_digest": None,
        "last_seen": None,
        "findings": [],
    }
    assert read(never())["as_of"] is None


def test_the_last_known_profile_of_a_failed_read_keeps_its_time() -> None:
    (target,) = read(unread(last_seen=AT - timedelta(days=3)))["targets"]

    assert (target["observation"]["snapshot_digest"], target["last_seen"]) == (None, "2026-11-14T09:30:00Z")
    assert target["profile"] is not None


@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_values_stay_whole_and_what_is_hidden_is_written_as_an_escape(value: str) -> None:
    content = written(hostile(value), hostile_trouble(value)).decode()
    target = next(each for each in json.loads(content)["targets"] if each["name"] == value)

    assert target["profile"]["snapshot"]["facts"]["SenderName"]["value"] == value
    assert target["findings"][0]["because"][0]["actual"] == value
    assert [character for character in content if character != "\n" and is_hidden(character)] == []


def test_what_is_seen_stays_as_it_is_and_a_number_that_json_does_not_have_is_refused() -> None:
    assert dumped({"b": "é—邮", "a": "\u200b\x7f"}) == '{"a":"\\u200b\\u007f","b":"é—邮"}'
    assert dumped([1], indent=2) == "[\n  1\n]"
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumped(float("nan"))


def test_delete_and_half_a_surrogate_pair_are_escaped_too() -> None:
    content = written(standing("a", target={"owner": "\x7f\ud800"}))

    assert rb'"owner": "\u007f\ud800"' in content


def test_the_same_data_gives_the_same_bytes_in_a_stable_layout() -> None:
    content = written(EU, unread(), never())

    assert content == written(never(), unread(), EU)
    assert content == (json.dumps(json.loads(content), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
