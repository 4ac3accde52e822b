"""Facts that follow from others: their values, and their states where a source has no value."""

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import datatables
from auditor.core.catalogue import FACTS, Group
from auditor.core.derived import DERIVED, Tables, with_derived
from auditor.core.model import Fact, FactValue, JsonType, State

TABLES: Tables = datatables.load()

LACKING = {
    State.UNSET: Fact(State.UNSET, sent=JsonType.NULL),
    State.MISSING: Fact(State.MISSING),
    State.ILL_TYPED: Fact(State.ILL_TYPED, 5, JsonType.INTEGER),
    State.NOT_OFFERED: Fact(State.NOT_OFFERED, reason="API v1 cannot show this"),
    State.INCONCLUSIVE: Fact(State.INCONCLUSIVE, reason="unreachable"),
}

PROFILE: dict[str, FactValue] = {
    "Host": "smtp.corp.co.uk",
    "Port": 587,
    "UseSSL": True,
    "RelayAuthenticationType": 3,
    "SenderAccount": "pki@corp.co.uk",
    "SenderName": "Certificate Services",
    "RelayUsername.text": "CORP\\svc-mail",
    "TokenEndpoint": "https://login.corp.co.uk/oauth2/token",
    "Scope": "mail.send",
    "Audience": "https://mail.corp.co.uk/",
    "RequestHeaders": ("X-Tenant",),
}


def value(fact: FactValue) -> Fact:
    return Fact(State.VALUE, fact)


def derived(name: str, **given_: FactValue | Fact) -> Fact:
    """The fact `name` of a good profile, less what is given otherwise; a dot in a name is written `__`."""
    facts = {**PROFILE, **{key.replace("__", "."): fact for key, fact in given_.items()}}
    return with_derived({key: fact if isinstance(fact, Fact) else value(fact) for key, fact in facts.items()}, TABLES)[name]


def roots(name: str) -> tuple[str, ...]:
    """The collected facts that `name` rests on."""
    sources = DERIVED[name].sources if name in DERIVED else ()
    return tuple(dict.fromkeys(root for source in sources for root in roots(source))) or (name,)


# --- states ---------------------------------------------------------------------------------------------------------


def test_the_derived_facts_are_those_of_the_catalogue() -> None:
    assert set(DERIVED) == {entry.name for entry in FACTS.values() if entry.group is Group.DERIVED}


@pytest.mark.parametrize("state", LACKING)
@pytest.mark.parametrize(("name", "root"), [(name, root) for name in DERIVED for root in roots(name)])
def test_a_derived_fact_lacks_a_value_as_its_source_does(name: str, root: str, state: State) -> None:
    assert derived(name, **{root.replace(".", "__"): LACKING[state]}) == LACKING[state]


@pytest.mark.parametrize("name", DERIVED)
def test_a_derived_fact_has_a_value_where_its_sources_have_one_or_says_that_none_can_be_had(name: str) -> None:
    assert derived(name).state in {State.VALUE, State.UNSET}


ORDER = [State.ILL_TYPED, State.MISSING, State.UNSET, State.INCONCLUSIVE, State.NOT_OFFERED]


@pytest.mark.parametrize(("lower", "higher"), [(a, b) for place, a in enumerate(ORDER) for b in ORDER[place:]])
def test_of_several_sources_the_lowest_state_counts(lower: State, higher: State) -> None:
    for host, sender in ((lower, higher), (higher, lower)):
        assert derived("profile.mail_route", Host=LACKING[host], SenderAccount=LACKING[sender]) == LACKING[lower]


def test_a_given_fact_stays_as_it_is_even_under_a_derived_name() -> None:
    given_ = {"Host": value("smtp.office365.com"), "Host.provider": value("sendgrid")}
    assert [with_derived(given_, TABLES)[name] for name in given_] == list(given_.values())


def test_what_nobody_looked_at_is_not_offered() -> None:
    facts = with_derived({}, TABLES)
    assert facts["server.tls.available"].state is State.NOT_OFFERED
    assert facts["Host.provider"].state is State.NOT_OFFERED


