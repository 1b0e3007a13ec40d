"""Names that differ in capitals alone are kept apart, and that is said."""

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.data import load


def rows(count=60):
    return pd.DataFrame(
        {
            "x": np.arange(count) / 7,
            "town": ["Ulm", "Bonn", "Köln"] * (count // 3),
            "y": ["sick", "well"] * 30,
        }
    )


def said(data):
    return [note for note in data.notes if "capitals" in note]


def test_classes_and_categories_that_are_alike_are_named():
    frame = rows()
    assert said(load(frame, target="y")) == []
    frame.loc[:19:2, "y"] = "Sick"
    frame.loc[1::6, "town"] = "BONN"
    data = load(frame, target="y")
    assert data.spec.class_names == ("Sick", "sick", "well")
    apart = "differ in capitals or white space alone and are kept apart; mend the data if they are one."
    assert said(data) == [
        f"classes 'Sick' and 'sick' {apart}",
        f"column 'town': categories 'BONN' and 'Bonn' {apart}",
    ]
    letters = frame.assign(y=["a", "A"] * 30, town="Ulm")
    assert said(load(letters, target="y")) == []


def test_a_class_of_one_row_that_is_another_one_in_capitals_is_said_to_be():
    frame = rows()
    frame.loc[0, "y"] = "SICK"
    with pytest.raises(kexp.InputError, match="1 of class 'SICK', elsewhere written 'sick'; 60 samples"):
        load(frame, target="y")
    frame.loc[0, "y"] = "ill"
    with pytest.raises(kexp.InputError, match="1 of class 'ill'; 60 samples"):
        load(frame, target="y")
