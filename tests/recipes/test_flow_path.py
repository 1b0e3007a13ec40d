"""Diffusion along a straight line: trained, read again, and refused with what belongs to another path."""

import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from tests.recipes.every import tiny


@pytest.fixture(scope="module")
def flow(digits_run, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("flow") / "run"
    small = {**tiny("diffusion_images", digits_run), "sample_steps": 4}
    return recipes.diffusion_images(path="flow", epochs=2, run_dir=str(run_dir), quiet=True, **small)


def test_a_flow_is_trained_and_draws_the_same_images_when_it_is_read_again(flow):
    assert flow.history["loss"][1] < flow.history["loss"][0]
    assert np.isfinite(list(flow.metrics.values())).all()
    again = kexp.load(flow.run_dir)
    assert (again.model.noise, again.model.target) == ("flow", "flow")
    images = again.sample(3, seed=1)
    np.testing.assert_array_equal(images, flow.sample(3, seed=1))
    assert images.std() > 1  # images, not one grey


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"noise": "linear"},
            "noise must be left out with path='flow', which has its own; received 'linear'",
        ),
        ({"predicts": "x0"}, "predicts must be left out with path='flow', which has its own; received 'x0'"),
    ],
)
def test_what_belongs_to_a_diffusion_is_refused_for_a_flow(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        recipes.diffusion_images(path="flow", run_dir=str(tmp_path / "run"), **arguments)
    assert not (tmp_path / "run").exists()


def test_a_model_of_a_flow_takes_a_target_that_its_images_can_be_found_from():
    network = kexp.models.diffusion_unet((8, 8, 1), filters=(4,))
    assert kexp.models.Diffusion(network, steps=5, sample_steps=2, noise="flow").target == "flow"
    for target in ("epsilon", "v"):
        with pytest.raises(InputError, match="target must be one of 'x0', 'flow'"):
            kexp.models.Diffusion(network, noise="flow", target=target)
