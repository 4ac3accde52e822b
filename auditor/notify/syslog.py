"""Syslog over TLS (RFC 5425): one RFC 5424 message for each notice, framed by octet counting (RFC 6587 section 3.4.1).

Syslog knows no acknowledgement: what counts as delivered was written, and the far end said goodbye without a complaint.
"""

import re
from datetime import UTC

from auditor.core.model import Digest, Notice, Receipt, Severity, SyslogChannel
from auditor.errors import SecretError
from auditor.exchange.line import Line
from auditor.exchange.trouble import Trouble
from auditor.notify.channel import Means, shown

MAX_MESSAGE_BYTES = 8192
"""Of one message: RFC 5425 section 4.3.1 has receivers take 2048, and asks them to take 8192."""

_SEVERITIES = {Severity.CRITICAL: 2, Severity.HIGH: 3, Severity.MEDIUM: 4, Severity.LOW: 5, Severity.INFO: 6}
_GOOD = 5
"""What is over is a notice, however bad it was; how bad stands in the structured data."""


class Syslog:
    """Sends each notice to one collector of logs."""

    def __init__(self, config: SyslogChannel, means: Means) -> None:
        self.config, self.means = config, means

    def send(self, digest: Digest) -> Receipt:
        """Send one message for each notice, over one connection. Files are not sent."""
        config = self.config
        frames = [frame(message) for message in messages(digest, config)]
        ours = config.client_certificate
        try:
            passphrase = self.means.secret(ours.passphrase) if ours and ours.passphrase else None
            context = self.means.contexts.get(
                ca_file=config.ca_file, certificate=ours.certificate if ours else None, key=ours.key if ours else None, passphrase=passphrase
            )
            line = Line(config.host, config.port, timeout_s=config.timeout_s, who=config.host)
            try:
                line.start_tls(context, config.host)
                for one in frames:
                    line.sendall(one)
                line.finish()
            finally:
                line.close()
        except SecretError as error:
            return Receipt.retry(str(error))
        except Trouble as trouble:
            return Receipt.retry(trouble.message)
        return Receipt.delivered()


def frame(message: bytes) -> bytes:
    """`message` behind its length, as a stream carries it."""
    return f"{len(message)} ".encode() + message


def messages(digest: Digest, config: SyslogChannel) -> list[bytes]:
    """The messages of `digest`, in the order of its notices; a last one tells how many were left out, where any were."""
    told = shown(digest)
    found = [_message(notice, told.digest, config) for notice in told.notices]
    if told.omitted:
        header = _header(config, _SEVERITIES[Severity.HIGH], told.digest, "omitted")
        found.append(f"{header} - \ufeff{told.omitted} more notices did not fit".encode())
    return found


def _message(notice: Notice, digest: Digest, config: SyslogChannel) -> bytes:
    severity = _GOOD if notice.is_good else _SEVERITIES[notice.severity]
    fields = {
        "key": digest.key,
        "notice": notice.key,
        "at": notice.at.astimezone(UTC).isoformat(),
        "severity": notice.severity.value,
        "target": notice.target,
        "subject": notice.subject,
        "owner": notice.owner,
        "link": digest.link,
        **{f"label_{_name(key)}"[:32]: value for key, value in notice.labels[:20]},
    }
    data = " ".join(f'{name}="{_escaped(value)}"' for name, value in fields.items() if value)
    text = " | ".join(filter(None, (notice.title, *notice.detail.split("\n"))))
    head = f"{_header(config, severity, digest, notice.kind.value)} [auditor@{config.enterprise} {data}] "
    return _cut(head.encode() + b"\xef\xbb\xbf" + text.encode())


def _header(config: SyslogChannel, severity: int, digest: Digest, kind: str) -> str:
    at = digest.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    host = re.sub(r"[^!-~]", "_", digest.collector)[:255] or "-"
    return f"<{config.facility * 8 + severity}>1 {at} {host} smtp-auditor - {kind[:32]}"


def _escaped(value: str) -> str:
    """A parameter's value (RFC 5424 section 6.3.3); what is not to be seen was spelt out before."""
    return re.sub(r'(["\\\]])', r"\\\1", value[:300])


def _name(label: str) -> str:
    """A parameter's name has no `=`, `]`, `"` and no blank, and is ASCII."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", label)


def _cut(message: bytes) -> bytes:
    return message if len(message) <= MAX_MESSAGE_BYTES else message[:MAX_MESSAGE_BYTES].decode(errors="ignore").encode()
