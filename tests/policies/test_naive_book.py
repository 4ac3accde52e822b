"""The whole rule book on whole answers, sound and hostile, beside an evaluator that is written as the rule language reads.

Of each answer three things are asked. No rule ends in an error. Each finding (outcome, severity, standing or not) is the naive one. And nothing
passes by absence or coercion: where a field is missing, or was sent as another JSON type, whatever passes would pass with every test of that field
answered *no* (`offered` aside, which asks for just that): another branch held.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.command import wire
from auditor.core.derived import with_derived
from auditor.core.evaluate import CompiledPolicy, judge
from auditor.core.model import PROFILE_FIELDS, SECRET_FIELDS, Fact, JsonType, Snapshot, State
from tests.factories import KEY
from tests.policies.naive import Came, NaivePolicy
from tests.policies.profiles import AUDITED, BOOK, IN_FORCE, IN_PAM, POLICIES, STORED, V1_BASIC, V2_ANONYMOUS, V2_BASIC, V2_OAUTH, V2_PAM

NAIVE = {name: NaivePolicy(POLICIES, name) for name in IN_FORCE}
DAY = date(2026, 11, 23)


# --- answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raw:
    """A piece of JSON as it is written: numbers that Python would write otherwise, halves of surrogate pairs."""

    text: str


def encoded(value: Any) -> str:
    match value:
        case Raw(text):
            return text
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{encoded(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(encoded, value)) + "]"
        case _:
            return json.dumps(value)


HOSTILE = [
    "",
    " ",
    "\u00a0\u2003",
    "true",
    "587",
    "null",
    "smtp.corp.com\r\nBcc: all@corp.com",
    "\x00\x07\x1b[31m",
    "\u202egnp.exe\u2066",
    "\u200b\ufeff\u00ad",
    '=HYPERLINK("https://evil.example/")',
    "+1+cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "{{7*7}}${7*7}%s%n",
    "'; DROP TABLE observation; --",
    "a" * 100_000,
    "ü" * 5_000,
    "a." * 2_000,
    "xn--" + "a" * 500,
    "e\u0301" * 40,
    "𝓈𝓂𝓉𝓅.𝒸ℴ𝓇𝓅.𝒸ℴ𝓂",
    "*" * 20,
    "UnsupportedPAMSecret",
    "Bearer " + "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0.c2ln",
    "ghp_" + "x7Kq2Lm9Tr4Vw8Yz1Bc5Nd6Pf3Gh0JsAbCdE",
    "smtp://svc:" + "hunter2@mail.corp.com",
]
SCALARS: list[Any] = [None, True, False, 0, 1, 2, 3, 25, 465, 587, -1, 65536, 2**53, 10**30, Raw("1" + "0" * 400)]
SCALARS += [Raw("587.0"), Raw("5.87e2"), Raw("587.5"), Raw("-0.0"), Raw("1e999999999"), Raw("0.1e-400")]
NESTED: list[Any] = [[], {}, [None], [587], ["smtp.corp.com"], [[[]]], {"SecretValue": None}, {"Value": True}, [{"Name": "X-A", "Value": "b"}]]
NESTED += [["x"] * 64, {"a": {"b": {"c": "d"}}}, [{}], [{"Name": 1, "Value": None}]]
HALVES = [Raw('"\\ud800"'), Raw('"a\\udc00b"')]  # no reader of UTF-8 has them: the answer is refused as a whole

HOSTS = [
    "smtp.corp.com",
    "SMTP.corp.com.",
    "relay.corp.com",
    "mail",
    "localhost",
    "smtp.corp.local",
    "10.1.2.3",
    "0x7f.1",
    "[::1]",
    "::ffff:10.0.0.1",
]
HOSTS += ["smtp.office365.com", "smtp.0ffice365.com", "smtp.gmail.com", "SMTP.GoogleMail.com.", "smtp-relay.gmail.com", "smtp.sendgrid.net"]
HOSTS += ["x.mail.protection.outlook.com", "email-smtp.eu-west-1.amazonaws.com", "smtp-legacy.office365.com", "smtp.keyexample.com", "smtp.c0rp.com"]
HOSTS += [
    "smtp.\u0441\u043erp.com",
    "smtp.\u0441\u043e\u0440\u0440.com",
    "smtp.xn--n1aeab.com",
    "smtp.münchen.de",
    "smtp.xn--mnchen-3ya.de",
    "xn--a.com",
]
HOSTS += ["smtp.corp.com:587", "smtp://smtp.corp.com", "-a.com", "a..com", "smtp.corp.com ", "a" * 64 + ".com", "１０.1.2.3", "SMTP。corp.com"]
HOSTS += ["mx.notcorp.com", "mx.c0rp.com", "5mtp.0fflce365.com", "smtp-office365.com", "srntp.corp.com"]
ADDRESSES = [
    "pki@notcorp.com",
    "pki@corp.com",
    "PKI@Corp.com",
    "svc-mail@corp.com",
    "administrator@corp.com",
    "jane.doe@corp.com",
    "corp.pki@gmail.com",
    "pki@mail.gmx.de",
]
ADDRESSES += [
    "jsmith@keyexample.com",
    "PKI <pki@corp.com>",
    "pki@corp.com, ops@corp.com",
    "pki@mailhost",
    '"p k"@corp.com',
    '"a@b"@corp.com',
    "pki@corp.com.",
]
ADDRESSES += ["pki@münchen.de", "pki@xn--mnchen-3ya.de", "me@co.uk", "@corp.com", "pki@", "a" * 65 + "@corp.com", "pki@10.1.2.3", '"\\"@corp.com']
URLS = [
    "https://login.microsoftonline.com/3f2504e0-4f89-41d3-9a0c-0305e82c3301/oauth2/v2.0/token",
    "https://login.microsoftonline.com/common/oauth2/token",
]
URLS += [
    "https://idp.corp.com/token",
    "HTTPS://IDP.corp.com:443/token",
    "http://idp.corp.com/token",
    "https://idp.corp.com:8443/t",
    "https://10.1.2.3/t",
]
URLS += ["https://login.rnicrosoftonline.com/t", "https://idp.xn--pypal-4ve.com/t", "https://xn--a.com/t", "https://svc:pw@idp.corp.com/t", "/token"]
URLS += ["https://idp.corp.com/t#top", "https://idp.corp.com/t?client_secret=hunter2", "https://login.contoso.com/t", "https://idp.corp.com/a/../t"]
URLS += [
    "https://[::1]/t",
    "https://[10.1.2.3]/t",
    "https://idp.corp.com:65536/t",
    "https://idp.corp.com:/t",
    "https://idp/t",
    "urn:mail",
    "ftp://a.com/",
]
URLS += ["https://idp.notcorp.com/t", f"https://login.microsoftonline.com/{'a' * 1100}/oauth2/v2.0/token"]
SECRETS = [
    STORED,
    IN_PAM,
    {**STORED, "SecretValue": "hunter2"},
    {**IN_PAM, "SecretValue": "x"},
    {"SecretValue": None, "Parameters": {}, "Provider": None},
]
USERS = ["CORP\\svc-mail", "CORP\\\\svc-mail", "CORP\\Administrator", "svc-mail@corp.com", "JDoe-ADM@corp.com", "svc mail", "apikey", "pki@corp.com"]
CLIENTS = ["3f2504e0-4f89-41d3-9a0c-0305e82c3301", "command-mail", "<your-client-id>", "command mail", "command\u2003mail", "client_secret", "***ab"]
HEADERS = [
    [{"Name": "X-Tenant", "Value": "pki"}],
    [{"Name": "Cookie", "Value": None}],
    [{"Name": "X-A", "Value": "a"}, {"Name": "x-a", "Value": "b"}],
]
HEADERS += [
    [{"Name": "X-Forwarded-Foo", "Value": "a"}],
    [{"Name": "X-A", "Value": "a\r\nHost: b"}],
    [{"Name": f"X-{n}", "Value": "a" * 300} for n in range(21)],
]
HEADERS += [[{"Name": "Authorization", "Value": "Bearer abc"}], [{"Name": "X-T", "Value": "u7Q2x9Lk4Vb1Zr8Tn5Wc"}], [{"Name": "X A", "Value": ""}]]

LIKELY: dict[str, list[Any]] = {
    "Host": HOSTS,
    "Id": [1, 2, "1"],
    "Port": [25, 465, 587, 2525, 8025, 0, 65536, "587"],
    "RelayAuthenticationType": [0, 1, 2, 3, "Basic", "OAuth Client Credentials", "3", "NTLM"],
    "RelayUsername": [*SECRETS, *USERS, *({**STORED, "SecretValue": user} for user in USERS)],
    "RelayPassword": SECRETS,
    "SenderAccount": ADDRESSES,
    "SenderAddress": ADDRESSES,
    "SenderName": [
        "a" * 64,
        "Certificate Services",
        "Microsoft",
        "PayPal Support",
        "helpdesk@corp.com",
        "a" * 65,
        "Corp <b>",
        "PKI\r\nBcc: x",
        "Corp\u202eIKP",
    ],
    "UseSSL": [True, False, "true", 1],
    "ClientId": [*SECRETS, *CLIENTS, *({**STORED, "SecretValue": client} for client in CLIENTS)],
    "ClientSecret": SECRETS,
    "TokenEndpoint": URLS,
    "Scope": [
        "a" * 1100,
        "https://outlook.office365.com/.default",
        "https://graph.microsoft.com/.default",
        "a,b",
        "mail.*",
        "a a",
        "smtp.send openid",
        "smtp.send mail",
    ],
    "Audience": [
        *URLS,
        f"https://mail.corp.com/{'a' * 1100}",
        "https://mail.corp.com",
        "https://*.corp.com/",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "smtp",
        "api://mail",
    ],
    "RequestHeaders": HEADERS,
}
ANY: list[Any] = [*HOSTILE, *SCALARS, *NESTED]
MISSING = ...
BASES: list[tuple[dict[str, Any], int | None]] = [(V1_BASIC, 1), (V2_PAM, 2), (V2_BASIC, 2), (V2_ANONYMOUS, 2), (V2_OAUTH, 2), (V2_OAUTH, None)]
BASES += [
    ({**V2_OAUTH, "Host": "smtp.corp.com", "Port": 465, "Audience": "https://mail.corp.com"}, 2),
    ({**V1_BASIC, "SenderAddress": "pki@corp.com"}, 1),
]


def less(profile: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**profile, **changes}.items() if value is not MISSING}


def with_field(profile: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """`profile` with this `value`, or without the field; never without any, which is no profile."""
    return {"SenderName" if name == "Id" else "Id": 1, **less(profile, {name: value})}


def field(name: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([*LIKELY[name], *LIKELY[name], *ANY, MISSING])


def changed_fields(names: Iterable[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: field(name) for name in names})


strange_keys = st.dictionaries(st.sampled_from(["Comment", "smtpPassword", "port", "\u202e", "host "]), st.sampled_from([*ANY, *HALVES]), max_size=2)
whole_profiles = st.fixed_dictionaries({name: field(name) for name in PROFILE_FIELDS}).map(lambda fields: less({}, fields))
edited_profiles = st.tuples(st.sampled_from(BASES), st.lists(st.sampled_from(PROFILE_FIELDS), max_size=4).flatmap(changed_fields)).map(
    lambda drawn: less(drawn[0][0], drawn[1])
)
profiles = st.one_of(edited_profiles, edited_profiles, whole_profiles)
answers = st.one_of(
    profiles,
    profiles,
    st.tuples(profiles, strange_keys).map(lambda drawn: {**drawn[0], **drawn[1]}),
    profiles.map(lambda profile: [profile]),
    st.tuples(profiles, st.sampled_from(PROFILE_FIELDS), st.sampled_from(HALVES)).map(lambda drawn: {**drawn[0], drawn[1]: drawn[2]}),
    st.sampled_from([None, [], {}, "", 0, [{}, {}], {"Comment": 1}]),
)
versions = st.sampled_from([1, 2, 2, None])
days = st.sampled_from([DAY, date(2026, 10, 1), date(2026, 10, 2), date(2026, 12, 31), date(2027, 9, 30), date(2028, 1, 1)])

OWN: dict[str, list[Any]] = {
    "anonymous_relays": [["corp.com"]],
    "allowed_ports": [[25], [465, 587, 2525], []],
    "internal_domains": [["corp.com", "local"]],
    "privileged_accounts": [[], ["svc-mail"], None],
    "command_service_accounts": [["svc-mail"], None],
    "send_as": [["PKI@Corp.com"], ["pki@xn--mnchen-3ya.de"]],
    "allow_local_relay": [True, None],
    "special_use_domains": [[], None],
    "placeholder_domains": [["corp.com"], None],
    "approved_hosts": [["corp.com"], ["smtp.corp.com"], ["smtp.copp.com", "smtp.office365.com"], ["smtp.xn--mnchen-3ya.de"], None],
    "known_relays": [[], None],
    "known_idps": [["idp.corp.com"], None],
    "approved_idps": [["corp.com"], ["login.microsoftonline.com"], None],
    "idp_tenant": ["3f2504e0-4f89-41d3-9a0c-0305e82c3301", "token", "common"],
    "token_endpoint_ports": [[443, 8443], [], None],
    "approved_audiences": [["smtp"], None],
    "client_secret_expires_on": ["2026-12-31", "2026-12-23", "2027-10-30"],
    "max_secret_age_days": [366, 30, None],
    "max_age_hours": [27, 3, None],
    "require_pam": [True, None],
    "sender_domains": [["corp.com"], ["corp.de"], None],
    "approved_routes": [["corp.com via office365.com"], None],
    "unsuitable_senders": [[], ["pki"], None],
    "personal_pattern": [r"[a-z]+\.[a-z]+"],
    "foreign_names": [None, "(?i).*services"],
}
settings_of_vars = st.one_of(
    st.just({}),
    st.just({}),
    st.lists(st.sampled_from(sorted(OWN)), unique=True, max_size=4).flatmap(
        lambda names: st.fixed_dictionaries({name: st.sampled_from(OWN[name]) for name in sorted(names)})
    ),
)

INCONCLUSIVE = Fact(State.INCONCLUSIVE, reason="SERVFAIL")
ELSEWHERE: dict[str, list[Fact]] = {
    "baseline.exists": [Fact(State.VALUE, value=True)],
    "drift.previous": [Fact(State.VALUE, value=True)],
    "drift.unapproved": [Fact(State.VALUE, names) for names in ((), ("SenderName",), ("Scope",), ("Scope", "Host"))],
    "drift.downgrades": [Fact(State.VALUE, (word,)) for word in ("tls_off", "weaker_authentication", "port_465_to_587", "port_587_to_25")],
    "drift.redirections": [Fact(State.VALUE, ()), Fact(State.VALUE, ("host",)), INCONCLUSIVE],
    "collection.profile_age_hours": [Fact(State.VALUE, 26), Fact(State.VALUE, 27), Fact(State.UNSET), INCONCLUSIVE],
    "RelayPassword.vault": [Fact(State.VALUE, "external"), Fact(State.VALUE, "command"), INCONCLUSIVE],
    "ClientSecret.vault": [Fact(State.VALUE, "external"), Fact(State.VALUE, "command")],
    "store.secret_like": [Fact(State.VALUE, ()), Fact(State.VALUE, ("snapshot 1",))],
    "store.files_too_open": [Fact(State.VALUE, ()), INCONCLUSIVE],
    "waivers.expired": [Fact(State.VALUE, ("CFG-003",))],
    "baseline.Id": [Fact(State.VALUE, 1), Fact(State.VALUE, 2), Fact(State.UNSET)],
    "ClientSecret.age_days": [Fact(State.VALUE, 3), Fact(State.VALUE, 366), INCONCLUSIVE],
    "domain.spf.covers_relay": [Fact(State.VALUE, value=True), Fact(State.VALUE, value=False), INCONCLUSIVE],
    "domain.spf.names_provider": [Fact(State.VALUE, value=True), Fact(State.VALUE, value=False), INCONCLUSIVE],
    "Host.basic_ends_on": [Fact(State.VALUE, date(2027, 9, 30)), Fact(State.VALUE, date(2027, 10, 1))],
}
facts_from_elsewhere = st.one_of(
    st.just({}),
    st.fixed_dictionaries({}, optional={name: st.sampled_from(known) for name, known in ELSEWHERE.items()}),
)


# --- judged twice ---------------------------------------------------------------------------------------------------


@cache
def ours(policy: str, own: str) -> CompiledPolicy:
    return BOOK.compile(BOOK.effective(policy, target="prod", labels={}, own=json.loads(own)))  # whole: the rule about the installation, too


@dataclass(frozen=True)
class Case:
    """Facts, and under what they are judged."""

    facts: Mapping[str, Fact]
    policy: str = "strict"
    own: Mapping[str, Any] | None = None
    as_of: date = DAY

    def found(self) -> dict[str, Came]:
        findings = judge(ours(self.policy, json.dumps(self.own or {}, sort_keys=True)), self.facts, as_of=self.as_of)
        return {it.rule: Came(it.outcome.value, it.severity.value if it.severity else None, it.standing) for it in findings}

    def expected(self, *, blind_to: str | None = None) -> dict[str, Came]:
        return NAIVE[self.policy].judge(self.facts, as_of=self.as_of, org_domain=BOOK.tables.org_domain, own=self.own, blind_to=blind_to)


def read(answer: object, api_version: int | None) -> Snapshot | wire.Unreadable:
    return wire.parse(encoded(answer).encode(), api_version=api_version, fingerprint=KEY.of)


def seen(answer: object, api_version: int | None, elsewhere: Mapping[str, Fact] | None = None) -> Mapping[str, Fact]:
    snapshot = read(answer, api_version)
    assert isinstance(snapshot, Snapshot), snapshot
    return with_derived({**AUDITED, **snapshot.facts, **(elsewhere or {})}, BOOK.tables)


def assert_judged_as_written(case: Case) -> None:
    found, expected = case.found(), case.expected()
    assert "error" not in {came.outcome for came in found.values()}
    assert {rule: (came, expected[rule]) for rule, came in found.items() if came != expected[rule]} == {}
    assert found.keys() == expected.keys()


def assert_nothing_passes_by_absence(case: Case, field_name: str) -> None:
    """`field_name` is missing, ill-typed or not offered: what passes needs nothing of it."""
    without = case.expected(blind_to=field_name)
    passing = {rule for rule, came in case.found().items() if came.outcome == "pass"}
    assert {rule for rule in passing if without[rule].outcome != "pass"} == set()


ABSENT = (State.MISSING, State.ILL_TYPED, State.NOT_OFFERED)


WIRE: dict[str, type] = {"Id": int, "Port": int, "RelayAuthenticationType": int, "UseSSL": bool, "RequestHeaders": list}
WIRE |= dict.fromkeys(SECRET_FIELDS, dict)


def is_of_its_type(name: str, value: Any) -> bool:
    return type(value) is WIRE.get(name, str)


def twins(name: str, value: Any) -> Iterator[Any]:
    """What is nearly `value`, but of another JSON type. Not `"2"` for the authentication type, which the wire reads, nor text in a secret's place."""
    yield [value]
    if name in SECRET_FIELDS:  # text or a number there is a leak, and is known as one
        yield from (True, {"Value": value})
        return
    yield from ({"Value": value}, Raw("2.5"))
    match value:
        case bool():
            yield from (int(value), str(value).lower())
        case int():
            yield value > 0
            if name != "RelayAuthenticationType":
                yield str(value)
        case str():
            yield len(value)


