"""What is told of a value before it goes. Secrets are put together here, so that none stands in the repository."""

import time
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.core import detectors
from auditor.core.detectors import (
    header_facts,
    header_kind,
    is_mask,
    length_bucket,
    looks_like_secret,
    masked_url,
    shown_header_name,
    token_endpoint_faults,
)
from auditor.core.model import Fact, JsonType, State


def tangled(length: int) -> str:
    """A text like one drawn by lot."""
    return ("a7Kq9Zb2Xw4Rt6Yp1Lm3Nc5Vd8Hs0Jg" * 8)[:length]


JWT = ".".join(["ey" + "JhbGciOiJub25lIn0", "ey" + "JzdWIiOiJwa2kifQ", tangled(20)])
PEM = f"{'-' * 5}BEGIN PRIVATE KEY{'-' * 5}\nMIIB\n"
CERTIFICATE = f"{'-' * 5}BEGIN CERTIFICATE{'-' * 5}\nMIIB\n"
BASIC = "Basic " + b64encode(b"svc-mail:" + tangled(9).encode()).decode()
KEYS = {
    "aws": "AK" + "IA" + "Q" * 16,
    "github": "gh" + "p_" + tangled(32) + "abcd",
    "github fine-grained": "github" + "_pat_" + tangled(48),
    "gitlab": "gl" + "pat-" + tangled(20),
    "slack": "xo" + "xb-" + tangled(24),
    "sendgrid": "S" + "G." + tangled(22) + "." + tangled(43),
    "brevo": "xkey" + "sib-" + "0f" * 32,
    "mailgun": "ke" + "y-" + "0f" * 16,
    "google api": "AI" + "za" + tangled(35),
    "google token": "ya" + "29." + tangled(30),
    "google secret": "GOC" + "SPX-" + tangled(28),
    "entra": "abc" + "8Q" + "~" + tangled(34),
    "vault": "hv" + "s." + tangled(24),
    "stripe": "sk" + "_live_" + tangled(24),
    "openai": "sk" + "-proj-" + tangled(40),
    "npm": "np" + "m_" + tangled(32) + "abcd",
    "pypi": "py" + "pi-" + tangled(44),
    "digitalocean": "do" + "p_v1_" + "0f" * 32,
}


# --- masks and lengths ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["***", "*" * 20, "•••", "●●●●", "xxx", "XXXX", "UnsupportedPAMSecret"])
def test_a_mask_is_three_or_more_of_one_sign_or_a_word_of_command(text: str) -> None:
    assert is_mask(text)


@pytest.mark.parametrize("text", ["", "**", "xX" * 3, "***a", "***\n", "****•", "hunter2", "---", "unsupportedpamsecret"])
def test_anything_else_is_no_mask(text: str) -> None:
    assert not is_mask(text)


@pytest.mark.parametrize(
    ("length", "bucket"),
    [
        (0, "0"),
        (1, "1-8"),
        (8, "1-8"),
        (9, "9-16"),
        (32, "17-32"),
        (33, "33-64"),
        (128, "65-128"),
        (256, "129-256"),
        (257, "257-1024"),
        (1024, "257-1024"),
        (1025, "over 1024"),
    ],
)
def test_a_length_is_kept_as_a_range(length: int, bucket: str) -> None:
    assert length_bucket(length) == bucket


# --- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "empty"),
        (" \t", "empty"),
        ("pki", "plain"),
        ("Keyfactor Command production", "plain"),
        ("x-correlation-keyfactor-command-01", "plain"),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "plain"),
        ("application/vnd.oasis.opendocument.text", "plain"),
        ("Bearer abc", "bearer"),
        ("bearer\tabc", "bearer"),
        (BASIC, "basic"),
        ("Basic x", "basic"),
        ("Digest username=x", "api_key"),
        ("Negotiate YII", "api_key"),
        ("Bearers of good news", "plain"),
        (JWT, "jwt"),
        (f"Bearer {JWT}", "jwt"),
        (PEM, "pem"),
        (CERTIFICATE, "pem"),
        (KEYS["aws"], "api_key"),
        (tangled(20), "high_entropy"),
        (tangled(19), "plain"),
        ("0f9e8d7c6b5a493827160f9e8d7c6b5a", "high_entropy"),
        ("a\nb", "control_chars"),
        ("a\u202e\x00", "control_chars"),
    ],
)
def test_a_header_value_is_told_in_one_word(value: str, kind: str) -> None:
    assert header_kind(value) == kind


