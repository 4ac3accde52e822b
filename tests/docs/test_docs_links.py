"""Links between the pages lead somewhere."""

import re

import pytest

from tests.docs.pages import ROOT, text_of

PAGES = ("account.md", "alerts.md", "care.md", "daemon.md", "evidence.md", "formats.md", "outcomes.md", "rule-language.md")


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them; the second of a name gets `-1`."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE):
        anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        found.add(f"{anchor}-1" if anchor in found else anchor)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text_of(page))

    assert links
    for file, anchor in links:
        target = (ROOT / "docs" / (file or page)).resolve()
        assert target.is_file(), file
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), anchor


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [page for page in PAGES if f"(docs/{page})" not in readme] == []
