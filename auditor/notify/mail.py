"""Mail of our own: a message in text and HTML with files, handed to a relay over verified TLS."""

import hashlib
import re
import smtplib
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from typing import TYPE_CHECKING

from auditor import resources
from auditor.core.model import MAX_ATTACHED_BYTES, Attachment, Digest, MailChannel, MailTls, ReadOutcome, Receipt, ReportMail
from auditor.core.safetext import safe
from auditor.errors import SecretError
from auditor.exchange.line import Line
from auditor.exchange.trouble import Trouble
from auditor.notify.channel import Means, shown

if TYPE_CHECKING:
    import jinja2

_POLICY = SMTP.clone(cte_type="7bit")


class Mail:
    """Sends each message as one mail."""

    def __init__(self, config: MailChannel, means: Means) -> None:
        self.config, self.means = config, means

    def send(self, digest: Digest) -> Receipt:
        """Send `digest`. A 4xx reply may pass, a 5xx will not; where the relay takes it for some recipients alone, the receipt says so."""
        config = self.config
        try:
            password = self.means.secret(config.password) if config.password else None
            context = self.means.contexts.get(ca_file=config.ca_file)
            message = compose(digest, config, version=self.means.version).as_bytes()
            line = Line(config.host, config.port, timeout_s=config.timeout_s, who=config.host)
            try:
                return self._hand_over(line, context, password, message, digest)
            finally:
                line.close()
        except SecretError as error:
            return Receipt.retry(str(error))
        except Trouble as trouble:
            return Receipt.retry(trouble.message)

    def _hand_over(self, line: Line, context: ssl.SSLContext, password: str | None, message: bytes, digest: Digest) -> Receipt:
        config = self.config
        try:
            if config.tls is MailTls.IMPLICIT:
                line.start_tls(context, config.host)
            relay = _Relay(line, greeting_name=digest.collector)
            if config.tls is MailTls.STARTTLS:
                relay.secure(line, context, config.host)
            if config.username is not None:
                relay.login(config.username, password or "")
            refused = relay.sendmail(config.sender, config.to, message)
        except smtplib.SMTPRecipientsRefused as error:
            return _refused(config, error.recipients)
        except smtplib.SMTPResponseException as error:
            what = next((said for kind, said in _ABOUT.items() if isinstance(error, kind)), "us")
            return _of_reply(f"{config.host} answered {_code(error.smtp_code, error.smtp_error)} to {what}", error.smtp_code)
        except smtplib.SMTPNotSupportedError:
            return Receipt.parked(f"{config.host} offers no login that we know, and one is configured")
        except smtplib.SMTPException:
            return Receipt.retry(f"{config.host} broke off")
        except UnicodeError:  # its text holds what could not be sent
            return Receipt.parked(f"user or password for {config.host} have characters that SMTP cannot carry")
        except ValueError:  # smtplib decodes the far end's challenge
            return Receipt.retry(f"{config.host} asks for our login in a way that cannot be understood")
        with suppress(smtplib.SMTPException, Trouble):  # it has the message: no farewell takes that back
            relay.quit()
        return _refused(config, refused) if refused else Receipt.delivered()


_ABOUT = {
    smtplib.SMTPAuthenticationError: "our login",
    smtplib.SMTPSenderRefused: "our sender address",
    smtplib.SMTPDataError: "the message",
    smtplib.SMTPConnectError: "our connection",
    smtplib.SMTPHeloError: "our greeting",
}


