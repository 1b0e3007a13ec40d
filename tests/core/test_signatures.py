"""Signatures show the training options flat, help shows every argument once, one entry each."""

import inspect
import pydoc
import re

import pytest

import kexp
from kexp import recipes
from kexp.core.call_signatures import argument_docs
from kexp.core.options import DEFAULTS, OPTIONS


@pytest.mark.parametrize("function", [kexp.fit, *(getattr(recipes, name) for name in recipes.__all__)])
def test_help_has_an_entry_with_a_type_and_a_meaning_for_every_argument(function):
    text = pydoc.plain(pydoc.render_doc(function))
    entries = re.findall(r"^ {8}(\w+) \((.+)\): (\S.*)", re.sub(r"\n {12}\s*", " ", text), re.MULTILINE)
    assert [name for name, _, _ in entries] == list(inspect.signature(function).parameters)
    assert max(map(len, text.splitlines()[2:3])) < 500  # the line with the signature
    assert all(line.count("Annotated") == 0 for line in text.splitlines())


def test_help_has_a_recipes_own_default():
    assert "epochs (a whole number, 1 or more; default 5): Passes over" in recipes.mlp_images.__doc__
    assert "epochs (a whole number, 1 or more; default 10): Passes over" in kexp.fit.__doc__


def test_a_notebook_completes_the_training_options_of_fit():
    parameters = inspect.signature(kexp.fit).parameters
    assert {name: parameters[name].default for name in OPTIONS} == DEFAULTS
    assert "train" not in parameters
    assert "optimizer" not in str(inspect.signature(kexp.fit))


def test_every_option_and_every_argument_of_a_recipe_has_a_meaning():
    assert all(option.doc.endswith(".") for option in OPTIONS.values())
    for name in recipes.__all__:
        recipe = getattr(recipes, name)
        own = {*inspect.signature(recipe).parameters} - {*OPTIONS, "callbacks"}  # which every recipe takes
        assert own == {*argument_docs(recipe)} - {"train"}