def test_the_facts_of_headers_say_all_but_their_values() -> None:
    assert header_facts([("X-Tenant", "pki"), ("Accept", "é")]) == {
        "RequestHeaders": Fact(State.VALUE, ("X-Tenant", "Accept"), JsonType.LIST),
        "RequestHeaders.bytes": Fact(State.VALUE, len(b"X-Tenant: pki\r\nAccept: ..\r\n")),
        "RequestHeaders.faults": Fact(State.VALUE, ()),
        "RequestHeaders.secret_forms": Fact(State.VALUE, ()),
    }


def test_no_headers_are_an_empty_list_and_no_fault() -> None:
    facts = header_facts([])
    assert {name: fact.value for name, fact in facts.items()} == {
        "RequestHeaders": (),
        "RequestHeaders.bytes": 0,
        "RequestHeaders.faults": (),
        "RequestHeaders.secret_forms": (),
    }


@pytest.mark.parametrize(
    ("headers", "faults"),
    [
        ([("X-A", "b\r\nX-B: c")], ("line_break", "control")),
        ([("X-A\n", "b")], ("line_break", "control", "bad_name")),
        ([("X-A", "b\x00")], ("control",)),
        ([("X-A", "b\tc")], ()),
        ([("X A", "b")], ("bad_name",)),
        ([("", "b")], ("bad_name",)),
        ([("X-Ä", "b")], ("bad_name",)),
        ([("X-A", "b"), ("x-a", "c")], ("duplicate",)),
    ],
)
def test_each_fault_of_headers_is_named(headers: list[tuple[str, str]], faults: tuple[str, ...]) -> None:
    assert header_facts(headers)["RequestHeaders.faults"].value == faults


@pytest.mark.parametrize(
    ("headers", "forms"),
    [
        ([("X-Tenant", "pki")], ()),
        ([("X-Tenant", "Bearer abc")], ("authorization",)),
        ([("X-Tenant", "basic abc")], ("authorization",)),
        ([("Authorization", f"Bearer {JWT}")], ("authorization", "jwt", "high_entropy")),
        ([("X-Key", PEM)], ("pem",)),
        ([("X-Key", KEYS["aws"])], ("known_key",)),
        ([("X-Key", tangled(32))], ("high_entropy",)),
        ([(f"X-Key {KEYS['aws']}", "")], ("known_key",)),
    ],
)
def test_each_form_of_a_secret_in_a_header_is_named(headers: list[tuple[str, str]], forms: tuple[str, ...]) -> None:
    assert header_facts(headers)["RequestHeaders.secret_forms"].value == forms


def test_a_secret_written_as_a_name_is_not_shown() -> None:
    name = f"Authorization: {BASIC}"
    assert shown_header_name(name) == "***"
    assert header_facts([(name, "")])["RequestHeaders"].value == ("***",)
    assert shown_header_name("X-Tenant") == "X-Tenant"


