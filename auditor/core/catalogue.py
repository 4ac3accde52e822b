"""The fact catalogue: everything a rule can speak of, with its type, where it comes from, and an example.

A name that is not in here is refused when a policy is loaded. How a fact comes to its value is the business of `command`, `probe` and `core.derived`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from auditor.core.model import PROFILE_FIELDS, ReadOutcome, Shape


class Kind(StrEnum):
    """What one value of a type is. `WORD` is an enumeration, `PATTERN` is for vars alone, `FIELD` and `FACT` are names."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    TEXT = "text"
    HOST = "host"
    EMAIL = "email"
    URL = "url"
    DATE = "date"
    WORD = "word"
    SECRET = "secret"
    HEADER = "header"
    FIELD = "field"
    FACT = "fact"
    PATTERN = "pattern"


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a fact or var: one value, or with `many` a list of them.

    `members` are all words that an enumeration knows; `names` are the aliases that some integers go by, other integers being possible.
    """

    kind: Kind
    many: bool = False
    members: tuple[str, ...] = ()
    names: tuple[tuple[str, int], ...] = ()

    @property
    def one(self) -> "Type":
        """The type of one member of the list."""
        return replace(self, many=False)

    @property
    def listed(self) -> "Type":
        """The type of a list of such values."""
        return replace(self, many=True)

    def same(self, other: "Type") -> bool:
        """Whether values of both can be compared. An alias is a way to write an integer, no type of its own."""
        return (self.kind, self.many, self.members) == (other.kind, other.many, other.members)

    def __str__(self) -> str:
        one = " | ".join(self.members) if self.kind is Kind.WORD else self.kind.value
        return f"[{one}]" if self.many else one


class Group(StrEnum):
    """Where a fact comes from. Those of `AUDIT` are about the audit itself and always have a value."""

    PROFILE = "profile"
    READING = "reading"
    DERIVED = "derived"
    HISTORY = "history"
    AUDIT = "audit"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact of the catalogue. `example` is a value as a policy would write it."""

    name: str
    type: Type
    group: Group
    about: str
    example: Any

    @property
    def type_text(self) -> str:
        """The type as the documentation writes it, with the aliases of its integers."""
        return f"{self.type} ({', '.join(f'{name} {number}' for name, number in self.type.names)})" if self.type.names else str(self.type)


AUTHENTICATION_TYPES = (("Anonymous", 0), ("Basic", 2), ("OAuth", 3))
"""The documented values of RelayAuthenticationType; 1 is undocumented."""

SECRET_STATES = ("stored", "pam", "exposed")

BOOLEAN, INTEGER, TEXT, HOST, EMAIL, URL, DATE = (
    Type(k) for k in (Kind.BOOLEAN, Kind.INTEGER, Kind.TEXT, Kind.HOST, Kind.EMAIL, Kind.URL, Kind.DATE)
)
SECRET = Type(Kind.SECRET, members=SECRET_STATES)
TEXTS, FIELDS, FACT_NAMES = (Type(kind, many=True) for kind in (Kind.TEXT, Kind.FIELD, Kind.FACT))


def _word(members: str) -> Type:
    return Type(Kind.WORD, members=tuple(members.split()))


def _words(members: str) -> Type:
    return _word(members).listed


_TRUST = _word("valid self_signed unknown_issuer self_signed_root wrong_usage")
_ZONES = _words("host sender token_endpoint")
_ALLOWED = _words("Port UseSSL RelayAuthenticationType")

_PROFILE: tuple[tuple[str, Type, str, Any], ...] = (
    ("Host", HOST, "Mail server that Command sends through", "smtp.corp.example"),
    ("Id", INTEGER, "Id of the record, 1 in most environments", 1),
    ("Port", INTEGER, "TCP port of the mail server", 587),
    ("RelayAuthenticationType", replace(INTEGER, names=AUTHENTICATION_TYPES), "How Command logs in at the mail server", "Basic"),
    ("RelayUsername", SECRET, "User name for Basic: whether one is kept, and where", "stored"),
    ("RelayPassword", SECRET, "Password for Basic: whether one is kept, and where", "pam"),
    ("SenderAccount", EMAIL, "Mailbox that mail is sent from", "pki@corp.example"),
    ("SenderAddress", EMAIL, "Mailbox of older editions, offered when sent", "pki@corp.example"),
    ("SenderName", TEXT, "Display name of the sender", "Corp PKI"),
    ("UseSSL", BOOLEAN, "Whether mail is to be delivered over TLS", True),
    ("ClientId", SECRET, "OAuth client id: whether one is kept, and where", "stored"),
    ("ClientSecret", SECRET, "OAuth client secret: whether one is kept, and where", "stored"),
    ("TokenEndpoint", URL, "Where OAuth tokens are fetched", "https://login.corp.example/oauth2/token"),
    ("Scope", TEXT, "OAuth scopes, separated by spaces", "https://outlook.office365.com/.default"),
    ("Audience", TEXT, "OAuth audience", "api://mail"),
    ("RequestHeaders", Type(Kind.HEADER, many=True), "HTTP headers added to token requests", []),
)

