"""README and the guides as the tests read them: pages, and the blocks in them."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
GUIDES = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *GUIDES]
GALLERY = sorted((ROOT / "docs" / "gallery").glob("*.md"))
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code, and the number of its first line in the page."""

    language: str
    text: str
    line: int


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@cache
def all_blocks(page: Path) -> tuple[Block, ...]:
    text = text_of(page)
    return tuple(
        Block(found[2], dedent(found[3]), text.count("\n", 0, found.start()) + 2)
        for found in _FENCE.finditer(text)
    )


def blocks(page: Path, language: str) -> list[str]:
    return [block.text for block in all_blocks(page) if block.language == language]


def console_lines(block: str) -> list[str]:
    """Return the lines after `$ ` of a console block, without comments, each with what continues it."""
    found = re.findall(r"^\$ ((?:.*\\\n)*.+)$", block, re.MULTILINE)
    return [re.sub(r"\s+#.*", "", line.replace("\\\n", " ")) for line in found]


def inline_commands(page: Path) -> list[str]:
    """Return the command lines in sentences and tables, without patterns, with arguments in capitals or …."""
    found = re.findall(r"`(kexp [^`\n]+)`", text_of(page))
    return [line for line in found if not re.search(r"…|\b[A-Z]{2,}\b", line)]


def prose(page: Path) -> str:
    """Return a page without its code, blocks and words."""
    return re.sub(r"`[^`\n]+`", "", _FENCE.sub("", text_of(page)))
