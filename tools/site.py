"""The website of the guides and the docstrings, built into build/site in an environment that it makes."""

from environment import ROOT, prepared, run

SITE = "build/site"


def main() -> None:
    """Make the environment and build; a warning is an error."""
    programs = prepared("docs")
    run(programs / "sphinx-build", "--fail-on-warning", "--quiet", "--builder", "html", "docs", SITE)
    print(f"{(ROOT / SITE / 'index.html').as_uri()} is the website.")


if __name__ == "__main__":
    main()
