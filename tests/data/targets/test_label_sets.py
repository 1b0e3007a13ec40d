"""Several labels for each sample: zeros and ones, lists, and texts with a separator all become one matrix."""

import numpy as np
import pandas as pd
import pytest

from kexp.core.errors import InputError
from kexp.data import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
NAMES = ("big", "red", "round")
MATRIX = (RNG.random((60, 3)) < (0.2, 0.5, 0.7)).astype(int)
LISTS = [[name for name, value in zip(NAMES, row, strict=True) if value] for row in MATRIX]
TEXTS = [" | ".join(names) for names in LISTS]
FRAME = pd.DataFrame(X, columns=list("abc"))


def whole(data):
    """Return the targets in the order of the source, which the first input tells."""
    parts = [data.train, data.validation, data.test]
    inputs = [part.inputs if isinstance(part.inputs, np.ndarray) else part.inputs["a"] for part in parts]
    firsts = np.concatenate([array if array.ndim == 1 else array[:, 0] for array in inputs])
    order = [int(np.flatnonzero(firsts == value)[0]) for value in X[:, 0]]
    return np.concatenate([part.targets for part in parts])[order]


@pytest.mark.parametrize(
    ("targets", "options", "names"),
    [
        (MATRIX, {}, ("0", "1", "2")),
        (MATRIX.astype(bool), {}, ("0", "1", "2")),
        (MATRIX.astype("float32"), {}, ("0", "1", "2")),
        (LISTS, {}, NAMES),
        ([tuple(labels) for labels in LISTS], {}, NAMES),
        ([set(labels) for labels in LISTS], {}, NAMES),
        (pd.Series(LISTS), {}, NAMES),
        (TEXTS, {"separator": "|"}, NAMES),
    ],
    ids=["int", "bool", "float", "lists", "tuples", "sets", "series", "texts"],
)
def test_labels_in_memory_become_zeros_and_ones_with_names(targets, options, names):
    data = load((X, targets), **options)
    assert (data.spec.task, data.spec.outputs, data.spec.class_names) == ("multilabel", 3, names)
    assert data.train.targets.dtype == np.float32
    np.testing.assert_array_equal(whole(data), MATRIX)


def test_whole_numbers_as_labels_are_named_by_themselves():
    data = load((X, [[10, 9] if row[0] else [9] for row in MATRIX]))
    assert data.spec.class_names == ("9", "10")
    np.testing.assert_array_equal(whole(data), np.stack([np.ones(60), MATRIX[:, 0]], axis=1))


def test_a_column_of_texts_a_column_of_lists_and_a_column_for_each_label_are_the_same(tmp_path):
    FRAME.assign(tags=TEXTS).to_csv(tmp_path / "t.csv", index=False)
    by_file = load(tmp_path / "t.csv", target="tags", separator="|")
    by_list = load(FRAME.assign(tags=LISTS), target="tags")
    by_column = load(FRAME.assign(**dict(zip(NAMES, MATRIX.T, strict=True))), target=NAMES)
    for data in (by_file, by_list, by_column):
        assert data.spec.class_names == NAMES
        assert [column.name for column in data.spec.columns] == ["a", "b", "c"]
        np.testing.assert_array_equal(whole(data), MATRIX)
    assert (by_file.spec.separator, by_list.spec.separator) == ("|", "")
    assert by_column.spec.target == "big, red, round"


def test_several_columns_of_quantities_are_targets_with_names():
    data = load(FRAME, target=["a", "c"])
    assert (data.spec.task, data.spec.outputs, data.spec.target_names) == ("regression", 2, ("a", "c"))
    assert list(data.train.inputs) == ["b"]
    assert type(data.spec).from_json(data.spec.to_json()) == data.spec


def test_columns_of_a_frame_as_targets_name_labels_and_numbers():
    labels = load((X, pd.DataFrame(MATRIX, columns=list(NAMES))))
    assert labels.spec.class_names == NAMES
    numbers = load((X, FRAME[["c", "a"]]))
    assert (numbers.spec.task, numbers.spec.target_names) == ("regression", ("c", "a"))


def test_one_label_for_each_is_a_choice_among_classes_unless_asked_otherwise():
    single = [["red"] if row[0] else ["big"] for row in MATRIX]
    assert load((X, single)).spec.task == "classification"
    assert load((X, single), task="multilabel").spec.task == "multilabel"


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (
            np.eye(3, dtype=int)[np.arange(60) % 3],
            {},
            "one-hot.*task='multilabel' if a sample may have",
        ),
        (MATRIX * 2, {"task": "multilabel"}, "needs train targets of zeros and ones"),
        (MATRIX[:, :1], {"task": "multilabel"}, "with two labels or more"),
        ([["a"]] * 60, {"task": "multilabel"}, "needs two labels or more"),
        ([["a", ""], *LISTS[1:]], {}, "each a text or a whole number; received '' at sample 0"),
        ([["a", 1.5], *LISTS[1:]], {}, "received 1.5 at sample 0"),
        (np.c_[MATRIX, np.zeros(60, int)], {}, "no training sample has the label '3'"),
        (MATRIX, {"separator": ";"}, "which separator=';' takes apart, must be text"),
        (
            TEXTS,
            {"separator": "|", "task": "classification"},
            "only several labels of a sample are",
        ),
        (TEXTS, {"separator": ""}, "expected a text such as ';'"),
    ],
)
def test_what_is_no_set_of_labels_is_refused(targets, options, message):
    with pytest.raises(InputError, match=message):
        load((X, targets), **options)


def test_a_label_that_drawing_the_splits_has_taken_from_training_is_named():
    rare = MATRIX.copy()
    rare[:, 0] = 0
    rare[:2, 0] = 1
    outcomes = []
    for seed in range(20):
        try:
            outcomes.append(load((X, rare), validation=0.8, seed=seed).train.targets.any(axis=0).tolist())
        except InputError as error:
            assert "no training sample has the label '0'" in str(error)  # noqa: PT017
            outcomes.append("refused")
    assert "refused" in outcomes
    assert all(outcome in ("refused", [True, True, True]) for outcome in outcomes)


@pytest.mark.parametrize(
    ("target", "message"),
    [(["a"], "two columns or more"), (("a", "a"), "each once"), (("a", "d"), "no column target='d'")],
)
def test_columns_that_cannot_be_targets_are_refused(target, message):
    with pytest.raises(InputError, match=message):
        load(FRAME, target=target)
