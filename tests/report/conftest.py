"""The browser that all tests of pages share."""

from tests.report.browsing import browser, opened_page

__all__ = ["browser", "opened_page"]
