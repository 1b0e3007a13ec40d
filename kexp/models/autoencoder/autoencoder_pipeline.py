"""An autoencoder with what stands before it, as the model that is recorded, asked and exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor, TensorLike
from kexp.models.autoencoder.autoencoder_networks import decoder, encoder
from kexp.models.image_generator import FIRST_DRAW, normal
from kexp.models.signatures import Signature

__all__ = ["Reconstructor"]

ErrorKind = Literal["cross_entropy", "squared"]


@keras.saving.register_keras_serializable(package="kexp")
class Reconstructor(keras.Model):
    """An autoencoder's outputs for raw inputs: the reconstruction, its code, and its error.

    Called with raw inputs it gives {"reconstruction": (batch, ...) float32, "code": (batch, ...) float32,
    "anomaly_score": (batch,) float32}. The score is the mean squared difference of the reconstruction and
    what the autoencoder was given, both on the scale of the reconstruction; high for inputs unlike those of
    training.

    Args:
        autoencoder: From `autoencoder`, `convolutional_autoencoder` or `vae`; of the last, the code is the
            mean.
        preprocessing: From raw inputs to what it takes; None (default): it takes them as they are.
        error: What it was trained by: with "cross_entropy" (default) its outputs are logits and the
            reconstruction has numbers from 0 to 1, as `bernoulli_loss` takes them; with "squared" the outputs
            are the reconstruction itself.

    Raises:
        InputError: The model is no autoencoder of these.

    Example:
        >>> import kexp
        >>> model = Reconstructor(kexp.models.autoencoder((8, 8, 1), code=5))
        >>> answers = model(np.zeros((2, 8, 8, 1), "uint8"))
        >>> {name: tuple(answer.shape) for name, answer in answers.items()}
        {'reconstruction': (2, 8, 8, 1), 'code': (2, 5), 'anomaly_score': (2,)}
    """

    def __init__(
        self,
        autoencoder: keras.Model,
        preprocessing: keras.Model | None = None,
        *,
        error: ErrorKind = "cross_entropy",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if error not in ("cross_entropy", "squared"):
            raise InputError(f"error must be 'cross_entropy' or 'squared'; received {error!r}.")
        encoder(autoencoder), decoder(autoencoder)  # say what is wrong with it
        self.autoencoder, self.preprocessing, self.error = autoencoder, preprocessing, error
        self.built = True  # its parts are

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """Return "reconstruction", "code" and "anomaly_score" of raw inputs."""
        given = self._given(inputs)
        code = self._code(given)
        reconstruction = self._decoded(code)
        reconstruction_error = ops.square(reconstruction - self._scaled(given))
        score = ops.mean(reconstruction_error, axis=tuple(range(1, len(reconstruction_error.shape))))
        return {"reconstruction": reconstruction, "code": code, "anomaly_score": score}

    def encode(self, inputs: TensorLike) -> Any:
        """Return the code of raw inputs."""
        return self._code(self._given(inputs))

    def decode(self, code: TensorLike) -> Any:
        """Return the reconstruction that a code stands for."""
        return self._decoded(code)

    def sample(self, n: Any, seed: Any) -> Any:
        """Return the reconstructions of n codes from the standard normal distribution.

        Of a variational autoencoder these are samples: the probability of white for each pixel.
        """
        return self._decoded(normal((n, *decoder(self.autoencoder).input_shape[1:]), seed, FIRST_DRAW))

    @property
    def variational(self) -> bool:
        """Whether an input has a distribution of codes, so that codes can be drawn."""
        return len(encoder(self.autoencoder).outputs) == 2

    def signatures(self) -> dict[str, Signature]:
        """Return what an export serves besides: parts of the outputs, and samples of a variational one.

        "encode", "reconstruct" and "anomaly_score" take raw inputs, "decode" takes a "code"; "sample" takes
        "n", int32, and "seed", int64.
        """
        import tensorflow as tf

        shape = decoder(self.autoencoder).input_shape[1:]
        found = {
            name: Signature(lambda inputs, key=key: {key: self(inputs, training=False)[key]}, None, None)
            for name, key in (("reconstruct", "reconstruction"), ("anomaly_score", "anomaly_score"))
        }
        found["encode"] = Signature(lambda inputs: {"code": self.encode(inputs)}, None, None)
        found["decode"] = Signature(
            lambda code: {"reconstruction": self.decode(code)},
            {"code": tf.TensorSpec((None, *shape), tf.float32, name="code")},
            {"code": np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")},
        )
        if self.variational:
            found["sample"] = Signature(
                lambda n, seed: {"reconstruction": self.sample(n, seed)},
                {
                    "n": tf.TensorSpec((), tf.int32, name="n"),
                    "seed": tf.TensorSpec((), tf.int64, name="seed"),
                },
                {"n": np.array(3, "int32"), "seed": np.array(7, "int64")},
            )
        return found

    def _given(self, inputs: Tensor) -> Any:
        """Return what the autoencoder takes."""
        return inputs if self.preprocessing is None else self.preprocessing(inputs)

    def _code(self, given: Any) -> Any:
        code = encoder(self.autoencoder)(given, training=False)
        return code[0] if self.variational else code

    def _decoded(self, code: Tensor) -> Any:
        outputs = ops.cast(decoder(self.autoencoder)(code, training=False), "float32")
        return ops.sigmoid(outputs) if self.error == "cross_entropy" else outputs

    def _scaled(self, given: Any) -> Any:
        given = ops.convert_to_tensor(given)
        scale = 255.0 if keras.backend.standardize_dtype(given.dtype) == "uint8" else 1.0
        return ops.cast(given, "float32") / scale

    def get_config(self) -> dict[str, Any]:
        parts = {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in ("autoencoder", "preprocessing")
        }
        return {**super().get_config(), **parts, "error": self.error}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Reconstructor:
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("autoencoder", "preprocessing")
        }
        return cls(**{**config, **parts})
