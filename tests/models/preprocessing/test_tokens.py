"""Texts become numbers and numbers texts, the same in any process and in a graph."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from kexp.models.preprocessing.tokens import Tokenizer, tokenizer, tokens_of


def texts_of(*texts):
    return np.array(texts, object)


def numbers(model, *texts):
    return np.asarray(model(texts_of(*texts))).tolist()


def decoded(layer, tokens):
    return [text.decode() for text in layer.strings(tokens).numpy()]


TEXTS = ("Zoë went", "東京 is big", "a 🙂", "", "naïve  a")


@pytest.mark.parametrize("options", [{}, {"ends": True}, {"reverse": True}, {"ends": True, "reverse": True}])
@pytest.mark.parametrize("split", ["character", "space"])
def test_texts_come_back_as_they_were(split, options):
    model = tokenizer(texts_of(*TEXTS), split=split, **options)
    back = decoded(tokens_of(model), model(texts_of(*TEXTS)))
    expected = [" ".join(text.split()) for text in TEXTS] if split == "space" else list(TEXTS)
    assert back == expected


def test_subwords_come_back_and_need_fewer_numbers():
    texts = texts_of("low lower lowest", "new  newer\n", "größer 🙂", "")
    model = tokenizer(texts, split="subword", vocabulary=24, ends=True)
    assert decoded(tokens_of(model), model(texts)) == list(texts)
    assert model.output_shape[1] < 2 + max(map(len, texts))
    assert decoded(tokens_of(model), model(texts_of("slow x"))) == ["slow \ufffd"]


def test_frequent_tokens_come_first_and_equally_frequent_ones_in_alphabetical_order():
    model = tokenizer(texts_of("cab", "ccB", "a"), split="character")
    assert tokens_of(model).vocabulary == ("c", "a", "B", "b")
    assert tokens_of(model).size == 8
    assert numbers(model, "cabB") == [[4, 5, 7]]
    shorter = tokenizer(texts_of("cab", "ccB", "a"), split="character", vocabulary=2, steps=5)
    assert numbers(shorter, "cabB") == [[4, 5, 1, 1, 0]]


def test_words_keep_their_case_and_punctuation():
    model = tokenizer(texts_of("Go,\tgo go\n", " Go, "), split="space")
    assert tokens_of(model).vocabulary == ("Go,", "go")


def test_the_unknown_is_one_number_and_comes_back_as_a_mark():
    model = tokenizer(texts_of("ab"), split="character", steps=3)
    assert numbers(model, "éb", "\ufffd") == [[1, 5, 0], [1, 0, 0]]
    assert decoded(tokens_of(model), [[1, 5, 0], [99, 4, 0]]) == ["\ufffdb", "\ufffda"]
    assert tokens_of(tokenizer(texts_of("a\ufffd"), split="character")).vocabulary == ("a",)


def test_a_long_text_is_cut_and_its_ends_are_kept():
    model = tokenizer(texts_of("abc"), split="character", ends=True)
    assert model.output_shape == (None, 5)
    assert numbers(model, "abcabc", "a", "") == [[2, 4, 5, 6, 3], [2, 4, 3, 0, 0], [2, 3, 0, 0, 0]]
    turned = tokenizer(texts_of("abc"), split="character", reverse=True, steps=2)
    assert numbers(turned, "abc", "a") == [[5, 4], [4, 0]]


def test_a_text_goes_up_to_its_end_or_the_padding():
    layer = tokens_of(tokenizer(texts_of("ab"), split="character"))
    assert decoded(layer, [[2, 4, 5, 3, 4], [4, 5, 0, 4, 4], [4, 4, 4, 4, 4]]) == ["ab", "ab", "aaaaa"]
    assert decoded(layer, np.zeros((2, 0), "int32")) == ["", ""]
    assert decoded(layer, np.zeros((0, 3), "int32")) == []


def test_no_text_at_all_gives_no_numbers():
    model = tokenizer(texts_of("ab"), split="space", ends=True)
    assert model(texts_of()).shape == (0, 3)


@pytest.mark.parametrize("split", ["character", "space"])
def test_a_loaded_model_knows_its_tokens(split, tmp_path):
    model = tokenizer(texts_of(*TEXTS), split=split, ends=True, reverse=True)
    model.save(tmp_path / "tokens.keras")
    loaded = keras.models.load_model(tmp_path / "tokens.keras")
    tokens = np.asarray(model(texts_of(*TEXTS)))
    np.testing.assert_array_equal(loaded(texts_of(*TEXTS)), tokens)
    assert decoded(tokens_of(loaded), tokens) == decoded(tokens_of(model), tokens)
    assert tokens_of(loaded).get_config() == tokens_of(model).get_config()


def test_both_ways_work_in_a_graph_and_in_a_data_set():
    model = tokenizer(texts_of(*TEXTS), split="character", ends=True)
    expected = np.asarray(model(texts_of(*TEXTS)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def there_and_back(texts):
        return tokens_of(model).strings(model(texts))

    assert [text.decode() for text in there_and_back(tf.constant(TEXTS)).numpy()] == list(TEXTS)
    batches = tf.data.Dataset.from_tensor_slices(list(TEXTS)).batch(5).map(model)
    np.testing.assert_array_equal(next(iter(batches)), expected)


def test_a_saved_model_finds_the_tables(tmp_path):
    model = tokenizer(texts_of(*TEXTS), split="character", ends=True)
    archive = keras.export.ExportArchive()
    archive.track(model)
    serve = tf.function(lambda texts: {"text": tokens_of(model).strings(model(texts))})
    archive.add_endpoint("serve", serve, [tf.TensorSpec([None], tf.string)])
    archive.write_out(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    assert [text.decode() for text in served.serve(tf.constant(TEXTS))["text"].numpy()] == list(TEXTS)


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"split must be 'character', 'space' or 'subword'; received 'word'"):
        tokenizer(texts_of("a"), split="word")
    with pytest.raises(InputError, match="steps must be a whole number, 3 or more; received 2"):
        tokenizer(texts_of("a"), split="space", steps=2, ends=True)
    with pytest.raises(InputError, match="vocabulary must be a whole number, 1 or more; received 0"):
        tokenizer(texts_of("a"), split="space", vocabulary=0)
    with pytest.raises(InputError, match="received only empty ones"):
        tokenizer(texts_of("", " "), split="space")
    with pytest.raises(InputError, match="vocabulary must be different tokens"):
        Tokenizer(["a", "a"], "character", 3)
    with pytest.raises(InputError, match=r"kexp\.models\.tokenizer built"):
        tokens_of(kexp.models.mlp((3,), 2))
