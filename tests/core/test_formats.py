"""What is a host, an address, a mailbox and a URL; when two are equal; when one can be taken for the other."""

import time
from collections.abc import Callable

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.core.addresses import ip_scope, parse_ip
from auditor.core.formats import FORMATS, look_alike, normal_email, normal_host, normal_url, parse_url
from auditor.core.lookalike import decoded_labels, mixes_scripts, scripts, shown

LABEL_63, LABEL_64 = "a" * 63, "a" * 64
NAME_253 = ".".join([LABEL_63, LABEL_63, LABEL_63, "b" * 61])


def to_ascii(text: str) -> str:
    return idna.encode(text, uts46=True).decode("ascii")


ACCEPTED = {
    "fqdn": [
        "smtp.corp.com",
        "SMTP.Corp.COM",
        "smtp.corp.com.",
        "a.b",
        "1.corp",
        "4com.3com",
        "xn--mnchen-3ya.de",
        f"{LABEL_63}.com",
        NAME_253,
        f"{NAME_253}.",
        "127.0x1",
    ],
    "hostname": ["mail", "mail.", "mail-1", "a", "0x7f", "smtp.corp.com"],
    "ip": [
        "127.0.0.1",
        "127.1",
        "10.1.2",
        "2130706433",
        "0x7f000001",
        "0X7F.0.0.1",
        "017700000001",
        "0177.0.0.01",
        "0",
        "255.255.255.255",
        "4294967295",
        "127.0.0.1.",
        "::1",
        "::",
        "2001:DB8::25",
        "fe80::1%eth0",
        "[::1]",
        "[127.0.0.1]",
        "IPv6:::1",
        "ipv6:2001:db8::1",
        "[IPv6:2001:db8::1]",
        "::ffff:10.0.0.1",
        "１２７．0．0．1",
        "127。0。0。1",
    ],
    "email": [
        "pki@corp.com",
        "PKI+alerts@corp.com",
        "o'brien@corp.com",
        '"pki alerts"@corp.com',
        r'"a\"b"@corp.com',
        '""@corp.com',
        '"a@b"@corp.com',
        "a.b.c@x.y",
        f"{LABEL_64}@corp.com",
        f"{LABEL_64}@{'.'.join([LABEL_63, LABEL_63, 'c' * 61])}",
    ],
    "url": [
        "https://login.corp.com",
        "https://login.corp.com/oauth2/token?a=b#c",
        "HTTP://user:pw@h:8080/",
        "https://[::1]:443/t",
        "https://h:/",
        "api://2f1f/.default",
        "https://h/%7Ea",
        "https://h:65535",
        "https://h:000000443",
        "https://u%40:p%3A@h%2D1/%20?q%20=%26#f%20",
    ],
    "https_url": ["https://login.corp.com/t", "HTTPS://h"],
    "guid": ["3f2504e0-4f89-41d3-9a0c-0305e82c3301", "3F2504E0-4F89-41D3-9A0C-0305E82C3301"],
}

