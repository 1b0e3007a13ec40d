"""How fast kexp trains beside the other ways: the same model, data, batch and Adam, on the device at hand.

Each way trains each job in a process of its own, and the ways take turns, so that what else the machine does
meets all of them alike. A process says the steps a second of its best epoch after the first, which traces or
compiles. The table has medians over the rounds, with least and most, and each way as a ratio to the first
way in the same round. The data are numbers from a seed: speed knows no content.

    python tools/bench.py [--rounds 5] [--jobs perceptron lstm] [--ways kexp while] [--torch PYTHON]

Ways: `kexp`, and `kexp_jit` with its steps compiled by XLA; `kexp_compiled`, of a compiled model;
`kexp_checkpoints`, with one every 30 seconds (of whole runs: give --epochs that take over a minute); `fit`,
Keras's as it is by default; `best_fit`, with a prefetching dataset and 100 steps a call; `step` and `while`,
written by hand, a step or an epoch to a call;
`while_xla`, with the step compiled by XLA; `torch` and `torch_loader`, with tensors on the device and with a
DataLoader, by the Python that --torch names.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
DEFAULT_WAYS = ["kexp", "kexp_jit", "fit", "best_fit", "while", "while_xla", "torch"]
MORE_WAYS = ["kexp_compiled", "kexp_checkpoints", "step", "torch_loader"]


def timed(way: str, job: str, epochs: int, torch: str | None) -> dict:
    """Return what a process of one way says of one job."""
    if way.startswith("torch"):
        line = [str(torch), str(TOOLS / "bench_torch.py"), job, str(epochs), *way.split("_")[1:]]
    else:
        line = [sys.executable, str(TOOLS / "bench_ways.py"), way, job, str(epochs)]
    environment = {**os.environ, "PYTHONPATH": f"{TOOLS.parent}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(line, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{way} failed on {job}: {done.stderr.strip()[-2000:]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    first, *later = said["seconds"]
    epoch_s = statistics.mean(later) if way == "kexp_checkpoints" else min(later)
    return {**said, "first_epoch_s": first, "steps_per_s": said["steps"] / epoch_s}


def compared(runs: dict[str, list[dict]]) -> dict[str, dict]:
    """Return by way what its processes said, and the ratios to the first way, as median, least and most."""
    base = next(iter(runs.values()))
    found = {}
    for way, said in runs.items():
        speeds = [one["steps_per_s"] for one in said]
        ratios = [speed / one["steps_per_s"] for speed, one in zip(speeds, base, strict=True)]
        found[way] = {
            "steps_per_s": spread(speeds),
            "ratio": spread(ratios),
            "first_epoch_s": spread([one["first_epoch_s"] for one in said]),
            "peak_mb": spread([one["peak_mb"] for one in said]),
            "versions": said[0]["versions"],
        }
    return found


def spread(numbers: list[float]) -> list[float]:
    """Return median, least and most."""
    return [statistics.median(numbers), min(numbers), max(numbers)]


def table(results: dict[str, dict[str, dict]], ways: list[str]) -> str:
    """Return the table of docs/speed.md: steps per second, and in brackets the ratio to the first way."""
    lines = [f"| job | {' | '.join(ways)} |", f"|---{'|---' * len(ways)}|"]
    for job, found in results.items():
        cells = [f"{one['steps_per_s'][0]:.3g} ({one['ratio'][0]:.2f})" for one in found.values()]
        lines.append(f"| {job} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Time the ways in turn, and print what was found."""
    from bench_jobs import JOBS

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4, help="of each process, the first left out")
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS), metavar="JOB")
    every = [*DEFAULT_WAYS, *MORE_WAYS]
    parser.add_argument("--ways", nargs="+", choices=every, default=DEFAULT_WAYS, metavar="WAY")
    parser.add_argument("--torch", metavar="PYTHON", help="Python of an environment with PyTorch")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    ways = [way for way in asked.ways if asked.torch or not way.startswith("torch")]
    if ways != asked.ways:
        print("PyTorch is left out: give --torch the Python of an environment that has it.")
    machine = {"platform": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
    results: dict[str, dict[str, dict]] = {}
    for job in asked.jobs:
        runs: dict[str, list[dict]] = {way: [] for way in ways}
        for _ in range(asked.rounds):
            for way in ways:
                runs[way].append(timed(way, job, asked.epochs, asked.torch))
        results[job] = compared(runs)
        for way, found in results[job].items():
            (speed, least, most), (ratio, low, high) = found["steps_per_s"], found["ratio"]
            first, memory = found["first_epoch_s"][0], found["peak_mb"][0]
            print(
                f"{job:12} {way:16} {speed:8.4g} steps/s ({least:.4g} to {most:.4g}), "
                f"{ratio:.2f} of {ways[0]} ({low:.2f} to {high:.2f}); "
                f"first epoch {first:.1f} s, {memory:.0f} MB",
                flush=True,
            )
        if asked.json:  # after each job, as the last may be far away
            asked.json.write_text(json.dumps({"machine": machine, "jobs": results}, indent=1) + "\n")
    print(f"\nSteps per second, medians of {asked.rounds} rounds (ratio to {ways[0]}):\n")
    print(table(results, ways))


if __name__ == "__main__":
    main()
