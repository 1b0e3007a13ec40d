"""Models that make images: what all of them share, from seeds to pixels and to what an export serves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

import keras
import numpy as np
from keras import ops

from kexp.core.constraints import AtLeast, check_value
from kexp.core.graph_names import stable_graph_names
from kexp.core.types import Tensor
from kexp.data.class_labels import resolve_class_indices
from kexp.models.gan.gan_networks import pixels_from_tanh
from kexp.models.signatures import Signature

__all__: list[str] = []

# Second number of the seeds of a call; what has steps draws from the later ones.
_CLASSES, FIRST_DRAW = 0, 1


class ImageGenerator(keras.Model, ABC):
    """A model that makes images out of a seed, of classes that can be asked for if it has any.

    Args:
        class_names: Of the classes, in the order of their indices; empty (default): it has none.
        **options: As for `keras.Model`.
    """

    def __init__(self, class_names: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**options)
        self.class_names = tuple(class_names)

    @abstractmethod
    def drawn(self, labels: Tensor, seed: Tensor) -> Any:
        """Return (n, height, width, channels) float32, -1 black and 1 white, of (n,) int32 class indices."""

    def sample(self, n: int, *, seed: int = 0, labels: Sequence[str | int] | None = None) -> np.ndarray:
        """Draw images; the first call compiles, later ones of any number and seed are fast.

        Args:
            n: How many, 1 or more, all at once.
            seed: Of the draws, default 0; the same one gives the same images on the same device.
            labels: (n,) names or indices of the classes to draw; None (default): classes drawn at random,
                each as likely as the others, if there are any.

        Returns:
            (n, height, width, channels) uint8.

        Raises:
            InputError: n is below 1, or the labels are not n of the classes.
        """
        return self.labelled_sample(n, seed=seed, labels=labels)[0]

    def labelled_sample(
        self, n: int, *, seed: int = 0, labels: Sequence[str | int] | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw as `sample` does, and return the images and their (n,) int32 classes, None without classes."""
        check_value("n", n, Annotated[int, AtLeast(1)])
        check_value("seed", seed, Annotated[int, AtLeast(0)])
        if labels is None:
            numbers = self._classes_drawn(n, seed)
        else:
            numbers = resolve_class_indices(labels, n, self.class_names)
        images = np.asarray(self._compiled(np.asarray(numbers, "int32"), np.int64(seed)))
        return images, np.asarray(numbers) if self.class_names else None

    def signatures(self) -> dict[str, Signature]:
        """Return what an export serves: "sample", and "sample_class" where there are classes.

        "sample" takes "n", int32, and "seed", int64, and gives "image", (n, height, width, channels) uint8,
        with classes also "label", (n,) strings. "sample_class" takes "label", (n,) strings, and "seed". A
        label that is none of the names counts as the first of them.
        """
        import tensorflow as tf

        seed = tf.TensorSpec((), tf.int64, name="seed")
        inputs = {"n": tf.TensorSpec((), tf.int32, name="n"), "seed": seed}
        examples = {"n": np.array(3, "int32"), "seed": np.array(7, "int64")}
        found = {"sample": Signature(self._served, inputs, examples)}
        if self.class_names:
            inputs = {"label": tf.TensorSpec((None,), tf.string, name="label"), "seed": seed}
            asked = np.array([self.class_names[0], self.class_names[-1]], object)
            examples = {"label": asked, "seed": examples["seed"]}
            found["sample_class"] = Signature(self._served_class, inputs, examples)
        return found

    @cached_property
    def _compiled(self) -> Callable[[Any, Any], Any]:
        import tensorflow as tf

        def images(labels: Tensor, seed: Tensor) -> Any:
            return pixels_from_tanh(self.drawn(labels, seed))

        # It reads the weights as they are at each call. Without XLA, which on two CPU cores takes seven times
        # as long to compile a loop of convolutions, and for a step no less.
        signature = [tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int64)]
        with stable_graph_names():
            return tf.function(images, input_signature=signature, autograph=False).get_concrete_function()

    def _classes_drawn(self, n: Any, seed: Tensor) -> Any:
        """Return (n,) int32, 0 where there are no classes."""
        import tensorflow as tf

        end = max(1, len(self.class_names))
        return tf.random.stateless_uniform([n], _seeds(seed, _CLASSES), 0, end, tf.int32, alg="philox")

    def _served(self, n: Any, seed: Tensor) -> dict[str, Any]:
        return self._answered(self._classes_drawn(n, seed), seed)

    def _served_class(self, label: Tensor, seed: Tensor) -> dict[str, Any]:
        same = ops.equal(label[:, None], ops.convert_to_tensor(list(self.class_names)))
        return self._answered(ops.cast(ops.argmax(same, axis=-1), "int32"), seed)

    def _answered(self, labels: Tensor, seed: Tensor) -> dict[str, Any]:
        images = {"image": pixels_from_tanh(self.drawn(labels, seed))}
        if not self.class_names:
            return images
        return {**images, "label": ops.take(ops.convert_to_tensor(list(self.class_names)), labels)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "class_names": list(self.class_names)}


def with_networks(config: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a configuration with the networks of these names made again."""
    return {**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in names}}


def normal(shape: Any, seed: Tensor, number: Tensor) -> Any:
    """Return float32 of a shape, standard normal: the draw of this number, 1 or more, of a seed."""
    import tensorflow as tf

    return tf.random.stateless_normal(shape, _seeds(seed, number), alg="philox")


def _seeds(seed: Tensor, number: Tensor) -> Any:
    """Return (2,) int64, what TensorFlow draws from."""
    return ops.stack([ops.cast(seed, "int64"), ops.cast(number, "int64")])