REFUSED = {
    "fqdn": [
        "",
        ".",
        "mail",
        "mail.",
        "smtp.corp.com..",
        ".smtp.corp.com",
        "smtp..corp.com",
        "-smtp.corp.com",
        "smtp-.corp.com",
        "smtp_relay.corp.com",
        "smtp.corp.123",
        "10.1.2.3",
        "smtp.corp.com\n",
        " smtp.corp.com",
        "*.corp.com",
        "münchen.de",
        f"{LABEL_64}.com",
        f"{NAME_253}b",
        "smtp.corp.com:587",
        "smtp://corp.com",
    ],
    "hostname": ["", ".", "1", "123.", "a..b", "a b", "mail\n", "é"],
    "ip": [
        "",
        ".",
        "mail",
        "256.0.0.1",
        "1.2.3.4.5",
        "4294967296",
        "127.0.65536",
        "127.16777216",
        "0x",
        "08.1.1.1",
        "1e3",
        "127.0.0.1 ",
        "-1",
        "1.2.3.-4",
        "::g",
        "[::1",
        "::1]",
        "1::2::3",
        "٣.1.1.1",
        "0" * 200,
    ],
    "email": [
        "",
        "pki",
        "@corp.com",
        "pki@",
        "pki@mailhost",
        "pki@corp.com.",
        "pki@10.1.2.3",
        "pki@[10.1.2.3]",
        "PKI <pki@corp.com>",
        "<pki@corp.com>",
        "a@corp.com, b@corp.com",
        "a@b@corp.com",
        ".pki@corp.com",
        "pki.@corp.com",
        "p..k@corp.com",
        "p ki@corp.com",
        "pki@corp.com\r\nBcc: x@corp.com",
        "pki@corp.com\n",
        "grüße@corp.com",
        "pki@münchen.de",
        '"a"b"@corp.com',
        '"a\n"@corp.com',
        f"{LABEL_64}a@corp.com",
        f"{LABEL_64}@{'.'.join([LABEL_63, LABEL_63, 'c' * 62])}",
    ],
    "url": [
        "",
        "https:",
        "https://",
        "https:///path",
        "//h/t",
        "/token",
        "login.corp.com/token",
        "mailto:pki@corp.com",
        "https://h h/",
        "https://h/a b",
        "https://h/\n",
        "https://h\\@evil/",
        "https://h:65536",
        "https://h:99999999999",
        "https://h:0000000443",
        "https://u%4@h/",
        "https://h%4/",
        "https://h/?%4",
        "https://h/#%4",
        "https://h:port/",
        "https://[::1",
        "https://[1.2.3.4.5]/",
        "https://[10.1.2.3]/",
        "https://münchen.de/",
        "https://h/%zz",
        "1https://h",
    ],
    "https_url": ["http://login.corp.com", "login.corp.com", "https://", "ftp://h"],
    "guid": ["", "3f2504e04f8941d39a0c0305e82c3301", "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}", "3f2504e0-4f89-41d3-9a0c-0305e82c330g"],
}
assert {len(ACCEPTED["fqdn"][8]), len(NAME_253)} == {253}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in ACCEPTED.items() for text in texts])
def test_a_format_takes_each_spelling_that_has_it(name: str, text: str) -> None:
    assert FORMATS[name](text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts])
def test_a_format_refuses_each_spelling_that_has_it_not(name: str, text: str) -> None:
    assert not FORMATS[name](text)


def test_the_formats_are_those_of_the_language() -> None:
    assert set(FORMATS) == {"fqdn", "hostname", "ip", "email", "url", "https_url", "guid"} == set(ACCEPTED) == set(REFUSED)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("smtp.corp.com", "none"),
        ("", "none"),
        ("127.0.0.1", "loopback"),
        ("127.1", "loopback"),
        ("2130706433", "loopback"),
        ("0x7f.1", "loopback"),
        ("0177.0.0.1", "loopback"),
        ("127.255.255.255", "loopback"),
        ("128.0.0.0", "public"),
        ("::1", "loopback"),
        ("[IPv6:::1]", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:7f00:1", "loopback"),
        ("0.0.0.0", "loopback"),
        ("0.0.0.1", "private"),
        ("169.254.0.1", "link_local"),
        ("fe80::1%eth0", "link_local"),
        ("10.0.0.1", "private"),
        ("100.64.0.1", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.0", "public"),
        ("192.168.1", "private"),
        ("::ffff:192.168.0.1", "private"),
        ("fd00::1", "private"),
        ("203.0.113.9", "private"),
        ("8.8.8.8", "public"),
        ("2606:4700::1111", "public"),
        ("::ffff:8.8.8.8", "public"),
    ],
)
def test_an_address_has_the_scope_of_its_range_in_every_spelling(text: str, scope: str) -> None:
    assert ip_scope(text) == scope


