"""Takes the pages of `docs/` apart: their code blocks, with the comment and the block that stand before each, and their tables."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r'(?:^<!-- (?P<mark>[a-z]+): "(?P<says>[^\n]+)" -->\n)?^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One code block. `mark` and `says` are from a comment such as `<!-- refused: "no fact is called" -->` in the line before it."""

    language: str
    text: str
    line: int
    mark: str = ""
    says: str = ""

    def __str__(self) -> str:
        return f"line {self.line}"


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """Every code block of the page, in order."""
    text = text_of(page)
    found = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(Block(language=match["language"], text=match["text"], line=line, mark=match["mark"] or "", says=match["says"] or ""))
    assert len(found) * 2 == len(re.findall(r"^```", text, re.MULTILINE)), "a block is not closed, or indented"
    return found


def section(page: str, title: str) -> str:
    """What stands under the heading `title`, up to the next heading."""
    match = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", text_of(page), re.DOTALL | re.MULTILINE)
    assert match, f"{page} has no section {title!r}"
    return match[1]


def named(text: str) -> list[str]:
    """The words in code type."""
    return re.findall(r"`([^`\n]+)`", text)


def rows(text: str) -> list[list[str]]:
    """The cells of every table row in `text`, heads and rules left out."""
    lines = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line] for line in lines]
    rules = [index for index, line in enumerate(cells) if all(set(cell) <= set("-") for cell in line)]
    return [line for index, line in enumerate(cells) if index not in rules and index + 1 not in rules]
