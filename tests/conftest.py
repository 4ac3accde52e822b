"""What holds for every test: no deadline for Hypothesis, a process left as it was found, and no skip where AUDITOR_MUST_NOT_SKIP is set."""

import logging
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

# Two workers share the machine with a browser: a deadline would judge the machine. Speed has its own tests.
settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")

_MUST_NOT_SKIP = bool(os.environ.get("AUDITOR_MUST_NOT_SKIP"))
"""Set by `.ci/run`, which installed all that a test may need: a skip there would be a check that nobody notices has stopped."""


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """The command line owns its process, and sets umask and logging for all of it; a test that calls it in process gives both back."""
    root = logging.getLogger()
    umask, handlers, levels = os.umask(0o022), root.handlers[:], _log_levels()
    os.umask(umask)
    yield
    os.umask(umask)
    root.handlers[:] = handlers
    for logger, level in _log_levels().items():
        if level != (before := levels.get(logger, logging.NOTSET)):
            logger.setLevel(before)


def _log_levels() -> dict[logging.Logger, int]:
    loggers = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    return {logger: logger.level for logger in [logging.root, *loggers]}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("platform_only") is None:
        _refuse_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:  # a whole file, by `pytest.importorskip` or `allow_module_level`: no marker of its own excuses it
        _refuse_in_ci(report)
    return report


def _refuse_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if _MUST_NOT_SKIP:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: AUDITOR_MUST_NOT_SKIP is set, but this was skipped ({reason.removeprefix('Skipped: ')})"