@given(st.ip_addresses())
def test_an_address_is_read_as_the_standard_library_writes_it(address: object) -> None:
    assert parse_ip(str(address)) == address == parse_ip(f"[{address}]")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("SMTP.Corp.Example.", "smtp.corp.example"),
        ("mail", "mail"),
        ("München.de", "xn--mnchen-3ya.de"),
        ("smtp。corp。example", "smtp.corp.example"),
        ("XN--MNCHEN-3YA.de", "xn--mnchen-3ya.de"),
        ("10.1.2.3", None),
        ("smtp_relay.corp.example", None),
        ("smtp corp", None),
        ("", None),
        ("ü" * 300, None),
        ("a.\u0ff0", None),
        ("１２７.0.0.1", None),
    ],
)
def test_equal_hosts_have_one_form(text: str, normal: str | None) -> None:
    assert normal_host(text, to_ascii) == normal


@pytest.mark.parametrize(("characters", "normal"), [(253, "a"), (254, "a"), (255, None)])
def test_a_name_that_is_too_long_is_not_handed_to_idna(characters: int, normal: str | None) -> None:
    assert normal_host("ü" * characters, lambda _: "a") == normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("PKI@Corp.Example", "pki@corp.example"),
        ("pki@münchen.de", "pki@xn--mnchen-3ya.de"),
        ('"A@b"@corp.example', '"a@b"@corp.example'),
        ("pki@corp.example.", None),
        ("pki", None),
        ("PKI <pki@corp.example>", None),
        ("ü@corp.example", None),
    ],
)
def test_equal_mailboxes_have_one_form(text: str, normal: str | None) -> None:
    assert normal_email(text, to_ascii) == normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HTTPS://Login.Corp.Example:443", "https://login.corp.example/"),
        ("http://h:80/A?b#c", "http://h/A?b#c"),
        ("https://u@h:8443/", "https://u@h:8443/"),
        ("api://h:443", "api://h:443/"),
        ("https://[2001:DB8::1]/t", "https://[2001:db8::1]/t"),
        ("https://h/?", "https://h/?"),
        ("relative", None),
    ],
)
def test_equal_urls_have_one_form(text: str, normal: str | None) -> None:
    assert normal_url(text) == normal


@given(st.text())
def test_a_normal_form_is_its_own_normal_form(text: str) -> None:
    for form in (lambda t: normal_host(t, to_ascii), lambda t: normal_email(t, to_ascii), normal_url):
        once = form(text)
        assert once is None or form(once) == once


def test_a_port_is_filled_in_from_the_scheme() -> None:
    ports = {text: url.port for text in ("https://h", "http://h", "https://h:8443", "api://h") if (url := parse_url(text))}
    assert ports == {"https://h": 443, "http://h": 80, "https://h:8443": 8443, "api://h": None}


# --- look-alikes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "other"),
    [
        ("smtp.соrp.test", "smtp.corp.test"),  # Cyrillic с and о
        ("smtp.pаypal.com", "smtp.paypal.com"),
        ("xn--pypal-4ve.com", "paypal.com"),
        ("smtp.οffice365.com", "smtp.office365.com"),  # Greek omicron
        ("rnicrosoft.com", "microsoft.com"),
        ("vvestern.com", "western.com"),
        ("c0rp.com", "corp.com"),
        ("mai1.com", "mail.com"),
        ("maii.com", "mail.com"),
        ("5mtp.corp.com", "smtp.corp.com"),
        ("my-corp-mail.com", "mycorpmail.com"),
        ("crop.com", "corp.com"),
        ("corpp.com", "corp.com"),
        ("cor.com", "corp.com"),
        ("cord.com", "corp.com"),
        ("smtp.c0orp.com", "smtp.corp.com"),
        ("stmp.crop.com", "smtp.corp.com"),  # two slips, and 13 characters
        ("SMTP.C0RP.COM.", "smtp.corp.com"),
    ],
)
def test_a_look_alike_is_seen(host: str, other: str) -> None:
    assert look_alike(host, other)