def test_the_facts_list_what_was_given_and_what_has_been_read() -> None:
    facts = with_derived({"Host": value("h"), "Host.provider": value("other")}, TABLES)
    assert facts["UseSSL"].state is State.NOT_OFFERED
    assert (list(facts), len(facts)) == (["Host", "Host.provider", "UseSSL"], 3)


def test_what_is_derived_does_not_reach_the_facts_that_were_given() -> None:
    given_ = {"Host": value("smtp.office365.com")}
    assert with_derived(given_, TABLES)["Host.provider"].state is State.VALUE
    assert list(given_) == ["Host"]


def test_a_fact_is_derived_once() -> None:
    facts = with_derived({"Host": value("smtp.corp.co.uk")}, TABLES)
    assert facts["Host.org_domain"] is facts["Host.org_domain"]


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("smtp.corp.co.uk", "corp.co.uk"),
        ("SMTP.Corp.CO.UK.", "corp.co.uk"),
        ("corp.com", "corp.com"),
        ("mail.münchen.de", "xn--mnchen-3ya.de"),
        ("a.github.io", "a.github.io"),
        ("smtp.corp.example", "corp.example"),
        ("co.uk", None),
        ("mail", None),
        ("10.1.2.3", None),
        ("127.1", None),
        ("0x7f.0x1", None),
        ("[::1]", None),
        ("smtp corp.com", None),
    ],
)
def test_organisational_domain(host: str, domain: str | None) -> None:
    expected = value(domain) if domain else Fact(State.UNSET)
    assert derived("Host.org_domain", Host=host) == expected
    assert TABLES.org_domain(host) == domain


@pytest.mark.parametrize(("host", "scope"), [("smtp.corp.com", "none"), ("::ffff:127.0.0.1", "loopback"), ("8.8.8.8", "public"), (" ", "none")])
def test_ip_scope(host: str, scope: str) -> None:
    assert derived("Host.ip_scope", Host=host).value == scope


@pytest.mark.parametrize(
    ("host", "faults"),
    [
        ("smtp.corp.com", ()),
        ("10.1.2.3", ()),
        ("::1", ()),
        ("[2001:db8::1]", ()),
        ("smtp://smtp.corp.com", ("scheme", "slash")),
        ("smtp:smtp.corp.com", ("scheme",)),
        ("https://smtp.corp.com:587/", ("scheme", "slash", "port")),
        ("smtp.corp.com/relay", ("slash",)),
        ("\\\\smtp", ("slash",)),
        ("pki@smtp.corp.com", ("at_sign",)),
        ("smtp.corp.com:587", ("port",)),
        ("[::1]:25", ("port",)),
        ("smtp corp", ("whitespace",)),
        ("smtp.corp.com\u00a0", ("whitespace",)),
        ("smtp.corp.com\r\n", ("control",)),
        ("smtp\u200b.corp.com", ("zero_width",)),
        ("smtp\u202e.corp.com", ("bidi",)),
        (".smtp.corp.com", ("edge_dot",)),
        ("smtp.corp.com.", ("edge_dot",)),
        ("-smtp.corp.com", ("edge_hyphen",)),
        ("smtp.corp.com-", ("edge_hyphen",)),
        ("mu\u0308nchen.de", ("not_nfc",)),
        ("Smtp.corp.com", ("upper_case",)),
    ],
)
def test_faults_of_a_host(host: str, faults: tuple[str, ...]) -> None:
    assert derived("Host.faults", Host=host).value == faults


@pytest.mark.parametrize(
    ("host", "labels", "is_stable"),
    [
        ("smtp.corp.com", (), True),
        ("münchen.de", (), True),
        ("xn--mnchen-3ya.de", (), True),
        ("XN--MNCHEN-3YA.de", (), True),
        ("xn--pypal-4ve.com", ("pаypal",), True),
        ("smtp.соrp.com", ("соrp",), True),
        ("xn--a.com", (), False),
        ("xn--mail-.com", (), False),
    ],
)
def test_scripts_and_idna_of_a_host(host: str, labels: tuple[str, ...], is_stable: bool) -> None:
    assert derived("Host.idna_stable", Host=host).value is is_stable
    if is_stable:
        assert derived("Host.mixed_scripts", Host=host).value == labels


