"""What people are told, end to end less the far end: owed in the transaction of the read, paid once or again, never lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from auditor import alerts
from auditor.app import App
from auditor.config import load
from auditor.core.model import DeliveryState, Digest, Notice, NoticeKind, Receipt, Severity
from auditor.core.notices import Alerting, QuietHours, Route
from tests.e2e.conftest import Site

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OPS = Alerting(routes=(Route(channel="ops"),))


class Inbox:
    """A far end that takes messages, or does not."""

    def __init__(self, *receipts: Receipt) -> None:
        self.got: list[Digest] = []
        self.receipts = list(receipts)

    def send(self, digest: Digest) -> Receipt:
        self.got.append(digest)
        return self.receipts.pop(0) if self.receipts else Receipt.delivered()

    @property
    def kinds(self) -> list[list[NoticeKind]]:
        return [[notice.kind for notice in digest.notices] for digest in self.got]


class Story:
    """The site's auditor by a clock that the test turns."""

    def __init__(self, app: App, site: Site) -> None:
        self.app, self.site, self.alerting = app, site, OPS
        self.at = datetime(2026, 11, 23, 9, tzinfo=UTC)
        app.clock = lambda: self.at
        site.simulator.clock = lambda: self.at

    def read(self, hours: float = 1) -> None:
        self.at += timedelta(hours=hours)
        replace(self.app.auditor, alerting=self.alerting).audit(self.app.config.targets[0], at=self.at)

    def pay(self, inbox: Inbox, *, attempts: int = 10) -> alerts.Paid:
        return alerts.deliver_due(self.app.store, {"ops": inbox}, self.alerting, clock=lambda: self.at, attempts_of=lambda _: attempts)


@pytest.fixture
def story(site: Site) -> Iterator[Story]:
    site.configure(policy="recommended")
    with App(load(site.config)) as app:
        yield Story(app, site)


def test_the_initial_state_then_each_transition_once_in_one_digest_a_run(story: Story) -> None:
    inbox = Inbox()
    story.read()
    story.pay(inbox)
    story.read()
    assert story.pay(inbox) == alerts.Paid()
    story.site.simulator.smtp["UseSSL"] = False
    story.read()
    story.pay(inbox)
    assert inbox.kinds[0] == [NoticeKind.INITIAL]
    assert len(inbox.got) == 2, "several findings and a drift event are one message"
    assert set(inbox.kinds[1]) == {NoticeKind.FINDING_OPENED, NoticeKind.DRIFT_OPENED}
    assert inbox.got[1].title.startswith("prod ") or inbox.got[1].title.startswith("prod:")
    story.site.simulator.smtp["UseSSL"] = True
    story.read()
    story.pay(inbox)
    assert set(inbox.kinds[2]) == {NoticeKind.FINDING_RESOLVED, NoticeKind.DRIFT_ENDED}


def test_a_message_that_fails_is_sent_again_later_and_later_under_one_key(story: Story) -> None:
    inbox = Inbox(*[Receipt.retry("the far end has a break")] * 3)
    story.read()
    assert story.pay(inbox) == alerts.Paid(retried=1)
    assert story.pay(inbox) == alerts.Paid(), "not before its time"
    story.at += MINUTE
    assert story.pay(inbox) == alerts.Paid(retried=1)
    story.at += MINUTE
    assert story.pay(inbox) == alerts.Paid()
    story.at += MINUTE
    story.pay(inbox)
    story.at += HOUR
    assert story.pay(inbox) == alerts.Paid(delivered=1)
    assert len({digest.key for digest in inbox.got}) == 1
    assert len(inbox.got) == 4
    assert story.app.store.deliveries() == ()


def test_what_comes_meanwhile_is_a_message_of_its_own(story: Story) -> None:
    inbox = Inbox(Receipt.retry("a break"))
    story.read()
    story.pay(inbox)
    story.site.simulator.smtp["UseSSL"] = False
    story.read()
    story.pay(inbox)
    assert inbox.kinds[0] == inbox.kinds[1] == [NoticeKind.INITIAL]
    assert len(inbox.got) == 3
    assert inbox.got[2].key != inbox.got[1].key


