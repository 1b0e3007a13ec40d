"""What networks for tables see: quantile bins, embedded categories, numbers scaled and cut."""

import keras
import numpy as np
import pytest

import kexp
from kexp.data import Column


def test_piecewise_linear_encodings_are_those_of_the_formula():
    edges = [np.array([-1.0, 0.0, 0.5, 2.0]), np.array([3.0, 4.0])]
    x = np.array([[-2.0, 2.0], [-0.25, 3.5], [0.5, 4.0], [1.0, 6.0], [5.0, 3.0]], "float32")
    layer = kexp.models.PiecewiseLinearEmbedding(edges, width=4)
    found = np.asarray(layer.encoded(x))
    assert found.shape == (5, 2, 3)
    for number, one in enumerate(edges):
        for place in range(3):
            if place >= len(one) - 1:
                assert not found[:, number, place].any()
                continue
            expected = (x[:, number] - one[place]) / (one[place + 1] - one[place])
            expected = expected if place == 0 else np.maximum(expected, 0)
            expected = expected if place == len(one) - 2 else np.minimum(expected, 1)
            np.testing.assert_allclose(found[:, number, place], expected, atol=1e-6)


def test_an_embedding_is_linear_in_the_number_and_its_encoding():
    layer = kexp.models.PiecewiseLinearEmbedding([(0.0, 1.0, 3.0), ()], width=4)
    x = np.array([[0.5, 7.0], [2.0, -1.0]], "float32")
    layer(x)
    kernel = np.random.default_rng(0).normal(size=(2, 2, 4)).astype("float32")
    layer.kernel.assign(kernel)
    expected = x[..., None] * layer.base.numpy() + layer.bias.numpy()
    expected += np.einsum("bnt,ntw->bnw", np.asarray(layer.encoded(x)), kernel)
    np.testing.assert_allclose(layer(x), expected.reshape(2, 8), atol=1e-5)


def test_edges_that_do_not_rise_are_refused():
    with pytest.raises(kexp.InputError, match="edges must rise"):
        kexp.models.PiecewiseLinearEmbedding([(0.0, 0.0)], width=4)


def test_numbers_are_scaled_by_their_quartiles_and_cut_smoothly():
    values = np.random.default_rng(0).lognormal(size=200)
    mostly = np.where(np.arange(200) < 160, 5.0, np.linspace(0, 20, 200))  # whose quartiles are one
    gaps = np.where(np.arange(200) % 7 == 0, np.nan, values)
    columns = {"a": values.astype("float32"), "b": mostly.astype("float32"), "c": gaps.astype("float32")}
    constant = {"d": np.full(200, 3.0, "float32")}
    kinds = [Column(name, "number") for name in "abcd"]
    model, layout = kexp.models.robust_preprocessing({**columns, **constant}, kinds)
    found = np.asarray(model({**columns, **constant}))
    assert found.shape == (200, 5)
    assert (layout.plain, layout.width) == (1, 5)

    def expected(column, scale):
        x = (column - np.nanmedian(column)) / scale
        return x / np.sqrt(1 + (x / 3) ** 2)

    low, high = np.quantile(columns["a"], (0.25, 0.75))
    np.testing.assert_allclose(found[:, 0], expected(columns["a"], high - low), atol=1e-4)
    half = (columns["b"].max() - columns["b"].min()) / 2
    np.testing.assert_allclose(found[:, 1], expected(columns["b"], half), atol=1e-4)
    assert not found[::7, 2].any()
    np.testing.assert_array_equal(found[:, 4], np.isnan(gaps))
    assert not found[:, 3].any()
    assert len(layout.edges[3]) == 1
    assert np.abs(found).max() < 3


def test_bins_lie_between_quantiles_and_hold_rows_alike():
    values = np.random.default_rng(0).lognormal(size=1000).astype("float32")
    model, layout = kexp.models.robust_preprocessing({"a": values}, [Column("a", "number")], bins=10)
    (edges,) = layout.edges
    assert len(edges) == 11
    counts, _ = np.histogram(np.asarray(model({"a": values}))[:, 0], np.array(edges) + 1e-6)
    assert np.all(np.abs(counts - 100) <= 2)


def test_categories_of_many_values_have_codes_and_few_stand_one_hot():
    many = np.array([f"town {number % 12}" for number in range(48)] + ["town 3"], object)
    few = np.array(["red", "blue", ""] * 16 + ["red"], object)
    kinds = [Column("town", "category"), Column("colour", "category")]
    model, layout = kexp.models.robust_preprocessing({"town": many, "colour": few}, kinds)
    assert (layout.plain, layout.categories) == (3, (12,))
    found = np.asarray(model({"town": many, "colour": few}))
    assert sorted(set(found[:, 3])) == list(range(12))
    unseen = np.asarray(model({"town": np.array(["Ulm"], object), "colour": np.array(["green"], object)}))
    np.testing.assert_array_equal(unseen[0, 3], found[-1, 3])  # the most frequent one
    np.testing.assert_array_equal(unseen[0, :3], found[0, :3])


def test_embedded_categories_of_two_columns_share_no_vector():
    layer = kexp.models.CategoryEmbedding((2, 3), width=4)
    found = np.asarray(layer(np.array([[0.0, 0.0], [1.0, 2.0]], "float32"))).reshape(4, 4)
    np.testing.assert_array_equal(found, layer.table.numpy()[[0, 2, 1, 4]])
    assert isinstance(
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer)), type(layer)
    )
