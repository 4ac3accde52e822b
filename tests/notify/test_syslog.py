"""Syslog over TLS, to a real collector: each message taken apart as RFC 5424 has it, and a collector that is not to be trusted."""

import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from auditor.core.model import ClientCertificate, DeliveryState, NoticeKind, Receipt, SecretRef, Severity, SyslogChannel
from auditor.notify import open_channel
from auditor.notify.syslog import MAX_MESSAGE_BYTES, messages
from tests.command.far_end import Authority, Issued
from tests.notify.ends import Collector, digest, free_port, means, notice

MESSAGE = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<at>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<id>[!-~]{1,32}) "
    r'(?P<data>-|\[[^ =\]"]{1,32}( [^ =\]"]{1,32}="([^"\\\]]|\\["\\\]])*")*\]) \ufeff(?P<text>.*)',
    re.DOTALL,
)
"""A message of RFC 5424 section 6, as we use it."""


def channel(port: int = 6514, **others: Any) -> SyslogChannel:
    values = {"host": "127.0.0.1", "timeout_s": 5.0} | others
    return SyslogChannel(name="siem", port=port, **values)


def parsed(message: str) -> dict[str, str]:
    match = MESSAGE.fullmatch(message)
    assert match, message
    return match.groupdict()


def parameters(data: str) -> dict[str, str]:
    return {name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in re.findall(r' ([^ =\]"]+)="((?:[^"\\\]]|\\["\\\]])*)"', data)}


def test_each_notice_is_one_message_that_the_collector_can_count_off(authority: Authority, leaf: Issued) -> None:
    told = [notice(detail="turn it on\nand try", owner="pki-team", labels=(("env", "prod"),)), notice("back", kind=NoticeKind.TARGET_RECOVERED)]
    with Collector(leaf.server()) as collector:
        receipt = open_channel(channel(collector.port, ca_file=str(authority.certificate)), means()).send(digest(*told, link="https://r.example"))
        first, second = map(parsed, collector.messages())

    assert receipt == Receipt.delivered()
    assert (first["pri"], second["pri"]) == (str(13 * 8 + 2), str(13 * 8 + 5))
    assert first["at"] == "2026-11-23T10:00:00.000000Z"
    assert (first["host"], first["app"], first["proc"], first["id"]) == ("audit01.corp.example", "smtp-auditor", "-", "finding_opened")
    assert first["text"] == "prod fails CFG-001 Basic authentication runs over TLS | turn it on | and try"
    assert parameters(first["data"]) == {
        "key": "k" * 64,
        "notice": told[0].key,
        "at": "2026-11-23T10:00:00+00:00",
        "severity": "critical",
        "target": "prod",
        "subject": "CFG-001",
        "owner": "pki-team",
        "link": "https://r.example",
        "label_env": "prod",
    }
    assert second["id"] == "target_recovered"


@pytest.mark.parametrize(("severity", "number"), [("critical", 2), ("high", 3), ("medium", 4), ("low", 5), ("info", 6)])
@pytest.mark.parametrize("facility", [0, 23])
def test_facility_and_severity_make_the_priority(facility: int, severity: str, number: int) -> None:
    (message,) = messages(digest(notice(severity=Severity(severity))), channel(facility=facility))

    assert parsed(message.decode())["pri"] == str(facility * 8 + number)


HOSTILE = 'a"] [x@1 y="z\\] <13>1\n<14>1 - - - - - - forged\u202e\x00'


def test_hostile_texts_stay_where_they_belong() -> None:
    told = notice(HOSTILE, target=HOSTILE, owner=HOSTILE, subject=HOSTILE, detail=HOSTILE, labels=((HOSTILE, HOSTILE),))

    (message,) = messages(digest(told, collector=HOSTILE), channel())

    found = parsed(message.decode())
    assert found["data"].startswith("[auditor@32473 ")
    assert parameters(found["data"])["target"] == 'a"] [x@1 y="z\\] <13>1[U+000A]<14>1 - - - - - - forged[U+202E][U+0000]'
    assert not {"\n", "\x00", "\u202e"} & set(message.decode())


