"""Preprocessing is fitted on training data and answers for anything that comes later."""

from collections import Counter

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
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


def test_a_category_never_seen_has_a_place_of_its_own_and_so_has_the_missing_one(model):
    towns = ["Ulm", "Jena", "", "Atlantis", "Ys"]
    columns = {"age (years)": np.zeros(5, "float32"), "size": np.zeros(5, "float32"), "town": towns}
    one_hot = features(model, **columns)[:, 3:]
    assert one_hot.shape == (5, 4)
    assert (one_hot.sum(axis=1) == 1).all()
    assert len({tuple(row) for row in one_hot[:4]}) == 4
    assert one_hot[3].tolist() == one_hot[4].tolist()


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


def test_a_series_gets_mean_zero_and_deviation_one_over_its_real_steps():
    data = kexp.data.load("japanese_vowels")
    series = data.train.inputs
    scaled = np.asarray(kexp.models.series_preprocessing(series)(series))
    assert (scaled.shape, scaled.dtype) == (series.shape, np.float32)
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(series))
    np.testing.assert_allclose(np.nanmean(scaled, axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(scaled, axis=(0, 1)), 1, atol=1e-4)


def test_a_constant_channel_becomes_zero_and_a_table_is_no_series():
    series = np.full((3, 4, 1), 0.1, "float32")
    assert not np.asarray(kexp.models.series_preprocessing(series)(series)).any()
    with pytest.raises(InputError, match=r"shape \(samples, steps, channels\), received \(3, 4\)"):
        kexp.models.series_preprocessing(series[..., 0])


def test_a_series_is_scaled_in_float32_under_a_mixed_precision_policy():
    series = np.arange(2000, 2024, dtype="float32").reshape(2, 12, 1)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        scaled = np.asarray(kexp.models.series_preprocessing(series)(series))
    finally:
        keras.config.set_dtype_policy("float32")
    assert scaled.dtype == np.float32
    assert len(np.unique(scaled)) == 24


def numbers(model, texts):
    return np.asarray(model(tf.constant(texts))).tolist()


TEXTS = np.array(["The cat, the hat.", "", "Don't: a CAT!", "éÉ 日本 z"], object)


def test_words_are_numbered_by_frequency_then_alphabetically_and_texts_padded_and_cut():
    model = kexp.models.text_preprocessing(TEXTS, split="word", steps=3)
    assert (model.output_shape, model.output.dtype) == ((None, 3), "int32")
    # cat 2, the 3, a 4, dont 5, hat 6, then z, éÉ and 日本 in the order of their letters
    assert numbers(model, ["the a hat cat", "dog z", "", "  Éé éÉ 日本 "]) == [
        [3, 4, 6],
        [1, 7, 0],
        [0] * 3,
        [1, 8, 9],
    ]
    assert kexp.models.vocabulary_size(model) == 10


def test_characters_are_those_of_unicode_with_their_case():
    model = kexp.models.text_preprocessing(["Äa日", "日\n"], split="character")
    assert model.output_shape == (None, 3)
    assert numbers(model, ["日\naÄ", "AÖ"]) == [[2, 3, 4], [1, 1, 0]]
    assert numbers(model, ["a" * 1_000_000, ""]) == [[4, 4, 4], [0, 0, 0]]


def test_the_rarest_tokens_of_a_small_vocabulary_are_unknown():
    model = kexp.models.text_preprocessing(["b b a a c"], split="word", vocabulary=2)
    assert numbers(model, ["a b c"]) == [[2, 3, 1, 0, 0]]
    assert kexp.models.vocabulary_size(model) == 4


def test_default_steps_hold_95_of_100_texts_of_words_and_every_text_of_characters():
    texts = ["one"] * 95 + ["one two three four five six"] * 5
    assert kexp.models.text_preprocessing(texts, split="word").output_shape == (None, 2)
    assert kexp.models.text_preprocessing(texts, split="character").output_shape == (None, 27)


def test_many_batches_of_texts_are_counted_like_one():
    names = kexp.data.load("first_names").train.inputs
    model = kexp.models.text_preprocessing(names, split="character", vocabulary=9)
    counts = Counter("".join(names))
    frequent = sorted(counts, key=lambda letter: (-counts[letter], letter))
    assert numbers(model, ["".join(frequent[:11])])[0][:11] == [*range(2, 11), 1, 1]
    assert model.output_shape[1] == max(map(len, names))


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["a"], {"split": "letter"}, "split='letter': expected 'character' or 'word'"),
        (["a"], {"split": "word", "vocabulary": 0}, "vocabulary=0: expected a whole number, 1 or more"),
        (["a"], {"split": "word", "steps": 2.5}, r"steps=2\.5"),
        (["", " ..."], {"split": "word"}, "received only empty ones"),
    ],
)
def test_text_preprocessing_refuses_what_it_cannot_learn_from(texts, options, message):
    with pytest.raises(InputError, match=message):
        kexp.models.text_preprocessing(texts, **options)


@pytest.mark.parametrize("split", ["word", "character"])
def test_the_vocabulary_is_within_the_saved_model_line_breaks_and_all(split, tmp_path):
    texts = np.array(["a\nb\r c\x85d\u2028e\t日", "[UNK] a"], object)
    model = kexp.models.text_preprocessing(texts, split=split, steps=12)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert numbers(loaded, texts) == numbers(model, texts)
    assert 1 not in np.asarray(numbers(loaded, texts))
    assert kexp.models.vocabulary_size(loaded) == kexp.models.vocabulary_size(model)
