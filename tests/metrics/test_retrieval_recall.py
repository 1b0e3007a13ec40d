"""Recall of retrieval is what a loop over sorted answers counts, and chance what draws come to."""

import numpy as np
import pytest

import kexp
from kexp.metrics import mean_recall, retrieval_chance, retrieval_recall
from kexp.metrics.direction import known_direction

TEXTS = np.array([f"text {number // 3}" for number in range(36)], object)


def embeddings(seed):
    found = np.random.default_rng(seed).normal(size=(len(TEXTS), 4))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def one_by_one(queries, asked, answers, given, at):
    """Return the recall that a loop over queries finds."""
    hits = 0
    for query, text in zip(queries, asked, strict=True):
        order = sorted(range(len(answers)), key=lambda place: -float(query @ answers[place]))
        hits += text in [given[place] for place in order[:at]]
    return hits / len(queries)


def test_recall_is_what_a_loop_over_the_answers_counts():
    images, texts = embeddings(0), embeddings(1)
    for text in set(TEXTS):  # equal texts have equal embeddings
        texts[text == TEXTS] = texts[text == TEXTS][0]
    found = retrieval_recall(images, texts, TEXTS, at=(1, 5))
    different = np.arange(0, len(TEXTS), 3)
    for at in (1, 5):
        names = TEXTS[different]
        expected = one_by_one(images, TEXTS, texts[different], names, at)
        assert found[f"image_to_text_recall_at_{at}"] == pytest.approx(expected)
        expected = one_by_one(texts[different], names, images, TEXTS, at)
        assert found[f"text_to_image_recall_at_{at}"] == pytest.approx(expected)


def test_embeddings_that_are_all_alike_find_nothing():
    same = np.ones((4, 2)) / np.sqrt(2)
    assert retrieval_recall(same, same, ["a", "b", "c", "d"], at=[1])["image_to_text_recall_at_1"] == 0
    assert mean_recall(np.eye(4), np.eye(4), ["a", "b", "c", "d"]) == 1


def test_chance_is_what_answers_in_random_order_come_to():
    texts = np.array(list("aabbbcdeeeeefghijklm"))
    draws = np.random.default_rng(0)
    numbers = np.unique(texts, return_inverse=True)[1]
    counted = []
    for _ in range(400):
        width = 2 * len(texts)  # random directions that are the same for equal texts
        names = draws.normal(size=(len(set(texts)), width))[numbers]
        counted.append(retrieval_recall(draws.normal(size=(len(texts), width)), names, texts, at=(1, 3)))
    for name, chance in retrieval_chance(texts, at=(1, 3)).items():
        assert np.mean([one[name] for one in counted]) == pytest.approx(chance, abs=0.02)


def test_more_is_better_and_lengths_must_agree():
    assert known_direction("test_image_to_text_recall_at_10") == known_direction("val_mean_recall") == "max"
    with pytest.raises(kexp.InputError, match="must be of the same samples, 1 or more; received 3, 2 and 3"):
        retrieval_recall(np.eye(3), np.eye(2), ["a", "b", "c"])
