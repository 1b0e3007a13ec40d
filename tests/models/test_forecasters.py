"""Forecasters: quantiles that never cross, scales that do not matter, covariates that do."""

import keras
import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.core.errors import InputError

NETWORKS = ("nlinear", "tsmixer", "patch_transformer", "lstm")
SMALL = {"width": 8, "depth": 1, "patch": 4}


@pytest.fixture(scope="module")
def data():
    random, tables = np.random.default_rng(0), []
    for name, level in (("a", 5.0), ("b", 500.0)):
        hours = pd.date_range("2024-01-01", periods=150, freq="h")
        plan = random.normal(size=150)
        sold = level * (2 + np.sin(np.arange(150) / 4) + plan)
        rain = random.normal(size=150)
        tables.append(pd.DataFrame({"hour": hours, "shop": name, "y": sold, "plan": plan, "rain": rain}))
    columns = {"target": "y", "time": "hour", "series": "shop", "past": ("rain",), "future": ("plan",)}
    return kexp.data.forecast_windows(pd.concat(tables), **columns, context=24, horizon=6, test=12)


def built(data, network, **options):
    keras.utils.set_random_seed(1)
    preprocessing = kexp.models.forecast_preprocessing(data, **options)
    model = kexp.models.forecaster(preprocessing, data.form, network=network, **SMALL)
    return preprocessing, model, kexp.models.raw_forecaster(preprocessing, model)


def shaken(model):
    """Give a model weights as far from those it begins with as no training would."""
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 3)


@pytest.mark.parametrize("network", NETWORKS)
def test_quantiles_never_cross_whatever_the_weights(data, network):
    _, model, whole = built(data, network)
    shaken(model)
    quantiles = whole.predict(dict(data.test.inputs), verbose=0)
    assert quantiles.shape == (len(data.test), 6, 9)
    assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_a_batch_of_as_many_samples_as_steps_or_levels_is_forecast_as_any_other(data):
    *_, whole = built(data, "nlinear")
    inputs = {name: values[:12] for name, values in data.test.inputs.items()}
    expected = whole.predict(inputs, batch_size=4, verbose=0)
    for samples in (6, 9):
        found = whole.predict(inputs, batch_size=samples, verbose=0)
        assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("network", ["nlinear", "patch_transformer"])
def test_a_window_scaled_by_itself_has_its_forecast_scaled_and_a_series_has_its_own_scale(data, network):
    *_, whole = built(data, network)
    inputs = {name: values[:4] for name, values in data.test.inputs.items()}
    ten = {**inputs, "target": 10 * inputs["target"] + 7}
    plain, scaled = (whole.predict(given, verbose=0) for given in (inputs, ten))
    assert scaled == pytest.approx(10 * plain + 7, rel=1e-4)
    preprocessing, *_ = built(data, network, scaling="series")
    scales = np.asarray(preprocessing(dict(data.train.inputs))["scale"])
    ends = data.origins["train"][-1, 1] + 6
    for series, name in enumerate(data.panel.names):
        own = scales[data.train.inputs["series"] == name]
        known = data.panel.target[series, :ends]
        assert own[0] == pytest.approx([known.mean(), known.std()], rel=1e-4)
    unknown = np.asarray(preprocessing({**inputs, "series": np.array(["new"] * 4, object)})["scale"])
    assert unknown[0] == pytest.approx(np.unique(scales, axis=0).mean(axis=0), rel=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_step_sees_what_is_known_of_it_ahead_and_the_hour_of_the_day(data, network):
    _, model, whole = built(data, network)
    shaken(model)
    inputs = {name: values[:2] for name, values in data.test.inputs.items()}
    before = whole.predict(inputs, verbose=0)
    plan = inputs["future"].copy()
    plan[:, 24] += 1
    later = inputs["time"] + 6 * 3600
    assert not np.allclose(
        whole.predict({**inputs, "future": plan}, verbose=0)[:, 0], before[:, 0], rtol=1e-3
    )
    assert not np.allclose(whole.predict({**inputs, "time": later}, verbose=0), before, rtol=1e-3)


def test_a_forecaster_comes_back_from_its_file(data, tmp_path):
    *_, whole = built(data, "tsmixer", scaling="series")
    whole.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    inputs = dict(data.test.inputs)
    assert (again.predict(inputs, verbose=0) == whole.predict(inputs, verbose=0)).all()


def test_a_patch_longer_than_the_context_is_refused(data):
    with pytest.raises(InputError, match="patch=30: expected 24 steps of context or fewer"):
        kexp.models.forecaster({"target": (24,)}, data.form, network="patch_transformer", patch=30)
