"""What a sweep costs over the training in it, what a second worker saves, and the same with KerasTuner alone.

A random search of `mlp_images` on the digits, twice from the command line: with one worker and with two.
Overhead is wall time times workers less the time inside the recipe's training loop, by trial. That time is
measured in this process, on the same arguments. KerasTuner's RandomSearch gets the same space, the same
builder and plain Keras `compile` and `fit`; its overhead is wall time less the time inside `fit`'s epochs.

With --vectorized: the same trials by two workers and by populations, in turn, which differ in learning rate,
dropout and seed alone. The rate is of the time between the first trial's start and the last one's end; CPU
seconds are those of all processes, their start included.

    python tools/benchmark_sweep.py [--trials 20] [--epochs 5]
    python tools/benchmark_sweep.py --vectorized [--trials 32] [--epochs 5] [--recipe cnn_images] [--rounds 3]
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import pandas as pd

import kexp
from kexp import recipes
from kexp.train.loop import Loop

_SWEEP = """
import ast, sys
from kexp import recipes, sweep
recipe, line = ast.literal_eval(sys.argv[1])
sweep(getattr(recipes, recipe), **line)
"""
_FIXED = {"mlp_images": {"hidden": (256, 128)}, "cnn_images": {"filters": (16, 32, 64)}}


class Training(keras.callbacks.Callback):
    """Adds up the seconds between the beginning and the end of `fit`'s training."""

    seconds = 0.0

    def on_train_begin(self, logs=None):
        self._began = time.perf_counter()

    def on_train_end(self, logs=None):
        Training.seconds += time.perf_counter() - self._began


def swept(folder: Path, trials: int, epochs: int, workers: int) -> tuple[float, pd.DataFrame]:
    """Return the wall seconds of a sweep from the command line, and its table."""
    line = ["sweep", "mlp_images", "--trials", trials, "--workers", workers, "--epochs", epochs]
    began = time.perf_counter()
    kexp_command = Path(sys.executable).with_name("kexp")
    subprocess.run([kexp_command, *map(str, line), "--dir", str(folder), "--quiet"], check=True)
    return time.perf_counter() - began, kexp.load_sweep(folder).to_frame()


def trained(folder: Path, arguments: list[dict]) -> list[float]:
    """Return the seconds inside the training loop for each of these calls of the recipe."""
    seconds, run = [], Loop.run

    def timed(loop: Loop) -> None:
        began = time.perf_counter()
        run(loop)
        seconds.append(time.perf_counter() - began)

    Loop.run = timed
    try:
        for number, given in enumerate(arguments):
            keras.utils.clear_session()
            recipes.mlp_images(**given, run_dir=str(folder / f"{number}"), quiet=True)
    finally:
        Loop.run = run
    return seconds


