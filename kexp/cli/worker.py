"""One of several workers that `kexp launch` starts: the command line, with an end that it shares with them.

python -m kexp.cli.worker LAUNCHER CORES WORDS... does what the line of WORDS says, on the CORES that have
commas between them (nothing: all), and ends with the process of the number LAUNCHER.
"""

from __future__ import annotations

import os
import sys

from kexp.cli.app import main
from kexp.core.processes import die_with


def work() -> None:
    """Be a worker: end with the launcher, keep to the cores given, and do what the line says."""
    launcher, cores, *words = sys.argv[1:]
    die_with(int(launcher))
    if cores:
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    main(words)


if __name__ == "__main__":
    work()
