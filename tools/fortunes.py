"""Write short texts of ten topics, from a Debian package, into a table with the columns text and topic.

python tools/fortunes.py FILE.csv [PACKAGE.deb]

They are the fortunes of the program of that name, in the files of their topics. Package fortunes 1.99.1, BSD
licence, see its `copyright` file; nothing of it is part of this project. Needs `apt-get` and `dpkg-deb`, or
the package and `dpkg-deb`.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from debian_package import unpacked

PACKAGE = "fortunes"
FOLDER = "usr/share/games/fortunes"
TOPICS = (
    *("computers", "education", "food", "law", "men-women"),
    *("politics", "science", "songs-poems", "startrek", "work"),
)


def write_fortunes(path: Path, package: Path | None = None) -> int:
    """Write the texts of each topic, those that stand under two left out, and return how many there are.

    Args:
        path: The table, comma-separated.
        package: The Debian package; None: `apt-get download` fetches it.
    """
    with unpacked(PACKAGE, package) as files:
        texts = {topic: _texts(files / FOLDER / topic) for topic in TOPICS}
    topics: dict[str, set[str]] = {}
    for topic, some in texts.items():
        for text in some:
            topics.setdefault(text, set()).add(topic)
    rows = [(text, topic) for text, found in topics.items() if len(found) == 1 for topic in found]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "topic"])
        writer.writerows(rows)
    return len(rows)


def _texts(path: Path) -> list[str]:
    content = path.read_text(encoding="utf-8", errors="replace")
    return [" ".join(text.split()) for text in content.split("\n%\n") if text.strip("%\n\t ")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("package", type=Path, nargs="?")
    asked = parser.parse_args()
    print(f"{write_fortunes(asked.path, asked.package)} texts in {asked.path}")
