"""Noise is as much as published, its parts invert each other, and sampling finds the data it should."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kexp
from kexp.core.errors import InputError
from kexp.core.keras_private import untracked
from kexp.models import (
    clean_and_noise,
    cosine_noise,
    ddim_step,
    ddpm_step,
    diffusion_target,
    flow_noise,
    linear_noise,
    noised,
    sample_diffusion,
)
from kexp.models.diffusion.diffusion_sampler import sampling_times

RANDOM = np.random.default_rng(0)
SAMPLES, NOISE, DRAW = RANDOM.normal(size=(3, 5, 4, 4, 2)).astype("float32")
TIME = np.array([0, 1, 40, 500, 990])
SCHEDULES = {"linear": linear_noise(), "cosine": cosine_noise()}
TARGETS = ("epsilon", "x0", "v")
MEAN, DEVIATION = 0.2, 0.1


@pytest.fixture(params=SCHEDULES)
def schedule(request):
    return SCHEDULES[request.param]


def perfect(schedule, target="epsilon", labelled=False):
    """Return a model that knows the best answer for normal pixels; of class 1 their mean is negative."""
    noisy, time, label = keras.Input((4, 4, 1)), keras.Input(()), keras.Input((), dtype="int32")
    signal, noise = (ops.reshape(level, (-1, 1, 1, 1)) for level in schedule.levels(time))
    mean = MEAN
    if labelled:  # the means of the two classes, and of none
        table = keras.layers.Embedding(3, 1, weights=[np.array([[MEAN], [-MEAN], [0]])], name="classes")
        mean = ops.reshape(table(label), (-1, 1, 1, 1))
    variance = signal**2 * DEVIATION**2 + noise**2
    clean = mean + signal * DEVIATION**2 / variance * (noisy - signal * mean)
    epsilon = noise / variance * (noisy - signal * mean)
    answers = {"epsilon": epsilon, "x0": clean, "v": signal * epsilon - noise * clean}
    return keras.Model([noisy, time, label] if labelled else [noisy, time], answers[target])


def perfect_flow(schedule):
    """Return a model that knows the best direction for normal pixels on a straight line to noise."""
    noisy, time = keras.Input((4, 4, 1)), keras.Input(())
    signal, noise = (ops.reshape(level, (-1, 1, 1, 1)) for level in schedule.levels(time))
    excess = (noisy - signal * MEAN) / (signal**2 * DEVIATION**2 + noise**2)
    return keras.Model([noisy, time], noise * excess - MEAN - signal * DEVIATION**2 * excess)


def multiplied(schedule, steps):
    """Return what the perfect model's DDIM steps make of a deviation of 1, worked out by hand."""
    times = sampling_times(schedule.steps, steps, schedule.trailing)
    signals, noises = (np.asarray(level, float) for level in schedule.levels(times))
    inner = signals[:-1] * DEVIATION**2 * signals[1:] + noises[:-1] * noises[1:]
    return np.prod(inner / (signals[:-1] ** 2 * DEVIATION**2 + noises[:-1] ** 2))


@pytest.mark.parametrize("make", [linear_noise, cosine_noise])
@pytest.mark.parametrize("steps", [50, 1000])
def test_what_is_left_of_an_image_falls_from_nearly_all_to_nearly_nothing(make, steps):
    schedule = make(steps)
    assert schedule.steps == steps
    for table in (schedule.alphas, schedule.products, schedule.signals, schedule.noises):
        assert table.dtype == "float32"
        assert table.shape == (steps,)
    assert (np.diff(schedule.products) < 0).all()
    assert schedule.products[0] > 0.99
    assert 0 < schedule.products[-1] < 1e-3
    ratio = schedule.signals.astype(float) ** 2 / schedule.noises.astype(float) ** 2
    assert (np.diff(ratio) < 0).all()
    np.testing.assert_allclose(schedule.signals**2 + schedule.noises**2, 1, atol=1e-6)
    np.testing.assert_allclose(schedule.products, np.cumprod(schedule.alphas.astype(float)), rtol=1e-3)