# --- what holds -----------------------------------------------------------------------------------------------------

BRISK = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@BRISK
@given(answers, versions, st.sampled_from(["strict", "strict", "recommended"]), settings_of_vars, facts_from_elsewhere, days)
def test_every_answer_is_judged_as_the_rule_language_reads(
    answer: object, api_version: int | None, policy: str, own: dict[str, Any], elsewhere: dict[str, Fact], as_of: date
) -> None:
    snapshot = read(answer, api_version)
    if isinstance(snapshot, Snapshot):
        assert_judged_as_written(Case(with_derived({**AUDITED, **snapshot.facts, **elsewhere}, BOOK.tables), policy, own, as_of))


@BRISK
@given(st.data(), st.sampled_from(BASES), settings_of_vars)
def test_no_rule_passes_on_a_field_that_was_taken_away_or_sent_as_another_type(
    data: st.DataObject, base: tuple[dict[str, Any], int | None], own: dict[str, Any]
) -> None:
    profile = less(base[0], data.draw(st.lists(st.sampled_from(PROFILE_FIELDS), max_size=2).flatmap(changed_fields)))
    name = data.draw(st.sampled_from(PROFILE_FIELDS))
    sound = data.draw(st.sampled_from([value for value in (profile.get(name), *LIKELY[name]) if is_of_its_type(name, value)]))
    bad = data.draw(st.sampled_from([MISSING, *twins(name, sound)]))
    case = Case(seen(with_field(profile, name, bad), base[1]), own=own)
    assert case.facts[name].state in ABSENT
    assert_judged_as_written(case)
    assert_nothing_passes_by_absence(case, name)


