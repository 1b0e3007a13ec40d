"""Numbers by a counter: like random ones to every test here, alike in parts and under XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from kexp.core.keras_private import computing_by
from kexp.engine.tensorflow import counter_random
from kexp.engine.tensorflow.counter_random import key_of
from kexp.engine.tensorflow.layer_draws import layer_draws

COUNT = 1 << 14
DISTRIBUTIONS = {
    "uniform": stats.uniform.cdf,
    "normal": stats.norm.cdf,
    "truncated_normal": stats.truncnorm(-2, 2).cdf,
}


def drawn(seed, step, name="uniform"):
    return getattr(counter_random, name)(key_of(tf.constant(seed), tf.constant(step)), (COUNT,)).numpy()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_each_kind_is_distributed_as_it_says(name):
    chances = [stats.kstest(drawn(seed, 7, name), DISTRIBUTIONS[name]).pvalue for seed in range(60)]
    assert stats.kstest(chances, stats.uniform.cdf).pvalue > 1e-3


def test_whole_numbers_are_each_as_likely():
    numbers = counter_random.integers(key_of(5), (COUNT,), end=7).numpy()
    assert stats.chisquare(np.bincount(numbers, minlength=7)).pvalue > 1e-3


def test_neighbours_in_a_draw_and_draws_of_like_keys_have_nothing_in_common():
    correlations = []
    for seed in range(40):
        one, next_step, next_seed = drawn(seed, 3), drawn(seed, 4), drawn(seed + 1, 3)
        pairs = [(one, next_step), (one, next_seed), (one[1:], next_step[:-1])]
        pairs += [(one[lag:], one[:-lag]) for lag in (1, 2, 64, 256)]
        correlations += [np.corrcoef(*pair)[0, 1] * np.sqrt(len(pair[0])) for pair in pairs]
    assert stats.kstest(correlations, stats.norm.cdf).pvalue > 1e-3
    assert np.abs(correlations).max() < 5


def test_units_that_are_kept_in_one_step_say_nothing_of_the_next():
    kept = np.stack([drawn(11, step)[:512] >= 0.2 for step in range(1000)])  # (steps, units)
    both = (kept[1:] & kept[:-1]).mean()
    assert both == pytest.approx(0.64, abs=5 * np.sqrt(0.64 * 0.36 / kept.size))
    assert kept.mean(0).std() == pytest.approx(np.sqrt(0.16 / 1000), rel=0.2)


@pytest.mark.parametrize("name", [*DISTRIBUTIONS, "random_bits"])
def test_xla_and_tensorflow_draw_the_same(name):
    def draw(step):
        return getattr(counter_random, name)(key_of(1, step), (33, 5))

    plain, compiled = (tf.function(draw, jit_compile=jit)(tf.constant(9)).numpy() for jit in (False, True))
    np.testing.assert_allclose(compiled, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_dropout_zeroes_its_share_and_scales_the_rest(dtype):
    layer = keras.layers.Dropout(0.25, seed=0, dtype=dtype)
    with computing_by(layer_draws(counter_based=True, distributed=False), {}):
        one, other = (layer(tf.ones((64, 256), dtype), training=True).numpy() for _ in range(2))
    assert (one != other).any()
    for values in (one.astype("float32"), other.astype("float32")):
        zero = (values == 0).mean()
        assert zero == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / values.size))
        assert np.unique(values[values != 0]) == pytest.approx([1 / 0.75], rel=5e-3)


def test_layers_draw_what_they_are_asked_for_and_move_their_seed_on():
    generator = keras.random.SeedGenerator(3)
    with computing_by(layer_draws(counter_based=True, distributed=False), {}):
        whole = keras.random.randint((1000,), -2, 3, seed=generator).numpy()
        near = keras.random.uniform((1000,), 5.0, 6.0, seed=generator).numpy()
        wide = keras.random.normal((COUNT,), mean=10.0, stddev=4.0, seed=generator).numpy()
    assert sorted(set(whole.tolist())) == [-2, -1, 0, 1, 2]
    assert 5.0 <= near.min() < near.max() < 6.0
    assert (wide.mean(), wide.std()) == (pytest.approx(10, abs=0.2), pytest.approx(4, abs=0.1))
    assert generator.state.numpy().tolist() == [3, 3]