def test_the_schedules_are_the_published_ones():
    linear, cosine = SCHEDULES["linear"], SCHEDULES["cosine"]
    np.testing.assert_allclose(1 - linear.alphas[[0, -1]], [1e-4, 0.02], rtol=1e-3)
    assert np.diff(linear.alphas).std() < 1e-6
    assert linear.products[-1] == pytest.approx(4.04e-5, rel=0.01)
    way = (np.arange(1, 991) / 1000 + 0.008) / 1.008
    expected = np.cos(way * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(cosine.products[:990], expected, rtol=1e-5)
    assert cosine.alphas.min() == pytest.approx(0.001)
    assert linear.noises[0] == pytest.approx(0.01, rel=1e-6)  # not the root of a rounded difference


def test_noised_samples_have_the_mean_and_the_deviation_of_their_step(schedule):
    samples = np.full((20_000, 1), 0.5, "float32")
    noise = RANDOM.normal(size=samples.shape).astype("float32")
    for time in (0, 300, 999):
        x = np.asarray(noised(schedule, samples, noise, time))
        assert x.mean() == pytest.approx(0.5 * np.sqrt(schedule.products[time]), abs=0.02)
        assert x.std() == pytest.approx(np.sqrt(1 - schedule.products[time]), abs=0.02)
    each = noised(schedule, SAMPLES, NOISE, TIME)
    for number, time in enumerate(TIME):
        one = noised(schedule, SAMPLES[number : number + 1], NOISE[number : number + 1], time)
        np.testing.assert_array_equal(each[number], one[0])
    np.testing.assert_array_equal(noised(schedule, SAMPLES, NOISE, -1), SAMPLES)


@pytest.mark.parametrize("target", TARGETS)
def test_an_answer_gives_back_the_samples_and_the_noise_that_it_was_made_of(schedule, target):
    noisy = noised(schedule, SAMPLES, NOISE, TIME)
    answer = diffusion_target(schedule, SAMPLES, NOISE, TIME, target)
    clean, noise = clean_and_noise(schedule, noisy, answer, TIME, target)
    np.testing.assert_allclose(clean, SAMPLES, atol=2e-4)
    np.testing.assert_allclose(noise, NOISE, atol=2e-4)
    for other in TARGETS:
        changed = diffusion_target(schedule, clean, noise, TIME, other)
        back = diffusion_target(
            schedule, *clean_and_noise(schedule, noisy, changed, TIME, other), TIME, target
        )
        np.testing.assert_allclose(back, answer, atol=1e-3)


def test_a_ddpm_step_is_the_posterior_of_the_paper(schedule):
    products, alphas = (table.astype(float) for table in (schedule.products, schedule.alphas))
    for time in (1, 40, 500, 990):
        x = np.asarray(noised(schedule, SAMPLES, NOISE, time), float)
        before, beta, rest = products[time - 1], 1 - alphas[time], 1 - products[time]
        mean = np.sqrt(before) * beta / rest * SAMPLES + np.sqrt(alphas[time]) * (1 - before) / rest * x
        expected = mean + np.sqrt((1 - before) / rest * beta) * DRAW
        step = ddpm_step(schedule, SAMPLES, NOISE, time, time - 1, DRAW)
        np.testing.assert_allclose(step, expected, atol=2e-3)


def test_steps_of_true_samples_and_noise_lead_along_the_noised_ones(schedule):
    step = ddim_step(schedule, SAMPLES, NOISE, TIME - 1)
    np.testing.assert_array_equal(step, noised(schedule, SAMPLES, NOISE, TIME - 1))
    for arguments in ((SAMPLES, NOISE, TIME, -1, DRAW), (SAMPLES, NOISE, 999, -1, DRAW)):
        np.testing.assert_array_equal(ddpm_step(schedule, *arguments), SAMPLES)
    many, other = RANDOM.normal(size=(2, 20_000, 1)).astype("float32")
    x = np.asarray(ddpm_step(schedule, np.full_like(many, 0.5), many, 900, 400, other))
    assert x.mean() == pytest.approx(0.5 * schedule.signals[400], abs=0.02)
    assert x.std() == pytest.approx(schedule.noises[400], abs=0.02)


@pytest.mark.parametrize(
    ("sampler", "kind", "target", "steps"),
    [
        ("ddim", "linear", "epsilon", None),
        ("ddim", "cosine", "v", 40),
        ("ddpm", "cosine", "x0", None),
    ],
)
def test_a_perfect_model_of_normal_pixels_gives_their_mean_and_deviation(sampler, kind, target, steps):
    schedule = SCHEDULES[kind]
    model = perfect(schedule, target)
    x = sample_diffusion(model, schedule, 1000, sampler=sampler, steps=steps, target=target)
    assert x.shape == (1000, 4, 4, 1)
    assert x.dtype == "float32"
    assert x.mean() == pytest.approx(MEAN, abs=0.005)
    if steps is None:
        assert x.std() == pytest.approx(DEVIATION, rel=0.04)
    else:  # each step of so few is a multiplication that falls a little short
        assert x.std() == pytest.approx(multiplied(schedule, steps), rel=0.02)


def test_a_flow_goes_straight_from_the_image_to_noise_and_its_direction_is_the_same_everywhere():
    schedule = flow_noise(1000)
    np.testing.assert_allclose(schedule.signals + schedule.noises, 1, atol=1e-7)
    assert (schedule.signals[-1], schedule.noises[-1]) == (0, 1)
    time = np.array([0, 1, 40, 500, 999])
    noisy, direction = noised(schedule, SAMPLES, NOISE, time), NOISE - SAMPLES
    for target, answer in (("flow", direction), ("x0", SAMPLES)):
        assert_same = np.testing.assert_allclose
        assert_same(diffusion_target(schedule, SAMPLES, NOISE, time, target), answer)
        for found, wanted in zip(
            clean_and_noise(schedule, noisy, answer, time, target), (SAMPLES, NOISE), strict=True
        ):
            assert_same(found, wanted, atol=1e-3)
    halved = noised(schedule, SAMPLES, NOISE, 499)
    euler = halved + (schedule.noises[99] - schedule.noises[499]) * direction
    step = ddim_step(schedule, *clean_and_noise(schedule, halved, direction, 499, "flow"), 99)
    np.testing.assert_allclose(step, euler, atol=1e-5)
    for target in ("epsilon", "v"):
        with pytest.raises(
            InputError, match=f"target must be one of 'x0', 'flow'; received '{target}' for a"
        ):
            clean_and_noise(schedule, noisy, direction, time, target)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_a_perfect_flow_of_normal_pixels_gives_their_mean_and_deviation(sampler):
    schedule = flow_noise(400)
    model = perfect_flow(schedule)
    x = sample_diffusion(model, schedule, 1000, sampler=sampler, target="flow")
    assert x.mean() == pytest.approx(MEAN, abs=0.005)
    assert x.std() == pytest.approx(DEVIATION, rel=0.04)
    few = sample_diffusion(model, schedule, 1000, sampler="ddim", steps=10, target="flow")
    assert few.mean() == pytest.approx(MEAN, abs=0.005)
    assert few.std() == pytest.approx(multiplied(schedule, 10), rel=0.02)


def test_labels_choose_the_class_and_guidance_leads_away_from_no_class():
    schedule = SCHEDULES["cosine"]
    model = perfect(schedule, labelled=True)

    def means(**options):
        x = sample_diffusion(model, schedule, 60, sampler="ddim", steps=20, **options)
        return x.reshape(2, -1).mean(axis=1)

    labels = np.repeat([0, 1], 30)
    np.testing.assert_allclose(means(labels=labels), [MEAN, -MEAN], atol=0.02)
    np.testing.assert_allclose(means(), [0, 0], atol=0.02)
    np.testing.assert_allclose(means(labels=np.full(60, 2)), means())
    guided = means(labels=labels, guidance=1.0)
    np.testing.assert_allclose(guided, [2 * MEAN, -2 * MEAN], atol=0.03)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return kexp.models.diffusion_unet((5, 6, 2), classes=2, filters=(4,))


def test_a_seed_draws_the_same_samples_again_and_another_draws_others(network):
    options = {"steps": 4, "labels": [0, 1, 2]}
    for sampler in ("ddpm", "ddim"):
        x = sample_diffusion(network, SCHEDULES["linear"], 3, sampler=sampler, seed=1, **options)
        again = sample_diffusion(network, linear_noise(), 3, sampler=sampler, seed=1, **options)
        np.testing.assert_array_equal(again, x)
        other = sample_diffusion(network, SCHEDULES["linear"], 3, sampler=sampler, seed=2, **options)
        assert np.abs(x - other).max() > 0.1
        assert np.abs(x).max() <= 1
    assert len(untracked(network, "sample_diffusion")) == 2  # an equal schedule is not compiled for again


def test_sampling_is_what_its_steps_say_and_sees_new_weights(network):
    schedule, steps = SCHEDULES["cosine"], [999, 500, 0, -1]
    options = {"sampler": "ddim", "steps": 3, "labels": [0, 1], "guidance": 0.5, "target": "v"}
    np.testing.assert_array_equal(sampling_times(1000, 3), steps)

    def by_hand(x):
        for time, earlier in itertools.pairwise(steps):
            times = np.full(2, time, "float32")
            one, none = (np.asarray(network([x, times, np.array(label)])) for label in ([0, 1], [2, 2]))
            clean = np.clip(clean_and_noise(schedule, x, 1.5 * one - 0.5 * none, time, "v")[0], -1, 1)
            noise = clean_and_noise(schedule, x, clean, time, "x0")[1]
            x = np.asarray(ddim_step(schedule, clean, noise, earlier))
        return x

    import tensorflow as tf

    start = tf.random.stateless_normal((2, 5, 6, 2), tf.constant([7, 1], "int64"), alg="philox").numpy()
    first = sample_diffusion(network, schedule, 2, seed=7, **options)
    np.testing.assert_allclose(first, by_hand(start), atol=1e-4)
    network.set_weights([-weight for weight in network.get_weights()])
    second = sample_diffusion(network, schedule, 2, seed=7, **options)
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_allclose(second, by_hand(start), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be a whole number, 1 or more; received 0"),
        ({"steps": 1001}, "steps must be a whole number, from 1 to 1000, or None; received 1001"),
        ({"sampler": "ddmp"}, "sampler must be one of 'ddpm', 'ddim'; received 'ddmp' .did you mean"),
        ({"target": "noise"}, "target must be one of 'epsilon', 'x0', 'v', 'flow'; received 'noise'"),
        ({"guidance": -1.0, "labels": [0, 1]}, "guidance must be a number, 0 or more; received -1.0"),
        ({"guidance": 1.0}, "labels must be given where there is guidance; received None and 1.0"),
        ({"labels": [0]}, r"labels must be 2 whole numbers, .* received int64 of shape \(1,\)"),
        ({"labels": [0.0, 1.0]}, "labels must be 2 whole numbers, .* received float64"),
        ({"labels": [0, 3]}, "labels must be from 0 to 1, or 2 for none; received 0 to 3"),
    ],
)
def test_what_cannot_be_sampled_is_refused_before_anything(network, arguments, message):
    with pytest.raises(InputError, match=message):
        sample_diffusion(network, SCHEDULES["linear"], **{"n": 2} | arguments)


