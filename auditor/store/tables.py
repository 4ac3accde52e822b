"""The tables, and how times and enumerations lie in them.

Whatever repeats from read to read is a document, kept once under the SHA-256 of its canonical JSON; an unchanged observation is one row of
small numbers that refer to documents.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    event,
    text,
)

from auditor.core.ledger import Kind
from auditor.core.model import DeliveryState, EventState, ReadOutcome, Verdict
from auditor.errors import StoreError

OUTCOMES = (
    ReadOutcome.OBSERVED,
    ReadOutcome.NOT_CONFIGURED,
    ReadOutcome.DNS_FAILED,
    ReadOutcome.UNREACHABLE,
    ReadOutcome.TIMEOUT,
    ReadOutcome.TLS_FAILED,
    ReadOutcome.REDIRECTED,
    ReadOutcome.UNAUTHENTICATED,
    ReadOutcome.FORBIDDEN,
    ReadOutcome.NOT_FOUND,
    ReadOutcome.REJECTED,
    ReadOutcome.UNSUPPORTED_VERSION,
    ReadOutcome.THROTTLED,
    ReadOutcome.SERVER_ERROR,
    ReadOutcome.MALFORMED,
    ReadOutcome.TOO_LARGE,
    ReadOutcome.CREDENTIAL_MISSING,
    ReadOutcome.BACKING_OFF,
)
"""The place here is the number in the database: append only."""

VERDICTS = (Verdict.COMPLIANT, Verdict.COMPLIANT_WITH_WAIVERS, Verdict.NON_COMPLIANT, Verdict.INDETERMINATE)
"""The place here is the number in the database: append only."""

EVENT_STATES = (EventState.OPEN, EventState.RETURNED, EventState.APPROVED, EventState.SUPERSEDED, EventState.IGNORED)
"""The place here is the number in the database: append only."""

DELIVERY_STATES = (DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.DELIVERED, DeliveryState.PARKED)
"""The place here is the number in the database: append only."""

KINDS = (
    Kind.BEGIN,
    Kind.SLOT,
    Kind.CHECK,
    Kind.MISSED,
    Kind.POLICY,
    Kind.WAIVERS,
    Kind.APPROVAL,
    Kind.REVOCATION,
    Kind.CONFIGURATION,
    Kind.TARGET,
    Kind.DRIFT,
    Kind.ATTRIBUTION,
    Kind.NOTE,
    Kind.CHECKPOINT,
    Kind.PRUNE,
    Kind.EXPORT,
    Kind.INSPECTION,
    Kind.STAMP,
)
"""The place here is the number in the database: append only."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, as integer microseconds since 1970 UTC: eight bytes where ISO text takes 27, exact, and in order when sorted as a number.

    SQLite has no type for times, and SQLAlchemy's own would store a local time as if it were UTC; a naive value is a ValueError.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("a time without a zone cannot be stored")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        try:
            return None if value is None else _EPOCH + value * _MICROSECOND
        except (TypeError, OverflowError):
            raise StoreError(f"the database holds {value!r} where a time is expected", hint="restore the newest backup") from None


