"""Calls an address over HTTPS and makes a receipt of the answer: any 2xx is success; what can pass is told from what cannot."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

from auditor.core.addresses import url_fault
from auditor.core.model import Heartbeat, Receipt, SecretRef, WebhookChannel
from auditor.errors import SecretError
from auditor.exchange.connection import Connection
from auditor.exchange.trouble import Trouble, retry_after_s
from auditor.notify.channel import Means

MAX_RETRY_AFTER = timedelta(hours=6)
"""However long the far end asks us to wait, we wait no longer."""

_PASSING = (408, 425, 429)
"""Statuses below 500 that mean: later (RFC 9110, RFC 8470, RFC 6585)."""


def call(where: WebhookChannel | Heartbeat, means: Means, method: str, *, headers: dict[str, str], content: bytes | None = None) -> Receipt:
    """Send one request to `where`. Redirects are not followed: what is signed would go to whoever is named there."""
    try:
        url = means.secret(where.url).strip() if isinstance(where.url, SecretRef) else where.url
    except SecretError as error:
        return Receipt.retry(str(error))
    if fault := url_fault(url, insecure_http=where.insecure_http):
        return Receipt.parked(f"the URL{f' in {where.url}' if isinstance(where.url, SecretRef) else ''} {fault}")
    who = urlsplit(url).hostname or ""
    try:
        context = means.contexts.get(ca_file=where.ca_file)
        over_tls = where.proxy is not None and where.proxy.startswith("https:")
        connection = Connection(who, context=context, proxy=where.proxy, proxy_context=context if over_tls else None)
        try:
            sent = {"User-Agent": f"smtp-auditor/{means.version}", **headers}
            answer = connection.exchange(method, url, headers=sent, content=content, timeout_s=where.timeout_s, max_body_bytes=None)
        finally:
            connection.close()
    except Trouble as trouble:
        return Receipt.retry(trouble.message)
    status, said = answer.status, f"{who} answered {answer.status}"
    if 200 <= status < 300:
        return Receipt.delivered()
    if status in _PASSING or status >= 500:
        wait_s = retry_after_s(answer.headers, means.clock())
        return Receipt.retry(said, after=min(timedelta(seconds=wait_s), MAX_RETRY_AFTER) if wait_s is not None and wait_s > 0 else None)
    return Receipt.parked(f"{said}: redirects are not followed" if 300 <= status < 400 else said)


def header_text(text: str) -> str:
    """`text` as a header can carry it."""
    return re.sub(r"[^!-~]", "_", text)[:200]