_READING: tuple[tuple[str, Type, str, Any], ...] = (
    ("profile.configured", BOOLEAN, "Whether the server has a mail profile at all", True),
    ("api.version", INTEGER, "Version of the API that answered", 2),
    ("api.shape", _word(" ".join(Shape)), "Which fields the answer can have", "v2_oauth"),
    ("RelayUsername.text", TEXT, "The user name, where it is sent in clear", "CORP\\svc-mail"),
    ("ClientId.text", TEXT, "The client id, where it is sent in clear", "2f1f6d5e-7a51-4c1f-9b1a-0f1a2b3c4d5e"),
    (
        "TokenEndpoint.faults",
        _words("relative userinfo fragment secret_in_query not_fqdn ip_literal special_use dot_segment control"),
        "What is wrong with the URL as sent",
        ["fragment"],
    ),
    ("RequestHeaders.bytes", INTEGER, "Size of all headers, in bytes", 120),
    ("RequestHeaders.faults", _words("line_break control bad_name duplicate"), "What is wrong with the headers as sent", ["duplicate"]),
    ("RequestHeaders.secret_forms", _words("authorization jwt pem known_key high_entropy"), "Which secrets the values look like", ["jwt"]),
    ("response.exposed", FIELDS, "Fields in which a live secret was sent", ["RelayPassword"]),
    ("response.unknown_fields", TEXTS, "Keys that no version documents", ["Comment"]),
    ("response.ill_typed_fields", FIELDS, "Fields sent with another JSON type", ["Port"]),
)

_DERIVED: tuple[tuple[str, Type, str, Any], ...] = (
    ("Host.org_domain", HOST, "Organisational domain by the public suffix list", "corp.example"),
    ("SenderAccount.org_domain", HOST, "Organisational domain by the public suffix list", "corp.example"),
    ("TokenEndpoint.org_domain", HOST, "Organisational domain by the public suffix list", "corp.example"),
    ("Host.ip_scope", _word("none loopback link_local private public"), "Range of the address; none for a name", "none"),
    (
        "Host.faults",
        _words("scheme slash at_sign port whitespace control zero_width bidi edge_dot edge_hyphen not_nfc upper_case"),
        "What is wrong with the text as sent",
        ["edge_dot"],
    ),
    ("Host.mixed_scripts", TEXTS, "Decoded labels whose letters share no script (UTS 39)", []),
    ("Host.idna_stable", BOOLEAN, "Whether each xn-- label decodes and encodes back to itself", True),
    ("Host.provider", _word("exchange_online google amazon_ses sendgrid other"), "Whose mail service it is", "exchange_online"),
    ("Host.basic_off_on", DATE, "Day when the provider turns Basic off by default", "2026-12-31"),
    ("Host.basic_ends_on", DATE, "Day when the provider ends Basic", "2027-12-31"),
    ("SenderAccount.local", TEXT, "Local part of the mailbox, in lower case", "pki"),
    ("SenderAccount.domain", HOST, "Domain of the mailbox", "corp.example"),
    ("SenderAccount.freemail", BOOLEAN, "Whether the domain is one of a free mail service", False),
    (
        "SenderName.faults",
        _words("line_break control bidi zero_width at_sign url angle_bracket"),
        "What is unsafe to display",
        ["at_sign"],
    ),
    ("RelayUsername.account", TEXT, "User name less domain and realm, in lower case", "svc-mail"),
    ("RelayUsername.mailbox", EMAIL, "User name, where it is a mailbox", "svc-mail@corp.example"),
    ("TokenEndpoint.scheme", TEXT, "Scheme of the URL, in lower case", "https"),
    ("TokenEndpoint.host", HOST, "Host of the URL", "login.corp.example"),
    ("TokenEndpoint.port", INTEGER, "Port of the URL, the scheme's own where it names none", 443),
    ("TokenEndpoint.path", TEXT, "Path of the URL", "/oauth2/token"),
    ("TokenEndpoint.mixed_scripts", TEXTS, "Decoded labels of its host whose letters share no script (UTS 39)", []),
    ("TokenEndpoint.idna_stable", BOOLEAN, "Whether each xn-- label of its host decodes and encodes back to itself", True),
    ("TokenEndpoint.idp", _word("entra google other"), "Whose identity provider it is", "entra"),
    ("TokenEndpoint.tenant", TEXT, "Tenant in an Entra URL", "common"),
    ("Scope.tokens", TEXTS, "The scopes, split at spaces", ["openid"]),
    ("Scope.duplicates", TEXTS, "Scopes that occur twice", []),
    ("Audience.host", HOST, "Host of an audience that is an absolute URI", "mail.corp.example"),
    ("RequestHeaders.names", TEXTS, "Header names, in lower case", ["x-tenant"]),
    ("RequestHeaders.forwarding", TEXTS, "Those names that say for whom a proxy asks: forwarded, x-forwarded-…", []),
    ("profile.mail_route", TEXT, "Sender's organisation via the relay's", "corp.example via provider.example"),
    ("profile.provider_refuses", _ALLOWED, "Settings outside what the provider offers", ["Port"]),
)