@pytest.mark.parametrize(
    ("url", "labels", "is_stable"),
    [
        ("https://login.corp.com/xn--a", (), True),
        ("https://XN--pypal-4ve.com:8443/t", ("pаypal",), True),
        ("https://xn--mnchen-3ya.de", (), True),
        ("https://xn--mail-.com/t", (), False),
        ("https://pаypal.com/t", None, None),  # no URL: RFC 3986 knows ASCII alone
        ("login.corp.com", None, None),
    ],
)
def test_scripts_and_idna_of_a_token_endpoint(url: str, labels: tuple[str, ...] | None, is_stable: bool | None) -> None:
    expected = [Fact(State.UNSET) if part is None else value(part) for part in (labels, is_stable)]
    if is_stable is False:
        expected[0] = derived("Host.mixed_scripts", Host="xn--mail-.com")
    assert [derived(f"TokenEndpoint.{part}", TokenEndpoint=url) for part in ("mixed_scripts", "idna_stable")] == expected


@pytest.mark.parametrize(
    ("host", "provider", "off_on"),
    [
        ("smtp.office365.com", "exchange_online", date(2026, 12, 31)),
        ("SMTP.Office365.com.", "exchange_online", date(2026, 12, 31)),
        ("contoso-com.mail.protection.outlook.com", "exchange_online", None),
        ("a.b.mail.protection.outlook.com", "other", None),
        ("smtp.gmail.com", "google", None),
        ("smtp-relay.gmail.com", "google", None),
        ("email-smtp.eu-central-1.amazonaws.com", "amazon_ses", None),
        ("email-smtp.amazonaws.com", "other", None),
        ("smtp.sendgrid.net", "sendgrid", None),
        ("smtp.office365.com.evil.com", "other", None),
        ("smtp.corp.com", "other", None),
        ("10.1.2.3", "other", None),
        ("not a host", "other", None),
    ],
)
def test_whose_service_a_host_is_and_when_basic_goes(host: str, provider: str, off_on: date | None) -> None:
    assert derived("Host.provider", Host=host).value == provider
    assert derived("Host.basic_off_on", Host=host) == (value(off_on) if off_on else Fact(State.UNSET))
    assert derived("Host.basic_ends_on", Host=host) == Fact(State.UNSET)


@pytest.mark.parametrize(
    ("account", "local", "domain", "org_domain", "freemail"),
    [
        ("PKI@Mail.Corp.co.uk", "pki", "mail.corp.co.uk", "corp.co.uk", False),
        ("pki@gmail.com", "pki", "gmail.com", "gmail.com", True),
        ("pki@vip.163.com", "pki", "vip.163.com", "163.com", True),
        ("pki@hotmail.co.uk", "pki", "hotmail.co.uk", "hotmail.co.uk", True),
        ("pki@notgmail.com", "pki", "notgmail.com", "notgmail.com", False),
        ("pki", None, None, None, None),
        ("PKI <pki@corp.com>", None, None, None, None),
    ],
)
def test_parts_of_the_sender(account: str, local: str | None, domain: str | None, org_domain: str | None, freemail: bool | None) -> None:
    names = ("SenderAccount.local", "SenderAccount.domain", "SenderAccount.org_domain", "SenderAccount.freemail")
    expected = [Fact(State.UNSET) if part is None else value(part) for part in (local, domain, org_domain, freemail)]
    assert [derived(name, SenderAccount=account) for name in names] == expected


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("Certificate Services", ()),
        ("Zertifikatsdienst Köln", ()),
        ("الشهادات", ()),
        ("PKI\r\nBcc: x", ("line_break", "control")),
        ("PKI\u2028x", ("line_break", "control")),
        ("PKI\x07", ("control",)),
        ("PKI\u202eIKP", ("bidi",)),
        ("P\u200bKI", ("zero_width",)),
        ("pki@corp.com", ("at_sign",)),
        ("pki＠corp.com", ("at_sign",)),
        ("https://corp.com", ("url",)),
        ("WWW.corp.com", ("url",)),
        ("PKI <x>", ("angle_bracket",)),
        ("PKI ＜x", ("angle_bracket",)),
    ],
)
def test_faults_of_a_sender_name(name: str, faults: tuple[str, ...]) -> None:
    assert derived("SenderName.faults", SenderName=name).value == faults


