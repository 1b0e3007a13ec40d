"""Generation: new samples that are like the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.data.dataset import DatasetSpec
from kexp.tasks.base import Arrays, Task
from kexp.tasks.reconstruction import not_evaluable

if TYPE_CHECKING:
    import keras


class Generation(Task):
    """Predicts nothing; makes images, (n, height, width, channels) uint8, of classes where it has some."""

    name: ClassVar[str] = "generation"
    predicts_inputs: ClassVar[bool] = False
    makes_samples: ClassVar[bool] = True
    can_sample: ClassVar[bool] = True
    can_trim_padding: ClassVar[bool] = False
    can_memorize: ClassVar[bool] = False  # against another player, or with noise that is new at each step

    def check_evaluable(self) -> None:
        raise not_evaluable(self.name)

    def sampleable_classes(self, config: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Return the classes that the model was trained with, none for one without."""
        return tuple(config["class_names"])

    def sample(
        self, model: keras.Model, spec: DatasetSpec, n: int, seed: int, labels: Sequence[str | int] | None
    ) -> np.ndarray:
        images: np.ndarray = model.sample(n, seed=seed, labels=labels)
        return images

    def pipeline_tag(self, spec: DatasetSpec) -> str | None:
        return "unconditional-image-generation" if spec.kind == "image" else None

    def exported_samples(self, outputs: Arrays, spec: DatasetSpec) -> np.ndarray:
        return outputs["image"]