def test_models_and_schedules_of_another_kind_are_refused(schedule):
    with pytest.raises(InputError, match=r"model must take \[noisy, time\] .* received 'mlp'"):
        sample_diffusion(kexp.models.mlp((4,), 2), schedule, 2)
    plain = kexp.models.diffusion_unet((2, 2, 1), filters=(4,))
    with pytest.raises(InputError, match=r"labels must be None for a model .* without classes"):
        sample_diffusion(plain, schedule, 1, labels=[0])
    for function in (diffusion_target, clean_and_noise):
        with pytest.raises(
            InputError, match="target must be one of 'epsilon', 'x0', 'v', 'flow'; received 'V'"
        ):
            function(schedule, SAMPLES, NOISE, 0, "V")
    with pytest.raises(InputError, match="steps must be a whole number, 2 or more; received 1"):
        linear_noise(1)
    with pytest.raises(InputError, match="steps must be a whole number, 2 or more; received 1"):
        flow_noise(1)
    with pytest.raises(InputError, match=r"offset must be a number, 0 or more; received -1.0"):
        cosine_noise(10, -1.0)
    with pytest.raises(InputError, match=r"alphas must be numbers above 0 and below 1 .* of shape \(2,\)"):
        kexp.models.NoiseSchedule.of(np.array([0.5, 1.0]))
