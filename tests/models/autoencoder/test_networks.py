"""Autoencoders give back what they are given, through parts that can be taken alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kexp
from kexp.core.errors import InputError
from tests.models.checks import (
    assert_saving_keeps_the_answers,
    assert_the_gradient_compiles_under_xla,
    built_under,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 7, 10, 1), dtype="uint8")


def convolutional(**options):
    return kexp.models.convolutional_autoencoder((7, 10, 1), filters=(4, 3), activation="tanh", **options)


BUILDERS = {
    "dense": lambda **options: kexp.models.autoencoder(
        (7, 10, 1), code=5, hidden=(8,), activation="tanh", code_activation="tanh", **options
    ),
    "convolutional": convolutional,
    "convolutional_dense": lambda **options: convolutional(code=5, code_activation="tanh", **options),
    "vae": lambda **options: kexp.models.vae((7, 10, 1), code=5, hidden=(8,), activation="tanh", **options),
}


def objective(model, images, training=True):
    loss = ops.mean(kexp.models.bernoulli_loss(images, model(images, training=training)))
    return loss + sum(model.losses)


def gradients(model, images):
    with tf.GradientTape() as tape:
        loss = objective(model, images)
    return tape.gradient(loss, model.trainable_weights)


def test_the_models_have_the_parameters_of_a_hand_count():
    dense = kexp.models.autoencoder((28, 28, 1), code=30, hidden=(1000, 500), code_activation="linear")
    half = 1000 * 500 + 500 * 30
    assert dense.count_params() == 2 * (784 * 1000 + half) + 1000 + 500 + 30 + 500 + 1000 + 784
    variational = kexp.models.vae((28, 28, 1), code=16)
    half = 784 * 512 + 512 * 256
    biases = 512 + 256 + 2 * 16 + 256 + 512 + 784
    # A seed takes two numbers more, which no optimizer changes.
    counted = sum(int(np.prod(weight.shape)) for weight in variational.trainable_weights)
    assert counted == 2 * half + 3 * 256 * 16 + biases
    narrow = kexp.models.convolutional_autoencoder((28, 28, 1), code=10)
    assert narrow.count_params() == 4385 + 128 * 10 + 10 + 10 * 128 + 128


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("normalization", ["none", pytest.param("batch", marks=pytest.mark.slow)])
def test_every_weight_learns_and_saving_keeps_the_answers(name, normalization, tmp_path):
    keras.utils.set_random_seed(0)
    model = BUILDERS[name](normalization=normalization)
    optimizer = keras.optimizers.SGD(0.1)
    before = [np.copy(weight) for weight in model.trainable_weights]
    optimizer.apply(gradients(model, IMAGES), model.trainable_weights)
    changed = [not np.array_equal(old, new) for old, new in zip(before, model.trainable_weights, strict=True)]
    assert all(changed)
    assert_saving_keeps_the_answers(model, IMAGES, tmp_path)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for part in (kexp.models.encoder, kexp.models.decoder):
        for one, other in zip(part(model).get_weights(), part(loaded).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", [(8, 8), (13, 6), (1, 2)])
def test_answers_have_the_size_of_the_images(size):
    model = kexp.models.convolutional_autoencoder((*size, 3), filters=(4, 3, 2))
    assert model(np.zeros((2, *size, 3), "uint8")).shape == (2, *size, 3)


@pytest.mark.parametrize("name", BUILDERS)
def test_the_parts_together_answer_as_the_model(name):
    model = BUILDERS[name]()
    code = kexp.models.encoder(model)(IMAGES, training=False)
    code = code[0] if name == "vae" else code
    assert code.shape[1:] == kexp.models.decoder(model).input_shape[1:]
    answers = kexp.models.decoder(model)(code, training=False)
    assert answers.shape == IMAGES.shape
    np.testing.assert_array_equal(answers, model(IMAGES, training=False))


def test_bytes_are_scaled_to_one():
    keras.utils.set_random_seed(0)
    of_bytes, of_floats = BUILDERS["dense"](), BUILDERS["dense"](dtype="float32")
    of_floats.set_weights(of_bytes.get_weights())
    floats = IMAGES / np.float32(255)
    np.testing.assert_allclose(of_bytes(IMAGES), of_floats(floats), atol=1e-5)
    one, other = (kexp.models.bernoulli_loss(images, of_bytes(IMAGES)) for images in (IMAGES, floats))
    np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("kind", ["gaussian", "masking"])
def test_noise_is_of_the_training_alone(kind):
    model = BUILDERS["dense"](noise=0.4, noise_kind=kind)
    plain = np.asarray(model(IMAGES, training=False))
    np.testing.assert_array_equal(plain, model(IMAGES, training=False))
    assert not np.allclose(plain, model(IMAGES, training=True))
    assert not np.array_equal(model(IMAGES, training=True), model(IMAGES, training=True))


def test_noise_has_the_deviation_or_the_share_that_was_asked_for():
    ones = np.ones((100, 200), "float32")
    gaussian = kexp.models.InputNoise(0.3, seed=1)(ones, training=True) - ones
    assert np.std(gaussian) == pytest.approx(0.3, abs=0.01)
    assert np.mean(gaussian) == pytest.approx(0.0, abs=0.01)
    masked = kexp.models.InputNoise(0.3, "masking", seed=1)(ones, training=True)
    assert np.mean(np.equal(masked, 0)) == pytest.approx(0.3, abs=0.02)


def test_a_sparse_code_costs_the_sum_of_its_absolute_values():
    model = BUILDERS["dense"](sparsity=0.5)
    model(IMAGES)
    code = np.asarray(kexp.models.encoder(model)(IMAGES))
    expected = 0.5 * np.abs(code).sum(axis=-1).mean()
    assert [float(loss) for loss in model.losses] == pytest.approx([expected], rel=1e-5)


def test_the_divergence_is_that_of_its_definition_and_the_only_loss_of_the_model():
    model = BUILDERS["vae"](beta=3.0)
    mean, log_variance = (np.asarray(part) for part in kexp.models.encoder(model)(IMAGES))
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(axis=-1)
    np.testing.assert_allclose(kexp.models.gaussian_kl(mean, log_variance), divergence, rtol=1e-5)
    for training in (False, True):
        model(IMAGES, training=training)
        assert [float(loss) for loss in model.losses] == pytest.approx([3 * divergence.mean()], rel=1e-4)


def test_draws_have_the_mean_and_the_variance_of_their_distribution():
    mean = np.tile(np.array([[1.0, -2.0]], "float32"), (20_000, 1))
    log_variance = np.tile(np.log(np.array([[4.0, 0.25]], "float32")), (20_000, 1))
    drawn = np.asarray(kexp.models.GaussianSample(seed=0)(mean, log_variance, training=True))
    np.testing.assert_allclose(drawn.mean(axis=0), [1, -2], atol=0.05)
    np.testing.assert_allclose(drawn.std(axis=0), [2, 0.5], rtol=0.03)


def test_the_reconstruction_loss_is_the_sum_of_the_binary_crossentropies():
    logits = np.random.default_rng(1).normal(size=IMAGES.shape).astype("float32")
    chances, targets = 1 / (1 + np.exp(-logits)), IMAGES / 255
    expected = -(targets * np.log(chances) + (1 - targets) * np.log(1 - chances)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(kexp.models.bernoulli_loss(IMAGES, logits), expected, rtol=1e-4)


def test_plain_keras_trains_it():
    keras.utils.set_random_seed(0)
    model = BUILDERS["vae"]()
    model.compile(keras.optimizers.Adam(0.01), kexp.models.bernoulli_loss, jit_compile=False)
    history = model.fit(IMAGES, IMAGES, batch_size=6, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convolutional_dense", "vae"])  # which have all layers of the others
def test_the_gradient_compiles_whole_under_xla(name):
    if name == "vae":  # draws differ between XLA and TensorFlow, so that only the shapes are compared
        model = BUILDERS[name]()
        compiled = tf.function(lambda images: gradients(model, images), jit_compile=True)
        compiled = compiled(tf.constant(IMAGES))
        assert [one.shape for one in compiled] == [weight.shape for weight in model.trainable_weights]
        assert all(np.isfinite(one).all() for one in compiled)
    else:
        assert_the_gradient_compiles_under_xla(BUILDERS[name](), IMAGES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "policy"), [*((name, "mixed_float16") for name in BUILDERS), ("vae", "mixed_bfloat16")]
)
def test_mixed_precision_gives_nearly_the_same_logits_in_float32(name, policy):
    exact = BUILDERS[name]()
    options = {} if name == "vae" else {"sparsity": 0.1}
    mixed = built_under(policy, lambda: BUILDERS[name](**options))
    assert policy[6:] in {layer.compute_dtype for layer in kexp.models.encoder(mixed).layers}
    mixed.set_weights(exact.get_weights())
    expected = np.asarray(exact(IMAGES, training=False))
    answers = mixed(IMAGES, training=False)
    assert {answers.dtype, *(loss.dtype for loss in mixed.losses)} == {tf.float32}
    assert {ops.dtype(part) for part in tf.nest.flatten(kexp.models.encoder(mixed)(IMAGES))} == {"float32"}
    np.testing.assert_allclose(answers, expected, atol=0.05 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: kexp.models.autoencoder((8,), code=0), "code must be 1 number or more; received 0"),
        (lambda: kexp.models.autoencoder((8,), sparsity=-1.0), "sparsity must be 0 or more; received -1"),
        (
            lambda: kexp.models.autoencoder((8,), noise=-0.1),
            "noise must be a standard deviation, 0 or more; received -0.1",
        ),
        (
            lambda: kexp.models.autoencoder((8,), noise=1.5, noise_kind="masking"),
            "noise must be a share from 0 to 1; received 1.5",
        ),
        (
            lambda: kexp.models.autoencoder((8,), noise=1.5, noise_kind="salt"),
            "noise_kind must be 'gaussian' or 'masking'; received 'salt'",
        ),
        (lambda: kexp.models.vae((8,), beta=-1.0), "beta must be 0 or more; received -1"),
        (
            lambda: kexp.models.convolutional_autoencoder((28, 28)),
            r"input_shape must be \(height, width, channels\); received \(28, 28\)",
        ),
        (
            lambda: kexp.models.convolutional_autoencoder((28, 28, 1), filters=()),
            "filters must be those of one stage or more",
        ),
        (
            lambda: kexp.models.encoder(kexp.models.mlp((8,), 2)),
            "model must be an autoencoder of kexp.models; 'mlp' has no encoder",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()
