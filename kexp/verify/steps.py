"""The process that `kexp.verify.distributed` starts: some steps of recipes on so many devices.

python -m kexp.verify.steps FOLDER MODE takes the steps of every case in FOLDER/cases.json, and saves the loss
of each step and the state after the last one as FOLDER/MODE-NUMBER.npz.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.json_files import read_json_file
from kexp.verify.recipe_process import called

if TYPE_CHECKING:
    from kexp.run.training_setup import TrainingSetup

ALONE, WORKERS = "alone", "workers"  # any other mode is a number of logical devices


def main(folder: Path, mode: str) -> None:
    """Take the steps of every case."""
    import tensorflow as tf

    from kexp.run.context import capture_training

    if mode not in (ALONE, WORKERS):
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(mode))
    strategy = {ALONE: "cpu", WORKERS: "multiworker"}.get(mode, "mirrored")
    cases = read_json_file(folder / "cases.json", {"cases": list[dict[str, Any]]}, advice="start anew")
    for number, case in enumerate(cases["cases"]):
        recipe, given = called(case["recipe"], case["arguments"], Path(case["folder"]))
        arguments = {**given, "strategy": strategy, "quiet": True}
        take = partial(_take_steps, steps=case["steps"], path=folder / f"{mode}-{number}.npz")
        capture_training(take, recipe, **arguments)
        tf.keras.backend.clear_session()


def _take_steps(training: TrainingSetup, steps: int, path: Path) -> None:
    """Take steps on batches as they come in a run, but for three that are as uneven as a last one can be."""
    from kexp.run.jit_choice import compile_where_asked

    engine = training.engine()
    compile_where_asked(training, engine)
    losses: list[float] = []
    for number, rows in enumerate(itertools.islice(_rows(training), steps)):
        engine.begin_phase(number * engine.phases // steps)  # each phase has its share of them
        if engine.run(rows[None], training.batch_size) is not None:
            raise RuntimeError(f"step {len(losses) + 1} went wrong; lower the learning rate")
        losses.append(engine.read_metrics()["loss"])
        engine.reset_metrics()
    if engine.workers.is_chief:
        arrays = {f"weight/{variable.path}": np.asarray(variable) for variable in training.model.variables}
        arrays.update(losses=np.array(losses), state=_flat(engine.read_state()))
        np.savez(path, **arrays)  # type: ignore[arg-type]


def _flat(state: dict[str, np.ndarray]) -> np.ndarray:
    """Return all numbers of the optimizers, which the state names by their places alone."""
    numbers = [array.ravel() for name, array in state.items() if name.startswith("optimizer")]
    return np.concatenate([array.astype(np.float64) for array in numbers if array.dtype.kind == "f"])


def _rows(training: TrainingSetup) -> Iterator[np.ndarray]:
    """Return the (samples,) positions of each step."""
    from kexp.data.order import batches, epoch_order

    samples, per_step = training.epoch_samples, training.batch["samples_per_step"]
    uneven = {3: 1, 9: 7, 15: per_step - 1}
    seed, steps = training.options["seed"], itertools.count()
    for epoch in itertools.count():
        full, _ = batches(epoch_order(samples, seed, epoch), per_step)
        for rows in full:
            yield rows[: max(1, min(per_step, uneven.get(next(steps), per_step)))]


def _start(arguments: list[str]) -> Any:
    main(Path(arguments[0]), arguments[1])


if __name__ == "__main__":
    _start(sys.argv[1:])
