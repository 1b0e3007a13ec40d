"""Links of a website's pages that lead to no file or no place in one."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """The places of a page and what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places, self.links = {"", "top"}, set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if value is not None and name in ("id", "name"):
                self.places.add(value)
            elif value is not None and name in ("href", "src"):
                self.links.add(value)


def broken_links(site: Path) -> list[str]:
    """Return each link within a folder of pages that leads nowhere, after the page that it is on."""
    pages = {path.resolve(): _Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            other = pages.get(target)
            if not target.is_file() or (other and unquote(parts.fragment) not in other.places):
                found.append(f"{path.relative_to(site.resolve())}: {link}")
    return found