# --- the token endpoint ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "faults"),
    [
        ("https://login.corp.com/oauth2/token", ()),
        ("https://login.corp.com:8443/t?api-version=1", ()),
        ("https://login.corp.com/t?sig=***", ()),
        ("", ("relative",)),
        ("/token", ("relative",)),
        ("//login.corp.com/t", ("relative",)),
        ("login.corp.com/t", ("relative",)),
        ("https:///t", ("relative",)),
        ("https://u:p@login.corp.com/t", ("userinfo",)),
        ("https://login.corp.com/t#", ("fragment",)),
        ("https://login.corp.com/t?client_secret=x", ("secret_in_query",)),
        ("https://login.corp.com/t?a=b&Client%5FSecret=x", ("secret_in_query",)),
        ("https://login.corp.com/t?a=b;password=x", ("secret_in_query",)),
        (f"https://login.corp.com/t?a={tangled(24)}", ("secret_in_query",)),
        ("https://login.corp.com/t?client_secret=", ()),
        ("https://login/t", ("not_fqdn",)),
        ("https://login_1.corp.com/t", ("not_fqdn",)),
        ("https://münchen.de/t", ("not_fqdn",)),
        ("https://10.1.2.3/t", ("ip_literal",)),
        ("https://0x0a010203:443/t", ("ip_literal",)),
        ("https://[::1]:443/t", ("ip_literal",)),
        ("https://localhost/t", ("not_fqdn", "special_use")),
        ("https://idp.corp.LOCAL./t", ("special_use",)),
        ("https://idp.corp.internal/t", ("special_use",)),
        ("https://idp.home.arpa/t", ("special_use",)),
        ("https://idp.example.com/t", ()),
        ("https://login.corp.com/a/../t", ("dot_segment",)),
        ("https://login.corp.com/a/%2E%2e/t", ("dot_segment",)),
        ("https://login.corp.com/a\\..\\t", ("dot_segment",)),
        ("https://login.corp.com/.well-known/t", ()),
        ("https://login.corp.com/t\r\n", ("control",)),
        ("https://login.corp.com/a b", ("control",)),
        ("https://login.corp.com/\u200bt", ("control",)),
        ("https://login.corp.com/\u202et", ("control",)),
    ],
)
def test_each_fault_of_a_token_endpoint_is_named(url: str, faults: tuple[str, ...]) -> None:
    assert token_endpoint_faults(url) == faults


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://login.corp.com/t", "https://login.corp.com/t"),
        ("https://u:p@login.corp.com/t", "https://***@login.corp.com/t"),
        ("https://@login.corp.com/t", "https://@login.corp.com/t"),
        ("//u:p@h", "//***@h"),
        ("https://h/t?a=b&c=&d&=e&&f", "https://h/t?a=***&c=&***&=***&&***"),
        ("https://h/t?", "https://h/t?"),
        ("https://h/t#access_token=x", "https://h/t#***"),
        ("https://h/t#", "https://h/t#"),
        (f"https://h/{JWT}/t", "https://h/***/t"),
        ("https://h:443/users/@me", "https://h:443/users/@me"),
        ("https://u:p@evil.com/?x=@login.corp.com", "https://***@evil.com/?x=***"),
        ("plain text", "plain text"),
        ("", ""),
        # A password that is not written as RFC 3986 wants it: nobody can say where it ends
        ("https://u:p/ss@h/t", "***"),
        ("https://u:p?ss@h/t", "***"),
        ("https://u:p#ss@h/t", "***"),
        ("u:p@h/t", "***"),
        ("https:///u:p@h/t", "***"),
        ("https:\\\\u:p@h/t", "***"),
        ("https://good.com\\@evil.com/t", "***"),
        ("https://u:p@evil.com@good.com/t", "***"),
    ],
)
def test_a_url_is_kept_without_its_secrets(url: str, masked: str) -> None:
    assert masked_url(url) == masked


URLISH = st.text(alphabet="ab:/@?#=&;.%\\[]1* \n\u00fc", max_size=40)


@given(URLISH | st.text())
def test_masking_twice_is_masking_once(url: str) -> None:
    masked = masked_url(url)
    assert masked_url(masked) == masked
    assert isinstance(token_endpoint_faults(url), tuple)


@given(
    user=st.text(alphabet="abc", min_size=1), password=st.text(alphabet=st.characters(exclude_characters="*", codec="ascii"), min_size=1, max_size=20)
)
def test_no_password_before_an_at_sign_survives(user: str, password: str) -> None:
    kept = masked_url(f"https://{user}:Kq{password}9Zq@login.corp.com/t")
    assert "9Zq" not in kept


# --- secrets in any text --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_a_key_of_a_known_service_is_a_secret(key: str) -> None:
    assert looks_like_secret(key)
    assert looks_like_secret(f"PKI mail ({key})")
    assert header_kind(key) == "api_key"


