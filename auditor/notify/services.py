"""A hundred and more services (chat, pagers, short messages) through the package `apprise`, which is installed on request.

It says whether a message went, not why it did not: so every failure may pass, and a channel gives up after a number of attempts.
"""

import logging
import threading
from importlib.util import find_spec
from typing import Any

from auditor.core.model import AppriseChannel, Digest, Receipt, Severity
from auditor.errors import ConfigError, SecretError
from auditor.notify.channel import Means, Shown, shown

MAX_NOTICES = 20
"""Services cut long messages, some in silence."""
MAX_BODY = 8000

_ASSET: dict[str, Any] = {
    "app_id": "smtp-auditor",
    "app_desc": "smtp-auditor",
    "interpret_escapes": False,  # title and body are plain text: nothing in them is an escape or the name of an emoji
    "interpret_emojis": False,
    "http_redirects": False,  # credentials would go along
    "pgp_autogen": False,  # no keys are made on the way
    "pem_autogen": False,
}

_WORSE = {Severity.CRITICAL: "failure", Severity.HIGH: "failure", Severity.MEDIUM: "warning", Severity.LOW: "warning", Severity.INFO: "info"}


class Services:
    """Sends each message to the service behind one URL of apprise's."""

    def __init__(self, config: AppriseChannel, means: Means) -> None:
        """Get ready.

        Raises:
            ConfigError: The package is not installed.
        """
        if find_spec("apprise") is None:
            hint = 'pip install "smtp-auditor[apprise]"'
            raise ConfigError(f"the channel {config.name} is of type apprise, and the package apprise is not installed", hint=hint)
        self.config, self.means = config, means

    def send(self, digest: Digest) -> Receipt:
        """Send `digest`; files are not sent. The package has no deadline over a whole message, so it works in a thread that may be left behind."""
        try:
            url = self.means.secret(self.config.url).strip()
        except SecretError as error:
            return Receipt.retry(str(error))
        receipts: list[Receipt] = []
        thread = threading.Thread(target=lambda: receipts.append(self._notify(url, shown(digest, at_most=MAX_NOTICES))), daemon=True, name="apprise")
        thread.start()
        thread.join(self.config.timeout_s)
        return receipts[0] if receipts else Receipt.retry("the service did not take the message in time")

    def _notify(self, url: str, told: Shown) -> Receipt:
        import apprise

        logging.getLogger("apprise").disabled = True  # at debug level it writes whole requests, credentials and all
        try:
            asset = apprise.AppriseAsset(**_ASSET)
            service: Any = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
            if not service:
                return Receipt.retry(f"{self.config.url} holds no URL that apprise knows")
            if not getattr(service, "verify_certificate", True):
                return Receipt.retry(f"{self.config.url} says verify=no: certificates are always verified")
            body, kind = _body(told), _kind(told)
            sent = apprise.Apprise(services=service, asset=asset).notify(body=body, title=told.title, notify_type=kind, body_format="text")
        except Exception as error:  # noqa: BLE001 - a hundred services raise what they like, and their texts can hold the URL
            return Receipt.retry(f"apprise failed ({type(error).__name__})")
        return Receipt.delivered() if sent else Receipt.retry("the service did not take the message; apprise does not say why")


def _kind(told: Shown) -> str:
    bad = [notice.severity for notice in told.notices if not notice.is_good]
    return _WORSE[max(bad, key=lambda severity: severity.rank)] if bad else "success"


def _body(told: Shown) -> str:
    lines = [f"[{'over' if notice.is_good else notice.severity.value}] {notice.title}" for notice in told.notices]
    more = [f"… and {told.omitted} more"] if told.omitted else []
    link = [told.digest.link] if told.digest.link else []
    body = "\n".join([*lines, *more, *link, f"sent by auditor on {told.digest.collector}"])
    return body if len(body) <= MAX_BODY else f"{body[:MAX_BODY]}… (cut)"
