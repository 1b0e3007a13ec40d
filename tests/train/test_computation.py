"""A run goes on computing its steps as it began, whatever a new run would do."""

import json

import numpy as np
import pytest

from kexp.core.errors import InputError
from tests.train.iris_runs import Cut, CutAfter, train, weights

WAYS = {
    "new": {"fused_updates": True, "counter_random": True, "fused_recurrent": True, "jit": False},
    "fused": {"fused_updates": True},
    "composed": {"fused_updates": False},
}


@pytest.fixture
def cut_run(iris, tmp_path):
    """Return a function that interrupts a run after an epoch and says in its folder how it was computed."""

    def begun(name, computation):
        folder = tmp_path / name
        with pytest.raises(Cut):
            train(iris, folder, [CutAfter(5)], checkpoint_every="1 epoch")
        path = folder / "env.json"
        environment = json.loads(path.read_text())
        assert environment.pop("computation") == WAYS["new"]
        path.write_text(json.dumps({**environment, **computation}))
        return folder

    return begun


def test_a_run_from_before_there_was_a_choice_goes_on_by_keras_s_operations(iris, cut_run):
    ends = {
        name: weights(train(iris, cut_run(name, computation), checkpoint_every="1 epoch"))
        for name, computation in {
            "fused": {"computation": WAYS["fused"]},
            "composed": {"computation": WAYS["composed"]},
            "old": {},
        }.items()
    }
    for old, composed, fused in zip(ends["old"], ends["composed"], ends["fused"], strict=True):
        np.testing.assert_array_equal(old, composed)
        np.testing.assert_allclose(old, fused, atol=1e-6)
    assert any((old != fused).any() for old, fused in zip(ends["old"], ends["fused"], strict=True))


def test_a_run_whose_record_of_it_is_damaged_is_refused(iris, cut_run):
    for number, damaged in enumerate([True, {"fused_updates": "yes"}]):
        folder = cut_run(f"damaged_{number}", {"computation": damaged})
        with pytest.raises(InputError, match=r"env\.json is damaged: computation must be"):
            train(iris, folder, checkpoint_every="1 epoch")
