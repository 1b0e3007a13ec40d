"""Preprocessing is fitted on training data and answers for anything that comes later."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.data import Column

KINDS = (Column("age (years)", "number"), Column("size", "number"), Column("town", "category"))


TRAINING = {
    "age (years)": np.array([20, 30, 40, np.nan], "float32"),
    "size": np.array([5, 5, 5, 5], "float32"),
    "town": np.array(["Ulm", "Ulm", "Jena", ""], object),
}


def features(model, **columns):
    return np.asarray(model({name: tf.constant(values) for name, values in columns.items()}))


@pytest.fixture(scope="module")
def model():
    return kexp.models.tabular_preprocessing(TRAINING, KINDS)


def test_numbers_get_mean_zero_and_deviation_one_of_the_known_values(model):
    vectors = features(model, **TRAINING)
    assert vectors[:3, 0] == pytest.approx([-np.sqrt(1.5), 0.0, np.sqrt(1.5)], abs=1e-5)


def test_a_missing_number_becomes_the_mean_and_raises_its_flag(model):
    vectors = features(model, **TRAINING)
    assert vectors[3, 0] == 0.0
    assert vectors[:, 2].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_a_constant_column_becomes_zero(model):
    assert features(model, **TRAINING)[:, 1].tolist() == [0.0] * 4


def test_a_category_never_seen_is_the_most_frequent_one_and_the_missing_one_has_a_place(model):
    towns = ["Ulm", "Jena", "", "Atlantis", "Ys"]
    columns = {"age (years)": np.zeros(5, "float32"), "size": np.zeros(5, "float32"), "town": towns}
    one_hot = features(model, **columns)[:, 3:]
    assert one_hot.shape == (5, 3)
    assert (one_hot.sum(axis=1) == 1).all()
    assert sorted(one_hot[:3].argmax(axis=1)) == [0, 1, 2]
    assert one_hot[3].tolist() == one_hot[4].tolist() == one_hot[0].tolist()


def test_of_very_many_categories_the_rarest_share_a_place():
    names = np.array([f"id {number}" for number in range(300)] + ["id 299"] * 5, object)
    model = kexp.models.tabular_preprocessing({"id": names}, [Column("id", "category")])
    vectors = features(model, id=names)
    assert vectors.shape == (305, 257)
    assert vectors[299, 0] == 0.0  # frequent, so it is not among the unknown
    assert vectors[:299, 0].sum() == 299 - 255


def test_it_survives_saving_and_loading_in_plain_keras(model, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(features(loaded, **TRAINING), features(model, **TRAINING))


def test_every_embedded_table_has_columns_that_a_model_can_carry():
    for name in ("breast_cancer", "diabetes", "iris", "wine"):
        data = kexp.data.load(name)
        vectors = features(
            kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns), **data.train.inputs
        )
        np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(vectors.std(axis=0), 1, atol=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_raw_numbers_keep_every_digit_under_a_mixed_precision_policy(policy):
    columns = {
        "year": np.array([2023, 2024, 2025], "float32"),
        "pay": np.array([1e5, 2e5, np.nan], "float32"),
    }
    kinds = [Column("year", "number"), Column("pay", "number")]
    exact = features(kexp.models.tabular_preprocessing(columns, kinds), **columns)
    keras.config.set_dtype_policy(policy)
    try:
        mixed = features(kexp.models.tabular_preprocessing(columns, kinds), **columns)
    finally:
        keras.config.set_dtype_policy("float32")
    assert mixed.dtype == "float32"
    np.testing.assert_array_equal(mixed, exact)


@pytest.mark.parametrize("name", ["tabular_preprocessing", "robust_preprocessing"])
def test_numbers_that_are_no_rows_of_a_table_are_refused(name):
    with pytest.raises(kexp.InputError, match=r"\(samples, columns\), .* received shape \(4, 3, 3, 2\)"):
        getattr(kexp.models, name)(np.zeros((4, 3, 3, 2), "float32"), ())
