"""To whom a change is laid: to the one entry that names the profile, and to nobody for having been at work at that time."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.core.attribution import CLOCK_SLACK, MAX_CANDIDATES, MAX_MESSAGE, attribute, may_concern, named_in, names_profile
from auditor.core.model import Attribution, AttributionVerdict, AuditEntry, AuditTrail, Naming, Signature, TrailOutcome

SEEN = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
"""When the old state was last seen; the new one an hour later."""
MOVED = SEEN + timedelta(hours=1)
ATTRIBUTED, CANDIDATES, PENDING = AttributionVerdict.ATTRIBUTED, AttributionVerdict.CANDIDATES, AttributionVerdict.PENDING
NOT_ATTRIBUTABLE, NOT_PERMITTED = AttributionVerdict.NOT_ATTRIBUTABLE, AttributionVerdict.NOT_PERMITTED
SECOND = timedelta(seconds=1)


def entry(id_: int = 1, *, at: datetime = SEEN + timedelta(minutes=20), **changes: object) -> AuditEntry:
    """An update of the mail profile, less what is given otherwise."""
    usual: dict[str, object] = {
        "user": r"CORP\jsmith",
        "operation": "Updated",
        "category": "ApplicationSetting",
        "entity_type": "ApplicationSetting",
        "identifier": "SMTP",
        "named": (Naming.SMTP_IN_IDENTIFIER,),
        "signature": Signature.VALID,
    }
    return AuditEntry(id=id_, at=at, **usual | changes)  # type: ignore[arg-type]


def other(id_: int = 7, **changes: object) -> AuditEntry:
    """A change of another setting of Command."""
    return entry(id_, **{"identifier": "Console timeout", "named": (), "user": r"CORP\bystander", "signature": Signature.UNCHECKED} | changes)  # type: ignore[arg-type]


def trail(*entries: AuditEntry, **changes: object) -> AuditTrail:
    usual: dict[str, object] = {
        "outcome": TrailOutcome.READ,
        "complete": True,
        "after": SEEN,
        "until": MOVED,
        "clock_offset_ms": 0,
    }
    return AuditTrail(entries=entries, **usual | changes)  # type: ignore[arg-type]


def laid(*entries: AuditEntry, fields: tuple[str, ...] = ("Host",), **changes: object) -> Attribution:
    return attribute(fields, not_before=SEEN, not_after=MOVED, trail=trail(*entries, **changes))


def test_the_one_entry_that_names_the_profile_is_laid_the_change_to() -> None:
    found = laid(entry(), other())

    assert found == Attribution(verdict=ATTRIBUTED, entries=(entry(),), reason="the only entry that names the profile")
    assert found.by == entry()


# --- never a culprit from a window alone ----------------------------------------------------------------------------


def test_somebody_who_was_at_work_at_that_time_is_a_candidate_at_most() -> None:
    found = laid(other())

    assert (found.verdict, found.entries, found.by) == (CANDIDATES, (other(),), None)
    assert "proves nothing" in found.reason


@pytest.mark.parametrize(
    "bystander",
    [
        other(category="2001"),
        other(operation="4"),
        other(category=None),
        entry(operation="7"),
        entry(category="2003", named=(Naming.MAIL_IN_MESSAGE,)),
    ],
    ids=["another category", "read a setting", "no category", "another operation", "mail in the message of a certificate"],
)
def test_an_entry_that_wrote_neither_the_profile_nor_a_setting_is_not_even_that(bystander: AuditEntry) -> None:
    assert laid(bystander) == Attribution(verdict=NOT_ATTRIBUTABLE, reason="no entry of the interval names the mail profile")


@pytest.mark.parametrize("user", [r"CORP\jsmith", r"CORP\admin"])
def test_of_two_entries_that_name_the_profile_neither_is_the_culprit(user: str) -> None:
    later = entry(2, at=SEEN + timedelta(minutes=30), user=user)

    found = laid(entry(), later)

    assert (found.verdict, found.entries, found.by) == (CANDIDATES, (entry(), later), None)
    assert found.reason == "candidates, no verdict; 2 entries name the mail profile"


@given(st.lists(st.booleans(), max_size=6), st.booleans(), st.sampled_from([None, 0, 90_000]))
def test_nobody_is_named_unless_one_entry_names_the_profile(names: list[bool], complete: bool, offset: int | None) -> None:
    entries = [entry(n) if named else other(n) for n, named in enumerate(names)]

    found = laid(*entries, complete=complete, clock_offset_ms=offset)

    if found.verdict is ATTRIBUTED:
        assert (sum(names), complete, offset is not None) == (1, True, True)
        assert found.by is not None
        assert names_profile(found.by)
    else:
        assert found.by is None


def test_a_log_that_was_not_read_whole_names_nobody() -> None:
    found = laid(entry(), complete=False, message="the list has more than 20 pages")

    assert (found.verdict, found.entries) == (CANDIDATES, (entry(),))
    assert found.reason == "candidates, no verdict; entries may be missing (the list has more than 20 pages)"
    assert laid(other(), complete=False, message="why").reason.endswith("which proves nothing; entries may be missing (why)")
    assert laid(complete=False, message="why").reason == "no entry that was read names the mail profile, and some may be missing (why)"


def test_an_entry_without_a_user_names_nobody() -> None:
    assert laid(entry(user="")).verdict is CANDIDATES


@pytest.mark.parametrize(
    ("operation", "fields", "verdict"),
    [
        ("Created", ("profile.configured",), ATTRIBUTED),
        ("Updated", ("profile.configured",), ATTRIBUTED),
        ("Deleted", ("profile.configured",), ATTRIBUTED),
        ("Created", ("Host", "Port"), ATTRIBUTED),
        ("Deleted", ("Host", "Port"), CANDIDATES),
    ],
)
def test_a_deletion_does_not_explain_a_profile_that_is_still_there(operation: str, fields: tuple[str, ...], verdict: AttributionVerdict) -> None:
    assert laid(entry(operation=operation), fields=fields).verdict is verdict


def test_where_nothing_changed_nothing_is_laid_to_anybody() -> None:
    assert laid(entry(), fields=()).verdict is NOT_ATTRIBUTABLE


# --- the interval and the clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (SEEN - CLOCK_SLACK, NOT_ATTRIBUTABLE),
        (SEEN - SECOND, CANDIDATES),
        (SEEN, CANDIDATES),
        (SEEN + SECOND, ATTRIBUTED),
        (MOVED, ATTRIBUTED),
        (MOVED + SECOND, CANDIDATES),
        (MOVED + CLOCK_SLACK, CANDIDATES),
        (MOVED + CLOCK_SLACK + SECOND, NOT_ATTRIBUTABLE),
    ],
)
@pytest.mark.parametrize("offset_s", [0, 90, -4000])
def test_an_entry_counts_within_the_interval_by_the_server_s_clock(at: datetime, verdict: AttributionVerdict, offset_s: int) -> None:
    stamped = entry(at=at + timedelta(seconds=offset_s))

    assert laid(stamped, clock_offset_ms=offset_s * 1000).verdict is verdict


def test_where_the_server_s_clock_is_not_known_nobody_is_named() -> None:
    found = laid(entry(), clock_offset_ms=None)

    assert (found.verdict, found.entries) == (CANDIDATES, (entry(),))
    assert "clock" in found.reason


def test_an_entry_at_the_edge_casts_doubt_on_the_one_inside() -> None:
    assert laid(entry(), entry(2, at=MOVED + SECOND)).verdict is CANDIDATES


def test_instants_are_compared_whatever_zone_they_are_written_in() -> None:
    assert laid(entry(at=SEEN.astimezone(timezone(timedelta(hours=9))) + SECOND)).verdict is ATTRIBUTED


@pytest.mark.parametrize("changes", [{"after": SEEN + SECOND}, {"until": MOVED - SECOND}, {"after": None}, {"until": None}])
def test_a_reading_of_another_interval_leaves_it_to_a_later_one(changes: dict[str, datetime | None]) -> None:
    assert laid(entry(), **changes).verdict is PENDING


# --- what was not read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "verdict"), [(TrailOutcome.NOT_PERMITTED, NOT_PERMITTED), (TrailOutcome.FAILED, PENDING), (TrailOutcome.NOT_ASKED, PENDING)]
)
def test_a_log_that_was_not_read_says_why(outcome: TrailOutcome, verdict: AttributionVerdict) -> None:
    assert laid(entry(), outcome=outcome, message="because") == Attribution(verdict=verdict, reason="because")
    assert laid(outcome=outcome).reason


def test_a_later_read_fills_in_what_an_earlier_one_could_not() -> None:
    first = attribute(["Host"], not_before=SEEN, not_after=MOVED, trail=AuditTrail(outcome=TrailOutcome.FAILED, message="no answer"))

    assert (first.verdict, laid(entry()).verdict) == (PENDING, ATTRIBUTED)


# --- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("signature", "loud"), [(Signature.VALID, False), (Signature.UNCHECKED, False), (Signature.INVALID, True)])
def test_an_invalid_signature_is_the_first_thing_said(signature: Signature, loud: bool) -> None:
    signed = entry(90412, signature=signature)

    assert laid(signed).reason.startswith("THE SIGNATURE OF ENTRY 90412 IS INVALID: ") is loud
    assert laid(signed, entry(2)).reason.startswith("THE SIGNATURE OF ENTRY 90412 IS INVALID: ") is loud
    assert laid(signed).by == signed


def test_every_invalid_signature_is_named() -> None:
    assert laid(entry(1, signature=Signature.INVALID), entry(2, signature=Signature.INVALID)).reason.startswith("THE SIGNATURE OF ENTRIES 1, 2 IS")


# --- what names the profile ---------------------------------------------------------------------------------------


SETTING = "ApplicationSetting"
TYPE, IDENTIFIER, MESSAGE = Naming.SMTP_IN_TYPE, Naming.SMTP_IN_IDENTIFIER, Naming.SMTP_IN_MESSAGE


@pytest.mark.parametrize(
    ("texts", "of_setting", "of_other"),
    [
        ({"entity_type": "SMTP"}, (TYPE,), (TYPE,)),
        ({"entity_type": "Keyfactor.Smtp.Profile"}, (TYPE,), (TYPE,)),
        ({"entity_type": "MailServer"}, (Naming.MAIL_IN_TYPE,), (Naming.MAIL_IN_TYPE,)),
        ({"identifier": "SmtpProfile 1"}, (IDENTIFIER,), (IDENTIFIER,)),
        ({"identifier": "E-mail settings"}, (Naming.MAIL_IN_IDENTIFIER,), (Naming.MAIL_IN_IDENTIFIER,)),
        ({"identifier": "SMTP.Host"}, (IDENTIFIER,), ()),
        ({"identifier": "smtp.corp.example"}, (IDENTIFIER,), ()),
        ({"identifier": "CN=smtp, OU=mail"}, (IDENTIFIER,), ()),
        ({"identifier": r"CORP\mailadmin"}, (Naming.MAIL_IN_IDENTIFIER,), ()),
        ({"message": '<Smtp Host="x"/>'}, (MESSAGE,), (MESSAGE,)),
        ({"message": "<Smtp/>"}, (MESSAGE,), (MESSAGE,)),
        ({"message": "<San>smtp.corp.example</San>"}, (MESSAGE,), ()),
        ({"message": "<Email>pki@mail.example</Email>"}, (Naming.MAIL_IN_MESSAGE,), (Naming.MAIL_IN_MESSAGE,)),
        ({"entity_type": "SMTP", "message": "smtp mail"}, (TYPE, MESSAGE), (TYPE, MESSAGE)),
        ({"message": " " * (MAX_MESSAGE - 4) + "smtp"}, (MESSAGE,), (MESSAGE,)),
        ({"message": " " * (MAX_MESSAGE - 3) + "smtp"}, (), ()),
        ({"entity_type": "ApplicationSetting", "identifier": "Console timeout", "message": "<xml/>"}, (), ()),
        ({"message": "<!DOCTYPE a [<!ENTITY b 'smt'>]><a>&b;p</a>"}, (), ()),
    ],
    ids=str,
)
def test_an_entry_speaks_of_mail_where_it_says_so_and_not_where_something_is_called_so(
    texts: dict[str, str], of_setting: tuple[Naming, ...], of_other: tuple[Naming, ...]
) -> None:
    said = {"entity_type": "", "identifier": "", "message": ""} | texts

    assert [named_in(category=category, **said) for category in (SETTING, "2003", None)] == [of_setting, of_other, of_other]


@pytest.mark.parametrize("filler", ["x", ".", "<", "a.", "=/"])
def test_a_long_message_is_searched_in_time(filler: str) -> None:
    begun = time.monotonic()
    assert named_in(category="2003", entity_type="", identifier="", message=filler * MAX_MESSAGE) == ()
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("named", "category", "names", "concerns"),
    [
        (TYPE, "2003", True, True),
        (IDENTIFIER, None, True, True),
        (MESSAGE, "2003", False, True),
        (Naming.MAIL_IN_TYPE, "2003", False, True),
        (Naming.MAIL_IN_IDENTIFIER, "2003", False, True),
        (Naming.MAIL_IN_MESSAGE, "2003", False, False),
        *((naming, SETTING, naming is not Naming.MAIL_IN_MESSAGE, True) for naming in Naming),
    ],
)
def test_the_profile_is_named_by_what_can_hardly_mean_something_else(named: Naming, category: str | None, names: bool, concerns: bool) -> None:
    said = entry(named=(named,), category=category)

    assert (names_profile(said), may_concern(said)) == (names, concerns)
    assert laid(said).verdict is (ATTRIBUTED if names else CANDIDATES if concerns else NOT_ATTRIBUTABLE)


@pytest.mark.parametrize("operation", ["4", "Validated", ""])
def test_an_operation_that_writes_nothing_concerns_nobody(operation: str) -> None:
    assert not names_profile(entry(operation=operation))
    assert not may_concern(entry(operation=operation))


def test_of_many_candidates_the_last_are_listed() -> None:
    many = [entry(n, at=SEEN + timedelta(minutes=1, seconds=n)) for n in range(MAX_CANDIDATES + 1)]

    found = laid(*many)

    assert found.entries == tuple(many[1:])
    assert found.reason.endswith(f"the last {MAX_CANDIDATES} of {MAX_CANDIDATES + 1} are listed")
    assert "listed" not in laid(*many[1:]).reason


# --- as JSON ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found",
    [laid(entry()), laid(entry(category=None, signature=Signature.INVALID), other()), laid(), laid(outcome=TrailOutcome.FAILED)],
    ids=lambda found: found.verdict.value,
)
def test_an_attribution_comes_back_from_its_document(found: Attribution) -> None:
    assert Attribution.from_document(found.document()) == found
    assert len(found.digest) == 64


def test_another_document_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown attribution schema"):
        Attribution.from_document(laid().document() | {"schema": "attribution/2"})


def test_a_different_signature_is_a_different_document() -> None:
    assert laid(entry()).digest != laid(replace(entry(), signature=Signature.INVALID)).digest