_HISTORY: tuple[tuple[str, Type, str, Any], ...] = (
    ("drift.unapproved", FACT_NAMES, "Facts that differ from the baseline without approval", ["Host"]),
    (
        "drift.downgrades",
        _words(
            "tls_off weaker_authentication port_465_to_587 port_587_to_25 port_465_to_25 https_dropped secret_left_pam starttls_lost"
            " lower_tls_version"
        ),
        "What became weaker since the previous read, unless approved",
        ["tls_off"],
    ),
    ("drift.redirections", _words("host token_endpoint credential"), "What was pointed elsewhere since the previous read, unless approved", ["host"]),
    ("RelayPassword.vault", _word("external command"), "Which kind of PAM provider keeps it", "external"),
    ("ClientSecret.vault", _word("external command"), "Which kind of PAM provider keeps it", "external"),
    ("ClientSecret.age_days", INTEGER, "Days since it was seen to change; not offered before", 90),
    ("collection.profile_age_hours", INTEGER, "Hours since the profile was last read; unset: never", 3),
    ("collection.probe_age_hours", INTEGER, "Hours since the last probe; unset: never", 3),
    ("waivers.expired", TEXTS, "Waivers of this target that have ended", []),
    ("waivers.incomplete", TEXTS, "Waivers of this target that lack a reason, an owner or an end", []),
    ("store.secret_like", TEXTS, "Stored records that look like they hold a secret", []),
    ("store.files_too_open", TEXTS, "Files of ours that others can read", []),
)

_AUDIT: tuple[tuple[str, Type, str, Any], ...] = (
    ("server.probed", BOOLEAN, "Whether the mail server was probed", True),
    ("domain.probed", BOOLEAN, "Whether DNS was asked", True),
    ("token_endpoint.probed", BOOLEAN, "Whether the token endpoint was probed", True),
    ("baseline.exists", BOOLEAN, "Whether values were approved for this target", True),
    ("drift.previous", BOOLEAN, "Whether there is a previous read to compare with", True),
    ("target.labels", TEXTS, "Labels of the target, each as key=value", ["env=prod"]),
    ("waivers.count", INTEGER, "Waivers that name this target", 0),
    ("collection.outcome", _word(" ".join(ReadOutcome)), "What the read ended in", "observed"),
)

