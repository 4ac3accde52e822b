"""Channels: how what people are owed reaches them. What they are owed, and when, is decided elsewhere.

Trouble at the far end is a receipt, never raised; what it wrote is repeated nowhere, and neither is a secret.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from auditor.core.model import AppriseChannel, ChannelConfig, MailChannel, SyslogChannel, WebhookChannel
from auditor.notify.channel import Channel, Means

__all__ = ["CHANNELS", "Channel", "Means", "open_channel"]


def open_channel(config: ChannelConfig, means: Means) -> Channel:
    """The channel that `config` describes. Nothing is sent yet, and no secret read.

    Raises:
        ConfigError: It needs a package that is not installed.
    """
    return CHANNELS[type(config)](config, means)


def _mail(config: MailChannel, means: Means) -> Channel:
    from auditor.notify.mail import Mail

    return Mail(config, means)


def _apprise(config: AppriseChannel, means: Means) -> Channel:
    from auditor.notify.services import Services

    return Services(config, means)


def _webhook(config: WebhookChannel, means: Means) -> Channel:
    from auditor.notify.webhook import Webhook

    return Webhook(config, means)


def _syslog(config: SyslogChannel, means: Means) -> Channel:
    from auditor.notify.syslog import Syslog

    return Syslog(config, means)


CHANNELS: Mapping[type[ChannelConfig], Callable[[Any, Means], Channel]] = MappingProxyType(
    {MailChannel: _mail, AppriseChannel: _apprise, WebhookChannel: _webhook, SyslogChannel: _syslog}
)
"""Every kind of channel; what one needs is imported when it is opened."""
