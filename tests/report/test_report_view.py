"""What a reader is shown: the verdict, numbers that add up, changes as intervals, and each kind of not knowing under its own name."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from auditor.core.model import Direction, FieldChange, Leaf, Level, PolicyText, RuleOutcome, Severity, Shape, Standing, State, TargetText, Verdict
from auditor.report.profile import ProfileRow
from auditor.report.shown import Counts, NeededVar, StandingLimit, Status, View
from auditor.report.view import view
from tests.factories import KEY, snapshot
from tests.report.standings import (
    AT,
    BROKE,
    FAILS,
    FAILS_TOO,
    IS_BASIC,
    LIMITED,
    POLICY,
    TLS_OFF,
    UNSEEN,
    WAITS,
    WAIVED,
    basic_snapshot,
    finding,
    never,
    standing,
    unread,
    v1_snapshot,
)


def shown(*standings: Standing) -> View:
    return view(standings, engine_version="1.0")


V1 = v1_snapshot(Port=587)
PAM = replace(snapshot(), shape=Shape.V2_PAM)
ADVICE = finding("CFG-006", RuleOutcome.FAIL, Severity.INFO)


@pytest.mark.parametrize(
    ("standings", "sentence", "status"),
    [
        ([], "No server is configured, so nothing was checked.", Status.UNKNOWN),
        ([never("a")], "a has not been read yet.", Status.UNKNOWN),
        ([never("a"), never("b")], "Neither server has been read yet.", Status.UNKNOWN),
        ([unread("a")], "a could not be read: access denied.", Status.UNKNOWN),
        (
            [unread("a"), unread("b"), never("c")],
            "None of the 3 servers could be read, so nothing can be said about them.",
            Status.UNKNOWN,
        ),
        ([standing("a")], "a meets the policy.", Status.PASS),
        ([standing("a"), standing("b")], "Both servers meet the policy.", Status.PASS),
        ([standing("a"), standing("b"), standing("c")], "All 3 servers meet the policy.", Status.PASS),
        ([standing("a", LIMITED, seen=V1)], "a meets the policy, as far as API v1 shows.", Status.PASS),
        ([standing("a", LIMITED, seen=PAM)], "a meets the policy, as far as API v2 without OAuth fields shows.", Status.PASS),
        ([standing("a", LIMITED)], "a meets the policy, as far as the API shows.", Status.PASS),
        (
            [standing("a", LIMITED, seen=V1), standing("b", LIMITED, seen=PAM)],
            "Both servers meet the policy, as far as the API shows.",
            Status.PASS,
        ),
        ([standing("a", WAIVED)], "a meets the policy with 1 waived failure.", Status.WAIVED),
        (
            [standing("a", WAIVED, LIMITED, seen=V1)],
            "a meets the policy with 1 waived failure, as far as API v1 shows.",
            Status.WAIVED,
        ),
        (
            [standing("a", ADVICE, verdict=Verdict.COMPLIANT)],
            "a meets the policy with 1 failure of severity info.",
            Status.PASS,
        ),
        ([standing("a", FAILS)], "a does not meet the policy: 1 rule fails (1 critical).", Status.FAIL),
        ([standing("a", FAILS, FAILS_TOO)], "a does not meet the policy: 2 rules fail (1 critical and 1 low).", Status.FAIL),
        ([standing("a", FAILS), standing("b")], "1 of 2 servers does not meet the policy.", Status.FAIL),
        ([standing("a", FAILS), standing("b", FAILS)], "Neither server meets the policy.", Status.FAIL),
        (
            [standing("a", FAILS), standing("b", FAILS), unread("c")],
            "2 of 3 servers do not meet the policy, and 1 could not be read.",
            Status.FAIL,
        ),
        ([standing("a"), unread("b")], "1 of 2 servers meets the policy, and 1 could not be read.", Status.UNKNOWN),
        (
            [standing("a"), standing("b", LIMITED, seen=V1), unread("c"), never("d"), standing("e", UNSEEN)],
            "2 of 5 servers meet the policy, as far as API v1 shows; 1 could be judged only in part, 1 could not be read and 1 was never read.",
            Status.UNKNOWN,
        ),
        ([standing("a", UNSEEN)], "a could be judged only in part.", Status.UNKNOWN),
        (
            [standing("a", UNSEEN), never("b"), never("c")],
            "None of the 3 servers could be judged in full; 1 could be judged only in part and 2 were never read.",
            Status.UNKNOWN,
        ),
    ],
)
def test_the_verdict_is_one_sentence_that_claims_no_more_than_was_seen(standings: list[Standing], sentence: str, status: Status) -> None:
    page = shown(*standings)

    assert (page.verdict, page.status) == (sentence, status)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (never(), ("never read", "Has not been read yet.")),
        (unread(), ("access denied", "Could not be read: access denied.")),
        (standing(), ("meets", "Meets the policy.")),
        (standing("a", WAIVED), ("meets, with waivers", "Meets the policy with 1 waived failure.")),
        (standing("a", UNSEEN), ("judged in part", "Could be judged only in part.")),
        (standing("a", FAILS), ("does not meet", "Does not meet the policy: 1 rule fails (1 critical).")),
    ],
)
def test_each_target_has_its_verdict_in_a_word_and_in_a_sentence(one: Standing, words: tuple[str, str]) -> None:
    (target,) = shown(one).targets

    assert (target.word, target.sentence) == words


EVERY_OUTCOME = standing("all", FAILS, WAIVED, UNSEEN, WAITS, BROKE, LIMITED)


def test_the_numbers_add_up_to_population_times_rules() -> None:
    page = shown(EVERY_OUTCOME, unread(), never())

    assert page.counts == Counts(fail=1, waived=1, not_evaluated=2 + 6, error=1, not_applicable=1, passed=0, standing_limits=1)
    assert page.counts.results == 2 * 6
    assert page.reconciliation == (
        "2 servers × 6 rules = 12 results = 1 failing + 9 not evaluated + 1 waived + 0 passing + 1 not applicable. 1 server without any result."
    )


def test_each_result_is_shown_exactly_once() -> None:
    (target,) = shown(EVERY_OUTCOME).targets

    assert EVERY_OUTCOME.assessment is not None
    assert sorted(each.id for each in target.findings) == sorted(f"all/{each.rule}" for each in EVERY_OUTCOME.assessment.judgement.findings)


def test_servers_under_policies_of_different_size_are_summed() -> None:
    smaller = standing("b")
    assert smaller.assessment is not None
    judgement = replace(smaller.assessment.judgement, findings=smaller.assessment.judgement.findings[:2])
    smaller = replace(smaller, assessment=replace(smaller.assessment, judgement=judgement))

    assert shown(standing("a"), smaller).reconciliation.startswith("the rules of 2 servers, summed = 8 results = 0 failing + ")


def test_nothing_judged_is_said_so() -> None:
    assert shown(never()).reconciliation == "No rule was judged. 1 server without any result."


def test_the_worst_target_comes_first_then_the_name_decides() -> None:
    names = ["fine-b", "fine-a", "unread", "low", "critical", "waived"]
    standings = [standing("fine-b"), standing("fine-a"), unread("unread"), standing("low", FAILS_TOO), standing("critical", FAILS)]
    page = shown(*standings, standing("waived", WAIVED))

    assert [target.name for target in page.targets] == ["critical", "low", "unread", "waived", "fine-a", "fine-b"]
    assert sorted(names) == sorted(target.name for target in page.targets)


def test_the_order_in_which_standings_come_does_not_matter() -> None:
    standings = [standing("a", FAILS), standing("b", FAILS_TOO, changes=(TLS_OFF,)), unread("c"), never("d"), standing("e")]
    first = shown(*standings)
    random.Random(7).shuffle(standings)

    assert shown(*standings) == first


def test_failing_rules_stand_by_severity_and_explain_themselves() -> None:
    (target,) = shown(standing("prod-eu", FAILS_TOO, FAILS)).targets
    first = target.failing[0]

    assert [each.id for each in target.failing] == ["prod-eu/CFG-001", "prod-eu/CFG-006"]
    assert [(leaf.fact, leaf.expected, leaf.observed, leaf.var) for leaf in first.leaves] == [("UseSSL", "true", "false", None)]
    assert first.applies == ("RelayAuthenticationType is 2 (Basic)",)
    assert (first.rule.title, first.severity, first.status) == ("Basic authentication runs over TLS", Severity.CRITICAL, Status.FAIL)


def test_a_rule_that_the_policy_text_does_not_have_goes_by_its_id() -> None:
    one = standing("a", FAILS)
    (target,) = shown(replace(one, policy=None)).targets

    assert target.failing[0].rule.title == "CFG-001"


@pytest.mark.parametrize(
    ("names", "alike"),
    [(("a.b", "a-b"), False), (("a_2e_b", "a.b"), False), (("A", "a"), False), (("ä", "ae"), False), (("a", "a"), True)],
)
def test_no_two_names_share_an_anchor(names: tuple[str, str], alike: bool) -> None:
    anchors = [shown(never(name)).targets[0].anchor for name in names]

    assert (anchors[0] == anchors[1]) is alike
    assert all(anchor.isascii() and "." not in anchor for anchor in anchors)


def test_what_could_not_be_judged_is_grouped_by_why() -> None:
    (target,) = shown(standing("a", UNSEEN, BROKE, LIMITED, seen=V1)).targets

    assert [(group.reason, group.is_standing, [each.rule.id for each in group.findings]) for group in target.unknown] == [
        ("Host not learnt (SERVFAIL)", False, ["CFG-009"]),
        ("an error of the auditor itself (KeyError)", False, ["CFG-028"]),
        ("API v1 cannot show this", True, ["OAU-003"]),
    ]


def test_an_unknown_without_any_leaf_still_has_a_reason() -> None:
    bare = finding("CFG-009", RuleOutcome.NOT_EVALUATED, Severity.LOW)
    broken = finding("CFG-028", RuleOutcome.ERROR)
    (target,) = shown(standing("a", bare, broken)).targets

    assert [group.reason for group in target.unknown] == ["what it needs is not known", "an error of the auditor itself (no detail)"]


def test_a_standing_limit_counts_once_for_a_target_however_many_rules_meet_it() -> None:
    (leaf,) = LIMITED.because
    silent = replace(leaf, fact="RelayPassword", reason=None)
    also = finding("CFG-028", RuleOutcome.NOT_EVALUATED, Severity.CRITICAL, standing=True, because=(leaf, silent))
    (target,) = shown(standing("a", LIMITED, also, seen=V1)).targets

    assert target.limits == (
        StandingLimit(reason="API v1 cannot show this", facts=("TokenEndpoint.scheme",), rules=("CFG-028", "OAU-003")),
        StandingLimit(reason="the source does not offer it", facts=("RelayPassword",), rules=("CFG-028",)),
    )


def test_a_failed_read_says_what_happened_what_to_do_and_how_old_the_rest_is() -> None:
    page = shown(unread("lab", last_seen=AT - timedelta(days=3)))
    (target,) = page.targets

    assert target.trouble is not None
    assert target.trouble.words == "access denied"
    assert target.trouble.hint == "give the account's role the permission `/system_settings/read/`"
    assert target.trouble.last_seen == "The profile was last seen on Sat 14 Nov 2026 09:30 UTC, 3 days before this report."
    assert target.profile_note == f"{target.trouble.last_seen} It was not judged: it may have changed since."
    assert target.profile
    assert [group.reason for group in target.unknown] == ["the profile was not read, access denied"]


def test_a_failed_read_of_a_server_never_seen_claims_nothing() -> None:
    silent = unread("lab", last_seen=None)
    assert silent.assessment is not None
    silent = replace(silent, assessment=replace(silent.assessment, observation=replace(silent.assessment.observation, message="")))
    (target,) = shown(silent).targets

    assert target.trouble is not None
    assert (target.trouble.message, target.trouble.last_seen) == ("The read ended as forbidden.", "The profile was never seen.")
    assert (target.profile, target.profile_note) == ((), "")


@pytest.mark.parametrize(("age", "note"), [(timedelta(hours=23), ""), (timedelta(hours=25), "The profile was last seen on ")])
def test_a_profile_older_than_a_day_says_so(age: timedelta, note: str) -> None:
    page = shown(standing("new"), standing("old", at=AT - age))
    old = next(target for target in page.targets if target.name == "old")

    assert old.profile_note.startswith(note)
    assert bool(old.profile_note) is bool(note)


UPGRADE = FieldChange(field="Port", kind="value", direction=Direction.UPGRADE, before="25", after="587")
NEUTRAL = FieldChange(field="SenderName", kind="value", direction=Direction.NEUTRAL, before="a", after="b", severity=Severity.LOW)


def test_changes_of_all_targets_stand_together_the_worst_first_and_each_within_an_interval() -> None:
    page = shown(standing("a", changes=(UPGRADE, NEUTRAL)), standing("b", changes=(TLS_OFF,)), standing("c"))

    assert [(each.target, each.change.field, each.word, each.status) for each in page.changes] == [
        ("b", "UseSSL", "downgrade", Status.FAIL),
        ("a", "SenderName", "changed", Status.NEUTRAL),
        ("a", "Port", "upgrade", Status.NEUTRAL),
    ]
    assert {each.happened for each in page.changes} == {"between Tue 17 Nov 2026 09:15 and 09:30 UTC"}
    assert page.compared == ("c: nothing changed since the read of Tue 17 Nov 2026 09:15 UTC.",)
    assert next(target.compared for target in page.targets if target.name == "a") == "2 fields changed since the read of Tue 17 Nov 2026 09:15 UTC."


def test_what_could_not_be_compared_is_said() -> None:
    page = shown(never("a"), unread("b"), unread("c"), standing("d", previous_at=None))

    assert page.compared == (
        "d: first read, nothing to compare with.",
        "a: never read.",
        "b and c: not read, so nothing could be compared.",
    )


def test_a_change_without_an_earlier_read_claims_no_beginning() -> None:
    page = shown(standing("a", changes=(TLS_OFF,), previous_at=None))

    assert page.changes[0].happened == "before Tue 17 Nov 2026 09:30 UTC"


def test_the_work_list_names_one_fix_and_all_its_servers() -> None:
    page = shown(standing("b", FAILS, FAILS_TOO), standing("a", FAILS_TOO), standing("c"))

    assert [(item.rule.id, item.severity, [name for name, _ in item.findings]) for item in page.work] == [
        ("CFG-001", Severity.CRITICAL, ["b"]),
        ("CFG-006", Severity.LOW, ["a", "b"]),
    ]


def test_rules_that_wait_for_data_are_listed_once() -> None:
    (unset,) = WAITS.applies
    null = replace(unset, state=State.UNSET, actual=None)
    also = finding("CFG-009", RuleOutcome.NOT_APPLICABLE, applies=(null,))
    page = shown(standing("b", WAITS), standing("a", WAITS, also))

    assert page.needed_vars == (NeededVar(name="approved_hosts", rules=("CFG-009", "CFG-013"), targets=("a", "b")),)
    assert page.targets[0].not_applicable[0].applies == ("your var approved_hosts is not set",)


def test_a_var_that_is_set_is_not_waited_for() -> None:
    (unset,) = WAITS.applies
    held = finding("CFG-013", RuleOutcome.NOT_APPLICABLE, applies=(replace(unset, actual=["smtp.corp.example"], level=Level.TRUE), IS_BASIC))

    assert shown(standing("a", held)).needed_vars == ()


def test_that_a_profile_is_configured_goes_without_saying() -> None:
    configured = Leaf(
        at="when/profile.configured", fact="profile.configured", operator="equals", expected=True, level=Level.TRUE, state=State.VALUE, actual=True
    )
    (target,) = shown(standing("a", replace(FAILS, applies=(configured, IS_BASIC)))).targets

    assert target.failing[0].applies == ("RelayAuthenticationType is 2 (Basic)",)


def test_policies_are_named_once_with_those_they_judged() -> None:
    strict: PolicyText = replace(POLICY, name="strict", digest="5" * 64)
    page = shown(standing("b"), replace(standing("c"), policy=strict), standing("a"), never())

    assert [(each.policy.name, each.targets) for each in page.policies] == [("recommended", ("a", "b")), ("strict", ("c",))]


def test_guards_that_are_off_are_named_for_each_target() -> None:
    lax = standing("lax", target={"insecure_skip_verify": True})
    plain = Standing(target=TargetText(name="plain", url="http://127.0.0.1", insecure_http=True))
    page = shown(plain, standing("good"), lax)

    assert [warning.partition(" (")[0] for warning in page.warnings] == [
        "lax: certificate checks are switched off",
        "plain: read over plain http",
    ]


def test_the_report_is_as_of_its_newest_observation() -> None:
    page = shown(standing("a", at=AT - timedelta(days=1)), unread("b"), never("c"))

    assert page.as_of == AT + timedelta(seconds=1)
    assert page.period == "Tue 17 Nov 2026 09:30 UTC"
    assert (shown(never()).as_of, shown(never()).period) == (None, "nothing read yet")


def test_title_period_and_time_can_be_given() -> None:
    page = view([never()], engine_version="1.0", as_of=AT, title="Mail watch", period="week 47")

    assert (page.title, page.period, page.as_of, page.engine_version) == ("Mail watch", "week 47", AT, "1.0")


def test_a_profile_is_told_field_by_field_and_what_is_not_offered_comes_last() -> None:
    (target,) = shown(standing("a", seen=v1_snapshot())).targets
    rows = {row.fields: row for row in target.profile}

    assert rows[("Port",)] == ProfileRow(fields=("Port",), words="25", is_value=True)
    assert rows[("RelayUsername",)].words == "CORP\\svc-relay"
    assert target.profile[-1] == ProfileRow(
        fields=("RelayPassword", "SenderAddress", "ClientId", "ClientSecret", "TokenEndpoint", "Scope", "Audience", "RequestHeaders"),
        words="API v1 cannot show this",
    )


def test_a_secret_in_the_profile_is_its_place_and_an_exposed_one_alarms() -> None:
    (target,) = shown(standing("a", seen=basic_snapshot(ClientSecret="exposed"))).targets
    rows = {row.fields[0]: row for row in target.profile}

    assert rows["RelayPassword"].words == f"kept in PAM (provider 3; SecretId {KEY.of('RelayPassword.SecretId', '7').mac[:8]})"
    assert not rows["RelayPassword"].is_value
    assert rows["ClientSecret"] == ProfileRow(fields=("ClientSecret",), words="sent in clear (value dropped)", is_alarming=True)


def test_a_server_without_a_mail_profile_has_no_rows() -> None:
    (target,) = shown(standing("a", seen=snapshot(configured=False))).targets

    assert target.profile == ()


def test_changes_before_the_newest_read_are_told_apart_the_newest_first() -> None:
    from dataclasses import replace

    from auditor.core.model import Moved

    now = standing("a", changes=(NEUTRAL,))
    assert now.assessment is not None
    began = now.assessment.observation.started_at
    moved = (
        Moved(not_before=began - timedelta(days=1), not_after=began, changes=(NEUTRAL,)),
        Moved(not_before=began - timedelta(days=3), not_after=began - timedelta(days=2), changes=(TLS_OFF, UPGRADE)),
        Moved(not_before=None, not_after=began - timedelta(days=9), changes=(NEUTRAL,)),
    )
    page = shown(replace(now, moved=moved))
    assert [each.change for each in page.changes] == [NEUTRAL]
    assert [(each.change, began - each.not_after) for each in page.earlier] == [
        (TLS_OFF, timedelta(days=2)),
        (UPGRADE, timedelta(days=2)),
        (NEUTRAL, timedelta(days=9)),
    ]
