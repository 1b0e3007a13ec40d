"""Padded samples are batched by length and cut there, which changes the time and nothing else."""

import keras
import numpy as np
import pytest

import kexp
from kexp.data import Dataset, DatasetSpec, Split
from kexp.data.order import epoch_order
from kexp.engine.base import EnginePhase
from kexp.engine.tensorflow.engine import TensorFlowEngine
from kexp.engine.tensorflow.evaluator import LossEvaluator
from kexp.engine.tensorflow.input_pipeline import ArrayBatchSource
from kexp.engine.tensorflow.length_buckets import Buckets
from kexp.train.objectives import supervised

LENGTHS = np.resize([3, 30, 9, 1, 17, 4], 60)


def tokens() -> Split:
    """Words of 1 to 30 letters of an alphabet of 5, padded with 0; the label is their first letter."""
    rng = np.random.default_rng(0)
    array = rng.integers(1, 6, (len(LENGTHS), 30)).astype("int32")
    return Split(np.where(np.arange(30) < LENGTHS[:, None], array, 0).astype("int32"), array[:, 0] - 1)


def reader(steps: int | None = None, **options) -> keras.Model:
    keras.utils.set_random_seed(0)
    return kexp.models.rnn((steps,), 5, vocabulary=6, units=(8,), embedding=4, **options)


def test_lengths_are_those_before_the_padding():
    split = tokens()
    np.testing.assert_array_equal(Buckets.of(reader(), split, "classification").sizes, LENGTHS)
    series = kexp.data.load("japanese_vowels").train
    lengths = np.isfinite(series.inputs[:, :, 0]).sum(axis=1)
    model = kexp.models.rnn((None, 12), 9, units=(4,))
    np.testing.assert_array_equal(Buckets.of(model, series, "classification").sizes, lengths)


def test_an_order_holds_every_sample_once_and_batches_of_about_equal_length():
    buckets = Buckets({"": np.random.default_rng(1).integers(1, 100, 1003)}, False)
    shuffled = epoch_order(1003, 5, 2)
    order = buckets.order(shuffled, 10, 5, 2)
    assert sorted(order) == list(range(1003))
    np.testing.assert_array_equal(order[1000:], shuffled[1000:])
    np.testing.assert_array_equal(order, buckets.order(shuffled, 10, 5, 2))
    assert (order != buckets.order(shuffled, 10, 5, 3)).any()
    spread = np.ptp(buckets.sizes[order[:1000]].reshape(100, 10), axis=1)
    assert spread.mean() < 10 < np.ptp(buckets.sizes[shuffled[:1000]].reshape(100, 10), axis=1).mean()
    first = buckets.sizes[order[:1000]].reshape(100, 10).mean(axis=1)
    assert np.abs(np.corrcoef(first, np.arange(100))[0, 1]) < 0.3  # short batches do not come first


def test_a_batch_is_cut_after_its_longest_sample():
    split = tokens()
    batch_source = ArrayBatchSource(split, None, Buckets.of(reader(), split, "classification"))
    short, long = np.flatnonzero(LENGTHS <= 4)[:5].astype("int32"), np.array([0, 1], "int32")
    assert batch_source(short)[0].shape == (5, 8)
    assert batch_source(long)[0].shape == (2, 30)
    np.testing.assert_array_equal(batch_source(short)[0], split.inputs[short, :8])


@pytest.mark.parametrize("head", ["last", "average", "max"])
def test_measuring_with_buckets_gives_the_same_figures(head):
    split, spec = tokens(), DatasetSpec("array", (30,), "int32", "classification", 5)
    figures = []
    for steps in (None, 30):
        model = reader(steps, head=head, bidirectional=True)
        assert (Buckets.of(model, split, "classification") is None) == (steps == 30)
        figures.append(LossEvaluator(model, supervised(spec), split).measure(16))
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)


def test_another_part_is_measured_by_the_same_function_if_it_has_the_same_form():
    split, spec = tokens(), DatasetSpec("array", (30,), "int32", "classification", 5)
    weighted = Split(split.inputs, split.targets, np.linspace(0.5, 1.5, 60, dtype="float32"))
    traced, dense = [], keras.layers.Dense(5)

    def counted(x):
        traced.append(x)
        return dense(x)

    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.LSTM(4)(keras.layers.Embedding(6, 4, mask_zero=True)(inputs))
    model = keras.Model(inputs, keras.layers.Lambda(counted)(x))
    first = LossEvaluator(model, supervised(spec), split)
    first.measure(16)
    shorter = Split(split.inputs[7:40], split.targets[7:40])
    for part, more in ((shorter, 0), (weighted, 1)):
        expected = LossEvaluator(model, supervised(spec), part).measure(16)
        shared = LossEvaluator(model, supervised(spec), part, first)
        before = len(traced)
        assert shared.measure(16) == expected
        assert len(traced) - before == more


@pytest.mark.parametrize(
    "build",
    [
        lambda: reader(),
        lambda: kexp.models.transformer_encoder(
            (None,), 5, vocabulary=6, width=8, depth=1, heads=2, dropout=0.0
        ),
    ],
)
def test_a_step_on_cut_batches_is_the_step_on_whole_ones(build):
    weights = []
    for cuts in (True, False):
        keras.utils.set_random_seed(0)
        model, split = build(), tokens()
        spec = DatasetSpec("array", (30,), "int32", "classification", 5)
        buckets = Buckets.of(model, split, "classification")
        assert buckets is not None
        model.optimizer = keras.optimizers.SGD(0.5)
        model.optimizer.build(model.trainable_weights)
        options = kexp.core.options.complete({"batch_size": 8})
        batch_source = ArrayBatchSource(split, None, buckets if cuts else None)
        objective = supervised(spec)
        phases = [EnginePhase(objective.players(model), (model.optimizer,))]
        engine = TensorFlowEngine(model, objective, phases, batch_source, None, options)
        rows = buckets.order(epoch_order(60, 0, 0), 8, 0, 0)[:56].reshape(7, 8)
        assert engine.run(rows, 8) is None
        weights.append(model.get_weights())
    for cut, whole in zip(*weights, strict=True):
        np.testing.assert_allclose(cut, whole, atol=1e-6)


def test_a_model_to_which_padding_matters_gets_all_of_it():
    inputs = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(6, 4)(inputs)
    average = keras.layers.GlobalAveragePooling1D()(vectors)  # without a mask
    model = keras.Model(inputs, keras.layers.Dense(5)(average))
    assert Buckets.of(model, tokens(), "classification") is None


def test_arrays_without_padding_have_no_buckets():
    full = Split(np.ones((20, 30), "int32"), np.zeros(20, "int32"))
    assert Buckets.of(reader(), full, "classification") is None
    iris = kexp.data.load("iris").train
    assert Buckets.of(kexp.models.mlp((4,), 3), iris, "classification") is None


@pytest.mark.slow
def test_a_run_with_buckets_resumes_exactly(tmp_path):
    split = tokens()
    spec = DatasetSpec("array", (30,), "int32", "classification", 5)
    data = Dataset("words", split, split, None, spec, "0" * 64)
    options = {"epochs": 3, "batch_size": 8, "quiet": True}
    whole = kexp.fit(reader(), data, run_dir=str(tmp_path / "whole"), **options)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations.numpy() == 11:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kexp.fit(
            reader(),
            data,
            callbacks=[Stop()],
            run_dir=str(tmp_path / "cut"),
            checkpoint_every="1 step",
            **options,
        )
    resumed = kexp.fit(reader(), data, run_dir=str(tmp_path / "cut"), checkpoint_every="1 step", **options)
    for first, second in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert whole.history == resumed.history