@pytest.mark.parametrize(
    ("user", "account", "mailbox"),
    [
        ("CORP\\Svc-Mail", "svc-mail", None),
        ("CORP\\\\svc-mail", "svc-mail", None),
        ("Svc-Mail@Corp.Example", "svc-mail", "svc-mail@corp.example"),
        ("svc-mail@REALM", "svc-mail", None),
        ("svc-mail", "svc-mail", None),
        ("CORP\\", None, None),
    ],
)
def test_parts_of_the_user_name(user: str, account: str | None, mailbox: str | None) -> None:
    expected = [Fact(State.UNSET) if part is None else value(part) for part in (account, mailbox)]
    assert [derived(f"RelayUsername.{part}", RelayUsername__text=user) for part in ("account", "mailbox")] == expected


ENDPOINT = ("scheme", "host", "port", "path", "org_domain", "idp", "tenant")


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("HTTPS://Login.Corp.co.uk/OAuth2/token", ("https", "login.corp.co.uk", 443, "/OAuth2/token", "corp.co.uk", "other", None)),
        ("http://login.corp.com:8080", ("http", "login.corp.com", 8080, "/", "corp.com", "other", None)),
        ("https://[::1]/t", ("https", "[::1]", 443, "/t", None, "other", None)),
        ("https://***@login.corp.com/t?a=***", ("https", "login.corp.com", 443, "/t", "corp.com", "other", None)),
        (
            "https://login.microsoftonline.com/Common/oauth2/v2.0/token",
            ("https", "login.microsoftonline.com", 443, "/Common/oauth2/v2.0/token", "microsoftonline.com", "entra", "Common"),
        ),
        ("https://login.microsoftonline.us/", ("https", "login.microsoftonline.us", 443, "/", "microsoftonline.us", "entra", None)),
        ("https://login.microsoftonline.com.", ("https", "login.microsoftonline.com.", 443, "/", "microsoftonline.com", "entra", None)),
        ("https://oauth2.googleapis.com/token", ("https", "oauth2.googleapis.com", 443, "/token", "oauth2.googleapis.com", "google", None)),
        ("api://login/t", ("api", "login", None, "/t", None, "other", None)),
        ("https://evil.com\\@login.microsoftonline.com/t", (None, None, None, None, None, "other", None)),
        ("***", (None, None, None, None, None, "other", None)),
        ("/token", (None, None, None, None, None, "other", None)),
    ],
)
def test_parts_of_the_token_endpoint(url: str, parts: tuple[FactValue | None, ...]) -> None:
    expected = [Fact(State.UNSET) if part is None else value(part) for part in parts]
    assert [derived(f"TokenEndpoint.{part}", TokenEndpoint=url) for part in ENDPOINT] == expected


@pytest.mark.parametrize(
    ("scope", "tokens", "duplicates"),
    [("a", ("a",), ()), ("a b  a", ("a", "b", "a"), ("a",)), ("a,b", ("a,b",), ()), ("a\tb", ("a\tb",), ()), ("  ", (), ())],
)
def test_scopes_are_split_at_spaces_alone(scope: str, tokens: tuple[str, ...], duplicates: tuple[str, ...]) -> None:
    assert (derived("Scope.tokens", Scope=scope).value, derived("Scope.duplicates", Scope=scope).value) == (tokens, duplicates)


@pytest.mark.parametrize(("audience", "host"), [("https://Mail.corp.com/x", "mail.corp.com"), ("api://2f1f/.default", "2f1f"), ("mail", None)])
def test_the_host_of_an_audience(audience: str, host: str | None) -> None:
    assert derived("Audience.host", Audience=audience) == (value(host) if host else Fact(State.UNSET))


