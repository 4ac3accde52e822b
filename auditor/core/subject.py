"""What a rule is about, in one word, so that a table of many servers has eight columns and not fifty. Pure."""

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Any


class Subject(StrEnum):
    """The subjects, in the order of columns. `OTHER` is what none of them fits, such as a site's own rule about a label."""

    PROFILE = "Profile"
    TRANSPORT = "Transport"
    LOGIN = "Login"
    OAUTH = "OAuth"
    SENDER = "Sender"
    HOST = "Host"
    SECRETS = "Secrets"
    DRIFT = "Drift"
    OTHER = "Other"


_SUBJECTS: tuple[tuple[str, Subject], ...] = (
    ("RelayPassword", Subject.SECRETS),
    ("ClientSecret", Subject.SECRETS),
    ("response.exposed", Subject.SECRETS),
    ("RequestHeaders.secret_forms", Subject.SECRETS),
    ("store.", Subject.SECRETS),
    ("UseSSL", Subject.TRANSPORT),
    ("Port", Subject.TRANSPORT),
    ("server.", Subject.TRANSPORT),
    ("RelayAuthenticationType", Subject.LOGIN),
    ("RelayUsername", Subject.LOGIN),
    ("ClientId", Subject.OAUTH),
    ("TokenEndpoint", Subject.OAUTH),
    ("Scope", Subject.OAUTH),
    ("Audience", Subject.OAUTH),
    ("RequestHeaders", Subject.OAUTH),
    ("token_endpoint.", Subject.OAUTH),
    ("Sender", Subject.SENDER),
    ("profile.mail_route", Subject.SENDER),
    ("domain.", Subject.SENDER),
    ("Host", Subject.HOST),
    ("drift.", Subject.DRIFT),
    ("baseline.", Subject.DRIFT),
    ("waivers.", Subject.DRIFT),
    ("collection.", Subject.DRIFT),
    ("profile.", Subject.PROFILE),
    ("api.", Subject.PROFILE),
    ("response.", Subject.PROFILE),
    ("Id", Subject.PROFILE),
)
"""Beginnings of the names of facts, the first that fits counts."""


def subject_of(condition: Any) -> Subject:
    """The subject of a rule that requires `condition`, given as a policy's canonical document writes it: that of the first fact with one."""
    return next((subject for fact in _facts(condition) if (subject := _subject(fact)) is not Subject.OTHER), Subject.OTHER)


@lru_cache(maxsize=512)
def _subject(fact: str) -> Subject:
    return next((subject for beginning, subject in _SUBJECTS if fact.startswith(beginning)), Subject.OTHER)


def _facts(condition: Any) -> Iterator[str]:
    if not isinstance(condition, dict):
        return
    if "fact" in condition:
        yield str(condition["fact"])
    for part in (*condition.get("all", ()), *condition.get("any", ())):
        yield from _facts(part)