_PROBE: tuple[tuple[str, Type, str, Any], ...] = (
    ("server.reachable", _word("none some all"), "On how many of its addresses the port answers", "all"),
    ("server.addresses_differ_in", _words("tls certificate auth"), "In what its addresses behave differently", []),
    ("server.mode", _word("implicit starttls cleartext"), "How the session is protected on this port", "starttls"),
    ("server.port_465_works", BOOLEAN, "Whether implicit TLS answers on port 465", True),
    ("server.starttls.offered", BOOLEAN, "Whether EHLO lists STARTTLS", True),
    ("server.starttls.works", BOOLEAN, "Whether STARTTLS leads to a TLS session", True),
    ("server.starttls.early_bytes", BOOLEAN, "Whether cleartext followed the reply to STARTTLS", False),
    ("server.starttls.offered_again", BOOLEAN, "Whether STARTTLS is listed inside TLS", False),
    ("server.starttls.injectable", BOOLEAN, "Whether a command sent with STARTTLS is answered inside TLS (active check)", False),
    ("server.tls.available", BOOLEAN, "Whether TLS can be had at all", True),
    ("server.tls.version", _word("sslv3 tls10 tls11 tls12 tls13"), "Version of the default handshake", "tls13"),
    ("server.tls.forward_secrecy", BOOLEAN, "Whether the default handshake has forward secrecy", True),
    ("server.tls.aead", BOOLEAN, "Whether the default handshake picks an AEAD suite", True),
    ("server.tls.weak_suites", _words("null export des rc4 triple_des seed idea anonymous"), "Broken suites that it accepts (deep check)", []),
    *(
        (f"server.accepts.{version}", BOOLEAN, f"Whether it accepts {name}", version in ("tls12", "tls13"))
        for version, name in (
            ("sslv2", "SSL 2"),
            ("sslv3", "SSL 3"),
            ("tls10", "TLS 1.0"),
            ("tls11", "TLS 1.1"),
            ("tls12", "TLS 1.2"),
            ("tls13", "TLS 1.3"),
        )
    ),
    ("server.chain.trust", _TRUST, "Whether its certificate chain validates, and if not, why", "valid"),
    ("server.chain.complete", BOOLEAN, "Whether all intermediates are sent, in order", True),
    ("server.chain.public", BOOLEAN, "Whether a publicly trusted authority issued it", True),
    ("server.chain.weak_signatures", _words("md5 sha1"), "Broken hashes in its signatures, root aside", []),
    ("server.cert.matches_host", BOOLEAN, "Whether it names the configured Host", True),
    ("server.cert.valid_from", DATE, "First day of validity", "2026-03-15"),
    ("server.cert.valid_through", DATE, "Last day that is valid to its end", "2026-09-30"),
    ("server.cert.renew_by", DATE, "A third of the lifetime before the end, 7 to 30 days", "2026-08-31"),
    ("server.cert.lifetime_excess_days", INTEGER, "Days over the limit in force when it began", 0),
    ("server.cert.key", _word("rsa ec ed25519 ed448 other"), "Kind of the key", "rsa"),
    ("server.cert.key_bits", INTEGER, "Size of the key", 3072),
    ("server.cert.faults", _words("no_dns_name wrong_usage is_authority bad_wildcard"), "What a server certificate must not be", []),
    ("server.auth.before_tls", TEXTS, "Mechanisms that AUTH lists before TLS", []),
    ("server.auth.after_tls", TEXTS, "Mechanisms that AUTH lists inside TLS", ["PLAIN", "XOAUTH2"]),
    ("server.auth.cleartext_accepted", BOOLEAN, "Whether AUTH PLAIN goes ahead before TLS (active check)", False),
    ("server.relays_for_strangers", BOOLEAN, "Whether mail to elsewhere is taken without login (active check)", False),
    ("server.sender_accepted", BOOLEAN, "Whether MAIL FROM with SenderAccount is taken (active check)", True),
    ("server.banner.names_server", BOOLEAN, "Whether the greeting begins with a name of the server", True),
    ("server.banner.shows_version", BOOLEAN, "Whether the greeting shows a software version", False),
    ("server.verbs", TEXTS, "Verbs that EHLO lists", ["VRFY"]),
    ("server.protocol_faults", _words("violation limit_hit rate_limited"), "What kept the probe from a clear answer", []),
    ("domain.host.resolves", BOOLEAN, "Whether Host has an address", True),
    ("domain.host.scopes", _words("loopback link_local private public"), "Ranges of its addresses", ["public"]),
    ("domain.host.cname_hops", INTEGER, "Aliases between Host and its address", 0),
    ("domain.host.dangling", BOOLEAN, "Whether an alias leads to a name that does not exist", False),
    ("domain.dnssec.signed", _ZONES, "Zones that are signed and validate", ["host"]),
    ("domain.dnssec.bogus", _ZONES, "Zones whose signatures do not validate", []),
    ("domain.mx.exists", BOOLEAN, "Whether the sender's domain has an MX that resolves", True),
    ("domain.mx.null", BOOLEAN, "Whether the sender's domain says that it takes no mail", False),
    ("domain.spf.records", INTEGER, "SPF records of the sender's domain", 1),
    ("domain.spf.valid", BOOLEAN, "Whether the record evaluates without a permanent error", True),
    ("domain.spf.lookups", INTEGER, "DNS look-ups that it costs; 10 are allowed", 4),
    ("domain.spf.ends_in", _word("fail softfail neutral pass none"), "What it says of everybody else", "fail"),
    ("domain.spf.allows_anyone", BOOLEAN, "Whether a range in it is so wide that it means anyone", False),
    ("domain.spf.uses_ptr", BOOLEAN, "Whether it uses ptr", False),
    ("domain.spf.covers_relay", BOOLEAN, "Whether it covers the addresses of Host", True),
    ("domain.spf.names_provider", BOOLEAN, "Whether it includes the provider of Host", True),
    ("domain.dkim.missing", TEXTS, "Configured selectors without a key", []),
    ("domain.dkim.revoked", TEXTS, "Selectors whose key is revoked", []),
    ("domain.dkim.below_1024", TEXTS, "Selectors with an RSA key below 1024 bits", []),
    ("domain.dkim.below_2048", TEXTS, "Selectors with an RSA key below 2048 bits", []),
    ("domain.dkim.testing", TEXTS, "Selectors in test mode", []),
    ("domain.dmarc.exists", BOOLEAN, "Whether a DMARC record is found", True),
    ("domain.dmarc.policy", _word("none quarantine reject"), "What it asks of receivers", "reject"),
    ("domain.dmarc.subdomain_policy", _word("none quarantine reject"), "What it asks for subdomains", "reject"),
    ("domain.dmarc.testing", BOOLEAN, "Whether it asks not to be applied yet", False),
    ("domain.dmarc.percent", INTEGER, "Share of mail that older receivers apply it to", 100),
    ("domain.dmarc.reports", BOOLEAN, "Whether reports go to an address that takes them", True),
    ("domain.mta_sts.mode", _word("enforce testing none absent"), "MTA-STS policy of the sender's domain", "enforce"),
    ("domain.mta_sts.max_age_s", INTEGER, "Seconds for which the policy may be kept", 604800),
    ("domain.mta_sts.covers_mx", BOOLEAN, "Whether it names every MX", True),
    ("domain.tls_rpt.exists", BOOLEAN, "Whether a TLS-RPT record is found", True),
    ("domain.tlsa.exists", BOOLEAN, "Whether Host has TLSA records for its port", True),
    ("domain.tlsa.signed", BOOLEAN, "Whether their zone is signed", True),
    ("domain.tlsa.matches", BOOLEAN, "Whether one matches the live chain", True),
    ("domain.caa.exists", BOOLEAN, "Whether a CAA record is found for Host", True),
    ("domain.caa.allows_issuer", BOOLEAN, "Whether it allows the issuer of the live certificate", True),
    ("domain.srv.names_host", BOOLEAN, "Whether a submission SRV record names Host and Port", True),
    ("token_endpoint.reachable", BOOLEAN, "Whether it answers", True),
    ("token_endpoint.chain.trust", _TRUST, "Whether its certificate chain validates, and if not, why", "valid"),
    ("token_endpoint.cert.matches_host", BOOLEAN, "Whether the certificate names its host", True),
    ("token_endpoint.cert.valid_through", DATE, "Last day that is valid to its end", "2026-09-30"),
    ("token_endpoint.cert.key_bits", INTEGER, "Size of the key", 2048),
    ("token_endpoint.tls.version", _word("sslv3 tls10 tls11 tls12 tls13"), "Version of the default handshake", "tls13"),
    ("token_endpoint.redirects", _words("other_origin to_http"), "Where its answers lead away to", []),
    ("token_endpoint.metadata.found", BOOLEAN, "Whether discovery or RFC 8414 metadata is found", True),
    ("token_endpoint.metadata.issuer_consistent", BOOLEAN, "Whether the issuer is https and fits the address", True),
    ("token_endpoint.metadata.names_endpoint", BOOLEAN, "Whether it names the configured TokenEndpoint", True),
    ("token_endpoint.metadata.grant_supported", BOOLEAN, "Whether it lists client_credentials", True),
    ("token_endpoint.metadata.secret_supported", BOOLEAN, "Whether it lists a client secret as authentication", True),
    (
        "token_endpoint.jwks.faults",
        _words("not_https other_organisation no_key private_member weak_key symmetric"),
        "What is wrong with its keys",
        [],
    ),
    ("token_endpoint.rejects_strangers", BOOLEAN, "Whether a request without a client is refused (active check)", True),
)


def _entries() -> Iterator[Entry]:
    baseline = tuple((f"baseline.{name}", kind, f"Approved value of {name}", example) for name, kind, _, example in _PROFILE)
    groups = {
        Group.PROFILE: _PROFILE,
        Group.READING: _READING,
        Group.DERIVED: _DERIVED,
        Group.HISTORY: (*baseline, *_HISTORY),
        Group.AUDIT: _AUDIT,
        Group.PROBE: _PROBE,
    }
    for group, rows in groups.items():
        for name, kind, about, example in rows:
            yield Entry(name, kind, group, about, example)


FACTS: dict[str, Entry] = {entry.name: entry for entry in _entries()}
"""Every fact by its name, in the order in which a person reads them."""

assert tuple(row[0] for row in _PROFILE) == PROFILE_FIELDS
