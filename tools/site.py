"""The website of the guides and the docstrings, built into build/site in an environment that it makes."""

import sys

from environment import ROOT, prepared, run
from site_links import broken_links

SITE = "build/site"


def main() -> None:
    """Make the environment and build; a warning or a link that leads nowhere is an error."""
    programs = prepared("docs")
    run(programs / "sphinx-build", "--fail-on-warning", "--quiet", "--fresh-env", "docs", SITE)
    if found := broken_links(ROOT / SITE):
        sys.exit("\n".join(["Links that lead nowhere:", *found]))
    print(f"{(ROOT / SITE / 'index.html').as_uri()} is the website.")


if __name__ == "__main__":
    main()
