"""Training options are complete, typed and checked."""

import pytest

from kexp.core.errors import InputError
from kexp.core.options import DEFAULTS, complete, option_types, parse_interval


def test_every_option_has_a_default_that_fits_its_type():
    assert set(DEFAULTS) == set(option_types())
    assert complete({}) == DEFAULTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10 steps", (10.0, "steps")), ("1 epoch", (1.0, "epochs")), ("0.5 minutes", (0.5, "minutes"))],
)
def test_an_interval_is_read(text, expected):
    assert parse_interval(text) == expected


@pytest.mark.parametrize(
    "text", ["", "10", "steps", "0 steps", "-1 epochs", "1.5 steps", "nan minutes", "2 hours"]
)
def test_an_interval_that_cannot_be_read_is_refused(text):
    with pytest.raises(InputError, match="checkpoint_every must read like"):
        complete({"checkpoint_every": text})
