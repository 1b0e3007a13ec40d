"""Networks for sounds: the spectrogram is that of Keras, and not of loudness, padding or other sounds."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.models import LogMelSpectrogram, RandomNoise, RandomSpeedAndShift, SpectrogramMasks

RATE = 8000


def sounds(count=3, steps=4000):
    return np.random.default_rng(0).normal(size=(count, steps, 1)).astype(np.float32)


def test_the_spectrogram_is_that_of_keras_on_a_scale_of_each_sound():
    x = sounds()
    layer = LogMelSpectrogram(RATE, frame_seconds=256 / RATE, hop_seconds=64 / RATE)
    theirs = keras.layers.MelSpectrogram(
        fft_length=256,
        sequence_stride=64,
        sampling_rate=RATE,
        num_mel_bins=40,
        min_freq=60,
        power_to_db=False,
    )
    own = np.asarray(layer(x))[..., 0]
    # Keras puts a frame around its middle: the first two reach over the beginning.
    power = np.swapaxes(np.asarray(theirs(x[..., 0])), 1, 2)[:, 2 : 2 + own.shape[1]]
    expected = 1 + 10 * np.log10(power / power.max(axis=(1, 2), keepdims=True)) / 60
    np.testing.assert_allclose(own, np.maximum(expected, 0), atol=1e-5)


def test_a_spectrogram_knows_no_loudness_no_padding_and_no_other_sound():
    x = sounds()
    x[1, 2000:] = np.nan
    layer = LogMelSpectrogram(RATE)
    whole = np.asarray(layer(x))
    silent = np.where(np.isnan(x), 0, x)
    np.testing.assert_allclose(layer(silent * 0.01), whole, atol=1e-4)
    np.testing.assert_allclose(layer(x[1:2]), whole[1:2], atol=1e-6)
    assert np.isfinite(np.asarray(layer(np.zeros((1, 4000, 1), np.float32)))).all()


def test_masks_are_one_stretch_of_frames_and_one_of_bands():
    spectrogram = np.ones((50, 30, 20, 1), np.float32)
    masked = np.asarray(SpectrogramMasks(0.5, 0.5, seed=3)(spectrogram, training=True))[..., 0] == 0
    for one in masked:
        frames, bands = one.all(axis=1), one.all(axis=0)
        assert (one == (frames[:, None] | bands[None])).all()
        for places, most in ((frames, 15), (bands, 10)):
            assert places.sum() <= most
            assert np.count_nonzero(np.diff(places.astype(int)) == 1) + places[0] <= 1
    assert masked.mean() > 0.2


def test_augmented_sounds_are_faster_later_and_in_noise_of_the_loudness_asked_for():
    time = np.arange(RATE, dtype=np.float32)
    x = np.repeat(np.sin(time * 2 * np.pi * 500 / RATE)[None, :, None], 20, axis=0)
    faster = np.asarray(RandomSpeedAndShift(0.2, 0.0, seed=1)(x, training=True))[:, :6000, 0]
    pitches = np.abs(np.fft.rfft(faster)).argmax(axis=1) * RATE / 6000
    assert 380 < pitches.min() < 450 < 550 < pitches.max() < 620
    moved = np.asarray(RandomSpeedAndShift(0.0, 800.0, seed=1)(x, training=True))[..., 0]
    silent = (moved == 0).sum(axis=1)
    assert 0 < silent.max() <= 820
    noisy = np.asarray(RandomNoise(10.0, 0.0, seed=1)(x, training=True))
    assert 10 * np.log10(np.var(x) / np.var(noisy - x)) == pytest.approx(10, abs=0.2)
    padded = x.copy()
    padded[:, 4000:] = np.nan
    for layer in kexp.models.audio_augmentation(RATE, shift_seconds=0.1, speed=0.1, noise_db=10, seed=0):
        assert np.isfinite(np.asarray(layer(padded, training=True))).all()
        np.testing.assert_array_equal(layer(padded), padded)


@pytest.mark.parametrize("build", [kexp.models.ds_cnn, kexp.models.crnn])
def test_a_step_of_a_network_of_sounds_is_the_same_compiled_by_xla(build):
    model = build((4000, 1), 4, sample_rate=RATE, bands=20)
    x = sounds()

    def gradient(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True)))
        return tape.gradient(loss, model.trainable_variables)

    plain, compiled = tf.function(gradient)(x), tf.function(gradient, jit_compile=True)(x)
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_what_is_no_sound_is_refused():
    with pytest.raises(kexp.InputError, match=r"input_shape must be \(steps, 1\)"):
        kexp.models.ds_cnn((28, 28, 1), 10, sample_rate=RATE)
    with pytest.raises(kexp.InputError, match="a frame has 256 samples"):
        kexp.models.crnn((100, 1), 10, sample_rate=RATE)
    with pytest.raises(kexp.InputError, match="give fewer bands or longer frames"):
        kexp.models.ds_cnn((8000, 1), 10, sample_rate=RATE, bands=80, frame_seconds=0.01)


def test_a_wider_beam_joins_the_ways_of_a_text_that_the_best_token_of_each_frame_misses():
    target = kexp.models.tokenizer(["a", "b"], split="character")
    inputs = keras.Input((2, 6))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    # Blank is likeliest in both frames (0.36 together), and "a" as a text (0.64 less what else is there).
    logits = np.log(np.array([[[0.6, 1e-9, 1e-9, 1e-9, 0.4, 1e-9]] * 2], np.float32))
    found = {beam: kexp.models.sound_transcriber(model, target, beam=beam)(logits) for beam in (1, 4)}
    texts = {beam: answers["text"].numpy()[0].decode() for beam, answers in found.items()}
    assert texts == {1: "", 4: "a"}
    probabilities = {beam: float(np.exp(answers["log_probability"][0])) for beam, answers in found.items()}
    assert probabilities == pytest.approx({1: 0.36, 4: 0.64}, abs=1e-3)
