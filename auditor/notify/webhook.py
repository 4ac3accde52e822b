"""The webhook: a POST of JSON, signed, under a key by which the far end knows a message that comes twice."""

import hashlib
import hmac
import json
from typing import Any

from auditor.core.model import Digest, Receipt, WebhookChannel
from auditor.errors import SecretError
from auditor.notify.calling import call, header_text
from auditor.notify.channel import Means, Shown, shown

MAX_BODY_BYTES = 1024 * 1024
"""Notices past this are left out, and counted in `omitted`."""


class Webhook:
    """POSTs each message to one address."""

    def __init__(self, config: WebhookChannel, means: Means) -> None:
        self.config, self.means = config, means

    def send(self, digest: Digest) -> Receipt:
        """Send `digest`. Files are named in it, not sent."""
        try:
            secret = self.means.secret(self.config.secret)
        except SecretError as error:
            return Receipt.retry(str(error))
        content = body(digest)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": header_text(digest.key),
            "X-Auditor-Signature": signature(secret, content, at_unix=int(self.means.clock().timestamp())),
        }
        return call(self.config, self.means, "POST", headers=headers, content=content)


def signature(secret: str, content: bytes, *, at_unix: int) -> str:
    """`t=TIME,v1=HEX`: HMAC-SHA-256 under `secret` of the time in seconds, a full stop and the body, byte for byte."""
    mac = hmac.new(secret.encode(), f"{at_unix}.".encode() + content, hashlib.sha256)
    return f"t={at_unix},v1={mac.hexdigest()}"


def body(digest: Digest) -> bytes:
    """The message as JSON in ASCII, at most `MAX_BODY_BYTES`."""
    told = shown(digest)
    while len(content := _json(told)) > MAX_BODY_BYTES and told.notices:
        told = shown(digest, at_most=len(told.notices) // 2)
    return content


def _json(told: Shown) -> bytes:
    digest = told.digest
    document: dict[str, Any] = {
        "schema": "digest/1",
        "key": digest.key,
        "at": digest.at.isoformat(),
        "at_unix": int(digest.at.timestamp()),
        "title": digest.title,
        "collector": digest.collector,
        "link": digest.link,
        "omitted": told.omitted,
        "attachments": [
            {"name": file.name, "media_type": file.media_type, "bytes": None if file.content is None else len(file.content)}
            for file in digest.attachments
        ],
        "notices": [notice.document() for notice in told.notices],
    }
    return json.dumps(document, allow_nan=False, sort_keys=True).encode()