def test_a_huge_notice_is_cut_between_characters_and_many_are_counted() -> None:
    found = messages(digest(*[notice("ü" * 100_000, detail="ü" * 100_000 + "\nü" * 10_000)] * 300), channel())

    assert max(map(len, found)) <= MAX_MESSAGE_BYTES
    assert len(found) == 201
    assert parsed(found[0].decode())["text"].startswith("ü")
    assert parsed(found[-1].decode())["text"] == "100 more notices did not fit"


@pytest.mark.parametrize(
    ("issued", "trusts", "reason"),
    [
        ({"name": "unknown-log"}, False, "comes from a certification authority that this machine does not know"),
        ({"name": "log-expired", "days": -1}, True, "has expired"),
        ({"name": "log-other", "host": "other.example"}, True, "is not for this IP address"),
    ],
)
def test_nothing_is_told_to_a_collector_that_cannot_be_verified(issued: dict[str, Any], trusts: bool, reason: str, authority: Authority) -> None:
    with Collector(authority.issue(**issued).server()) as collector:
        ours = channel(collector.port, ca_file=str(authority.certificate) if trusts else None)
        receipt = open_channel(ours, means()).send(digest())

    assert receipt == Receipt.retry(f"the certificate of 127.0.0.1 {reason}")
    assert not collector.received


def test_a_collector_that_is_not_there_or_breaks_off_is_tried_again(authority: Authority, leaf: Issued) -> None:
    absent = open_channel(channel(free_port()), means()).send(digest())
    with Collector(leaf.server(), resets=True) as collector:
        broken = open_channel(channel(collector.port, ca_file=str(authority.certificate)), means()).send(digest())

    assert (absent.state, absent.reason) == (DeliveryState.PENDING, "no connection to 127.0.0.1: Connection refused")
    assert broken.state is DeliveryState.PENDING
    assert broken.reason.startswith("the connection to 127.0.0.1 broke: ")


def asking_for_ours(authority: Authority, leaf: Issued) -> ssl.SSLContext:
    """A server's side that takes nobody without a certificate of the authority."""
    strict = leaf.server()
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.load_verify_locations(authority.certificate)
    return strict


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_collector_that_wants_a_certificate_of_ours_is_shown_it(
    version: ssl.TLSVersion, authority: Authority, leaf: Issued, tmp_path: Path
) -> None:
    issued, locked = authority.issue("sender"), tmp_path / "locked.key"
    key = load_pem_private_key(issued.key.read_bytes(), None)
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"opens it")))
    ours = ClientCertificate(certificate=str(issued.certificate), key=str(locked), passphrase=SecretRef("env", "KEY_PASSPHRASE"))
    strict = asking_for_ours(authority, leaf)
    strict.minimum_version = strict.maximum_version = version
    with Collector(strict) as collector:
        config = channel(collector.port, ca_file=str(authority.certificate), client_certificate=ours)
        receipt = open_channel(config, means(KEY_PASSPHRASE="opens it")).send(digest())
        (message,) = collector.messages()

    assert (receipt, parsed(message)["id"]) == (Receipt.delivered(), "finding_opened")


def test_a_certificate_of_ours_that_cannot_be_used_is_tried_again_and_nothing_is_sent(authority: Authority) -> None:
    issued = authority.issue("unusable")
    without = ClientCertificate(certificate=str(issued.certificate), key=str(issued.key), passphrase=SecretRef("env", "NOWHERE"))
    receipts = [
        open_channel(channel(free_port(), client_certificate=ours), means()).send(digest())
        for ours in (without, ClientCertificate(certificate=str(issued.certificate), key=str(authority.issue("another").key)))
    ]

    assert {receipt.state for receipt in receipts} == {DeliveryState.PENDING}
    assert receipts[0].reason == "env:NOWHERE: the environment variable is not set or empty"
    assert receipts[1].reason.endswith("cannot be used: certificate, key and passphrase do not go together")


def test_a_collector_that_wants_a_certificate_of_ours_has_got_nothing_without(authority: Authority, leaf: Issued) -> None:
    """With TLS 1.3 our side of the handshake is over before the far end has refused: only its goodbye tells."""
    with Collector(asking_for_ours(authority, leaf)) as collector:
        receipt = open_channel(channel(collector.port, ca_file=str(authority.certificate)), means()).send(digest())

    assert receipt.state is DeliveryState.PENDING
    assert not collector.received