class _Relay(smtplib.SMTP):
    """smtplib over a line of ours, which has one deadline over all: smtplib has one for each single wait."""

    def __init__(self, line: Line, *, greeting_name: str) -> None:
        name = greeting_name if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", greeting_name) else "localhost"
        super().__init__(local_hostname=name)
        self.sock = line  # type: ignore[assignment]  # of a socket smtplib uses sendall, makefile and close
        code, said = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> tuple[int, bytes]:
        """Log in by PLAIN or LOGIN: smtplib prefers CRAM-MD5, which gains nothing over TLS and which a system in FIPS mode does not have."""
        self.ehlo_or_helo_if_needed()
        offered = self.esmtp_features.get("auth", "").upper().split()
        known = [mechanism for mechanism in ("PLAIN", "LOGIN") if mechanism in offered]
        if not known:
            raise smtplib.SMTPNotSupportedError
        self.esmtp_features["auth"] = " ".join(known)
        return super().login(user, password, initial_response_ok=initial_response_ok)

    def secure(self, line: Line, context: ssl.SSLContext, host: str) -> None:
        """Go on over TLS, or not at all: what is between us could have taken the offer away. What came in clear before is forgotten."""
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("starttls"):
            raise Trouble(ReadOutcome.TLS_FAILED, f"{host} offers no STARTTLS, and in clear nothing is sent")
        code, said = self.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPHeloError(code, said)
        line.start_tls(context, host)
        self.file = self.helo_resp = self.ehlo_resp = None
        self.esmtp_features, self.does_esmtp = {}, False


def _refused(config: MailChannel, refused: dict[str, tuple[int, bytes]]) -> Receipt:
    """Recipients that the relay did not take: tried again if that can pass for one of them; the others know the message by its Message-ID."""
    codes = sorted({code for code, _ in refused.values()})
    said = f"{config.host} refused {len(refused)} of {len(config.to)} recipients ({', '.join(map(str, codes))})"
    if any(code < 500 for code in codes):
        return Receipt.retry(said)
    return Receipt.parked(said) if len(refused) == len(config.to) else Receipt.delivered(said)


def _of_reply(said: str, code: int) -> Receipt:
    return Receipt.parked(said) if 500 <= code < 600 else Receipt.retry(said)


def _code(code: int, error: bytes | str) -> str:
    """A reply's code, with the enhanced one (RFC 3463) where there is one; nothing else of what it said."""
    text = error if isinstance(error, bytes) else error.encode(errors="replace")
    found = re.match(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b", text)
    return f"{code} {found[0].decode()}" if found else str(code)


# --- the message --------------------------------------------------------------------------------------------------


def compose(digest: Digest, config: MailChannel, *, version: str) -> EmailMessage:
    """The mail that tells `digest`: the same digest gives the same Message-ID, so that a mail that comes twice is known."""
    told = shown(digest)
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(display_name="auditor", addr_spec=config.sender)
    message["To"] = [Address(addr_spec=address) for address in config.to]
    message["Subject"] = f"[auditor] {told.title}"
    message["Date"] = format_datetime(digest.at)
    message["Message-ID"] = f"<{hashlib.sha256(digest.key.encode()).hexdigest()}@{config.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office reply is to come back
    message["X-Mailer"] = f"smtp-auditor/{version}"
    room = MAX_ATTACHED_BYTES
    attached: list[tuple[Attachment, bytes]] = []
    left_out: list[str] = []  # named in the message, not sent
    for file in digest.attachments if config.report is not ReportMail.LINKED else ():
        if file.content is not None and len(file.content) <= room:
            room -= len(file.content)
            attached.append((file, file.content))
        else:
            left_out.append(safe(file.name, limit=200))
    values = {"digest": told.digest, "omitted": told.omitted, "left_out": left_out}
    message.set_content(_template("alert_mail.txt.j2").render(values))
    message.add_alternative(_template("alert_mail.html.j2").render(values), subtype="html")
    for file, content in attached:
        main, _, sub = (file.media_type if re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", file.media_type) else "application/octet-stream").partition("/")
        name = re.sub(r"[^A-Za-z0-9._-]", "_", file.name)[:100]
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return message


@cache
def _template(name: str) -> "jinja2.Template":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(resources.folder("templates")), encoding="utf-8"),
        autoescape=name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["moment"] = _moment
    return environment.get_template(name)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
