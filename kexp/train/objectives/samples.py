"""What objectives of models that make images share: the check of the data, and the metrics of samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kexp.core.errors import InputError
from kexp.data import Dataset, Split
from kexp.models.image_generator import ImageGenerator
from kexp.tasks import task_named

if TYPE_CHECKING:
    from kexp.metrics.sample_quality import Quality


@dataclass(frozen=True, eq=False)
class MadeSamples:
    """Metrics of the samples that a model makes, from the same seed each time.

    Attributes:
        model: That makes them.
        quality: What they are measured by.
        split: Real samples to compare with.
        train: The training part, to be thorough; None to be quick.
    """

    model: ImageGenerator
    quality: Quality
    split: Split
    train: Split | None

    def measure(self, batch_size: int) -> dict[str, float]:
        """Return the metrics by name."""
        images, labels = self.model.labelled_sample(self.quality.samples, seed=self.quality.seed)
        if self.train is None:
            return self.quality.figures(images, self.split, labels=labels)
        return self.quality.thorough(images, self.split, self.train, labels=labels)


def check_images(model: ImageGenerator, data: Dataset, made: tuple[int, ...]) -> None:
    """Raise InputError unless the data are images of bytes of the shape that the model makes."""
    spec = data.spec
    if spec.kind != "image" or spec.dtype != "uint8":
        raise InputError(
            f"data must be images of bytes for a model that makes images; {data.name} has {spec.kind} data "
            f"of {spec.dtype}."
        )
    if tuple(spec.input_shape) != made:
        raise InputError(
            f"model {model.name} must make images of the data's shape, {spec.input_shape}; it makes {made}."
        )
    classes = len(model.class_names)
    known = spec.outputs if task_named(spec.task).has_labels else None
    if classes and classes != known:
        raise InputError(
            f"class_names must name the classes of {data.name}, which has "
            f"{known or 'none'}; received {classes}."
        )
