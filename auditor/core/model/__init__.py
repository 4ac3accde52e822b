"""The trade's words as values: what was read, what it says, what was concluded.

Nothing here can hold a secret: a fact of a secret is its state, what identifies it is a keyed fingerprint.
"""

from auditor.core.model.approval import Approval, Revocation
from auditor.core.model.assessment import Assessment, Judgement
from auditor.core.model.attribution import Attribution, AttributionVerdict, AuditEntry, AuditTrail, Naming, Signature, TrailOutcome
from auditor.core.model.channel import AppriseChannel, ChannelConfig, Heartbeat, MailChannel, MailTls, ReportMail, SyslogChannel, WebhookChannel
from auditor.core.model.event import Drift, DriftEvent, EventState
from auditor.core.model.evidence import SigningFiles, StampAuthority
from auditor.core.model.fact import CONFIGURED, OAUTH_FIELDS, PROFILE_FIELDS, SECRET_FIELDS, UNKNOWN, Fact, FactValue, JsonType, Shape, State
from auditor.core.model.finding import Direction, FieldChange, Finding, Leaf, Level, RuleOutcome, Severity, Verdict
from auditor.core.model.notice import MAX_ATTACHED_BYTES, Attachment, DeliveryState, Digest, Notice, NoticeKind, Receipt
from auditor.core.model.observation import Collection, Memory, Observation, ReadOutcome
from auditor.core.model.snapshot import Fingerprint, HeaderSeen, ProfileField, SecretPlace, Snapshot, UnknownField
from auditor.core.model.standing import MAX_MOVED, Inspection, Moved, PolicyText, RuleText, Standing, TargetText
from auditor.core.model.target import Auth, BasicAuth, ClientCertificate, ClientCredentials, Schedule, SecretRef, StaticToken, Target, TokenAuthMethod
from auditor.core.model.waiver import Waiver

__all__ = [
    "CONFIGURED",
    "MAX_ATTACHED_BYTES",
    "MAX_MOVED",
    "OAUTH_FIELDS",
    "PROFILE_FIELDS",
    "SECRET_FIELDS",
    "UNKNOWN",
    "AppriseChannel",
    "Approval",
    "Assessment",
    "Attachment",
    "Attribution",
    "AttributionVerdict",
    "AuditEntry",
    "AuditTrail",
    "Auth",
    "BasicAuth",
    "ChannelConfig",
    "ClientCertificate",
    "ClientCredentials",
    "Collection",
    "DeliveryState",
    "Digest",
    "Direction",
    "Drift",
    "DriftEvent",
    "EventState",
    "Fact",
    "FactValue",
    "FieldChange",
    "Finding",
    "Fingerprint",
    "HeaderSeen",
    "Heartbeat",
    "Inspection",
    "JsonType",
    "Judgement",
    "Leaf",
    "Level",
    "MailChannel",
    "MailTls",
    "Memory",
    "Moved",
    "Naming",
    "Notice",
    "NoticeKind",
    "Observation",
    "PolicyText",
    "ProfileField",
    "ReadOutcome",
    "Receipt",
    "ReportMail",
    "Revocation",
    "RuleOutcome",
    "RuleText",
    "Schedule",
    "SecretPlace",
    "SecretRef",
    "Severity",
    "Shape",
    "Signature",
    "SigningFiles",
    "Snapshot",
    "StampAuthority",
    "Standing",
    "State",
    "StaticToken",
    "SyslogChannel",
    "Target",
    "TargetText",
    "TokenAuthMethod",
    "TrailOutcome",
    "UnknownField",
    "Verdict",
    "Waiver",
    "WebhookChannel",
]