@pytest.mark.parametrize("base", [0, 4], ids=["v1", "v2 with OAuth"])
def test_every_field_in_every_json_type_missing_or_null_is_judged_as_the_rule_language_reads(base: int) -> None:
    profile, api_version = BASES[base]
    for name in PROFILE_FIELDS:
        for value in (MISSING, None, True, 0, 587, Raw("587.5"), 10**30, "", "587", "true", " ", "a" * 5_000, [], ["x"], {}, {"x": "y"}):
            case = Case(seen(with_field(profile, name, value), api_version))
            assert_judged_as_written(case)
            if case.facts[name].state in ABSENT:
                assert_nothing_passes_by_absence(case, name)


TOLD: list[dict[str, Any]] = [{name: values[place % len(values)] for name, values in OWN.items()} for place in (0, 1, -1)]


@pytest.mark.parametrize("own", TOLD, ids=["first", "second", "last"])
@pytest.mark.parametrize("base", [0, 6], ids=["v1", "v2 with OAuth"])
def test_every_likely_value_of_every_field_is_judged_as_the_rule_language_reads(base: int, own: dict[str, Any]) -> None:
    profile, api_version = BASES[base]
    for name in PROFILE_FIELDS:
        for value in LIKELY[name]:
            assert_judged_as_written(Case(seen(with_field(profile, name, value), api_version), own=own))


