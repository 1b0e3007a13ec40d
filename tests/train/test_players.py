"""Several players through the one engine: whose weights move when, and exact continuation."""

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.run.context import capture_training

ROWS = np.arange(24, dtype="int32").reshape(6, 4)


@pytest.fixture(scope="module")
def digits():
    data = kexp.data.load("digits")
    return kexp.data.Dataset(
        data.name,
        kexp.data.Split(data.train.inputs[:48], data.train.targets[:48]),
        kexp.data.Split(data.validation.inputs[:32], data.validation.targets[:32]),
        None,
        data.spec,
        data.fingerprint,
    )


def gan(normalization="batch"):
    keras.utils.set_random_seed(1)
    return kexp.models.GAN(
        kexp.models.gan_generator((8, 8, 1), latent=4, classes=10, filters=(8,)),
        kexp.models.gan_discriminator((8, 8, 1), classes=10, filters=(8, 8), normalization=normalization),
        class_names=tuple("0123456789"),
    )


def diffusion():
    keras.utils.set_random_seed(1)
    network = kexp.models.diffusion_unet((8, 8, 1), classes=10, filters=(4,), dropout=0.2)
    return kexp.models.Diffusion(network, steps=20, sample_steps=4, class_names=tuple("0123456789"))


def vae():
    keras.utils.set_random_seed(1)
    return kexp.models.vae((8, 8, 1), code=3, hidden=(16,), normalization="batch")


def engine_of(model, data, objective, **options):
    options = {"batch_size": 4, "quiet": True, **options}
    training = capture_training(lambda it: it, kexp.fit, model, data, objective=objective, **options)
    return training.engine()


def weights(model):
    return [np.copy(weight.numpy()) for weight in model.trainable_weights]


def same(one, other):
    return [np.array_equal(first, second) for first, second in zip(one, other, strict=True)]


def test_both_players_learn_by_an_optimizer_of_their_own(digits):
    model = gan()
    engine = engine_of(model, digits, kexp.objectives.adversarial(discriminator_rate=2.0), learning_rate=1e-3)
    before = [weights(model.generator), weights(model.discriminator)]
    assert engine.run(ROWS, 4) is None
    assert not any(same(before[0], weights(model.generator)))
    assert not any(same(before[1], weights(model.discriminator)))
    rates = [float(optimizer.learning_rate) for optimizer in engine.optimizers]
    assert rates == pytest.approx([2e-3, 1e-3])
    assert [int(optimizer.iterations) for optimizer in engine.optimizers] == [6, 6]
    figures = engine.read_metrics()
    assert set(figures) == {"loss", "discriminator_loss", "discriminator_accuracy"}


def test_the_generator_has_a_turn_at_each_step_that_is_a_multiple_of_the_critics(digits):
    model = gan(normalization="layer")
    engine = engine_of(model, digits, kexp.objectives.adversarial("wasserstein", critic_steps=3))
    start = weights(model.generator)
    moved = []
    for row in ROWS:
        before = weights(model.generator)
        engine.run(row[None], 4)
        moved.append(not all(same(before, weights(model.generator))))
    assert moved == [False, False, True, False, False, True]
    assert not any(same(start, weights(model.generator)))
    assert [int(optimizer.iterations) for optimizer in engine.optimizers] == [6, 2]


@pytest.mark.parametrize(
    ("build", "objective"),
    [
        pytest.param(gan, kexp.objectives.adversarial(), marks=pytest.mark.slow),
        pytest.param(diffusion, kexp.objectives.denoising(), marks=pytest.mark.slow),
        (vae, kexp.objectives.variational()),
    ],
)
def test_what_goes_on_from_a_state_between_two_steps_ends_bit_for_bit_as_what_was_left_alone(
    digits, build, objective
):
    options = {"ema": 0.9, "accumulate": 2, "batch_size": 2}
    engine = engine_of(build(), digits, objective, **options)
    start = engine.read_state()
    engine.run(ROWS, 2)
    expected = engine.read_state()
    engine.restore_state(start)
    engine.run(ROWS[:2], 2)
    state = engine.read_state()
    other = build()
    for weight in other.weights:  # a process that starts anew has other weights until it reads the state
        weight.assign(np.ones(weight.shape, weight.dtype))
    second = engine_of(other, digits, objective, **options)
    second.restore_state(state)
    second.run(ROWS[2:], 2)
    received = second.read_state()
    assert expected.keys() == received.keys()
    assert [name for name in expected if not np.array_equal(expected[name], received[name])] == []
    assert len([name for name in state if name.startswith("optimizer of")]) > 20


@pytest.mark.slow
def test_a_step_in_two_batches_is_the_step_in_one_where_nothing_is_drawn(digits):
    ends = []
    for batch_size, accumulate in ((4, 1), (2, 2)):
        keras.utils.set_random_seed(1)
        model = kexp.models.autoencoder((8, 8, 1), code=5, hidden=(16,), sparsity=0.01)
        objective = kexp.objectives.reconstruction()
        engine = engine_of(model, digits, objective, batch_size=batch_size, accumulate=accumulate)
        engine.run(ROWS, batch_size)
        ends.append(weights(model))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)


