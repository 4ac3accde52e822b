"""The shipped policies: complete, sound in form, and each rule with what a reader needs."""

import pytest

from auditor import policyfile
from auditor.core.model import RuleOutcome
from auditor.policyfile.rules import WrittenRule
from tests.policies.profiles import BOOK, CONTROLS, IDS, IN_FORCE, POLICIES, WRITTEN


def test_every_rule_of_the_catalogue_is_written() -> None:
    assert set(WRITTEN) == IDS


@pytest.mark.parametrize("policy", IN_FORCE)
def test_each_set_has_the_rules_that_it_was_asked_to_have(policy: str) -> None:
    assert {rule.id for rule in BOOK.policy(policy).rules} == IN_FORCE[policy]


def test_the_sets_rate_a_rule_alike_but_for_where_a_secret_is_kept() -> None:
    rated = [{rule.id: rule.ratings for rule in BOOK.policy(policy).rules} for policy in IN_FORCE]
    assert {rule_id for rule_id, ratings in rated[0].items() if ratings != rated[1][rule_id]} == {"CFG-027"}


def test_every_var_says_what_it_is_for_and_is_used() -> None:
    strict = BOOK.policy("strict")
    used = {name for rule in strict.rules for criterion in rule.criteria() for name in (*criterion.vars, criterion.subject.removeprefix("$"))}
    assert all(var.about.endswith((".", '".', "'.")) for var in strict.vars.values())
    assert strict.vars.keys() <= used


def test_lint_has_no_doubt() -> None:
    assert policyfile.lint(BOOK) == []


@pytest.mark.parametrize("name", BOOK.names())
def test_every_example_comes_out_as_it_says(name: str) -> None:
    assert [result for result in policyfile.run_examples(BOOK, name) if not result.ok] == []


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_every_rule_shows_what_passes_what_fails_and_how_bad_that_is(written: WrittenRule) -> None:
    outcomes = {example.outcome for example in written.examples}
    assert outcomes >= {RuleOutcome.PASS, RuleOutcome.FAIL}
    assert written.rule.when is None or RuleOutcome.NOT_APPLICABLE in outcomes
    shown = {example.severity for example in written.examples if example.outcome is RuleOutcome.FAIL}
    assert shown >= {rating.severity for rating in written.rule.ratings}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_every_rule_says_why_and_what_to_do_and_supports_controls(written: WrittenRule) -> None:
    rule = written.rule
    for text in (rule.title, rule.rationale, rule.remediation):
        assert text == " ".join(text.split())
    assert 60 < len(rule.rationale) < 700
    assert 60 < len(rule.remediation) < 700
    assert "System Settings > SMTP Configuration" in rule.remediation or written.rule.id.startswith("DRF-")
    assert len(rule.title) < 60
    assert not rule.title.endswith(".")
    assert dict(rule.controls).keys() >= {"nist-800-53r5", "iso-27001-2022", "soc2", "cis-8.1"}


# References that somebody has looked up: RFCs with what they say there, and the vendor's pages.
LOOKED_UP = {
    "NIST SP 800-53 Rev. 5: CM-6 c",
    "RFC 2142",
    "RFC 2606",
    "RFC 4616",
    "RFC 4954 section 4",
    "RFC 5321 section 2.3.5",
    "RFC 5321 section 4.1.2",
    "RFC 5322 section 2.2.1",
    "RFC 6409 section 3.1",
    "RFC 6409 section 4.3",
    "RFC 6749 section 3.2",
    "RFC 6749 section 10.9",
    "RFC 6761",
    "RFC 7208",
    "RFC 7628 section 3",
    "RFC 7817",
    "RFC 8314 section 3.3",
    "RFC 8314 section 4",
    "RFC 8314 section 5.2",
    "RFC 9110 section 5.1",
    "RFC 9110 section 5.5",
    "Unicode Technical Standard 39",
    "Keyfactor Command Reference Guide: SMTP Configuration",
    "Keyfactor Web APIs Reference Guide: GET SMTP",
    "Keyfactor Web APIs Reference Guide: PUT SMTP",
    "Google Workspace Admin Help: Control access to less secure apps",
    "Microsoft Learn: How to set up a multifunction device or application to send email using Microsoft 365 or Office 365",
    "https://developers.google.com/gmail/imap/imap-smtp",
    "https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html",
    "https://learn.microsoft.com/entra/identity-platform/how-to-add-credentials",
    "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow",
    "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth",
    "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/opt-in-exchange-online-endpoint-for-legacy-tls-using-smtp-auth",
    "https://techcommunity.microsoft.com/blog/exchange/updated-exchange-online-smtp-auth-basic-authentication-deprecation-timeline/4489835",
    "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api",
}


def test_every_reference_was_looked_up() -> None:
    assert all(written.rule.references for written in WRITTEN.values())
    assert {reference for written in WRITTEN.values() for reference in written.rule.references} <= LOOKED_UP


def test_every_control_id_is_one_of_its_framework() -> None:
    for written in WRITTEN.values():
        for framework, ids in written.rule.controls:
            assert CONTROLS.frameworks[framework] >= set(ids)


def test_the_control_table_has_its_frameworks_and_bundles() -> None:
    assert set(CONTROLS.bundles) == set("TASPCRLENXVI")
    assert {framework for bundle in CONTROLS.bundles.values() for framework in bundle} | {"cis-m365-7.0.0"} == set(CONTROLS.frameworks)
    assert CONTROLS.bundles["A"]["nist-800-53r5"] == ("IA-5", "IA-5(1)(c)", "IA-5(6)", "SC-8(1)")


def test_every_rule_but_one_speaks_of_configured_profiles_alone() -> None:
    unguarded = {written.rule.id for written in WRITTEN.values() if written.rule.guard is None}
    assert {rule for rule in unguarded if not rule.startswith("DRF-")} == {"CFG-035"}  # those judge the record, also where there is no profile


def test_no_line_of_a_policy_is_long() -> None:
    long = [path.name for path in POLICIES.glob("*.yaml") for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 150]
    assert long == []