@pytest.mark.parametrize("state", [State.MISSING, State.INCONCLUSIVE, State.NOT_OFFERED, State.UNSET, State.ILL_TYPED])
def test_where_a_whole_answer_is_lacking_it_is_judged_as_the_rule_language_reads(state: State) -> None:
    lacking = Fact(state, "587" if state is State.ILL_TYPED else None, JsonType.TEXT if state is State.ILL_TYPED else None, "unreachable")
    profile = Fact(State.VALUE, value=True)
    for own in ({}, *TOLD):
        for facts in (dict.fromkeys(PROFILE_FIELDS, lacking), {**dict.fromkeys(PROFILE_FIELDS, lacking), "profile.configured": profile}):
            everything = {**facts, **dict.fromkeys(("RelayUsername.text", "ClientId.text", "TokenEndpoint.faults", "response.exposed"), lacking)}
            assert_judged_as_written(Case(with_derived(everything, BOOK.tables), own=own))


@pytest.mark.parametrize("half", HALVES, ids=["high", "low"])
def test_half_a_surrogate_pair_makes_no_profile(half: Raw) -> None:
    assert isinstance(read({**V2_OAUTH, "SenderName": half}, 2), wire.Unreadable)


# --- the yardstick ---------------------------------------------------------------------------------------------------


