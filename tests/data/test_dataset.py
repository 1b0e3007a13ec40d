import dataclasses
import json

import pytest

from kexp.data import DatasetSpec, load


@pytest.mark.parametrize("name", ["digits", "iris", "diabetes"])
def test_a_spec_survives_json(name):
    spec = load(name).spec
    assert DatasetSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_data_cannot_be_changed():
    data = load("iris")
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.train = data.test


def test_the_length_of_a_split_is_its_number_of_samples():
    assert len(load("iris", validation=0, test=0).train) == 150
