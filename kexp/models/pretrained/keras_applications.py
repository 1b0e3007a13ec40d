"""Networks of `keras.applications`, flat and from raw images, with weights that were downloaded before."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras

from kexp.core.errors import InputError
from kexp.core.foreign_files import guarded, reading
from kexp.core.graph_names import names_counted_anew
from kexp.core.hdf5_file import require_own_hdf5
from kexp.core.keras_private import application_weights, flat_calls
from kexp.core.pretrained_catalog import PretrainedFacts, prepared_folder_of, prepared_weights

_OF_SIZES = r"`input_shape` is undefined or non-square"  # MobileNet's, whose weights of 224 × 224 are meant


class WeightsRequest(NamedTuple):
    """A file that a builder of `keras.applications` asks for.

    Attributes:
        file: Its name.
        url: Its address.
        checksum: As Keras's module has it; None: it has none.
    """

    file: str
    url: str
    checksum: str | None


def application_features(
    facts: PretrainedFacts, inputs: Any, x: Any, *, top: bool, weights: Path | None, random: bool
) -> keras.Model:
    """Return a network of `keras.applications` on an image.

    Args:
        facts: Of the network.
        inputs: The input that `x` was made of.
        x: (batch, height, width, 3), scaled as the network takes it.
        top: With the head for its own classes, as logits, else up to the mean over all places.
        weights: A .h5 file of other weights; None: those that were prepared.
        random: Its first weights, for which no file is needed.

    Raises:
        InputError: The weights were not downloaded or are not of the network, or the image is too small.
    """
    path = None if random or weights else _prepared_path(facts, top)
    with guarded(f"name={facts.name!r}", f"a network of images of {x.shape[1:3]}", "pass another image_size"):
        network, _ = _built(facts, x, top, path)
    nested = any(isinstance(layer, keras.Model) for layer in network.layers)  # of ConvNeXt
    output = flat_calls(network)[-1][2] if nested else network.output
    model = keras.Model(inputs, output, name="backbone")
    if weights is not None:
        load_hdf5_weights([network, model] if nested else [model], weights)
    return model


def load_hdf5_weights(models: Sequence[keras.Model], path: Path) -> None:
    """Load weights that Keras saved into one of several models of the same layers.

    Args:
        models: Those that the weights may be of, in other forms; one of them must take all.
        path: A .h5 file.

    Raises:
        InputError: They are of another network, or not all there.
    """
    advice = "give weights that Keras saved of this network"
    require_own_hdf5(path, advice)
    for model in models:
        # Keras skips what it does not find of models inside, with a warning.
        with warnings.catch_warnings(), reading(path, "weights of this network", advice):
            warnings.simplefilter("error", UserWarning)
            try:
                model.load_weights(path)
            except (ValueError, UserWarning):
                if model is models[-1]:
                    raise
            else:
                return


def weights_request(facts: PretrainedFacts, *, top: bool) -> WeightsRequest:
    """Return the file that Keras's builder would download, which is found out by building the network.

    Args:
        facts: Of the network.
        top: With the head for its own classes.
    """
    image = keras.Input((facts.image_size, facts.image_size, 3))
    return _built(facts, image, top, None)[1]


def _built(facts: PretrainedFacts, x: Any, top: bool, path: str | None) -> tuple[keras.Model, WeightsRequest]:
    asked: list[WeightsRequest] = []

    def answer(file: str, url: str, checksum: str | None) -> str | None:
        asked.append(WeightsRequest(file, url, checksum))
        return path

    build = getattr(keras.applications, facts.keras_name)
    head: dict[str, Any] = {"classifier_activation": None} if top else {"pooling": "avg"}
    with warnings.catch_warnings(), application_weights(answer), names_counted_anew():
        warnings.filterwarnings("ignore", _OF_SIZES)
        network = build(
            weights="imagenet", input_tensor=x, input_shape=tuple(x.shape[1:]), include_top=top, **head
        )
    return network, asked[-1]


def _prepared_path(facts: PretrainedFacts, top: bool) -> str:
    found = prepared_weights(facts, top=top)
    option = " --top" if top else ""
    if found is None:
        raise InputError(
            f"name={facts.name!r}: expected its weights in {prepared_folder_of(facts.name, top=top)}; "
            f"download them with `kexp models prepare {facts.name}{option}`, or pass weights='random'."
        )
    require_own_hdf5(found.path, f"run `kexp models prepare {facts.name}{option}` again in an empty folder")
    return str(found.path)
