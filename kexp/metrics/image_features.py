"""What a classifier sees in images: the features that generated samples are compared by with real ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.keras_private import all_layers

if TYPE_CHECKING:
    import keras

_BATCH = 256


class Features:
    """Features of images, and the classes that they are taken for, by a network with a name.

    Features are what the last dense layer of a classifier takes, wherever in the network it stands: the last
    one that is called, has a unit for each output, and takes (batch, d).

    Args:
        name: In the names of metrics, whose values say nothing without it; what is not a letter or digit
            becomes "_".
        network: From (batch, height, width, channels) images, as a data set has them, to (batch, classes)
            logits or probabilities; or a function that returns such a network, called once, at first use.
        head: Whether it ends in a dense layer of classes, default True; with False its (batch, d) outputs
            are the features, and there are no labels.

    Raises:
        InputError: The name has neither letter nor digit; at first use: the network ends in no such layer.

    Example:
        >>> from kexp.models import cnn
        >>> features = Features("My CNN", cnn((8, 8, 1), 10, filters=(4, 6), head="average"))
        >>> images = np.zeros((3, 8, 8, 1), "uint8")
        >>> features.name, features.features(images).shape, features.labels(images).shape
        ('my_cnn', (3, 6), (3,))
    """

    def __init__(
        self, name: str, network: keras.Model | Callable[[], keras.Model], *, head: bool = True
    ) -> None:
        self.name = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        if not self.name:
            raise InputError(
                f"name must have letters or digits, for the names of metrics; received {name!r}."
            )
        self.head = head
        self._given = network
        self._network: keras.Model | None = None
        self._layer: Any = None

    @property
    def classes(self) -> int | None:
        """Number of classes, known from the first use on; None without a head."""
        return self._layer.units if self._layer is not None else None

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return (n, d) float32 features of (n, height, width, channels) images."""
        return self.both(images)[0]

    def labels(self, images: np.ndarray) -> np.ndarray:
        """Return (n,) int64 classes that (n, height, width, channels) images are taken for.

        Raises:
            InputError: The network has no head.
        """
        labels = self.both(images)[1]
        if labels is None:
            raise InputError(
                f"features {self.name} have no classes, since the outputs of their network are the features; "
                "take a classifier for labels."
            )
        return labels

    def both(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return (n, d) float32 features and (n,) int64 labels, None without a head, in one pass.

        Raises:
            InputError: There is no image.
        """
        if not len(images):
            raise InputError("images must be one or more; received none.")
        network = self._loaded(images[:1])
        parts = [
            self._batch(network, images[first : first + _BATCH]) for first in range(0, len(images), _BATCH)
        ]
        features, outputs = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return features, np.argmax(outputs, axis=1).astype("int64") if self.head else None

    def _batch(self, network: keras.Model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not self.head:
            outputs = np.asarray(_answer(network, images), "float32")
            return outputs, outputs
        seen: list[Any] = []
        with _watched(self._layer, seen.append):
            outputs = np.asarray(_answer(network, images), "float32")
        return np.asarray(seen[-1], "float32"), outputs

    def _loaded(self, image: np.ndarray) -> keras.Model:
        import keras

        if self._network is None:
            network = self._given if isinstance(self._given, keras.Model) else self._given()
            if self.head:
                self._layer = _last_dense(self.name, network, image)
            self._network = network
        return self._network


def _answer(network: keras.Model, images: np.ndarray) -> Any:
    import keras

    return network(keras.ops.convert_to_tensor(images), training=False)


def _last_dense(name: str, network: keras.Model, image: np.ndarray) -> keras.layers.Dense:
    """Return the layer that gives the classes, found by watching one image pass."""
    import keras

    called: list[tuple[Any, Any]] = []

    def noting(layer: Any) -> Callable[[Any], None]:
        return lambda inputs: called.append((layer, inputs))

    with ExitStack() as stack:
        for layer in all_layers(network):
            if isinstance(layer, keras.layers.Dense):
                stack.enter_context(_watched(layer, noting(layer)))
        outputs = _answer(network, image)
    fitting = [layer for layer, x in called if len(x.shape) == 2 and layer.units == outputs.shape[-1]]
    if not fitting:
        raise InputError(
            f"network of the features {name} must end in a dense layer with a unit for each class, but has "
            f"none that gives its {tuple(outputs.shape)} outputs; give head=False if those are the features."
        )
    return fitting[-1]


@contextmanager
def _watched(layer: Any, see: Callable[[Any], object]) -> Iterator[None]:
    """Call `see` with what the layer takes, which works in models of any make, nested ones included."""
    call = layer.call

    def watched(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        see(inputs)
        return call(inputs, *args, **kwargs)

    layer.call = watched
    try:
        yield
    finally:
        del layer.call