class CompactId(TypeDecorator[str]):
    """A text that is mostly a UUID: that lies in SQLite as its 16 bytes instead of 36 characters; any other text as it is."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | bytes | None] | None:
        return _packed if dialect.name == "sqlite" else None

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Callable[[str | bytes | None], str | None]:
        return _unpacked


def _packed(value: str | None) -> str | bytes | None:
    try:
        known = UUID(value) if value is not None else None
    except ValueError:
        return value
    return known.bytes if known is not None and str(known) == value else value


def _unpacked(value: str | bytes | None) -> str | None:
    if not isinstance(value, bytes):
        return value
    try:
        return str(UUID(bytes=value))
    except ValueError:
        raise StoreError(f"the database holds {len(value)} bytes where a UUID is expected", hint="restore the newest backup") from None


class Code(TypeDecorator[StrEnum]):
    """A member of a closed set, as its place in `members`: SQLite spends no byte on 0 and 1, and one on the rest."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, members: tuple[StrEnum, ...]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: StrEnum | None, _dialect: Dialect) -> int | None:
        return None if value is None else self.members.index(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> StrEnum | None:
        if value is None:
            return None
        if not 0 <= value < len(self.members):
            raise StoreError(f"the database holds {value} where a {type(self.members[0]).__name__} is expected", hint="restore the newest backup")
        return self.members[value]


METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# only a column declared INTEGER is SQLite's own row number, which costs nothing
_ID = BigInteger().with_variant(Integer, "sqlite")


def _documents(name: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("id", _ID, primary_key=True),
        Column("digest", String(64), nullable=False, unique=True),
        Column("document", Text, nullable=False),
    )


snapshots = _documents("snapshots")
policies = _documents("policies")
findings = _documents("findings")
contexts = _documents("contexts")
"""How a read came about, as far as it repeats: whom and what we asked, as whom, over which TLS, who answered."""
remarks = _documents("remarks")
"""What a read said and advised (message and hint)."""
changes = _documents("changes")
waivers = _documents("waivers")
"""The waivers that were laid over a judgement."""
configurations = _documents("configurations")
"""What a configuration said, secrets by reference as ever: by it the next one is told what it changes."""

DOCUMENTS = (snapshots, policies, findings, contexts, remarks, changes, waivers, configurations)
"""Tables of documents."""

judgements = Table(
    "judgements",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("policy_id", _ID, ForeignKey(policies.c.id), nullable=False),
    # apart from the key: under a dated policy each day has its own, mostly with the findings of the day before
    Column("findings_id", _ID, ForeignKey(findings.c.id), nullable=False),
)

targets = Table(
    "targets",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("document", Text, nullable=False),
    # no slot up to here is to be accounted for any more: each was served, or stands in a gap
    Column("settled_until", UtcDateTime),
)

former_names = Table(
    "former_names",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("target_id", _ID, ForeignKey(targets.c.id), nullable=False, index=True),
    Column("name", Text, nullable=False, index=True),
    Column("until", UtcDateTime, nullable=False),
)
"""What a target was called before it was renamed, and until when."""

terms = Table(
    "terms",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("target_id", _ID, ForeignKey(targets.c.id), nullable=False, index=True),
    Column("since", UtcDateTime, nullable=False),
    Column("document", Text, nullable=False),
)
"""What each target owed, and from when on."""

gaps = Table(
    "gaps",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("target_id", _ID, ForeignKey(targets.c.id), nullable=False, index=True),
    Column("first", UtcDateTime, nullable=False),
    Column("last", UtcDateTime, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("because", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)
"""Slots that nobody served, as runs; one that was served after all (the clock had been wrong) has an observation as well, which counts."""

served = Table(
    "served",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("target_id", _ID, ForeignKey(targets.c.id), nullable=False, index=True),
    Column("first", UtcDateTime, nullable=False),
    Column("last", UtcDateTime, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("outcome", Code(OUTCOMES), nullable=False),
    Column("delay_us", BigInteger, nullable=False),
)
"""Slots whose reads were pruned, as runs of `count` slots at even distances that came to the same."""

memories = Table(
    "memories",
    METADATA,
    Column("target_id", _ID, ForeignKey(targets.c.id), primary_key=True, autoincrement=False),
    Column("identity", Text, nullable=False),
    Column("api_version", SmallInteger),
    Column("product_version", Text),
    Column("denied_as", Code(OUTCOMES)),
    Column("denied_at", UtcDateTime),
    Column("denied_until", UtcDateTime),
    Column("pam_denied_until", UtcDateTime),
)

observations = Table(
    "observations",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("target_id", _ID, ForeignKey(targets.c.id), nullable=False),
    Column("slot", UtcDateTime),
    Column("started_at", UtcDateTime, nullable=False),
    # the end and the server's Date stand as distances from the start: four bytes instead of eight
    Column("took_us", BigInteger, nullable=False),
    Column("server_date_after_us", BigInteger),
    Column("clock_offset_ms", BigInteger),
    Column("outcome", Code(OUTCOMES), nullable=False),
    Column("verdict", Code(VERDICTS), nullable=False),
    Column("status", SmallInteger),
    Column("attempts", SmallInteger, nullable=False),
    Column("body_bytes", BigInteger),
    Column("correlation_id", CompactId),
    Column("snapshot_id", _ID, ForeignKey(snapshots.c.id)),
    Column("judgement_id", _ID, ForeignKey(judgements.c.id), nullable=False),
    Column("context_id", _ID, ForeignKey(contexts.c.id), nullable=False),
    Column("remark_id", _ID, ForeignKey(remarks.c.id)),
    Column("changes_id", _ID, ForeignKey(changes.c.id)),
    Column("waivers_id", _ID, ForeignKey(waivers.c.id)),
    # the observed state before this one; no foreign key, so that old rows can be pruned under new ones
    Column("previous_id", _ID),
    CheckConstraint("(outcome < 2) = (snapshot_id IS NOT NULL)", name="observed_has_snapshot"),
)
# rows are numbered in the order of recording: unlike `started_at`, that order survives a clock that is set back
Index(None, observations.c.target_id, observations.c.id)
# the few rows that show a change, among the many that do not
_moved = observations.c.changes_id.is_not(None)
Index("ix_observations_moved", observations.c.target_id, observations.c.id, sqlite_where=_moved)

approvals = Table(
    "approvals",
    METADATA,
    Column("id", _ID, primary_key=True),
    # a name, and no row of targets: values can be approved before a target is first read
    Column("target", Text, nullable=False, index=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("document", Text, nullable=False),
    Column("approved_at", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("account", Text, nullable=False),
    Column("host", Text, nullable=False),
)

revocations = Table(
    "revocations",
    METADATA,
    Column("approval_id", _ID, ForeignKey(approvals.c.id), primary_key=True, autoincrement=False),
    Column("revoked_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("revoked_at", UtcDateTime, nullable=False),
    Column("account", Text, nullable=False),
    Column("host", Text, nullable=False),
)

events = Table(
    "events",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("target_id", _ID, ForeignKey(targets.c.id), nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", Code(EVENT_STATES), nullable=False),
    Column("not_before", UtcDateTime),
    Column("not_after", UtcDateTime, nullable=False),
    Column("ended_after", UtcDateTime),
    Column("ended_by", UtcDateTime),
    Column("opened_id", _ID, nullable=False),
    Column("ended_id", _ID),
    Column("document", Text, nullable=False),
    Column("attribution", Text),
)
"""Drift events; `opened_id` and `ended_id` are observations, without foreign keys, since those can be pruned under a closed event."""
Index("ix_events_target_id_id", events.c.target_id, events.c.id)
Index("uq_events_open", events.c.target_id, events.c.subject, unique=True, sqlite_where=text("state = 0"))

told = Table(
    "told",
    METADATA,
    Column("target_id", _ID, ForeignKey(targets.c.id), primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
)
"""What people have been told of each target."""

notices = Table(
    "notices",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    # what must not be said twice, whoever comes by it, has a name here
    Column("once", Text, unique=True),
    Column("document", Text, nullable=False),
)

deliveries = Table(
    "deliveries",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("notice_id", _ID, ForeignKey(notices.c.id), nullable=False),
    Column("channel", Text, nullable=False),
    Column("state", Code(DELIVERY_STATES), nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("claimed_until", UtcDateTime),
    # the message that it went out with: sent again, it is the same message
    Column("batch", Text),
    Column("reason", Text),
)
"""The outbox: a notice owed to a channel."""
Index("ix_deliveries_owed", deliveries.c.channel, deliveries.c.next_at, sqlite_where=text("state < 2"))

enclosures = Table(
    "enclosures",
    METADATA,
    Column("notice_id", _ID, ForeignKey(notices.c.id), primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    # compressed by zlib; null where it is too large to travel, or travels nowhere
    Column("content", LargeBinary),
)
"""The file that goes with a notice: kept until all who are owed it have it, so that it is the same file however often it is sent."""

known_channels = Table(
    "known_channels",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)

ledger = Table(
    "ledger",
    METADATA,
    Column("seq", _ID, primary_key=True, autoincrement=False),
    Column("kind", Code(KINDS), nullable=False),
    # the observation that is the body of a read's record; no foreign key, so that it can be pruned
    Column("ref", _ID),
    Column("digest", LargeBinary(32), nullable=False),
    Column("link", LargeBinary(32), nullable=False),
)

records = Table(
    "records",
    METADATA,
    Column("seq", _ID, ForeignKey(ledger.c.seq), primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
)
"""The bodies of records that are no reads."""

checkpoints = Table(
    "checkpoints",
    METADATA,
    Column("seq", _ID, ForeignKey(ledger.c.seq), primary_key=True, autoincrement=False),
    # the bytes that were signed, and the detached signature of them
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
"""Signed heads of the ledger, each under the number of its record."""

stamps = Table(
    "stamps",
    METADATA,
    Column("seq", _ID, ForeignKey(ledger.c.seq), primary_key=True, autoincrement=False),
    Column("checkpoint", _ID, ForeignKey(checkpoints.c.seq), nullable=False, index=True),
    # all that the time-stamping authority sent
    Column("reply", LargeBinary, nullable=False),
)
"""Time stamps of the signatures of checkpoints, each under the number of its record."""

# a migration that alters one of these by a batch copies it without its triggers, and has to make them again
for _table in (approvals, revocations, ledger, checkpoints, stamps):
    for _act in ("UPDATE", "DELETE"):
        _raise = f"SELECT RAISE(ABORT, '{_table} are append-only')"
        _trigger = DDL(f"CREATE TRIGGER {_table}_refuse_{_act.lower()} BEFORE {_act} ON {_table} BEGIN {_raise}; END")  # type: ignore[no-untyped-call]
        event.listen(_table, "after_create", _trigger)
