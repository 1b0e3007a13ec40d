"""Convolutional networks for series have the published sizes, see no padding, and learn with all weights."""

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.models.layers.masking import masked_series
from tests.models.checks import (
    POLICIES,
    assert_mixed_precision_is_close,
    assert_one_step_changes_every_weight,
    assert_saving_keeps_the_answers,
    assert_the_gradient_compiles_under_xla,
)

SERIES = np.random.default_rng(0).normal(size=(6, 10, 3)).astype("float32")
SERIES[1, 7:] = SERIES[4, 2:] = np.nan
SERIES[2, 3, 0] = SERIES[3, 4] = np.nan  # missing values: no padding

BUILDERS = {
    "fcn": lambda steps=None, **options: kexp.models.fcn(
        (steps, 3), 4, filters=(6, 4), kernel_sizes=(4, 3), **options
    ),
    "resnet": lambda steps=None, **options: kexp.models.series_resnet(
        (steps, 3), 4, filters=(4, 4), kernel_sizes=(4, 3), **options
    ),
    "lite": lambda steps=None, **options: kexp.models.lite(
        (steps, 3), 4, members=2, filters=3, kernel_size=8, **options
    ),
}


def convolution(channels, filters, size):
    return channels * filters * size + 4 * filters  # with the normalisation, but without a bias


def test_models_have_the_parameters_of_a_hand_count():
    head = 128 * 9 + 9
    plain = convolution(12, 128, 8) + convolution(128, 256, 5) + convolution(256, 128, 3)
    assert kexp.models.fcn((None, 12), 9).count_params() == plain + head
    first = sum(convolution(c, 64, size) for c, size in ((12, 8), (64, 5), (64, 3), (12, 1)))
    second = sum(convolution(c, 128, size) for c, size in ((64, 8), (128, 5), (128, 3), (64, 1)))
    third = sum(convolution(128, 128, size) for size in (8, 5, 3)) + 4 * 128
    assert kexp.models.series_resnet((None, 12), 9).count_params() == first + second + third + head
    first = 32 * (40 + 20 + 10) + 4 * (3 * 32 + 17)
    separable = [width * size + width * 32 + 4 * 32 for width, size in ((3 * 32 + 17, 20), (32, 10))]
    assert kexp.models.lite((None, 1), 2, members=1).count_params() == first + sum(separable) + 32 * 2 + 2
    assert kexp.models.lite((None, 1), 2).count_params() == 5 * (first + sum(separable) + 32 * 2 + 2)
    biased = 3 * 2 * 4 + 2 + 2 * 3 + 3
    assert (
        kexp.models.fcn((10, 3), 3, filters=(2,), kernel_sizes=(4,), normalization="none").count_params()
        == biased
    )


KINDS = [
    ("fcn", "none"),
    ("fcn", "batch"),
    ("resnet", "batch"),
    ("resnet", "layer"),
    ("lite", "batch"),
    ("lite", "none"),
]


@pytest.mark.parametrize(("name", "normalization"), KINDS)
def test_every_weight_learns_and_saving_keeps_the_answers(name, normalization, tmp_path):
    keras.utils.set_random_seed(0)
    model = BUILDERS[name](normalization=normalization, activation="swish")
    assert model(SERIES).shape == (6, 4)
    assert_one_step_changes_every_weight(model, SERIES)
    assert_saving_keeps_the_answers(model, SERIES, tmp_path)


@pytest.mark.parametrize(("name", "normalization"), KINDS)
@pytest.mark.parametrize("training", [False, True])
def test_more_padding_changes_nothing(name, normalization, training):
    model, fixed = (
        BUILDERS[name](normalization=normalization),
        BUILDERS[name](16, normalization=normalization),
    )
    fixed.set_weights([weight + 0.1 for weight in model.get_weights()])
    model.set_weights(fixed.get_weights())
    longer = np.pad(SERIES, ((0, 0), (0, 6), (0, 0)), constant_values=np.nan)
    answers = model(SERIES, training=training)
    np.testing.assert_allclose(fixed(longer, training=training), answers, atol=1e-5)
    for one, other in zip(fixed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)  # moving statistics too
    np.testing.assert_allclose(model(longer, training=training), fixed(longer, training=training), atol=1e-5)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_sample_does_not_depend_on_how_long_the_others_are(name):
    model = BUILDERS[name]()
    np.testing.assert_allclose(model(SERIES[1:2, :7]), model(SERIES)[1:2], atol=1e-5)