def test_the_naive_book_has_the_rules_and_vars_of_ours() -> None:
    for name, rules in IN_FORCE.items():
        assert set(NAIVE[name].rules) == rules
        assert set(NAIVE[name].values) == set(BOOK.policy(name).vars)
    assert set(OWN) == set(BOOK.policy("strict").vars), "each var is to be set now and then"


def test_the_answers_let_nearly_every_rule_pass_and_fail() -> None:
    """What is compared is worth something only where rules come out either way."""
    met = {rule: set[str]() for rule in IN_FORCE["strict"]}
    for profile, api_version in (BASES[0], BASES[2], BASES[3], BASES[4], BASES[6]):
        for name, value in ((field_name, it) for field_name in PROFILE_FIELDS for it in (*LIKELY[field_name], MISSING, None)):
            for rule, came in Case(seen(with_field(profile, name, value), api_version)).found().items():
                met[rule].add(came.outcome)
    waiting = {"CFG-013", "CFG-018", "CFG-034", "OAU-005", "OAU-012"}  # for vars, or for what was approved
    waiting |= {f"DRF-{number:03}" for number in (1, 2, 3, 4, 6)}  # no answer tells
    of_several_fields = {"CFG-035", "CFG-036"}
    assert {rule for rule, outcomes in met.items() if not outcomes >= {"pass", "fail"}} == waiting | of_several_fields


def test_a_rule_that_would_pass_by_absence_is_caught() -> None:
    """The property can fail: of a rule that asks for the absence itself it says so."""
    case = Case(seen({"Id": 1, **less(V2_BASIC, {"RelayPassword": MISSING, "RelayAuthenticationType": 0, "RelayUsername": None})}, 2))
    assert case.found()["CFG-023"].outcome == "pass"
    assert_nothing_passes_by_absence(case, "RelayPassword")  # it asks `offered`
    with pytest.raises(AssertionError, match="CFG-023"):
        assert_nothing_passes_by_absence(case, "RelayUsername")  # here it passes on a value: that there is none