@pytest.mark.parametrize(
    ("host", "other"),
    [
        ("smtp.corp.com", "smtp.corp.com"),
        ("SMTP.corp.com.", "smtp.corp.com"),
        ("xn--mnchen-3ya.de", "münchen.de"),
        ("smtp.provider.com", "smtp.corp.com"),
        ("abrp.com", "corp.com"),  # two slips, but 8 characters
        ("smtp.other.example.com", "smtp.corp.com"),
        ("a" * 300, "a" * 299),
        ("", "corp.com"),
    ],
)
def test_another_host_or_the_same_is_no_look_alike(host: str, other: str) -> None:
    assert not look_alike(host, other)


@pytest.mark.parametrize(("length", "expected"), [(11, False), (12, True)])
def test_two_slips_look_alike_from_twelve_characters_on(length: int, expected: bool) -> None:
    known = "abcdefghjkmn"[:length]
    assert look_alike("zz" + known[2:], known) is expected


@given(st.text(alphabet="ab.", max_size=8), st.text(alphabet="ab.", max_size=8))
def test_looking_alike_within_one_slip_goes_both_ways(one: str, two: str) -> None:
    assert look_alike(one, two) == look_alike(two, one)


@pytest.mark.parametrize(
    ("label", "mixed"),
    [
        ("corp", False),
        ("münchen", False),
        ("соrp", True),
        ("пример", False),
        ("corp1-2", False),
        ("123", False),
        ("", False),
        ("メール例", False),
        ("メールmail", True),
        ("한국漢字", False),
        ("한국メール", True),
        ("µ", False),
        ("corpª", False),
    ],
)
def test_letters_that_nobody_writes_together_are_seen(label: str, mixed: bool) -> None:
    assert mixes_scripts(label) is mixed


def test_a_sign_goes_with_every_script() -> None:
    assert [scripts(sign) for sign in "1-\u0301ʹ"] == [frozenset()] * 4


def test_punycode_is_decoded_as_far_as_it_goes() -> None:
    assert decoded_labels("xn--mnchen-3ya.XN--80AK6AA92E.xn--ü.mail") == ["münchen", "аррӏе", "xn--ü", "mail"]
    assert shown("XN--MNCHEN-3YA.de.") == "münchen.de"


# --- any text -------------------------------------------------------------------------------------------------------

ODD = st.text() | st.text(alphabet='a.:-@[]%/\\0xfIPv6*"\n\u202eü。１')


@given(ODD, ODD)
def test_nothing_raises_on_any_text(text: str, other: str) -> None:
    assert {type(has(text)) for has in FORMATS.values()} == {bool}
    assert ip_scope(text) in {"none", "loopback", "link_local", "private", "public"}
    assert look_alike(text, other) in {True, False}
    assert [mixes_scripts(label) in {True, False} for label in decoded_labels(text)]
    assert normal_host(text, to_ascii) is None or FORMATS["hostname"](normal_host(text, to_ascii) or "")
    assert normal_email(text, to_ascii) is None or FORMATS["email"](normal_email(text, to_ascii) or "")
    assert normal_url(text) is None or FORMATS["url"](text)


LONG = {
    "letters": "a" * 100_000,
    "labels": "a." * 50_000,
    "hyphens": "a-" * 50_000,
    "digits": "1" * 100_000,
    "octets": "1." * 50_000,
    "quotes": '"' * 100_000 + "@x.y",
    "escapes": "\\" * 100_000 + "@x.y",
    "ats": "a@" * 50_000 + "x.y",
    "percents": "https://" + "%41" * 30_000 + "%",
    "colons": "https://" + "a:" * 50_000,
    "slashes": "https://h" + "/a" * 50_000 + " ",
    "punycode": "xn--" + "a" * 100_000,
    "accents": "e\u0301" * 50_000,
    "cyrillic": "о" * 100_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_no_text_takes_long(text: str) -> None:
    begun = time.perf_counter()
    checks: list[Callable[[str], object]] = [
        *FORMATS.values(),
        lambda t: normal_host(t, to_ascii),
        lambda t: normal_email(t, to_ascii),
        normal_url,
        lambda t: look_alike(t, "smtp.corp.com"),
    ]
    for check in checks:
        check(text)
    assert time.perf_counter() - begun < 2
