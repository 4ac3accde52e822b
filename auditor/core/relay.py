"""Whether alerts go through a relay that is audited: they must not depend on what is watched. Pure."""

from collections.abc import Iterable

from auditor.core.addresses import parse_ip
from auditor.core.model import MailChannel, Snapshot, State


def uses_audited_relay(channel: MailChannel, snapshots: Iterable[Snapshot]) -> bool:
    """Whether the host that `channel` hands its mail to is the one that an audited profile names."""
    ours = _same(channel.host)
    hosts = (snapshot.facts["Host"] for snapshot in snapshots if "Host" in snapshot.facts)
    return any(_same(host.value) == ours for host in hosts if host.state is State.VALUE and isinstance(host.value, str))


def relay_warning(channel: MailChannel) -> str:
    """What is to be said of such a channel."""
    return (
        f"the channel {channel.name} sends through {channel.host}, which an audited profile sends through as well: "
        "when that relay fails, the alert about it is not delivered either. Use another relay, or a second channel beside it"
    )


def _same(host: str) -> str:
    """A host as it is compared: addresses as such, names without case and the root's full stop."""
    name = host.strip().casefold().removesuffix(".")
    address = parse_ip(name)
    return str(address) if address else name
