"""Reads at chosen times, so that days and intervals can be told apart: the real app over the real connection, by a clock of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from auditor import config
from auditor.app import App
from tests.e2e.conftest import Site

MONDAY = datetime(2025, 3, 10, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@contextmanager
def reading(site: Site) -> Iterator[Callable[..., None]]:
    """What sets fields of the profile and reads `prod`, or another target, at a given time; all by one app."""
    clock = [MONDAY]
    with App(config.load(site.config), clock=lambda: clock[0]) as app:

        def show(at: datetime, target: str = "prod", **fields: object) -> None:
            clock[0] = at
            for name, value in fields.items():
                site.simulator.smtp[name] = value
            (chosen,) = app.select([target], {})
            app.auditor.audit(chosen, at=at)

        yield show


def show(site: Site, at: datetime, target: str = "prod", **fields: object) -> None:
    """The same, once."""
    with reading(site) as once:
        once(at, target, **fields)
