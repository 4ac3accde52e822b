"""Results as rows: none is lost, each stands alone, and what they are called depends on nothing but them."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from auditor.core.model import RuleOutcome, RuleText
from auditor.report.results import NAMESPACE, NO_TIME, UNREAD, Result, filled, policies, results, rules, run_id, stable_uuid, trouble_text
from auditor.report.shown import Trouble, View
from auditor.report.statuses import Answer
from auditor.report.view import view
from tests.report.specimen import OWN, STRICT, nothing, sound, specimen, unseen
from tests.report.standings import AT, FAILS, IS_BASIC, POLICY, RULES, WAITS, WAIVED, WAIVER, finding, standing, unread


def row(key: str, rows: tuple[Result, ...]) -> Result:
    (found,) = [each for each in rows if each.shown.id == key]
    return found


def run_of(shown: View) -> str:
    return run_id(shown, results(shown))


def test_every_result_is_there_once_by_target_and_rule_and_the_installation_comes_last() -> None:
    rows = results(specimen())

    ids = [rule.id for rule in RULES]
    targets = [f"{name}/{rule}" for name in ("lab",) for rule in ids] + ["new/unread"] + [f"{n}/{r}" for n in ("prod-eu", "prod-us") for r in ids]
    assert [each.shown.id for each in rows] == [*targets, "installation/DRF-004", "installation/DRF-007", "installation/DRF-008"]
    assert results(nothing()) == ()


def test_a_row_knows_its_read_its_policy_and_its_snapshot() -> None:
    one = row("prod-us/CFG-013", results(specimen()))

    assert (one.subject, one.key, one.is_unread) == ("prod-us", ("target", "prod-us", "CFG-013"), False)
    assert (one.policy, one.policy_digest) == (STRICT, STRICT.digest)
    assert one.observation is not None
    assert one.observation.snapshot is not None
    assert one.snapshot_digest == one.observation.snapshot.digest
    assert one.at == one.observation.ended_at == AT + timedelta(minutes=2, milliseconds=412)
    assert one.rule.title == "Host is an approved relay, see #12 @ops"
    assert one.severity == "medium"


def test_a_row_of_the_installation_has_its_policy_and_no_read() -> None:
    shown = specimen()
    one = row("installation/DRF-004", results(shown))

    assert (one.target, one.subject, one.key) == (None, "installation", ("installation", "installation", "DRF-004"))
    assert (one.policy, one.observation, one.snapshot_digest, one.at) == (OWN, None, None, shown.as_of)


def test_a_read_that_failed_has_no_snapshot_of_its_own_however_well_the_last_one_is_known() -> None:
    one = row("lab/CFG-001", results(specimen()))

    assert one.target is not None
    assert one.target.standing.last_snapshot is not None
    assert (one.snapshot_digest, one.answer) == (None, Answer.NOT_EVALUATED)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("prod-eu/CFG-001", "UseSSL: expected true, observed false"),
        ("prod-us/CFG-013", 'Host: expected "smtp.corp.example", observed "smtp.corp.example.evil.example"; Port: expected 465 or 587, observed 25'),
        ("prod-eu/CFG-006", "Port: expected 465 or 587, observed 25"),
        ("prod-eu/CFG-009", "Host not learnt (SERVFAIL)"),
        ("prod-eu/OAU-003", "API v1 cannot show this"),
        ("prod-eu/CFG-013", "your var approved_hosts is not set"),
        ("prod-eu/CFG-028", "an error of the auditor itself (KeyError)"),
        ("prod-us/CFG-001", ""),
        ("lab/CFG-001", "the profile was not read, access denied"),
        ("new/unread", "Has not been read yet."),
        ("installation/DRF-004", "store.readable_by_others: expected false, observed true"),
        ("installation/DRF-008", "KeyError"),
    ],
)
def test_each_row_says_why(key: str, reason: str) -> None:
    assert row(key, results(specimen())).reason == reason


def test_whatever_keeps_a_rule_from_applying_is_told() -> None:
    twice = replace(WAITS, applies=(WAITS.applies[0], IS_BASIC))
    one = row("p/CFG-013", results(view([standing("p", twice)], engine_version="1")))

    assert one.reason == "your var approved_hosts is not set; RelayAuthenticationType is 2 (Basic)"


def test_a_message_is_the_title_how_it_stands_and_why() -> None:
    rows = results(specimen())

    assert row("prod-eu/CFG-001", rows).message == "Basic authentication runs over TLS: failing; UseSSL: expected true, observed false"
    assert row("prod-us/CFG-001", rows).message == "Basic authentication runs over TLS: passing"


def test_what_was_never_read_has_a_row_that_stands_for_no_rule() -> None:
    (one,) = results(unseen())

    assert (one.is_unread, one.rule, one.answer, one.policy, one.observation, one.at) == (True, UNREAD, Answer.NOT_EVALUATED, None, None, NO_TIME)
    assert (one.shown.finding.outcome, one.shown.finding.rule, one.shown.finding.as_of) == (RuleOutcome.NOT_EVALUATED, "unread", NO_TIME.date())
    assert (one.shown.anchor, one.shown.status, one.severity, one.shown.leaves) == ("new.unread", "unknown", None, ())
    assert UNREAD.id == UNREAD.id.lower()  # rule ids are in capitals, so it is none


def test_beside_a_read_target_the_unread_one_is_as_of_the_newest_read() -> None:
    shown = specimen()

    assert row("new/unread", results(shown)).at == shown.as_of


# --- what things are called ---------------------------------------------------------------------------------------


def test_a_run_is_called_the_same_for_the_same_data_whatever_the_order() -> None:
    one, other = standing("a"), unread("b")

    assert run_of(view([one, other], engine_version="1")) == run_of(view([other, one], engine_version="1"))
    assert UUID(run_of(sound())).version == 5


def _judged_otherwise() -> View:
    one = standing("prod-eu")
    assert one.assessment is not None
    return view([replace(one, assessment=replace(one.assessment, judgement=replace(one.assessment.judgement, key="j" * 64)))], engine_version="1.2.3")


def _waived_by(reason: str) -> View:
    one = standing("prod-eu", WAIVED)
    assert one.assessment is not None
    waivers = tuple(replace(waiver, reason=reason) for waiver in one.assessment.waivers)
    return view([replace(one, assessment=replace(one.assessment, waivers=waivers))], engine_version="1.2.3")


def test_a_run_is_called_otherwise_as_soon_as_anything_in_it_is() -> None:
    strict = replace(standing("prod-eu"), policy=STRICT)
    others = [
        sound(),
        nothing(),
        unseen(),
        specimen(),
        view([standing("prod-eu")], engine_version="1.2.4"),
        view([standing("prod-eu")], engine_version="1.2.3", period="2026-W47"),
        view([standing("prod-eu")], engine_version="1.2.3", title="Another"),
        view([standing("prod-us")], engine_version="1.2.3"),
        view([standing("prod-eu", at=AT + timedelta(seconds=1))], engine_version="1.2.3"),
        view([standing("prod-eu", FAILS)], engine_version="1.2.3"),
        view([strict], engine_version="1.2.3"),
        _judged_otherwise(),
        _waived_by("one"),
        _waived_by("another"),
    ]
    assert len({run_of(shown) for shown in others}) == len(others)


def test_a_name_belongs_to_its_parts_and_not_to_how_they_are_joined() -> None:
    assert stable_uuid("a", "b") == stable_uuid("a", "b")
    assert len({stable_uuid("a", "b"), stable_uuid("a,b"), stable_uuid("ab"), stable_uuid("a", "", "b"), stable_uuid("b", "a"), stable_uuid()}) == 6
    assert UUID(stable_uuid("\ud800", "\u202e")).version == 5
    assert str(NAMESPACE) == "0f6b1a52-6f0e-5c8e-9a39-6b8b4d1f7c21"  # with another one, every id in every archive would be another
    assert stable_uuid("run") == "26c4cf06-221c-582d-b19d-99a224d315b6"


# --- policies, rules, what is left out ----------------------------------------------------------------------------


def test_every_policy_that_judged_is_there_once_the_installations_own_last() -> None:
    assert policies(specimen()) == (POLICY, STRICT, OWN)
    assert policies(view([standing("a"), standing("b")], engine_version="1")) == (POLICY,)
    assert policies(nothing()) == ()


def test_rules_are_there_once_by_id_as_the_first_result_words_them() -> None:
    rows = results(specimen())

    assert [rule.id for rule in rules(rows)] == [*(rule.id for rule in RULES[:5]), "DRF-004", "DRF-007", "DRF-008", "OAU-003", "unread"]
    assert next(rule for rule in rules(rows) if rule.id == "CFG-013").title == "Host is an approved relay"


def test_a_rule_that_its_policy_does_not_tell_of_is_called_by_its_id() -> None:
    one = standing("a")
    shown = view([replace(one, policy=None)], engine_version="1")

    assert rules(results(shown))[0] == RuleText(id="CFG-001", title="CFG-001")
    assert results(shown)[0].policy_digest is None


def test_entries_that_say_nothing_are_left_out_and_false_and_zero_are_not() -> None:
    said = {"a": None, "b": "", "c": [], "d": {"e": "", "f": 0}, "g": [{"h": None}, {"i": False}], "j": {}, "k": " "}

    assert filled(said) == {"d": {"f": 0}, "g": [{}, {"i": False}], "j": {}, "k": " "}


def test_trouble_is_told_with_what_to_do_next_where_that_is_known() -> None:
    one = Trouble(words="", message="refused", hint="", last_seen="")

    assert trouble_text(one) == "refused"
    assert trouble_text(replace(one, hint="wait")) == "refused; next: wait"


def test_the_waiver_of_a_row_is_the_one_that_was_laid_over_it() -> None:
    rows = results(view([standing("partner", WAIVED, finding("CFG-001"))], engine_version="1"))

    assert [each.shown.waiver for each in rows if each.answer is Answer.WAIVED] == [replace(WAIVER, rule="CFG-006")]
