"""The players of a GAN fit images of any size, and every step of theirs compiles."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import kexp
from kexp.core.errors import InputError
from tests.models.checks import built_under

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=(6, 5)).astype("float32")
LABELS = np.arange(6, dtype="int32") % 3
IMAGES = RANDOM.uniform(-1, 1, (6, 7, 10, 1)).astype("float32")


def generator(conditional=True, **options):
    classes = 3 if conditional else None
    return kexp.models.gan_generator((7, 10, 1), latent=5, classes=classes, filters=(6, 4), **options)


def discriminator(conditional=True, **options):
    classes = 3 if conditional else None
    return kexp.models.gan_discriminator((7, 10, 1), classes=classes, filters=(4, 6), **options)


PLAYERS = {
    "generator": (lambda: generator(), [NOISE, LABELS]),
    "generator_plain": (lambda: generator(conditional=False, normalization="none"), NOISE),
    "discriminator": (lambda: discriminator(normalization="layer"), [IMAGES, LABELS]),
    "discriminator_spectral": (lambda: discriminator(spectral=True), [IMAGES, LABELS]),
    "discriminator_plain": (lambda: discriminator(conditional=False, normalization="batch"), IMAGES),
}


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_the_players_have_the_parameters_of_a_hand_count():
    model = kexp.models.gan_generator((32, 32, 3), latent=100, classes=10)
    dense = 200 * 4 * 4 * 256 + 2 * 256
    doubled = 16 * 256 * 128 + 2 * 128 + 16 * 128 * 64 + 2 * 64
    assert trainable(model) == 10 * 100 + dense + doubled + 16 * 64 * 3 + 3
    model = kexp.models.gan_discriminator((32, 32, 3), classes=10, spectral=True)
    halved = 16 * 3 * 64 + 64 + 16 * 64 * 128 + 128 + 16 * 128 * 256 + 256
    assert trainable(model) == halved + 4 * 4 * 256 + 1 + 10 * 256
    assert model.count_params() - trainable(model) == 64 + 128 + 256 + 1 + 256  # directions


@pytest.mark.parametrize(
    ("shape", "stages"),
    [((28, 28, 1), 2), ((8, 8, 1), 1), ((32, 32, 3), 3), ((30, 45, 2), 2), ((1, 3, 1), 1)],
)
def test_the_players_fit_images_of_any_size(shape, stages):
    model = kexp.models.gan_generator(shape, latent=3)
    assert sum(isinstance(layer, layers.Conv2DTranspose) for layer in model.layers) == stages
    images = model(np.zeros((2, 3), "float32"))
    assert images.shape == (2, *shape)
    critic = kexp.models.gan_discriminator(shape)
    assert sum(isinstance(layer, layers.Conv2D) for layer in critic.layers) == stages
    assert critic(images).shape == (2, 1)


@pytest.mark.parametrize("name", PLAYERS)
def test_every_weight_learns_and_saving_keeps_the_answers(name, tmp_path):
    keras.utils.set_random_seed(0)
    build, inputs = PLAYERS[name]
    model = build()
    before = [np.copy(weight) for weight in model.trainable_weights]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(inputs, training=True) - 0.5))
    keras.optimizers.SGD(100.0).apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
    pairs = zip(before, model.trainable_weights, strict=True)
    assert [weight.path for old, weight in pairs if np.array_equal(old, weight)] == []
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs, training=False), model(inputs, training=False))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["generator", "discriminator_spectral"])  # more than those without
def test_the_gradient_compiles_whole_under_xla(name):
    build, inputs = PLAYERS[name]
    model = build()

    def gradients(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(inputs, training=True)))
        return tape.gradient(loss, model.trainable_weights)

    before = model.get_weights()
    inputs = tf.nest.map_structure(tf.constant, inputs)
    plain = gradients(inputs)
    model.set_weights(before)  # a call in training turns the directions of spectral normalisation
    compiled = tf.function(gradients, jit_compile=True)(inputs)
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(one), tf.convert_to_tensor(other), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("spectral", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_gradient_penalty_compiles_whole_under_xla(spectral):
    model = discriminator(conditional=False, spectral=spectral)

    def penalised(images):
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(images)
                scores = model(images, training=True)
            slopes = tf.reshape(inner.gradient(scores, images), (6, -1))
            loss = tf.reduce_mean(tf.square(tf.norm(slopes, axis=-1) - 1)) + tf.reduce_mean(scores)
        return tape.gradient(loss, model.trainable_weights)

    compiled = tf.function(penalised, jit_compile=True)(tf.constant(IMAGES))
    assert [one.shape for one in compiled] == [weight.shape for weight in model.trainable_weights]
    assert all(np.isfinite(one).all() for one in compiled)


def test_a_class_changes_what_both_players_answer():
    keras.utils.set_random_seed(0)
    for model, inputs in ((generator(), NOISE), (discriminator(), IMAGES)):
        one, other = (np.asarray(model([inputs, np.full(6, label)])) for label in (0, 2))
        assert not np.allclose(one, other, rtol=1e-3, atol=0)


def test_the_score_of_a_class_is_a_projection():
    keras.utils.set_random_seed(0)
    model = discriminator()
    vectors = np.asarray(model.get_layer("class_vectors").embeddings)
    last = keras.Model(model.inputs, [layer.output for layer in model.layers if "conv2d" in layer.name][-1])
    one, other = (np.asarray(model([IMAGES, np.full(6, label)])) for label in (0, 2))
    pixels = np.asarray(last([IMAGES, LABELS]))
    summed = np.where(pixels > 0, pixels, 0.2 * pixels).sum(axis=(1, 2))
    np.testing.assert_allclose((one - other)[:, 0], summed @ (vectors[0] - vectors[2]), atol=1e-6)


@pytest.mark.parametrize("layer", [layers.Dense(4, use_bias=False), layers.Conv2D(4, 2, use_bias=False)])
def test_weights_count_as_divided_by_their_largest_singular_value(layer):
    keras.utils.set_random_seed(0)
    spectral = kexp.models.SpectralNormalized(layer, use_bias=True)
    for _ in range(100):
        spectral(IMAGES, training=True)
    kernel = np.asarray(layer.kernel)
    largest = np.linalg.svd(kernel.reshape(-1, 4), compute_uv=False)[0]
    answers = np.asarray(spectral(IMAGES))
    np.testing.assert_allclose(answers, np.asarray(layer(IMAGES)) / largest, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(kernel, layer.kernel)  # a call is no step of an optimizer
    np.testing.assert_array_equal(answers, spectral(IMAGES))


def test_the_gradient_sees_the_division():
    keras.utils.set_random_seed(0)
    layer = layers.Dense(4, use_bias=False)
    spectral = kexp.models.SpectralNormalized(layer)
    rows = NOISE[:2]
    spectral(rows)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(spectral(rows)))
    gradient = np.asarray(tape.gradient(loss, layer.kernel.value))
    # The quotient is the same however long the weights are, so that no gradient points along them.
    assert np.sum(gradient * np.asarray(layer.kernel)) == pytest.approx(0, abs=1e-5)
    assert np.abs(gradient).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "policy"),
    [
        *((name, "mixed_float16") for name in ("generator", "discriminator_spectral", "discriminator_plain")),
        ("discriminator_spectral", "mixed_bfloat16"),
    ],
)
def test_mixed_precision_gives_nearly_the_same_answers_in_float32(name, policy):
    build, inputs = PLAYERS[name]
    exact, mixed = build(), built_under(policy, build)
    assert policy[6:] in {layer.compute_dtype for layer in mixed.layers}
    mixed.set_weights(exact.get_weights())
    expected, answers = np.asarray(exact(inputs, training=True)), mixed(inputs, training=True)
    assert answers.dtype == tf.float32
    np.testing.assert_allclose(answers, expected, atol=0.05 * np.abs(expected).max())


def test_bytes_go_to_the_range_of_tanh_and_come_back():
    every = np.arange(256, dtype="uint8")
    numbers = np.asarray(kexp.models.tanh_from_pixels(every))
    assert (numbers.dtype, numbers.min(), numbers.max()) == ("float32", -1, 1)
    np.testing.assert_array_equal(kexp.models.pixels_from_tanh(numbers), every)
    with pytest.raises(InputError, match="images must be bytes, of dtype uint8; received float32"):
        kexp.models.tanh_from_pixels(numbers)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: kexp.models.gan_generator((28, 28)),
            r"output_shape must be \(height, width, channels\); received \(28, 28\)",
        ),
        (
            lambda: kexp.models.gan_discriminator((None, 28, 1)),
            r"input_shape must be \(height, width, channels\); received \(None, 28, 1\)",
        ),
        (
            lambda: kexp.models.gan_generator((8, 8, 1), latent=0),
            "latent must be 1 number or more; received 0",
        ),
        (lambda: kexp.models.gan_discriminator((8, 8, 1), classes=0), "classes must be 1 or more, or None"),
        (
            lambda: kexp.models.gan_generator((8, 8, 1), filters=()),
            "filters must be those of one stage or more",
        ),
        (
            lambda: kexp.models.SpectralNormalized(layers.Dense(2)),
            "layer must have neither bias nor activation; received dense",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()
