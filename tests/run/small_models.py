"""Small models of many layers, whose names cross from one number of digits to the next."""

import hashlib

import keras
import numpy as np
from keras import layers

import kexp

# Each step, measured in batches as small as those that are trained on, takes its time.
SAMPLES = 64
CLASSES = tuple("0123456789")
OPTIONS = {"epochs": 1, "overfit_batches": 4, "batch_size": 4, "accumulate": 2, "ema": 0.9, "quiet": True}


def table():
    rows = np.random.default_rng(0).normal(size=(SAMPLES, 36)).astype("float32")
    return kexp.data.load((rows, np.arange(SAMPLES) % 4))


def series():
    rows = np.random.default_rng(0).normal(size=(SAMPLES, 12, 3)).astype("float32")
    return kexp.data.load((rows, np.arange(SAMPLES) % 4))


def mlp():
    inputs = keras.Input((36,))
    x = layers.Dense(8)(inputs)
    for _ in range(5):
        branch = layers.Activation("relu")(layers.BatchNormalization()(layers.Dense(8)(x)))
        x = layers.Dropout(0.1)(branch) + layers.Dense(8)(x)
    return keras.Model(inputs, layers.Dense(4)(x)), table(), {}


def branches():
    inputs = keras.Input((36,))
    x = layers.Dense(8)(inputs)
    x = layers.Add()([layers.Dense(8)(x) for _ in range(11)])
    return keras.Model(inputs, layers.Dense(4)(x)), table(), {}


def lstm():
    inputs = keras.Input((12, 3))
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(inputs)
    x = layers.LSTM(8, recurrent_dropout=0.1)(layers.Bidirectional(layers.GRU(8, return_sequences=True))(x))
    return keras.Model(inputs, layers.Dense(4)(layers.Dropout(0.2)(x))), series(), {}


def transformer():
    inputs = keras.Input((12, 3))
    x = layers.Dense(16)(inputs)
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8, dropout=0.1)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(16)(layers.Dense(32, "gelu")(x)))
    return keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling1D()(x))), series(), {}


def gan():
    generator = kexp.models.gan_generator((8, 8, 1), latent=4, classes=10, filters=(8,))
    discriminator = kexp.models.gan_discriminator((8, 8, 1), classes=10, filters=(8, 8))
    model = kexp.models.GAN(generator, discriminator, class_names=CLASSES)
    return model, kexp.data.load("digits"), {"objective": kexp.objectives.adversarial()}


def diffusion():
    network = kexp.models.diffusion_unet((8, 8, 1), classes=10, filters=(4,), dropout=0.2)
    model = kexp.models.Diffusion(network, steps=20, sample_steps=4, class_names=CLASSES)
    return model, kexp.data.load("digits"), {"objective": kexp.objectives.denoising()}


def trained(build, run_dir, **options):
    """Return the result of a short run, the same each time but for what the process did before."""
    keras.utils.set_random_seed(1)
    model, data, own = build()
    return kexp.fit(model, data, run_dir=str(run_dir), **{**OPTIONS, **own, **options})


def bits(result):
    """Return what tells weights and metrics of one run from those of another."""
    weights = b"".join(np.asarray(weight).tobytes() for weight in result.model.weights)
    return hashlib.sha256(weights).hexdigest(), result.metrics
