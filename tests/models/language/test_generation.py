"""Text is drawn as it should be, the same with and without a cache, and the cache is worth having."""

import time

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.models import generate

PROMPT = np.random.default_rng(0).integers(1, 30, (3, 4))


def decoder(**options):
    keras.utils.set_random_seed(0)
    sizes = {"width": 16, "depth": 1, "heads": 2, "expansion": 2}
    return kexp.models.transformer_decoder(16, 30, **sizes | options)


@pytest.fixture(scope="module")
def model():
    return decoder()


def likely(model, text, step):
    """Return (batch, vocabulary), the probabilities of the token at a step, computed another way."""
    padded = np.pad(text, ((0, 0), (0, 16 - text.shape[1])))
    return keras.ops.convert_to_numpy(keras.ops.softmax(model(padded)[:, step - 1]))


@pytest.mark.parametrize(
    ("network", "begun", "options"),
    [
        ({}, 4, {"temperature": 0.8, "top_k": 5, "top_p": 0.9}),
        ({"positions": "learned"}, 1, {"temperature": 1.0, "seed": 3}),
        ({"block_norm": "rms", "feed_forward": "swiglu", "query_key_norm": True}, 2, {"temperature": 1.0}),
    ],
)
def test_the_text_is_the_same_with_and_without_the_cache(model, network, begun, options):
    model = decoder(depth=2, **network) if network else model
    prompt = PROMPT[:, :begun]
    cached = generate(model, prompt, tokens=12, **options)
    assert cached.shape == (3, begun + 12)
    assert cached.dtype == "int32"
    np.testing.assert_array_equal(cached[:, :begun], prompt)
    np.testing.assert_array_equal(cached, generate(model, prompt, tokens=12, cache=False, **options))


def test_greedy_text_is_the_most_likely_token_at_each_step(model):
    text = generate(model, PROMPT, tokens=12, temperature=0)
    for step in range(4, 16):
        np.testing.assert_array_equal(text[:, step], likely(model, text, step).argmax(axis=-1))
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}):
        np.testing.assert_array_equal(generate(model, PROMPT, tokens=12, **narrow), text)


def test_a_seed_draws_the_same_text_again_and_another_draws_another(model):
    text = generate(model, PROMPT, tokens=12, seed=1)
    np.testing.assert_array_equal(generate(model, PROMPT, tokens=12, seed=1), text)
    assert not np.array_equal(generate(model, PROMPT, tokens=12, seed=2), text)
    same = generate(model, np.repeat(PROMPT[:1], 3, axis=0), tokens=12, seed=1)
    assert len({tuple(row) for row in same}) == 3


def test_a_text_may_be_continued_in_several_calls(model):
    whole = generate(model, PROMPT, tokens=12, seed=7)
    np.testing.assert_array_equal(generate(model, whole[:, :9], tokens=7, seed=7), whole)


def test_tokens_come_as_often_as_they_are_likely(model):
    shares = likely(model, PROMPT[:1, :1], 1)[0]
    prompts = np.repeat(PROMPT[:1, :1], 5000, axis=0)
    sharper = shares**2 / np.sum(shares**2)
    top = np.where(sharper >= np.sort(sharper)[-5], sharper, 0)
    falling = np.argsort(-shares)
    count = np.searchsorted(np.cumsum(shares[falling]), 0.6) + 1
    nucleus = np.where(np.isin(np.arange(30), falling[:count]), shares, 0)
    assert 1 < count < 30
    expected = {(0.5, 99, None): sharper, (0.5, 5, None): top, (1.0, None, 0.6): nucleus}
    for (temperature, top_k, top_p), wanted in expected.items():
        drawn = generate(model, prompts, tokens=1, temperature=temperature, top_k=top_k, top_p=top_p)[:, -1]
        measured = np.bincount(drawn, minlength=30) / 5000
        np.testing.assert_allclose(measured, wanted / wanted.sum(), atol=0.03)
        assert not measured[wanted == 0].any()


def test_tokens_below_the_lowest_are_never_drawn(model):
    for options in ({"temperature": 0.0}, {"top_k": 2}):
        assert generate(model, PROMPT, tokens=12, lowest=20, **options)[:, 4:].min() >= 20


def test_a_loaded_model_continues_alike_and_a_trained_one_with_its_new_weights(model, tmp_path):
    text = generate(model, PROMPT, tokens=12, temperature=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(generate(loaded, PROMPT, tokens=12, temperature=0), text)
    loaded.set_weights([-weight for weight in loaded.get_weights()])
    changed = generate(loaded, PROMPT, tokens=12, temperature=0)
    np.testing.assert_array_equal(changed[:, 4], likely(loaded, PROMPT, 4).argmax(axis=-1))
    assert not np.array_equal(changed, text)


def test_text_is_drawn_in_mixed_precision_too():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = decoder(positions="learned")
    finally:
        keras.config.set_dtype_policy("float32")
    text = generate(model, PROMPT, tokens=6, temperature=0)
    greedy = [text[:, step] == likely(model, text, step).argmax(axis=-1) for step in range(4, 10)]
    assert np.mean(greedy) > 0.8  # float16 rounds differently in another order


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": 13}, "must be at most 16 together, the model's context; received 4 and 13"),
        ({"tokens": 0}, "tokens must be a whole number, 1 or more; received 0"),
        ({"temperature": -1.0}, "temperature must be a number, 0 or more; received -1.0"),
        ({"lowest": 30}, "lowest must be a whole number, from 0 to 29; received 30"),
        ({"top_k": 0}, "top_k must be a whole number, 1 or more, or None; received 0"),
        ({"top_p": 0.0}, "top_p must be above 0, to 1, or None; received 0.0"),
        ({"prompt": [1, 2]}, r"prompt must be whole numbers of shape \(batch, steps\)"),
        ({"prompt": [[1.0]]}, r"prompt must be whole numbers .* received float64 of shape \(1, 1\)"),
        ({"prompt": [[1, 30]]}, "prompt must be tokens from 0 to 29; received 1 to 30"),
    ],
)
def test_what_cannot_be_is_refused_before_anything(model, arguments, message):
    with pytest.raises(InputError, match=message):
        generate(model, **{"prompt": PROMPT, "tokens": 2} | arguments)


def test_a_model_of_another_kind_is_refused():
    with pytest.raises(InputError, match=r"model must be one that kexp\.models\.transformer_decoder built"):
        generate(kexp.models.mlp((4,), 2), PROMPT, tokens=2)


@pytest.mark.slow
def test_the_cache_makes_256_tokens_at_least_five_times_faster():
    model = kexp.models.transformer_decoder(512, 256, width=128, depth=4)
    prompt = np.random.default_rng(0).integers(1, 256, (1, 16))

    def seconds_of_a_token(tokens, cache):
        generate(model, prompt, tokens=tokens, cache=cache)  # compiles
        start_s = time.perf_counter()
        generate(model, prompt, tokens=tokens, cache=cache)
        return (time.perf_counter() - start_s) / tokens

    # Without the cache each token is computed from the whole context, so that a few tell what all take.
    assert seconds_of_a_token(24, cache=False) > 5 * seconds_of_a_token(256, cache=True)
