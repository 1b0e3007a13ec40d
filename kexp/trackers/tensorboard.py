"""Scalars, images and hyperparameters for TensorBoard.

    kexp run cnn_images --data digits --track tensorboard
    tensorboard --logdir runs

The events of a run are in `tensorboard/` in its folder, so that all runs, or all trials of a sweep, are
curves beside one another. Every run has the tracker while the environment variable KEXP_TENSORBOARD_DIR
names a folder; each has a folder of its name there then.

The x-axis is the epoch, counted from 1. A metric that has a validation metric beside it is in one group with
it: `accuracy/training` and `accuracy/validation`, `loss/training` and `loss/validation`. The metrics that are
measured once, at the end, are `final/NAME`; the arguments of the recipe are a text, `arguments`, and what the
HParams dashboard compares runs by. Pictures are the learning curves, at the end, and after each epoch the
samples of a model that makes some. A run that goes on from a checkpoint adds what is not there yet.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from kexp.core.user_paths import output_folder
from kexp.run.run_files import CURVES
from kexp.trackers.base import TrackedRun

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

FOLDER_VARIABLE = "KEXP_TENSORBOARD_DIR"
FOLDER = "tensorboard"  # in the run folder
_Value: TypeAlias = tuple[str, int, bytes]  # tag, step and content


def tracker(asked: bool) -> TensorBoard | None:
    """Return the tracker if it is asked for, or KEXP_TENSORBOARD_DIR names a folder, which is then made."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not asked and not folder:
        return None
    return TensorBoard(output_folder(FOLDER_VARIABLE, folder) if folder else None)


class TensorBoard:
    """Writes event files.

    Args:
        folder: Where the folders of all runs are; None: each run has its own in the run folder.
    """

    name = "tensorboard"

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._run_dir = Path()
        self._writer: EventFileWriter | None = None
        self._there: set[_Value] = set()

    def started(self, run: TrackedRun, history: list[dict[str, float]]) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.plugins.text.summary_v2 import text_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._run_dir = run.run_dir
        if self._writer is None:
            folder = self._run_dir / FOLDER if self._folder is None else self._folder / run.name
            self._there = _values_in(folder)
            self._writer = EventFileWriter(str(folder))
        arguments = run.config["arguments"]
        lines = "\n".join(f"    {name} {value!r}" for name, value in arguments.items())
        self._add(0, text_pb("arguments", f"{run.config['recipe']}\n\n{lines}"))
        plain = {name: _plain(value) for name, value in {"recipe": run.config["recipe"], **arguments}.items()}
        self._add(0, hparams_pb(plain))
        for number, metrics in run.numbered(history):
            self.epoch(number, metrics)

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        self._scalars(number, {_place(name): value for name, value in metrics.items()})
        self._image(number, "samples", self._run_dir / "samples" / f"epoch-{number:04d}.png")

    def finished(self, metrics: dict[str, float]) -> None:
        self._scalars(0, {f"final/{name}": value for name, value in metrics.items()})
        self._image(0, "learning curves", self._run_dir / CURVES)
        self._close()

    def failed(self, error: BaseException) -> None:
        self._close()

    def _scalars(self, step: int, values: dict[str, float]) -> None:
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        for name, value in values.items():
            self._add(step, scalar_pb(name, value))
        if self._writer is not None:
            self._writer.flush()

    def _image(self, step: int, tag: str, path: Path) -> None:
        if path.is_file():
            self._add(step, _image_summary(tag, path))

    def _add(self, step: int, summary: Summary) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        values = {(one.tag, step, one.tensor.SerializeToString()) for one in summary.value}
        if self._writer is not None and not values <= self._there:
            self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
            self._there |= values

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def _values_in(folder: Path) -> set[_Value]:
    """Return what the event files in a folder hold, as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator

    if not folder.is_dir():
        return set()
    events = EventAccumulator(str(folder), size_guidance={TENSORS: 0}).Reload()  # 0: all
    return {
        (tag, one.step, one.tensor_proto.SerializeToString())
        for tag in events.Tags()[TENSORS]
        for one in events.Tensors(tag)
    }


def _image_summary(tag: str, path: Path) -> Summary:
    """Return a PNG file as the image dashboard has it: width, height and the bytes."""
    import numpy as np
    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.image.metadata import create_summary_metadata
    from tensorboard.util.tensor_util import make_tensor_proto

    with Image.open(path) as image:
        sizes = [str(size).encode() for size in image.size]
    summary = Summary()
    summary.value.add(
        tag=tag,
        metadata=create_summary_metadata(display_name=tag, description="", converted_to_tensor=True),
        tensor=make_tensor_proto(np.array([*sizes, path.read_bytes()], object)),
    )
    return summary


def _plain(value: object) -> bool | int | float | str:
    """Return an argument as the HParams dashboard takes it.

    Example:
        >>> _plain((64, 32)), _plain(0.1)
        ('(64, 32)', 0.1)
    """
    return value if isinstance(value, bool | int | float | str) else str(value)


def _place(metric: str) -> str:
    """Return the name of a scalar: the group, and which curve of it.

    Example:
        >>> _place("val_accuracy"), _place("loss")
        ('accuracy/validation', 'loss/training')
    """
    name = metric.removeprefix("val_")
    return f"{name}/{'training' if name == metric else 'validation'}"
