"""What an answer of Command's that is no profile means, and what a person is told.

Nothing that a server wrote is repeated, beyond codes of known form: an error page can hold a secret.
"""

import re
from datetime import datetime
from urllib.parse import urlsplit

import httpx

from auditor.core.model import ReadOutcome
from auditor.exchange.trouble import Trouble, printable, retry_after_s


def of_status(status: int, headers: httpx.Headers, body: bytes, who: str, *, now: datetime) -> Trouble:
    """What it means that `who` answered `status`, for each status but 200, 204, 404 and those that speak of the API version."""
    said = f"{who} answered {status}"
    match status:
        case 401:
            schemes = ", ".join(re.findall(r"(?:^|,\s*)([A-Za-z]{3,20})(?=\s|,|$)", headers.get("WWW-Authenticate", "")[:1000])[:5])
            return Trouble(ReadOutcome.UNAUTHENTICATED, f"{said}: it does not take our credential{f' (it asks for {schemes})' if schemes else ''}")
        case 403:
            return Trouble(ReadOutcome.FORBIDDEN, f"{said}: our account may not read the SMTP profile{error_code(body)}")
        case 429:
            return Trouble(ReadOutcome.THROTTLED, f"{said}: too many requests", passes=True, wait_s=retry_after_s(headers, now))
        case _ if 300 <= status < 400:
            return Trouble(ReadOutcome.REDIRECTED, f"{said}{_redirected_to(headers.get('Location', ''))}")
        case _ if status >= 500:
            return Trouble(
                ReadOutcome.SERVER_ERROR, f"{said}{error_code(body)}", passes=status in (502, 503, 504), wait_s=retry_after_s(headers, now)
            )
        case _ if status >= 400:
            return Trouble(ReadOutcome.REJECTED, f"{said}{error_code(body)}")
        case _:
            return Trouble(ReadOutcome.MALFORMED, f"{said}, which is no way to answer this request")


def error_code(body: bytes) -> str:
    """Command's own error code, ready to follow a sentence; nothing else of the body."""
    found = re.search(rb'"ErrorCode"\s*:\s*"(0x[0-9A-Fa-f]{8})"', body)
    return f" (Command's error code {found[1].decode()})" if found else ""


def names_version(body: bytes) -> bool:
    """Whether an error says that the API version is not supported: the answer has not been recorded, three shapes are likely."""
    return re.search(rb'"code"\s*:\s*"UnsupportedApiVersion"|does not support the API version|problems#unsupported', body, re.IGNORECASE) is not None


def _redirected_to(location: str) -> str:
    """Where a redirect points: host alone, since path and query can hold a session or a token."""
    try:
        parts = urlsplit(location[:2000])
        host, scheme = parts.hostname, parts.scheme
    except ValueError:
        host = scheme = None
    if not host:
        return " with a redirect"
    return f" with a redirect to {printable(f'{scheme}://{host}' if scheme else host, 120)}"
