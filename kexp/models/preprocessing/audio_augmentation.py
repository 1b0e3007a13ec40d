"""Augmentation of sounds as Keras layers, to be given to `kexp.fit` as `augmentation`."""

from __future__ import annotations

from typing import Annotated, Any

import keras
import numpy as np
from keras import ops

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.types import Shape, Tensor

__all__ = ["RandomNoise", "RandomSpeedAndShift", "audio_augmentation"]

_LEAST_POWER = 1e-10


def audio_augmentation(
    sample_rate: int,
    *,
    shift_seconds: float = 0.0,
    speed: float = 0.0,
    noise_db: float | None = None,
    seed: int | None = None,
) -> list[keras.layers.Layer]:
    """Build the layers that change a batch of training sounds: faster or slower, moved, in noise.

    Args:
        sample_rate: Samples a second.
        shift_seconds: Farthest move, earlier or later, default 0; what comes in is silence.
        speed: Largest change of speed, and of pitch with it, as a share; default 0, at most 0.5.
        noise_db: Decibels of the sound above the loudest noise; each sound has less, at random, by up to 30
            dB. Default None: no noise.
        seed: Of all draws; None (default) follows `keras.utils.set_random_seed`.

    Returns:
        Layers of (batch, steps, 1) float32 sounds.

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> [layer.__class__.__name__ for layer in audio_augmentation(8000, shift_seconds=0.1, noise_db=10)]
        ['RandomSpeedAndShift', 'RandomNoise']
    """
    check_value("sample_rate", sample_rate, Annotated[int, AtLeast(1)])
    check_value("shift_seconds", shift_seconds, Annotated[float, AtLeast(0.0)])
    first, second = (
        (None, None)
        if seed is None
        else (int(one) >> 1 for one in np.random.SeedSequence(seed).generate_state(2))
    )
    layers: list[keras.layers.Layer] = []
    if speed or shift_seconds:
        layers.append(RandomSpeedAndShift(speed, shift_seconds * sample_rate, seed=first, dtype="float32"))
    if noise_db is not None:
        layers.append(RandomNoise(noise_db, seed=second, dtype="float32"))
    return layers


@keras.saving.register_keras_serializable(package="kexp")
class RandomSpeedAndShift(keras.layers.Layer):
    """Sounds played faster or slower, and begun earlier or later, in training (Ko et al. 2015 for speed).

    Between two samples there is a straight line. Steps of NaN become silence.

    Args:
        speed: Largest change of speed as a share, default 0.1, from 0 to 0.5.
        shift_steps: Farthest move in samples, default 0, 0 or more.
        seed: Of the draws; None (default) follows `keras.utils.set_random_seed`.

    Example:
        >>> sounds = np.arange(6, dtype="float32")[None, :, None]
        >>> RandomSpeedAndShift(0.0, 0.0)(sounds, training=True)[0, :, 0].numpy().tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """

    def __init__(
        self, speed: float = 0.1, shift_steps: float = 0.0, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        check_value("speed", speed, Annotated[float, Between(0, 0.5)])
        check_value("shift_steps", shift_steps, Annotated[float, AtLeast(0.0)])
        self.speed, self.shift_steps, self.seed = speed, shift_steps, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, sounds: Tensor, training: bool = False) -> Any:
        """Return (batch, steps, 1) of the same shape."""
        if not training:
            return sounds
        sounds = ops.where(ops.isnan(sounds), ops.zeros_like(sounds), sounds)
        batch, steps = ops.shape(sounds)[0], sounds.shape[1]
        drawn = [
            keras.random.uniform((batch, 1), -1, 1, dtype="float32", seed=self.generator) for _ in range(2)
        ]
        places = ops.cast(ops.arange(steps), "float32")[None] * (1 + self.speed * drawn[0])
        places = places + ops.round(self.shift_steps * drawn[1])  # (batch, steps)
        before = ops.floor(places)
        share = ops.expand_dims(places - before, -1)
        return self._at(sounds, before, steps) * (1 - share) + self._at(sounds, before + 1, steps) * share

    def _at(self, sounds: Tensor, places: Tensor, steps: int) -> Any:
        """Return (batch, steps, 1) of the samples at places, 0 beyond either end."""
        inside = ops.logical_and(places >= 0, places <= steps - 1)
        index = ops.cast(ops.clip(places, 0, steps - 1), "int32")
        taken = ops.take_along_axis(ops.squeeze(sounds, -1), index, axis=-1)
        return ops.expand_dims(ops.where(inside, taken, ops.zeros_like(taken)), -1)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"speed": self.speed, "shift_steps": self.shift_steps, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kexp")
class RandomNoise(keras.layers.Layer):
    """Normal noise added to sounds in training, of a loudness of its own in each.

    Args:
        loudest_db: Decibels of the sound above the loudest noise, of the mean power of both; default 10.
        range_db: Decibels from the loudest noise to the faintest, default 30, 0 or more.
        seed: Of the draws; None (default) follows `keras.utils.set_random_seed`.

    Example:
        >>> sounds = np.ones((2, 100, 1), "float32")
        >>> float(np.std(RandomNoise(20.0, 0.0, seed=1)(sounds, training=True))) < 0.15
        True
    """

    def __init__(
        self, loudest_db: float = 10.0, range_db: float = 30.0, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        check_value("loudest_db", loudest_db, float)
        check_value("range_db", range_db, Annotated[float, AtLeast(0.0)])
        self.loudest_db, self.range_db, self.seed = loudest_db, range_db, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, sounds: Tensor, training: bool = False) -> Any:
        """Return (batch, steps, 1) of the same shape."""
        if not training:
            return sounds
        sounds = ops.where(ops.isnan(sounds), ops.zeros_like(sounds), sounds)
        power = ops.mean(ops.square(sounds), axis=1, keepdims=True)
        drawn = keras.random.uniform((ops.shape(sounds)[0], 1, 1), dtype="float32", seed=self.generator)
        decibels = self.loudest_db + self.range_db * drawn
        deviation = ops.sqrt(ops.maximum(power, _LEAST_POWER) * ops.power(10.0, -decibels / 10))
        noise = keras.random.normal(ops.shape(sounds), dtype="float32", seed=self.generator)
        return sounds + ops.cast(deviation * noise, sounds.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"loudest_db": self.loudest_db, "range_db": self.range_db, "seed": self.seed}
        return {**super().get_config(), **own}
