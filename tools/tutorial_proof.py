"""Twelve models in the manner of common tutorials, each killed five times and exported, and what came of it.

    python tools/tutorial_proof.py [--kills 5] [--only WORD]

The models are those of tests/api/tutorial_models.py. Each is trained once untouched and once in processes
that are killed at random moments and started again, which must end alike to the bit. Those with one forward
pass that answers are exported, which fails unless a fresh process computes the same from the export. The exit
code is 1 if anything differs.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--only", default="", metavar="WORD", help="models with this in their names")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from kexp.verify import resume
    from tests.api.tutorial_models import TUTORIALS, tutorial

    warnings.filterwarnings("ignore", message="Model .* cannot be written as a .keras file")
    failed = False
    for number, name in enumerate(one for one in TUTORIALS if options.only in one):
        exports = TUTORIALS[name]().exports
        # A model that has nothing but a step of its own cannot be validated.
        given = {} if exports else {"validation": 0.0}
        report = resume(tutorial, kills=options.kills, kill_seed=number, name=name, **given)
        failed |= report.difference is not None
        print(f"{name}: {report}", flush=True)
        if not exports:
            print(f"{name}: no forward pass that can be exported")
            continue
        with tempfile.TemporaryDirectory() as folder:
            result = tutorial(name=name, run_dir=str(Path(folder) / "run"), quiet=True)
            try:
                print(f"{name}: exported, {result.export(Path(folder) / 'served')}", flush=True)
            except Exception as error:  # which is what is looked for, and the others are to be tried too
                failed = True
                print(f"{name}: not exported: {type(error).__name__}: {error}", flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