class Plain(keras_tuner.HyperModel):
    """The same space and builder, for plain Keras."""

    def build(self, hp):
        hidden = [hp.Int(f"units_{layer}", 16, 1024, sampling="log") for layer in range(2)]
        model = kexp.models.mlp(
            (8, 8, 1),
            10,
            hidden=hidden,
            activation=hp.Choice("activation", ["relu", "gelu", "tanh", "sigmoid", "swish"]),
            normalization=hp.Choice("normalization", ["none", "batch", "layer"]),
            dropout=hp.Float("dropout", 0.0, 0.5),
            dtype="uint8",
        )
        model.compile(
            keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    def fit(self, hp, model, *args, **kwargs):
        kwargs["callbacks"] = [*kwargs.get("callbacks", ()), Training()]
        return model.fit(*args, batch_size=hp.Choice("batch_size", [16, 32, 64, 128]), **kwargs)


def by_keras_tuner(folder: Path, trials: int, epochs: int) -> float:
    """Return the wall seconds of KerasTuner's own search, the import of TensorFlow left out."""
    data = kexp.data.load("digits")
    began = time.perf_counter()
    tuner = keras_tuner.RandomSearch(
        Plain(), "val_accuracy", max_trials=trials, seed=0, directory=folder, project_name="search"
    )
    parts = data.train, data.validation
    (x, y), validation = (parts[0].inputs, parts[0].targets), (parts[1].inputs, parts[1].targets)
    tuner.search(x, y, validation_data=validation, epochs=epochs, verbose=0)
    return time.perf_counter() - began


def paired(recipe: str, trials: int, epochs: int, rounds: int) -> None:
    """Print trials a minute and CPU seconds of two workers and of populations, in turn."""
    space = {"learning_rate": (1e-4, 1e-2), "dropout": (0.05, 0.5), "seed": list(range(trials))}
    fixed = {"batch_size": 64, "activation": "relu", "normalization": "none", **_FIXED.get(recipe, {})}
    ratios = []
    for number in range(rounds):
        rates = {}
        for workers in (2, "vectorized"):
            with tempfile.TemporaryDirectory() as folder:
                line = {"trials": trials, "workers": workers, "dir": f"{folder}/sweep"}
                before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
                line |= {"space": {**space, **fixed}, "epochs": epochs, "quiet": True}
                subprocess.run([sys.executable, "-c", _SWEEP, repr((recipe, line))], check=True)
                wall_s = time.time() - began
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                rates[workers] = 60 * trials / span(Path(folder) / "sweep")
            cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(
                f"round {number}, workers {workers}: {rates[workers]:.0f} trials a minute; {wall_s:.0f} s "
                f"and {cpu_s:.0f} CPU s with start and end",
                flush=True,
            )
        ratios.append(rates["vectorized"] / rates[2])
    print(f"vectorized: {statistics.median(ratios):.2f} times the trials a minute of two workers, median")


def span(folder: Path) -> float:
    """Return the seconds from the first trial's start to the last one's end; the winner is measured later."""
    best = kexp.load_sweep(folder).best.run_dir
    runs = [run for run in (folder / "trials").iterdir() if run != best]
    began = min((run / "env.json").stat().st_mtime for run in runs)
    return max((run / "result.json").stat().st_mtime for run in runs) - began


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--vectorized", action="store_true")
    parser.add_argument("--recipe", default="mlp_images")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if asked.vectorized:
        paired(asked.recipe, asked.trials, asked.epochs, asked.rounds)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one_s, frame = swept(folder / "one", asked.trials, asked.epochs, 1)
        two_s, other = swept(folder / "two", asked.trials, asked.epochs, 2)
        plain = ["seconds", "error"]
        assert frame.drop(columns=plain).equals(other.drop(columns=plain)), "the tables differ"
        found = kexp.load_sweep(folder / "one")
        loops = trained(folder / "loops", [trial.arguments for trial in found.trials])
        default = recipes.mlp_images(epochs=asked.epochs, run_dir=str(folder / "default"), quiet=True)
        tuner_s = by_keras_tuner(folder / "tuner", asked.trials, asked.epochs)
    training_s = sum(loops)
    print(f"{asked.trials} trials of {asked.epochs} epochs, the recipe's own space, two cores")
    print(f"one worker {one_s:.1f} s, two {two_s:.1f} s: {two_s / one_s:.2f} of one's")
    print(f"training itself: {training_s:.1f} s, median of a trial {statistics.median(loops):.2f} s")
    print(f"overhead per trial, one worker: {(one_s - training_s) / asked.trials:.2f} s, start included")
    print(
        f"KerasTuner's RandomSearch: {tuner_s:.1f} s, of which training {Training.seconds:.1f} s; "
        f"overhead per trial {(tuner_s - Training.seconds) / asked.trials:.2f} s, imports left out"
    )
    best = max(trial.metrics["val_accuracy"] for trial in found.trials)
    print(f"validation accuracy: defaults {default.metrics['val_accuracy']:.4f}, best trial {best:.4f}")


if __name__ == "__main__":
    main()