@pytest.mark.parametrize("name", BUILDERS)
def test_series_of_padding_alone_give_numbers(name):
    model, empty = BUILDERS[name](), np.full_like(SERIES, np.nan)
    for training in (False, True):
        assert np.isfinite(model(empty, training=training)).all()
    assert np.isfinite(model(SERIES)).all()


@pytest.mark.parametrize("name", ["resnet", pytest.param("fcn", marks=pytest.mark.slow)])
def test_the_gradient_compiles_whole_under_xla(name):
    assert_the_gradient_compiles_under_xla(BUILDERS[name](10), SERIES)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", BUILDERS)
def test_mixed_precision_gives_nearly_the_same_values_in_float32(name, policy):
    keras.utils.set_random_seed(0)
    assert_mixed_precision_is_close(
        lambda: BUILDERS[name](output_scale=100.0, output_offset=70_000.0), SERIES, policy, computes="conv1d"
    )


def test_outputs_are_scaled_and_shifted_for_regression():
    plain, scaled = BUILDERS["fcn"](), BUILDERS["fcn"](output_scale=2.0, output_offset=[0.0, 1.0, 2.0, 3.0])
    scaled.set_weights(plain.get_weights())
    np.testing.assert_allclose(scaled(SERIES), plain(SERIES) * 2.0 + [0, 1, 2, 3], atol=1e-5)


def test_missing_values_are_zero_and_only_what_follows_the_last_step_is_padding():
    series, mask = masked_series(SERIES)
    np.testing.assert_array_equal(series, np.nan_to_num(SERIES))
    lengths = [10, 7, 10, 10, 2, 10]
    np.testing.assert_array_equal(mask, np.arange(10) < np.array(lengths)[:, None])


def test_a_shape_or_sizes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"input_shape must be \(steps, channels\); received \(28, 28, 1\)"):
        kexp.models.fcn((28, 28, 1), 2)
    with pytest.raises(InputError, match=r"kernel_size 4 or more; received \(10, 3\) and 3"):
        kexp.models.lite((10, 3), 2, kernel_size=3)
    with pytest.raises(InputError, match=r"filters and kernel_sizes must be as many; received \(8,\) and"):
        kexp.models.fcn((10, 3), 2, filters=(8,))


def test_filters_that_are_not_trained_answer_to_rises_falls_and_peaks():
    patterns = kexp.models.PatternFilters()
    step = np.zeros((1, 64, 1), "float32")
    step[0, 32:] = 1.0
    rises, falls = np.asarray(patterns(step))[0, :, 0], np.asarray(patterns(step))[0, :, 1]
    np.testing.assert_allclose(rises, -falls)
    assert rises[:63].argmax() == 31
    assert rises[:63].max() == 1.0
    peak = np.exp(-((np.arange(64) - 32.0) ** 2) / 8.0).astype("float32")[None, :, None]
    middle = np.asarray(patterns(peak))[0, :, 14]  # of 16 steps
    assert abs(int(middle.argmax()) - 32) <= 1


def test_members_of_an_ensemble_do_not_know_each_other():
    model = kexp.models.lite((None, 3), 4, members=2, filters=3, kernel_size=12, mean_of="classes")
    below = keras.Model(model.input, model.layers[-1].input)
    before = np.asarray(below(SERIES))  # (batch, members, outputs)
    for weight in model.weights:
        if weight.shape[0] == 2:  # a matrix for each member
            weight.assign(np.concatenate([weight[:1], np.zeros_like(weight[1:])]))
    after = np.asarray(below(SERIES))
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert not np.allclose(after[:, 1], before[:, 1])
