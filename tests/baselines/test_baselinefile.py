"""Approvals as YAML: written and read again as they are, and refused where they are not understood."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor import baselinefile
from auditor.core.detectors import masked_url
from auditor.core.model import PROFILE_FIELDS, SECRET_FIELDS, Approval, Fact, Fingerprint, HeaderSeen, ProfileField, Revocation, SecretPlace, State
from auditor.errors import DocumentError

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def load(folder: Path, text: str) -> tuple[Approval, ...]:
    path = folder / "approved.yaml"
    path.write_bytes(text.encode())
    return baselinefile.load(path, targets=["prod", "lab"], at=AT)


def test_a_person_writes_little(tmp_path: Path) -> None:
    text = 'approvals:\n- {target: prod, field: RelayAuthenticationType, value: Basic, by: Ada, reason: "CHG-1: moved"}\n'
    assert load(tmp_path, text) == (
        Approval(
            target="prod",
            field="RelayAuthenticationType",
            value=ProfileField(fact=Fact(State.VALUE, 2)),
            by="Ada",
            reason="CHG-1: moved",
            approved_at=AT,
        ),
    )
    assert load(tmp_path, "approvals: []\n") == ()


# --- there and back -----------------------------------------------------------------------------------------------

_TEXT = st.text(max_size=40)
_CLAIM = st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="\u3164\uffa0\u115f\u1160\u2800"), min_size=1, max_size=40)
_MARKS = st.builds(Fingerprint, st.text("0123456789abcdef", min_size=8, max_size=8), st.text("0123456789abcdef", min_size=32, max_size=32))
_PLACES = st.builds(
    SecretPlace,
    provider=st.none() | st.integers(1, 2**53 - 1),
    parameters=st.lists(st.tuples(_TEXT, _MARKS), max_size=3, unique_by=lambda pair: pair[0]).map(
        lambda pairs: tuple(sorted(pairs, key=lambda p: p[0]))
    ),
    undisclosed=st.booleans(),
)
_HEADERS = st.lists(st.builds(HeaderSeen, name=_TEXT, kind=_TEXT, length=_TEXT, fingerprint=_MARKS), max_size=3).map(tuple)
_UNSET = st.just(ProfileField(fact=Fact(State.UNSET)))


def _values(name: str) -> st.SearchStrategy[ProfileField]:
    if name in SECRET_FIELDS:
        texts = st.none() | st.builds(Fact, st.just(State.VALUE), _TEXT) if name in ("RelayUsername", "ClientId") else st.none()
        facts = st.builds(Fact, st.just(State.VALUE), st.sampled_from(["stored", "pam"]))
        return _UNSET | st.builds(ProfileField, fact=facts, text=texts, place=st.none() | _PLACES)
    if name == "RequestHeaders":
        return _UNSET | _HEADERS.map(lambda seen: ProfileField(fact=Fact(State.VALUE, tuple(h.name for h in seen)), headers=seen))
    kinds = {"UseSSL": st.booleans()} | dict.fromkeys(("Id", "Port", "RelayAuthenticationType"), st.integers(-(2**53) + 1, 2**53 - 1))
    texts = (_TEXT.map(masked_url) if name == "TokenEndpoint" else _TEXT).filter(bool)
    return _UNSET | kinds.get(name, texts).map(lambda value: ProfileField(fact=Fact(State.VALUE, value)))


_INSTANTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=AT.replace(tzinfo=None), timezones=st.just(UTC))
_APPROVALS = st.sampled_from(PROFILE_FIELDS).flatmap(
    lambda name: st.builds(
        Approval,
        target=st.sampled_from(["prod", "lab"]),
        field=st.just(name),
        value=_values(name),
        by=_CLAIM,
        reason=_CLAIM,
        ticket=st.none() | _CLAIM,
        expires=st.none() | st.dates(min_value=date(1000, 1, 1)),
        approved_at=_INSTANTS,
        revoked=st.none() | st.builds(Revocation, by=_CLAIM, reason=_CLAIM, at=_INSTANTS),
    )
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(_APPROVALS, max_size=3))
def test_what_is_exported_is_imported_as_it_was(tmp_path: Path, approvals: list[Approval]) -> None:
    text = baselinefile.dump(approvals)
    again = load(tmp_path, text)
    assert again == tuple(approvals)
    assert baselinefile.dump(again) == text


@pytest.mark.parametrize("field", ["SenderName", "Host", "Scope", "RelayPassword", "TokenEndpoint"])
@pytest.mark.parametrize("value", ["null", '""'])
def test_an_empty_text_is_approved_as_not_set(tmp_path: Path, field: str, value: str) -> None:
    (approval,) = load(tmp_path, f"approvals:\n- {{target: prod, field: {field}, value: {value}, by: Ada, reason: r}}\n")
    assert approval.value == ProfileField(fact=Fact(State.UNSET))


def test_who_recorded_it_stays_in_the_database(tmp_path: Path) -> None:
    recorded = Approval(
        target="prod",
        field="Port",
        value=ProfileField(fact=Fact(State.VALUE, 587)),
        by="Ada",
        reason="r",
        approved_at=AT,
        recorded_at=AT,
        account="x",
        host="y",
    )
    assert load(tmp_path, baselinefile.dump([recorded])) == (replace(recorded, recorded_at=None, account="", host=""),)


# --- refusals -----------------------------------------------------------------------------------------------------

GOOD = {"target": "prod", "field": "Port", "value": "587", "by": "Ada", "reason": "moved"}
MARK = "0123abcd:" + "0" * 32
JWT = ".".join(["ey" + "JhbGciOiJub25lIn0", "ey" + "JzdWIiOiJwa2kifQ", "Zm9yIHRlc3RzIGFsb25l"])


def entry(**lines: str | None) -> str:
    kept = {key: value for key, value in (GOOD | lines).items() if value is not None}
    return "approvals:\n-\n" + "".join(f"  {key}: {value}\n" for key, value in kept.items())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: a mapping is expected here, with approvals"),
        ("approval: []\n", "1: nothing is called 'approval' here"),
        ("{}\n", "1: there is no `approvals`"),
        ("approvals: 1\n", "1: approvals is a list"),
        ("approvals: [1]\n", "1: a mapping is expected here"),
        (entry(target="prodd"), "3: no target is called 'prodd'"),
        (entry(field="Prot"), "4: no field is called 'Prot'"),
        (entry(value='"587"'), "5: the value of Port is an integer, or null where it is not set"),
        (entry(value="true"), "5: the value of Port is an integer"),
        (entry(field="UseSSL", value="1"), "5: the value of UseSSL is true or false"),
        (entry(field="RelayAuthenticationType", value="basic"), "5: the value of RelayAuthenticationType is an integer"),
        (entry(field="RelayAuthenticationType", value="[2]"), "5: the value of RelayAuthenticationType is an integer"),
        (entry(field="Host", value="{}"), "5: the value of Host is text"),
        (entry(value=None), "3: there is no `value`"),
        (entry(by="  "), "6: by is not text"),
        (entry(by='" "'), "6: by is empty"),
        (entry(reason="1"), "7: reason is not text"),
        (entry(reason='"a\\u202eb"'), "7: reason has a character that is not seen"),
        (entry(ticket="null"), "8: ticket is not text"),
        (entry(expires="2026-02-30"), "8: expires is not a day that exists"),
        (entry(expires='"2026-12-31T00:00:00Z"'), "8: expires is not a day that exists"),
        (entry(expires="20261231"), "8: expires is not a day that exists"),
        (entry(approved_at="2026-11-23"), "8: approved_at is not an instant with a zone"),
        (entry(approved_at='"2026-11-23T10:00:00"'), "8: approved_at is not an instant with a zone"),
        (entry(approved_at='"2026-11-23T25:00:00Z"'), "8: approved_at is not an instant with a zone"),
        (entry(approved_at='"2026-11-23T10:00:01Z"'), "8: approved_at lies ahead"),
        (entry(revoked="{by: Eve}"), "8: there is no `reason`"),
        (entry(revoked='{by: Eve, reason: r, at: "2027-01-01T00:00:00Z"}'), "8: at lies ahead"),
        (entry(account="root"), "8: nothing is called 'account' here"),
        (entry(field="ClientSecret", value="hunter2"), "5: a mapping is expected here"),
        (entry(field="ClientSecret", value="{state: exposed}"), "5: the state of a secret is stored or pam"),
        (entry(field="ClientSecret", value="{state: pam, provider: true}"), "5: provider is a number"),
        (entry(field="ClientSecret", value="{state: pam, value: x}"), "5: nothing is called 'value' here"),
        (entry(field="ClientSecret", value="{state: pam, parameters: [{name: a, fingerprint: secret}]}"), "5: fingerprint is none"),
        (entry(field="ClientId", value="{state: stored, text: 1}"), "5: text is not text"),
        (entry(field="ClientId", value=f"{{state: stored, text: {JWT}}}"), "5: the text of ClientId holds what may be a secret"),
        (entry(field="RelayPassword", value="{state: stored, text: hunter2}"), "5: the text of RelayPassword stands nowhere: it is a secret"),
        (entry(field="ClientSecret", value="{state: pam, text: hunter2}"), "5: the text of ClientSecret stands nowhere: it is a secret"),
        (entry(field="TokenEndpoint", value="https://me:hunter2@idp.example/t"), "5: the value of TokenEndpoint holds what may be a secret"),
        (entry(field="TokenEndpoint", value="https://idp.example/t?code=hunter2"), "5: the value of TokenEndpoint holds what may be a secret"),
        (entry(field="Audience", value=JWT), "5: the value of Audience holds what may be a secret"),
        (entry(value="9007199254740992"), "5: the value of Port is past 2^53"),  # canonical JSON refuses it: that was an internal error
        (entry(field="ClientSecret", value="{state: pam, provider: -9007199254740992}"), "5: provider is a number"),
        (entry(field="RequestHeaders", value="x"), "5: RequestHeaders is a list"),
        (entry(field="RequestHeaders", value=f"[{{name: a, kind: plain, fingerprint: '{MARK}'}}]"), "5: there is no `length`"),
    ],
)
def test_what_is_not_understood_is_refused_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DocumentError) as refused:
        load(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path / 'approved.yaml'}:{said}")
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"


def test_a_folder_is_read_file_by_file_in_the_order_of_names(tmp_path: Path) -> None:
    for name, port in (("b.yaml", 25), ("a.yaml", 465), ("notes.txt", 1)):
        (tmp_path / name).write_text(entry(value=str(port)), encoding="utf-8")
    found = baselinefile.load_folder(tmp_path, targets=["prod"], at=AT)
    assert [approval.value.fact.value for approval in found] == [465, 25]


def test_a_zone_is_understood(tmp_path: Path) -> None:
    (given,) = load(tmp_path, entry(approved_at='"2026-11-23T10:30:00+01:00"'))
    assert given.approved_at == AT - timedelta(minutes=30)


def test_the_first_lines_of_an_export_say_how_to_take_one_back() -> None:
    assert baselinefile.dump([]).splitlines()[1] == "approvals: []"
    assert "revoked:" in baselinefile.dump([])
