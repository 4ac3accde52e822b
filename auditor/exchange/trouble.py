"""What an exchange that came to nothing is called, and what a person is told: what happened, and what to do next.

Nothing that a server wrote is repeated, beyond codes of known form: an error page can hold a secret.
"""

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

import httpcore
import httpx

from auditor.core.model import ReadOutcome

WAITING = "further calls wait, since Command logs each denied one (`--force` tries at once)"
"""What follows on a denial in an audit; whoever asks without keeping a record leaves it out."""

HINTS: Mapping[ReadOutcome, str] = MappingProxyType(
    {
        ReadOutcome.DNS_FAILED: "is the host in `url` spelled right, and does this machine's resolver know it?",
        ReadOutcome.UNREACHABLE: "is the server up, and do firewall, port and `proxy` let this machine through?",
        ReadOutcome.TIMEOUT: "the server or the way to it is slow; if that is to be expected, raise `timeout`",
        ReadOutcome.TLS_FAILED: "if a private certification authority issued the certificate, name its root certificate in `ca_file`",
        ReadOutcome.REDIRECTED: "redirects are not followed, credentials would go along; put the final address into `url` and `api_path`",
        ReadOutcome.UNAUTHENTICATED: f"check user, password or client of this target; {WAITING}",
        ReadOutcome.FORBIDDEN: f"give the account's role the permission `/system_settings/read/`; {WAITING}",
        ReadOutcome.NOT_FOUND: "this does not look like Command: is `api_path` right? It is usually KeyfactorAPI",
        ReadOutcome.REJECTED: "Command took the request for wrong; its log shows why, under the correlation id if one is given",
        ReadOutcome.UNSUPPORTED_VERSION: "this auditor reads API versions 1 and 2 of `/SMTP`; is Command, or this auditor, out of date?",
        ReadOutcome.THROTTLED: "the server asks for fewer calls: make the schedule slower, or let fewer targets share one proxy",
        ReadOutcome.SERVER_ERROR: "this is the server's own trouble; its log shows why, under the correlation id if one is given",
        ReadOutcome.MALFORMED: "is `url` Command itself, or a proxy or login page in front of it?",
        ReadOutcome.TOO_LARGE: "an SMTP profile is below 2 KiB: is `url` Command itself, or something in front of it?",
        ReadOutcome.CREDENTIAL_MISSING: "see that the secret is where the configuration says, and that this user may read it",
        ReadOutcome.BACKING_OFF: "mend credential or permission (a changed credential is tried at once), or use `--force`",
    }
)
"""What to do next, unless something more exact is known."""


class Trouble(Exception):  # noqa: N818 - no error of ours, but an outcome on its way to the observation
    """A read came to nothing. `message` and `hint` are safe to print; `passes` says that trying again soon may help, `wait_s` how soon."""

    def __init__(self, outcome: ReadOutcome, message: str, *, hint: str = "", passes: bool = False, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.outcome, self.message, self.hint = outcome, message, hint or HINTS[outcome]
        self.passes, self.wait_s = passes, wait_s


def of_failure(error: Exception, who: str) -> Trouble:
    """What it means that an exchange with `who` ended in `error`, raised by httpcore, httpx or below."""
    cause = _tls_cause(error)
    if cause is not None:
        return _of_tls(cause, who)
    match error:
        case httpcore.TimeoutException() | httpx.TimeoutException():
            return Trouble(ReadOutcome.TIMEOUT, f"{who} did not answer in time")
        case httpcore.ProxyError():
            return Trouble(
                ReadOutcome.UNREACHABLE, f"the proxy refused to connect to {who}", hint="check `proxy`, and what the proxy lets this machine reach"
            )
        case httpcore.ConnectError():
            return Trouble(ReadOutcome.UNREACHABLE, f"no connection to {who}: {_system_words(error)}", passes=True)
        case httpcore.RemoteProtocolError() if any(getattr(cause, "error_status_hint", 0) == 431 for cause in _behind(error)):
            return Trouble(ReadOutcome.TOO_LARGE, f"{who} sent more than 100 KiB of response headers")
        case httpcore.RemoteProtocolError() if str(error).startswith("Server disconnected"):
            return Trouble(ReadOutcome.UNREACHABLE, f"{who} closed the connection without an answer", passes=True)
        case httpcore.RemoteProtocolError():
            return Trouble(ReadOutcome.MALFORMED, f"{who} does not speak proper HTTP, or broke off in its answer")
        case httpcore.NetworkError():
            return Trouble(ReadOutcome.UNREACHABLE, f"the connection to {who} broke: {_system_words(error)}", passes=True)
        case _:
            return Trouble(ReadOutcome.UNREACHABLE, f"no answer from {who} ({type(error).__name__})")


def of_dns(host: str, error: Exception | None) -> Trouble:
    """The name of a host came to no address; `error` is None where the resolver did not answer in time."""
    match error:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return Trouble(ReadOutcome.DNS_FAILED, f"{host} cannot be resolved at the moment: the name server did not answer", passes=True)
        case None:
            return Trouble(ReadOutcome.DNS_FAILED, f"{host} was not resolved in time: the name server did not answer")
        case _:
            return Trouble(ReadOutcome.DNS_FAILED, f"{host} has no address: no such name, or no name at all")


_CERTIFICATE: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        9: ("is not valid yet", "compare the clocks of this machine and the server"),
        10: ("has expired", "have the server's certificate renewed; `auditor` does not read past an expired one"),
        18: ("is self-signed", "if it is meant to be, name it in `ca_file`"),
        19: ("comes from a certification authority that this machine does not know", ""),
        20: (
            "comes from a certification authority that this machine does not know",
            "name its root certificate in `ca_file`; or the server leaves out its intermediate certificate",
        ),
        62: ("is for another host name", "use the name in the certificate as `url`, or have one issued for this name"),
        64: ("is not for this IP address", "use the name in the certificate as `url`"),
    }
)
"""What OpenSSL's verification codes (x509_vfy.h) mean for a person, and what to do."""