def test_header_names_are_in_lower_case() -> None:
    assert derived("RequestHeaders.names", RequestHeaders=("X-Tenant", "ACCEPT")) == value(("x-tenant", "accept"))
    assert derived("RequestHeaders.names", RequestHeaders=()) == value(())


def test_headers_of_proxies_are_told_by_how_their_names_begin() -> None:
    names = ("Forwarded", "X-Forwarded-Client-Cert", "X-FORWARDED-For", "X-Forwarded", "X-Forward-For", "Forwarded-By")
    assert derived("RequestHeaders.forwarding", RequestHeaders=names) == value(("forwarded", "x-forwarded-client-cert", "x-forwarded-for"))
    assert derived("RequestHeaders.forwarding", RequestHeaders=("X-Tenant",)) == value(())


@pytest.mark.parametrize(
    ("sender", "host", "route"),
    [
        ("pki@mail.corp.co.uk", "mx.provider.com", "corp.co.uk via provider.com"),
        ("pki@corp.com", "10.1.2.3", None),
        ("pki", "mx.provider.com", None),
    ],
)
def test_the_route_of_mail(sender: str, host: str, route: str | None) -> None:
    assert derived("profile.mail_route", SenderAccount=sender, Host=host) == (value(route) if route else Fact(State.UNSET))


@pytest.mark.parametrize(
    ("host", "port", "use_ssl", "authentication", "refused"),
    [
        ("smtp.office365.com", 587, True, 3, ()),
        ("smtp.office365.com", 465, True, 3, ("Port",)),
        ("smtp.office365.com", 465, False, 0, ("Port", "UseSSL", "RelayAuthenticationType")),
        ("contoso-com.mail.protection.outlook.com", 25, False, 0, ()),
        ("contoso-com.mail.protection.outlook.com", 587, True, 2, ("Port", "RelayAuthenticationType")),
        ("smtp.gmail.com", 465, True, 2, ()),
        ("email-smtp.eu-west-1.amazonaws.com", 2465, True, 2, ()),
        ("email-smtp.eu-west-1.amazonaws.com", 587, True, 3, ("RelayAuthenticationType",)),
        ("smtp.sendgrid.net", 2525, False, 2, ()),
        ("smtp.corp.com", 1, False, 4, ()),
    ],
)
def test_what_a_provider_does_not_offer(host: str, port: int, use_ssl: bool, authentication: int, refused: tuple[str, ...]) -> None:
    assert derived("profile.provider_refuses", Host=host, Port=port, UseSSL=use_ssl, RelayAuthenticationType=authentication) == value(refused)


# --- any text -------------------------------------------------------------------------------------------------------

TEXTS = ("Host", "SenderAccount", "SenderName", "RelayUsername.text", "TokenEndpoint", "Scope", "Audience")


def everything(text: str) -> dict[str, Fact]:
    facts = with_derived({**{name: value(fact) for name, fact in PROFILE.items()}, **{name: value(text) for name in TEXTS}}, TABLES)
    return {name: facts[name] for name in DERIVED}


@given(st.text() | st.text(alphabet="a.:-@[]%/\\0xn\n\u202eü。１"))
def test_every_text_gives_each_derived_fact_a_value_of_its_type(text: str) -> None:
    for name, fact in everything(text).items():
        type_ = FACTS[name].type
        members = fact.value if type_.many and isinstance(fact.value, tuple) else (fact.value,)
        assert fact.state is State.UNSET or (fact.state is State.VALUE and fact.value is not None)
        if type_.members and fact.state is State.VALUE:
            assert set(members) <= set(type_.members)


@pytest.mark.parametrize("text", ["a" * 65_536, "a." * 32_768, "xn--a." * 10_000, "é" * 32_768, "a b " * 16_384, "https://" + "a/" * 32_000])
def test_no_text_takes_long_to_derive_from(text: str) -> None:
    begun = time.perf_counter()
    everything(text)
    assert time.perf_counter() - begun < 2
