"""Every check of this repository: lint, types and tests, in an environment that it makes itself."""

import sys

from environment import ROOT, prepared, run


def main() -> None:
    """Make the environment and run the checks; arguments go on to pytest."""
    programs = prepared("dev")
    run(programs / "ruff", "check", ".")
    run(programs / "ruff", "format", "--check", ".")
    run(programs / "mypy")
    run(programs / "codespell", *sorted(ROOT.glob("*.md")), "docs")
    # Two processes share the work by file, in the order of conftest.py; a test's fixtures are made once.
    shared = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    run(programs / "pytest", *shared, *sys.argv[1:])


if __name__ == "__main__":
    main()