def test_a_message_that_will_never_be_taken_is_parked_until_somebody_asks(story: Story) -> None:
    inbox = Inbox(Receipt.parked("no such mailbox"))
    story.read()
    assert story.pay(inbox) == alerts.Paid(parked=1)
    story.at += 48 * HOUR
    assert story.pay(inbox) == alerts.Paid()
    (owed,) = story.app.store.deliveries()
    assert (owed.state, owed.reason, owed.channel) == (DeliveryState.PARKED, "no such mailbox", "ops")
    assert story.app.store.unpark("ops", story.at) == 1
    assert story.pay(inbox) == alerts.Paid(delivered=1)


def test_after_so_many_attempts_a_message_is_parked(story: Story) -> None:
    inbox = Inbox(*[Receipt.retry("a break")] * 3)
    story.read()
    paid = []
    for _ in range(3):
        paid.append(story.pay(inbox, attempts=3))
        story.at += 6 * HOUR
    assert paid == [alerts.Paid(retried=1), alerts.Paid(retried=1), alerts.Paid(parked=1)]


def test_a_channel_that_breaks_keeps_what_it_is_owed(story: Story) -> None:
    class Broken:
        def send(self, digest: Digest) -> Receipt:
            raise RuntimeError("secret in a message")

    story.read()
    alerts.deliver_due(story.app.store, {"ops": Broken()}, OPS, clock=lambda: story.at)
    (owed,) = story.app.store.deliveries()
    assert owed.reason == "a fault of the auditor itself: its log has it"


def test_who_dies_while_sending_leaves_the_message_to_be_sent_again(story: Story) -> None:
    story.read()
    claimed = story.app.store.claim("ops", at=story.at, lease=alerts.LEASE)
    assert claimed is not None
    assert story.app.store.claim("ops", at=story.at, lease=alerts.LEASE) is None, "it belongs to somebody"
    story.at += alerts.LEASE
    again = story.app.store.claim("ops", at=story.at, lease=alerts.LEASE)
    assert again is not None
    assert (again.key, again.notices) == (claimed.key, claimed.notices)


def test_quiet_hours_delay_and_drop_nothing(story: Story) -> None:
    inbox = Inbox()
    story.alerting = replace(OPS, quiet=QuietHours(begin=time(8), end=time(12)))
    story.read()
    assert story.pay(inbox) == alerts.Paid()
    story.at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert story.pay(inbox) == alerts.Paid(delivered=1)


def test_a_channel_that_is_new_learns_where_everything_stands(story: Story) -> None:
    story.site.simulator.smtp["UseSSL"] = False
    story.read()
    later = replace(OPS, routes=(*OPS.routes, Route(channel="soc", minimum=Severity.HIGH)))
    story.app.store.welcome(OPS, story.at)
    story.app.store.welcome(later, story.at)
    story.app.store.welcome(later, story.at)
    inbox = Inbox()
    alerts.deliver_due(story.app.store, {"soc": inbox}, later, clock=lambda: story.at)
    (digest,) = inbox.got
    assert [notice.title for notice in digest.notices] == ["prod fails SMTP-001, CFG-002"] or "SMTP-001" in digest.notices[0].title


@pytest.mark.parametrize(("attempts", "pause"), [(1, MINUTE), (2, 2 * MINUTE), (5, 16 * MINUTE), (9, 256 * MINUTE), (10, 6 * HOUR), (1000, 6 * HOUR)])
def test_pauses_double_up_to_six_hours(attempts: int, pause: timedelta) -> None:
    assert alerts.pause_after(attempts) == pause


def test_a_slow_channel_ends_its_round_and_goes_on_in_the_next(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 1000, 10))
    monkeypatch.setattr("auditor.store.outbox.MAX_BATCH", 1)
    monkeypatch.setattr("auditor.alerts.time.monotonic", lambda: next(ticks))
    story.app.store.owe([(Notice(kind=NoticeKind.TEST, at=story.at, severity=Severity.LOW, title=f"{n}"), f"{n}") for n in range(3)], OPS)
    inbox = Inbox()
    assert (story.pay(inbox).delivered, story.pay(inbox).delivered) == (1, 1)
    assert [digest.title for digest in inbox.got] == ["0", "1"]
