"""Bodies of requests: whatever JSON there is, it is read as the model takes it or refused in a sentence."""

import base64
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kexp.core.errors import InputError
from kexp.data.array_specs import ArraySpec
from kexp.data.dataset import Column, DatasetSpec
from kexp.export.exported_model import Exported
from kexp.export.manifest import Manifest
from kexp.serve.model_versions import blank_sample
from kexp.serve.request_body import read_body

COLUMNS = (
    Column("age", "number", has_missing=False),
    Column("price", "number", decimal=","),
    Column("town", "category", categories=("Ulm",)),
    Column("day", "date", date_format="%d.%m.%Y"),
    Column("note", "text"),
)
SPECS = {
    "image": DatasetSpec("image", (2, 2, 3), "uint8", "classification", 2, resize="stretch"),
    "table": DatasetSpec("table", (5,), "mixed", "regression", 1, columns=COLUMNS),
    "text": DatasetSpec("text", (), "string", "classification", 2, columns=(Column("review", "text"),)),
    "series": DatasetSpec("series", (3, 2), "float32", "regression", 1),
    "array": DatasetSpec("array", (2,), "float32", "regression", 1),
    "tokens": DatasetSpec("array", (4,), "int32", "classification", 3),
    "arrays": DatasetSpec(
        "arrays",
        (),
        "mixed",
        "regression",
        1,
        inputs=(ArraySpec("left", (2,), "float32"), ArraySpec("right", (), "string")),
        input_structure=["left", "right"],
    ),
}


def model(kind):
    spec = SPECS[kind]
    names = {
        "table": [one.name for one in COLUMNS],
        "arrays": ["left", "right"],
    }.get(kind, ["inputs"])
    return Exported(Path("m/1"), Manifest(spec, {name: name for name in names}, {}))


def read(kind, body):
    return read_body(json.dumps(body).encode(), model(kind), most_rows=4)


NAMES = st.sampled_from(
    ["inputs", "age", "town", "day", "price", "note", "left", "right", "b64", "review", "x"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["31.12.2020", "1,5", "AAAA", "nan", "\ud800", "\x00"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("kind", SPECS)
def test_any_json_is_read_or_refused(kind):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(key=st.sampled_from(["instances", "inputs"]), value=VALUES)
    @example(key="inputs", value={one.name: [None] for one in COLUMNS})
    def holds(key, value):
        with suppress(InputError):
            assert read(kind, {key: value}).rows > 0

    holds()


@pytest.mark.parametrize("kind", SPECS)
def test_a_blank_sample_is_one_row_in_rows_and_in_columns(kind):
    blank = blank_sample(SPECS[kind])
    plain = (
        {name: np.asarray(values).tolist() for name, values in blank.items()}
        if isinstance(blank, dict)
        else blank
    )
    columns = plain if isinstance(plain, dict) else np.asarray(plain).tolist()
    row = {name: values[0] for name, values in columns.items()} if isinstance(columns, dict) else columns[0]
    assert read(kind, {"inputs": columns}).rows == 1
    assert read(kind, {"instances": [row]}).rows == 1
    assert read(kind, {"instances": [row] * 3}).rows == 3
    with pytest.raises(InputError, match="4 rows or fewer"):
        read(kind, {"instances": [row] * 5})


def test_a_text_may_be_in_base64_and_be_named_as_its_column():
    encoded = {"b64": base64.b64encode("größer".encode()).decode()}
    for row in ("größer", encoded, {"review": encoded}, {"inputs": "größer"}):
        assert read("text", {"instances": [row]}).inputs.tolist() == ["größer"]


def test_series_may_have_fewer_steps_than_those_of_training():
    inputs = read("series", {"instances": [[[1, 2]], [[1, 2], [3, 4]]]}).inputs
    assert inputs.shape == (2, 3, 2)
    assert np.isnan(inputs[0, 1:]).all()