@pytest.mark.parametrize(
    "text",
    [
        JWT,
        f"token={JWT}",
        PEM,
        PEM.replace("PRIVATE", "RSA PRIVATE"),
        BASIC,
        f"sent as {BASIC.lower()[:5]}{BASIC[5:]}",
        f"Bearer {tangled(24)}",
        "smtp://svc:hunter2@mail.corp.com",
        "https://login.corp.com/t?client_secret=hunter2",
    ],
)
def test_a_secret_with_a_form_is_seen_in_any_text(text: str) -> None:
    assert looks_like_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "smtp.office365.com",
        "email-smtp.us-east-1.amazonaws.com",
        "sk-mail-relay-production-cluster-eu.corp.example",
        "contoso-com.mail.protection.outlook.com",
        "a7b3c9d1e5f2.smtp.corp.com",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "00000000-0000-0000-0000-000000000000",
        "https://outlook.office365.com/.default",
        "https://login.microsoftonline.com/3f2504e0-4f89-41d3-9a0c-0305e82c3301/oauth2/v2.0/token",
        "api://3f2504e0-4f89-41d3-9a0c-0305e82c3301/.default",
        "https://mail.google.com/ https://www.googleapis.com/auth/gmail.send openid",
        "pki+alerts-2026@corp.example",
        "KEYEXAMPLE\\svc-smtp",
        "Keyfactor Command",
        "Basic authentication",
        "Basic VGhlIGJhc2ljcw==",
        "Bearer of good news and many returns",
        "Bearer certificates-and-approvals",
        CERTIFICATE,
        "*" * 20,
        "UnsupportedPAMSecret",
        "smtp://svc:***@mail.corp.com",
        "https://login.corp.com/t?client_secret=***&api-version=2",
        "https://login.corp.com/t?tenant=corp",
        "eyJ",
        "2026-11-23T22:28:33.0000000Z",
        "v25.4.1+9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    ],
)
def test_harmless_text_is_no_secret(text: str) -> None:
    assert not looks_like_secret(text)


@given(st.from_regex(r"[a-z]{1,12}(-[a-z0-9]{1,8}){0,3}(\.[a-z]{2,10}){1,3}", fullmatch=True))
def test_host_names_and_mailboxes_are_no_secrets(host: str) -> None:
    assert not looks_like_secret(host)
    assert not looks_like_secret(f"pki@{host}")
    assert not looks_like_secret(f"https://{host}/token")


@given(st.uuids())
def test_guids_are_no_secrets(guid: object) -> None:
    assert not looks_like_secret(str(guid))
    assert header_kind(str(guid)) == "plain"


@given(st.text() | URLISH)
def test_no_detector_raises_on_any_text(text: str) -> None:
    assert is_mask(text) in {True, False}
    assert looks_like_secret(text) in {True, False}
    assert header_kind(text) in {"empty", "plain", "bearer", "basic", "jwt", "pem", "api_key", "high_entropy", "control_chars"}
    assert len(header_facts([(text, text)])) == 4


LONG = {
    "letters": "a" * 100_000,
    "jwt heads": "eyJaaaaa." * 12_000,
    "joined heads": "eyJ" * 33_000,
    "basic": "basic " * 16_000,
    "blank": "bearer" + " " * 100_000,
    "dashes": "-----BEGIN " * 9_000,
    "slashes": "://" * 33_000,
    "colons": "://a:" * 20_000,
    "queries": "?a=b&" * 20_000,
    "hyphens": "sk-a-" * 20_000,
    "tildes": "8Q~" * 33_000,
    "random": tangled(31) * 3_000,
    "percents": "https://h?" + "%41" * 33_000,
    "ats": "a:@" * 33_000,
    "dots": "https://h/" + "../" * 33_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_no_text_takes_a_detector_long(text: str) -> None:
    begun = time.perf_counter()
    looks_like_secret(text)
    header_kind(text)
    masked_url(text)
    token_endpoint_faults(text)
    header_facts([(text, text)])
    is_mask(text)
    assert time.perf_counter() - begun < 2


def test_the_version_stands_in_each_snapshot_so_it_is_a_number() -> None:
    assert detectors.VERSION == 1