def fit_gan(data, folder, **options):
    """Return the players of a short run."""
    options = {"epochs": 2, "batch_size": 8, "quiet": True, "learning_rate": 1e-2, **options}
    model = gan()
    kexp.fit(model, data, objective=kexp.objectives.adversarial(), run_dir=str(folder), **options)
    return model


@pytest.fixture(scope="module")
def plain_gan(digits, tmp_path_factory):
    """Return the players of a run without an average, and its folder."""
    folder = tmp_path_factory.mktemp("gan") / "run"
    return fit_gan(digits, folder), folder


@pytest.mark.slow
def test_the_average_of_the_generator_is_what_is_kept_and_the_discriminator_stays_as_it_is(
    digits, plain_gan, tmp_path
):
    plain, averaged = plain_gan[0], fit_gan(digits, tmp_path / "run", ema=0.9)
    assert all(same(weights(plain.discriminator), weights(averaged.discriminator)))
    assert not any(same(weights(plain.generator), weights(averaged.generator)))


@pytest.mark.slow
def test_samples_are_drawn_after_each_epoch_and_the_same_ones_again(digits, plain_gan, tmp_path):
    fit_gan(digits, tmp_path / "again")
    folders = plain_gan[1] / "samples", tmp_path / "again" / "samples"
    files = sorted(path.name for path in folders[0].iterdir())
    assert files == ["epoch-0001.png", "epoch-0002.png"]
    for file in files:
        assert len({(folder / file).read_bytes() for folder in folders}) == 1
    assert len({(folders[0] / file).read_bytes() for file in files}) == 2


@pytest.mark.slow
def test_players_that_compete_are_not_stopped_by_a_loss_that_grows(digits):
    model = gan()
    engine = engine_of(model, digits, kexp.objectives.adversarial(), spike=1.1, learning_rate=0.05)
    assert engine.run(np.repeat(ROWS, 5, axis=0), 4) is None


def table():
    inputs = np.zeros((40, 3), "float32")
    return kexp.data.load((inputs, np.arange(40) % 2))


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda data: (gan(), table(), kexp.objectives.adversarial()), "data must be images of bytes"),
        (lambda data: (vae(), data, kexp.objectives.adversarial()), "model must be a kexp.models.GAN"),
        (lambda data: (gan(), data, kexp.objectives.denoising()), "model must be a kexp.models.Diffusion"),
        (lambda data: (gan(), data, kexp.objectives.reconstruction()), "must give back what it takes"),
        (
            lambda data: (kexp.models.autoencoder((8, 8, 1)), data, kexp.objectives.variational()),
            "must be a variational autoencoder",
        ),
        (
            lambda data: (gan(), data, kexp.objectives.adversarial("wasserstein")),
            "without batch normalisation",
        ),
        (lambda data: (gan(), data, "adversarial"), "objective must be one of kexp.objectives"),
        (
            lambda data: (gan(), kexp.data.load("fashion_mnist_small"), kexp.objectives.adversarial()),
            r"must make images of the data's shape, \(28, 28, 1\)",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence_before_anything_is_written(digits, tmp_path, make, complaint):
    model, data, objective = make(digits)
    with pytest.raises(InputError, match=complaint):
        kexp.fit(model, data, objective=objective, run_dir=str(tmp_path / "run"), batch_size=8, quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"loss": "mse"}, "loss and metrics are parts of the objective"),
        ({"class_weight": "balanced"}, "class_weight is for models that are trained to give labels"),
        ({"label_smoothing": 0.1}, "label_smoothing is for models"),
    ],
)
def test_options_of_labels_are_refused(digits, options, complaint):
    with pytest.raises(InputError, match=complaint):
        kexp.fit(vae(), digits, objective=kexp.objectives.variational(), batch_size=8, **options)


def test_beta_1_of_adam_is_the_momentum_that_was_asked_for(digits):
    engine = engine_of(gan(), digits, kexp.objectives.adversarial(), momentum=0.5)
    assert [optimizer.beta_1 for optimizer in engine.optimizers] == [0.5, 0.5]
    engine = engine_of(vae(), digits, kexp.objectives.variational(), momentum=0.7, optimizer="nesterov")
    assert engine.optimizers[0].momentum == 0.7


def test_the_learning_rate_is_lowered_when_samples_get_no_better(digits):
    quality = kexp.Quality(kexp.Features("any", lambda: None), samples=50)
    objective = kexp.objectives.adversarial(quality=quality)
    training = capture_training(
        lambda it: it, kexp.fit, gan(), digits, objective=objective, batch_size=8, schedule="plateau"
    )
    (plateau,) = training.callbacks
    assert (plateau.monitor, plateau.mode) == ("val_frechet_any_50", "min")


def test_an_autoencoder_is_recorded_as_what_answers_for_it(digits, tmp_path):
    objective = kexp.objectives.variational()
    result = kexp.fit(
        vae(), digits, objective=objective, epochs=1, batch_size=8, quiet=True, run_dir=str(tmp_path / "run")
    )
    answers = kexp.load(tmp_path / "run").predict(digits.train.inputs[:5])
    assert (result.spec.task, answers.codes.shape, len(answers.anomaly_scores)) == (
        "reconstruction",
        (5, 3),
        5,
    )
    assert answers.reconstructions.shape == (5, 8, 8, 1)
