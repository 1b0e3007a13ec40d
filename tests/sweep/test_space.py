"""A recipe's signature is its search space, which a caller narrows, widens or fixes; mistakes come first."""

from typing import Annotated, Literal

import pytest

import kexp
from kexp import Between, TrainOptions, Unpack
from kexp.core.errors import InputError
from kexp.core.search import Dimension
from kexp.recipes import cnn_images, mlp_images
from kexp.sweep.space.overrides import When
from kexp.sweep.space.space import space_of


def searched(recipe, **overrides):
    return {dimension.name: str(dimension) for dimension in space_of(recipe, overrides).dimensions}


@kexp.recipe(epochs=1)
def conditional(
    data: str = "iris",
    *,
    kind: Literal["plain", "gated"] = "plain",
    gates: Annotated[int, Between(1, 8), When("kind", "gated")] = 2,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """A recipe of which one argument counts with a certain value of another alone."""


def test_the_signature_is_the_space():
    assert searched(mlp_images) == {
        "hidden[0]": "16 to 1024, log",
        "hidden[1]": "16 to 1024, log",
        "activation": "one of relu, gelu, tanh, sigmoid, swish",
        "normalization": "one of none, batch, layer",
        "dropout": "0 to 0.5",
        "batch_size": "one of 16, 32, 64, 128",
        "learning_rate": "0.0001 to 0.01, log",
    }


def test_training_options_and_data_are_searched_only_where_they_are_named():
    space = searched(mlp_images, optimizer=["adam", "lion"], data=["digits", "fashion_mnist_small"])
    assert space["optimizer"] == "one of adam, lion"
    assert space["data"] == "one of digits, fashion_mnist_small"
    assert not {"epochs", "seed", "validation"} & set(space)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.1, 0.3), "0.1 to 0.3"),
        (Between(0.1, 0.3, log=True), "0.1 to 0.3, log"),
        ("0.1..0.3", "0.1 to 0.3"),
        ([0, 0.25], "one of 0.0, 0.25"),
        ("0,0.25", "one of 0.0, 0.25"),
        (0.25, None),
        ("0.25", None),
    ],
)
def test_an_override_is_a_range_choices_or_a_fixed_value(given, expected):
    space = space_of(mlp_images, {"dropout": given})
    assert {d.name: str(d) for d in space.dimensions}.get("dropout") == expected
    assert space.fixed == ({} if expected else {"dropout": 0.25})


def test_a_tuple_is_fixed_chosen_among_or_searched_entry_by_entry():
    assert space_of(mlp_images, {"hidden": (64, 32)}).fixed == {"hidden": (64, 32)}
    assert searched(mlp_images, hidden=[(64,), (64, 32)])["hidden"] == "one of (64,), (64, 32)"
    space = space_of(mlp_images, {"hidden": Between(16, 32)})
    assert space.arguments({"hidden[0]": 20, "hidden[1]": 30}) == {"hidden": (20, 30)}


def test_a_condition_is_stated_by_the_recipe_or_by_the_caller():
    space = space_of(conditional)
    assert searched(conditional)["gates"] == "1 to 8, with kind gated"
    assert [d.name for d in space.active({"kind": "plain"})][:1] == ["kind"]
    assert "gates" not in searched(conditional, kind="plain")
    assert searched(conditional, kind="gated")["gates"] == "1 to 8"
    given = searched(cnn_images, dropout=When("size", "plain", (0.0, 0.2)))
    assert given["dropout"] == "0 to 0.2, with size plain"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"droput": 0.1}, "has no argument droput .did you mean 'dropout'"),
        ({"dropout": (0.0, 0.9)}, "dropout must be a number, from 0 to 0.5; received 0.9"),
        ({"dropout": (0.4, 0.1)}, "dropout must have a low end below the high one"),
        ({"dropout": "0..half"}, "dropout must be a range such as 0.1..0.5"),
        ({"dropout": []}, "at least one choice"),
        ({"optimizer": ["adm"]}, "received 'adm' .did you mean"),
        ({"batch_size": (16.5, 64)}, "needs a range of whole numbers"),
        ({"activation": Between(0, 1)}, "is not a number and has no range"),
        ({"learning_rate": Between(0.0, 0.1, log=True)}, "a low end above 0"),
        ({"data": ["digits", "no_such_data"]}, "there is no such data set or path"),
        ({"dropout": When("activaton", "relu", 0.1)}, "depends on activaton, which is no argument"),
        ({"dropout": When("activation", "rely", 0.1)}, "activation in space must be one of"),
        ({"dropout": When("learning_rate", 0.1, [0.1])}, "must depend on a choice"),
        ({"ema": [0.9, 0.99], "swa": 0.5}, "ema and swa exclude each other"),
        ({"run_dir": "here"}, "space must not have run_dir"),
        ({"checkpoint_dir": "here"}, "space must not have checkpoint_dir, which all trials would share"),
    ],
)
def test_a_mistake_in_the_space_is_one_sentence_before_anything_starts(overrides, words):
    with pytest.raises(InputError, match=words):
        space_of(mlp_images, overrides)


def test_a_range_has_points_on_its_own_scale():
    assert Dimension("x", "float", 1e-4, 1.0, log=True).points(5) == pytest.approx((1e-4, 1e-3, 1e-2, 0.1, 1))
    assert Dimension("n", "int", 1, 3).points(5) == (1, 2, 3)
