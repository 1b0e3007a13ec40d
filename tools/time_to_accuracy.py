"""How long it takes from the start of a process to 97.83 % of MNIST's test digits right, beside PyTorch.

    python tools/time_to_accuracy.py --torch PYTHON [--seeds 5]

Both train 784-256-128-10. PyTorch's script is that of most tutorials: dropout 0.2, Adam at 1e-3, batches of
64, five epochs, a DataLoader whose dataset scales and normalises each digit by itself. kexp's run has the
settings below, chosen by the accuracy on validation digits, and trains on all training digits. The two take
turns; what is printed is the seconds of each whole process, and the test accuracy that it ended with.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
WANTED = 0.9783
SETTINGS = {"epochs": 3, "batch_size": 128, "learning_rate": 4e-3, "schedule": "one_cycle", "dropout": 0.0}


def by_kexp(seed: int, folder: Path) -> list[str]:
    """Return the command of a run."""
    given = {**SETTINGS, "data": "mnist", "validation": 0, "seed": seed, "run_dir": folder / f"{seed}"}
    options = [text for name, value in given.items() for text in (f"--{name.replace('_', '-')}", f"{value}")]
    return [str(Path(sys.executable).with_name("kexp")), "run", "mlp_images", *options, "--quiet"]


def by_torch(python: str, seed: int, folder: Path) -> list[str]:
    """Return the command of PyTorch's script."""
    return [python, str(TOOLS / "mnist_torch.py"), str(seed), str(folder / f"torch-{seed}")]


def taken(command: list[str], result: Path) -> tuple[float, float]:
    """Return the seconds of a process and the test accuracy that it wrote down."""
    began = time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(TOOLS.parent)}
    )
    seconds = time.perf_counter() - began
    return seconds, json.loads(result.read_text())["metrics"]["test_accuracy"]


def main() -> None:
    """Time both in turn, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--torch", required=True, metavar="PYTHON", help="of an environment with PyTorch")
    asked = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {"kexp": [], "torch": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(asked.seeds):
            found["kexp"].append(taken(by_kexp(seed, folder), folder / f"{seed}" / "result.json"))
            found["torch"].append(taken(by_torch(asked.torch, seed, folder), folder / f"torch-{seed}"))
            print(seed, {way: one[-1] for way, one in found.items()}, flush=True)
    for way, runs in found.items():
        seconds, accuracy = (statistics.mean(values) for values in zip(*runs, strict=True))
        reached = "reaches" if accuracy >= WANTED else "does not reach"
        print(f"{way}: {seconds:.1f} s, test accuracy {accuracy:.4f}, which {reached} {WANTED}")
    ratio = statistics.mean(run[0] for run in found["kexp"]) / statistics.mean(
        run[0] for run in found["torch"]
    )
    print(f"kexp takes {ratio:.2f} of PyTorch's time")


if __name__ == "__main__":
    main()