def _of_tls(error: ssl.SSLError, who: str) -> Trouble:
    outcome = ReadOutcome.TLS_FAILED
    if isinstance(error, ssl.SSLCertVerificationError):
        said, hint = _CERTIFICATE.get(error.verify_code, (f"is not trusted: {printable(error.verify_message, 120)}", ""))
        return Trouble(outcome, f"the certificate of {who} {said}", hint=hint)
    reason = printable(error.reason or "connection closed in the handshake", 80)
    match reason:
        case "WRONG_VERSION_NUMBER" | "HTTP_REQUEST" | "RECORD_LAYER_FAILURE":
            return Trouble(outcome, f"{who} does not speak TLS on this port", hint="is the port in `url` the one for https?")
        case "UNSUPPORTED_PROTOCOL" | "TLSV1_ALERT_PROTOCOL_VERSION":
            return Trouble(outcome, f"{who} offers nothing newer than TLS 1.1", hint="have TLS 1.2 or newer turned on at the server")
        case "TLSV13_ALERT_CERTIFICATE_REQUIRED" | "SSLV3_ALERT_HANDSHAKE_FAILURE" | "SSLV3_ALERT_BAD_CERTIFICATE" | "TLSV1_ALERT_UNKNOWN_CA":
            return Trouble(outcome, f"{who} refused the TLS handshake ({reason})", hint="it may ask for a certificate of ours: `client_certificate`")
        case _:
            return Trouble(outcome, f"TLS with {who} failed ({reason})")


def _tls_cause(error: Exception) -> ssl.SSLError | None:
    """The TLS error behind `error`; none where TLS was fine and only its end came without a farewell."""
    farewells = () if isinstance(error, httpcore.ConnectError) else (ssl.SSLEOFError, ssl.SSLZeroReturnError)
    return next((cause for cause in _behind(error) if isinstance(cause, ssl.SSLError) and not isinstance(cause, farewells)), None)


def _system_words(error: Exception) -> str:
    return next((cause.strerror for cause in _behind(error) if isinstance(cause, OSError) and cause.strerror), "closed by the other side")


def _behind(error: BaseException) -> Iterator[BaseException]:
    """`error`, and what it came from; `__context__` too, since httpcore's pool raises its own errors `from None`."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def retry_after_s(headers: httpx.Headers, now: datetime) -> float | None:
    """How long the server asks us to wait (RFC 9110 section 10.2.3), in either form; None where it does not say."""
    text = headers.get("Retry-After", "").strip()[:64]
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()


def printable(text: str, at_most: int) -> str:
    """`text` cut to `at_most` printable ASCII characters, any other one shown as `?`."""
    return "".join(character if " " <= character <= "~" else "?" for character in text[:at_most])
