"""OSCAL: what the model's schema does not say, and an importer stumbles over."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from auditor.core.model import PolicyText, RuleText, Standing
from auditor.report.oscal import render_oscal
from auditor.report.view import view
from tests.report.specimen import specimen
from tests.report.standings import BROKE, EARLIER, FAILS, WAITS, WAIVED, never, standing, unread


def document(*standings: Standing, **others: Any) -> Any:
    return json.loads(render_oscal(view(standings, engine_version="1", **others)))["assessment-results"]


def result(*standings: Standing) -> Any:
    (only,) = document(*standings)["results"]
    return only


def controlled(*controls: tuple[str, tuple[str, ...]], rule: str = "CFG-001") -> Standing:
    one = standing("prod")
    assert one.assessment is not None
    findings = (replace(one.assessment.judgement.findings[0], rule=rule),)
    policy = PolicyText(name="p", title="P", version=1, digest="d" * 64, rules=(RuleText(id=rule, title="T", controls=controls),))
    return replace(one, policy=policy, assessment=replace(one.assessment, judgement=replace(one.assessment.judgement, findings=findings)))


def reviewed(*standings: Standing) -> tuple[list[str], list[str]]:
    told = result(*standings)["reviewed-controls"]
    (controls,), (objectives,) = told["control-selections"], told["control-objective-selections"]
    return [each["control-id"] for each in controls["include-controls"]], [each["objective-id"] for each in objectives["include-objectives"]]


@pytest.mark.parametrize(
    ("control", "catalogued"),
    [
        ("SC-8", "sc-8"),
        ("IA-5(1)", "ia-5.1"),
        ("IA-5(1)(c)", "ia-5.1"),
        ("AC-2(12)(a)(1)", "ac-2.12"),
        ("AU-10(b)", "au-10"),
        ("S-8", None),
        ("SC-", None),
        ("SC-8 and more", None),
        ("xSC-8", None),
        ("SC-8(1", None),
    ],
)
def test_a_control_is_called_as_in_nists_catalogue(control: str, catalogued: str | None) -> None:
    assert reviewed(controlled(("nist-800-53r5", (control,))))[0] == ([catalogued] if catalogued else ["CFG-001"])


def test_controls_of_others_are_properties_and_no_controls_of_the_catalogue() -> None:
    one = controlled(("iso-27001-2022", ("SC-8",)), ("nist-800-53r5", ("SC-8", "AC-3", "SC-8")))
    (finding,) = result(one)["findings"]

    assert reviewed(one) == (["ac-3", "sc-8"], ["CFG-001"])
    assert reviewed(controlled(("iso-27001-2022", ("SC-8",)))) == (["CFG-001"], ["CFG-001"])
    assert [(prop["name"], prop["value"]) for prop in finding["props"]][2:] == [
        ("control-iso-27001-2022", "SC-8"),
        ("control-nist-800-53r5", "SC-8"),
        ("control-nist-800-53r5", "AC-3"),
        ("control-nist-800-53r5", "SC-8"),
    ]


def test_no_catalogue_is_ever_said_to_be_reviewed_whole() -> None:
    assert reviewed() == (["none"], ["none"])
    assert reviewed(never()) == (["unread"], ["unread"])
    judged = reviewed(standing("prod", WAITS))[1]
    assert (len(judged), "CFG-013" in judged) == (5, False)  # what does not apply was not reviewed
    assert "include-all" not in json.dumps(document(standing("prod")))


@pytest.mark.parametrize(
    ("rule", "token"),
    [
        ("CFG-001", "CFG-001"),
        ("9A", "_9A"),
        ("-A", "_-A"),
        ("_a.b", "_a.b"),
        ("a b", "a_20_b"),
        ("ä", "_e4_"),
        ("", "_"),
        ("X+X", "X_2b_X"),
        ("A" * 300, "A" * 200),
    ],
)
def test_a_rule_is_a_token_whatever_it_is_called(rule: str, token: str) -> None:
    (finding,) = result(controlled(rule=rule))["findings"]

    assert finding["target"]["target-id"] == token
    assert finding["target"]["type"] == "objective-id"


def test_a_document_is_as_of_the_newest_read_and_a_result_from_the_first_on() -> None:
    told = document(standing("a", at=EARLIER), standing("b"))
    (only,) = told["results"]

    assert told["metadata"]["last-modified"] == told["metadata"]["version"] == only["end"] == "2026-11-17T09:30:00.412000Z"
    assert only["start"] == "2026-11-17T09:15:00Z"
    assert (result(never())["start"], result(never())["end"]) == ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z")


def test_a_waiver_is_a_risk_that_somebody_took_until_a_day() -> None:
    one = result(standing("prod", WAIVED))
    (risk,) = one["risks"]
    waived = next(each for each in one["findings"] if each["target"]["target-id"] == "CFG-006")

    assert (risk["status"], risk["deadline"]) == ("deviation-approved", "2027-01-01T00:00:00Z")
    assert risk["title"] == "prod does not meet CFG-006"
    assert (risk["description"], risk["statement"]) == ("Their relay moves to 587 in spring.", "Others on that network can read the mail.")
    (entry,) = risk["risk-log"]["entries"]
    assert (entry["start"], entry["status-change"], entry["title"]) == (
        "2026-10-01T00:00:00Z",
        "deviation-approved",
        "Approved by ciso@corp.example",
    )
    assert {prop["name"]: prop["value"] for prop in risk["props"]} == {
        "waiver": risk["props"][0]["value"],
        "owner": "mail team",
        "requested-by": "mail team",
        "approved-by": "ciso@corp.example",
        "ticket": "SEC-1234",
        "holds": "through 2026-12-31 UTC",
    }
    assert waived["related-risks"] == [{"risk-uuid": risk["uuid"]}]
    assert [each for each in one["findings"] if "related-risks" in each] == [waived]


def test_a_waiver_that_says_less_has_its_reason_as_the_risk_and_the_read_as_its_day() -> None:
    one = standing("prod", WAIVED)
    assert one.assessment is not None
    (waiver,) = one.assessment.waivers
    bare = replace(waiver, risk=None, approved_on=None, requested_by=None, ticket=None)
    (risk,) = result(replace(one, assessment=replace(one.assessment, waivers=(bare,))))["risks"]

    assert risk["statement"] == risk["description"] == "Their relay moves to 587 in spring."
    assert risk["risk-log"]["entries"][0]["start"] == "2026-11-17T09:30:00.412000Z"
    assert {prop["name"] for prop in risk["props"]} == {"waiver", "owner", "approved-by", "holds"}


def test_a_risk_that_is_waived_by_another_waiver_is_another_one() -> None:
    one = standing("prod", WAIVED)
    assert one.assessment is not None
    (waiver,) = one.assessment.waivers
    later = replace(one, assessment=replace(one.assessment, waivers=(replace(waiver, approved_on=date(2026, 10, 2)),)))

    assert result(one)["risks"][0]["uuid"] != result(later)["risks"][0]["uuid"]


def test_each_read_is_an_entry_of_the_log_once_and_a_bug_of_ours_as_well() -> None:
    entries = result(standing("prod", BROKE), unread("lab"), never("new"))["assessment-log"]["entries"]

    assert [(each["title"], each.get("end"), each.get("description")) for each in entries] == [
        ("lab: forbidden", "2026-11-17T09:30:01Z", "command answered 403: our account may not read the SMTP profile"),
        ("prod: observed", "2026-11-17T09:30:00.412000Z", None),
        ("Execution failure: prod/CFG-028", None, "an error of the auditor itself (KeyError)"),
    ]
    assert "assessment-log" not in result(never())


def test_a_text_is_words_of_markdown_on_one_line_and_a_property_has_no_blank_around_it() -> None:
    one = standing(" *x*\n[a](b) ", FAILS, target={"owner": "  \n "})
    told = result(one)
    (item,) = told["local-definitions"]["inventory-items"]

    assert item["description"] == r"\*x\* \[a\](b)"
    assert {prop["name"]: prop["value"] for prop in item["props"]}["target"] == "*x* [a](b)"
    assert "owner" not in {prop["name"] for prop in item["props"]}


def test_where_a_line_is_demanded_and_there_is_none_there_is_a_dash() -> None:
    one = controlled()
    assert one.policy is not None
    bare = replace(one, policy=replace(one.policy, rules=(replace(one.policy.rules[0], title=" "),)))

    assert result(bare)["observations"][0]["title"] == "-"


def test_the_subject_of_an_observation_is_the_target_or_the_auditor_itself() -> None:
    (told,) = json.loads(render_oscal(specimen()))["assessment-results"]["results"]
    items = {item["uuid"]: item["description"] for item in told["local-definitions"]["inventory-items"]}
    (component,) = told["local-definitions"]["assessment-assets"]["components"]
    subjects = {}
    for each in told["observations"]:
        (subject,) = each["subjects"]
        finding = next(prop["value"] for prop in each["props"] if prop["name"] == "finding-id")
        subjects[finding] = items.get(subject["subject-uuid"]) or (subject["type"], subject["subject-uuid"] == component["uuid"])

    assert {name.split("/")[0]: subject for name, subject in subjects.items()} == {
        "lab": "lab",
        "new": "new",
        "prod-eu": "prod-eu",
        "prod-us": "prod-us",
        "installation": ("component", True),
    }
    assert all(each["methods"] == ["TEST"] for each in told["observations"])
