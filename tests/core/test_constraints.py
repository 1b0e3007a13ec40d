"""Arguments are checked by the ranges on their types."""

from typing import Annotated, Literal

import numpy as np
import pytest

from kexp.core.constraints import AtLeast, Between, check_value, ranges_of
from kexp.core.errors import InputError

Rate = Annotated[float, Between(0.0, 0.5)]


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (1, float, 1.0),
        (np.int64(3), int, 3),
        (np.float32(0.25), Rate, 0.25),
        ([64, 32], tuple[int, ...], (64, 32)),
        ([8, 9], tuple[int, int], (8, 9)),
        (None, Rate | None, None),
        ("relu", Literal["relu", "gelu"], "relu"),
    ],
)
def test_a_value_that_fits_comes_back_in_the_type_asked_for(value, annotation, expected):
    converted = check_value("argument", value, annotation)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("value", "annotation", "words"),
    [
        (0.6, Rate, "a number, from 0 to 0.5; received 0.6"),
        (-1e-9, Rate, "from 0 to 0.5"),
        (float("nan"), float, "a number; received nan"),
        (float("inf"), float, "a number; received inf"),
        (True, int, "a whole number; received True"),
        (2.0, int, "a whole number; received 2.0"),
        (0, Annotated[int, AtLeast(1)], "1 or more; received 0"),
        ("rleu", Literal["relu", "gelu"], "one of 'relu', 'gelu'; received 'rleu' (did you mean 'relu'?)"),
        ((), tuple[int, ...], "a tuple"),
        ((64, 8), Annotated[tuple[int, ...], Between(16, 512)], "from 16 to 512; received (64, 8)"),
        ((8,), tuple[int, int], "a tuple of 2, each a whole number; received (8,)"),
        ("ten", Rate | None, "or None; received 'ten'"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_was_expected(value, annotation, words):
    with pytest.raises(InputError) as refused:
        check_value("dropout", value, annotation)
    assert str(refused.value).startswith("dropout must be ")
    assert words in str(refused.value)


def test_ranges_are_found_inside_a_union():
    assert ranges_of(Annotated[int, AtLeast(1)] | None) == [AtLeast(1)]
