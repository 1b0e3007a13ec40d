"""What objectives cost equals what their papers say, and every one compiles whole under XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from kexp.engine.tensorflow.step_context import SeededStepContext
from kexp.models.diffusion.noise_schedule import noised

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1)).astype("uint8")
LABELS = np.array([0, 1, 2, 0, 1, 2], "int32")
CLASSES = ("ant", "bee", "cat")


def gan(classes=CLASSES, **options):
    count = len(classes) or None
    return kexp.models.GAN(
        kexp.models.gan_generator((8, 8, 1), latent=4, classes=count, filters=(8,)),
        kexp.models.gan_discriminator((8, 8, 1), classes=count, filters=(8,), **options),
        class_names=classes,
    )


def diffusion(classes=CLASSES, **options):
    network = kexp.models.diffusion_unet((8, 8, 1), classes=len(classes) or None, filters=(4, 8))
    return kexp.models.Diffusion(network, steps=20, sample_steps=5, class_names=classes, **options)


def vae():
    return kexp.models.vae((8, 8, 1), code=3, hidden=(16,), seed=1)


def autoencoder():
    return kexp.models.autoencoder((8, 8, 1), code=3)


def cost(objective, model, player="model", step=None):
    return objective.losses(
        player, model, tf.constant(IMAGES), tf.constant(LABELS), step or SeededStepContext(False, 7)
    )


def test_reconstruction_is_the_binary_crossentropy_of_keras():
    model = autoencoder()
    logits = model(IMAGES)
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(IMAGES / 255.0, logits)
    losses = cost(kexp.objectives.reconstruction(), model)
    np.testing.assert_allclose(np.mean(losses.total), expected, rtol=1e-5)


def test_squared_reconstruction_is_half_the_mean_square():
    inputs = IMAGES[..., 0].reshape(6, 64).astype("float32")
    model = kexp.models.autoencoder((64,), code=3, dtype="float32")
    losses = kexp.objectives.reconstruction("squared").losses(
        "model", model, inputs, LABELS, SeededStepContext(False, 7)
    )
    np.testing.assert_allclose(
        losses.total, 0.5 * np.mean((inputs - np.asarray(model(inputs))) ** 2, axis=1), rtol=1e-5
    )


def test_penalties_of_an_autoencoder_count():
    model = kexp.models.autoencoder((8, 8, 1), code=3, sparsity=0.1)
    losses = cost(kexp.objectives.reconstruction(), model)
    code = np.asarray(kexp.models.encoder(model)(IMAGES))
    np.testing.assert_allclose(losses.penalty, 0.1 * np.abs(code).sum() / len(code), rtol=1e-5)


def test_the_evidence_bound_is_what_its_terms_add_up_to_and_draws_codes_on_held_out_data_too():
    model = kexp.models.vae((8, 8, 1), code=3, hidden=(16,), beta=2.0, seed=1)
    objective = kexp.objectives.variational()
    one, other = (cost(objective, model, step=SeededStepContext(False, seed)) for seed in (1, 2))
    parts = {name: np.asarray(values) for name, values in one.components.items()}
    np.testing.assert_allclose(one.total, parts["reconstruction"] + 2.0 * parts["kl"], rtol=1e-5)
    np.testing.assert_allclose(parts["negative_elbo"], parts["reconstruction"] + parts["kl"], rtol=1e-5)
    np.testing.assert_array_equal(one.components["kl"], other.components["kl"])
    assert not np.allclose(one.components["reconstruction"], other.components["reconstruction"])


def test_the_importance_weighted_bound_is_exact_where_codes_do_not_matter_and_else_tighter():
    keras.utils.set_random_seed(0)  # a single draw may be above the mean of many
    data = kexp.data.Split(IMAGES, LABELS)
    (score,) = kexp.likelihood_scores(model := vae(), draws=20).values()
    with_one = next(iter(kexp.likelihood_scores(model, draws=1).values()))
    assert score(data, {})["_k20_n6"] < with_one(data, {})["_k1_n6"]
    for layer in [*kexp.models.encoder(model).layers[-2:], kexp.models.decoder(model).layers[-2]]:
        layer.kernel.assign(np.zeros(layer.kernel.shape))  # codes are standard normal, and not looked at
    exact = keras.losses.binary_crossentropy(
        IMAGES.reshape(6, 64) / 255.0, np.asarray(model(IMAGES)).reshape(6, 64), from_logits=True
    )
    assert score(data, {})["_k20_n6"] == pytest.approx(64 * float(np.mean(exact)), rel=1e-5)


@pytest.mark.parametrize("loss", ["non_saturating", "hinge", "wasserstein"])
def test_losses_of_both_players_are_those_of_the_papers(loss):
    model, objective = gan(), kexp.objectives.adversarial(loss, gradient_penalty=0.0)
    made = model.made(SeededStepContext(False, 3).normal((6, 4)), LABELS, training=True)
    of_made = np.asarray(model.scores(made, LABELS, training=True))
    of_real = np.asarray(model.scores(IMAGES / np.float32(127.5) - 1, LABELS, training=True))
    softplus = np.logaddexp(0, [of_real, -of_real, of_made, -of_made])
    expected = {
        "non_saturating": (softplus[1] + softplus[2], softplus[3]),
        "hinge": (np.maximum(0, 1 - of_real) + np.maximum(0, 1 + of_made), -of_made),
        "wasserstein": (of_made - of_real, -of_made),
    }[loss]
    for player, wanted in zip(("discriminator", "generator"), expected, strict=True):
        losses = cost(objective, model, player, SeededStepContext(False, 3))
        np.testing.assert_allclose(losses.total, wanted, rtol=1e-4, atol=1e-5)


def test_the_gradient_penalty_is_that_of_a_linear_critic():
    image = keras.Input((8, 8, 1))
    critic = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)))
    model = kexp.models.GAN(kexp.models.gan_generator((8, 8, 1), latent=4, filters=(8,)), critic)
    plain, penalised = (
        cost(kexp.objectives.adversarial("wasserstein", gradient_penalty=weight), model, "discriminator")
        for weight in (0.0, 10.0)
    )
    gradient = np.linalg.norm(critic.trainable_weights[0])
    np.testing.assert_allclose(penalised.total - plain.total, 10 * (gradient - 1) ** 2, rtol=1e-3)


@pytest.mark.parametrize("target", ["epsilon", "x0", "v", "flow"])
def test_a_network_that_answers_right_costs_nothing(target):
    model = diffusion(target=target, classes=(), noise="flow" if target == "flow" else "cosine")
    images, draws = IMAGES / np.float32(127.5) - 1, SeededStepContext(False, 7)
    noise, time = draws.normal(images.shape), draws.integers((6,), 20)
    signals, noises = (np.reshape(level, (6, 1, 1, 1)) for level in model.schedule.levels(time))
    velocity = signals * noise - noises * images
    right = {"epsilon": noise, "x0": images, "v": velocity, "flow": noise - images}[target]

    class Right(keras.layers.Layer):
        def call(self, inputs):
            np.testing.assert_allclose(inputs[0], noised(model.schedule, images, noise, time), rtol=1e-5)
            return right

    model.network = Right()
    np.testing.assert_allclose(cost(kexp.objectives.denoising(), model).total, 0.0, atol=1e-9)


def test_classes_are_left_out_for_the_share_of_images_that_was_asked_for():
    model, seen = diffusion(), []

    class Looks(keras.layers.Layer):
        def call(self, inputs):
            seen.append(np.asarray(inputs[2]))
            return inputs[0]

    model.network = Looks()
    images, labels = np.repeat(IMAGES, 300, axis=0), np.repeat(LABELS, 300)
    for share in (0.0, 0.3, 1.0):
        kexp.objectives.denoising(unlabelled=share).losses(
            "model", model, images, labels, SeededStepContext(True, 1)
        )
    none, some, update_every = ((labels_seen == 3).mean() for labels_seen in seen)
    assert (none, update_every) == (0.0, 1.0)
    assert 0.25 < some < 0.35
    np.testing.assert_array_equal(seen[1][seen[1] < 3], labels[seen[1] < 3])


CASES = {
    "reconstruction": (kexp.objectives.reconstruction(), autoencoder),
    "variational": (kexp.objectives.variational(), vae),
    "non-saturating": (kexp.objectives.adversarial(), lambda: gan(normalization="batch")),
    "hinge": (kexp.objectives.adversarial("hinge"), lambda: gan(spectral=True)),
    "wasserstein": (kexp.objectives.adversarial("wasserstein"), lambda: gan(normalization="layer")),
    "denoising": (kexp.objectives.denoising(), diffusion),
}


def slopes_of(objective, model, player):
    """Return a function from a batch to the loss of a player and its gradient."""

    def slopes(images, labels):
        with tf.GradientTape() as tape:
            step = SeededStepContext(True, 0, tf.constant(3))
            losses = objective.losses(player.name, model, images, labels, step)
            loss = tf.reduce_mean(losses.total) + losses.penalty
        gradient = tape.gradient(loss, player.network.trainable_weights)
        return loss, [tf.convert_to_tensor(one) for one in gradient]

    return slopes


QUICK = ("reconstruction", "variational")


@pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_loss_and_gradient_of_every_player_compile_whole_under_xla(case):
    objective, build = CASES[case]
    model, batch = build(), (tf.constant(IMAGES), tf.constant(LABELS))
    for player in objective.players(model):
        slopes = slopes_of(objective, model, player)
        state = [np.copy(variable.numpy()) for variable in model.variables]
        expected = tf.function(slopes, autograph=False)(*batch)
        for variable, value in zip(model.variables, state, strict=True):
            variable.assign(value)
        compiled = tf.function(slopes, jit_compile=True, autograph=False)(*batch)
        for one, other in zip(tf.nest.flatten(expected), tf.nest.flatten(compiled), strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-4)


def test_draws_differ_from_place_to_place_and_within_a_pass():
    base = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    drawn = [SeededStepContext(True, *place).normal((4,)).numpy().tolist() for place in base]
    step = SeededStepContext(True, 0, 0, 0)
    drawn += [step.normal((4,)).numpy().tolist() for _ in range(2)][1:]
    assert len({tuple(numbers) for numbers in drawn}) == len(drawn)
    assert drawn[0] == SeededStepContext(True, 0, 0, 0).normal((4,)).numpy().tolist()
    assert set(SeededStepContext(True, 0).integers((1000,), 3).numpy().tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: kexp.objectives.adversarial("hing"), "loss must be one of"),
        (lambda: kexp.objectives.adversarial(gradient_penalty=-1.0), "gradient_penalty must be"),
        (lambda: kexp.objectives.adversarial(critic_steps=0), "critic_steps must be"),
        (lambda: kexp.objectives.adversarial(discriminator_rate=0.0), "discriminator_rate must be above 0"),
        (lambda: kexp.objectives.denoising(unlabelled=1.5), "unlabelled must be"),
        (lambda: kexp.objectives.reconstruction("mse"), "error must be 'cross_entropy' or 'squared'"),
    ],
)
def test_arguments_are_checked(make, complaint):
    with pytest.raises(InputError, match=complaint):
        make()
