"""A format is one file: place, kexp.json, checks and the parity check come with it."""

import sys

import keras
import numpy as np
import pytest

import kexp.export
from kexp import InputError
from kexp.data.dataset import DatasetSpec
from kexp.export import ExportError, export_model, load_exported
from kexp.export.exporter import exporters
from kexp.tasks.predictions import Predictions

LINEAR = '''
"""One dense layer as NumPy's arrays."""

from __future__ import annotations

import numpy as np

from kexp.export.parity import Runner


def load_linear(folder: str) -> Runner:
    import numpy as np

    stored = np.load(f"{folder}/linear.npz")

    def run(signature, inputs):
        return {"values": inputs["inputs"] @ stored["kernel"] + stored["bias"]}

    return run


class LinearExporter:
    format = "linear"
    artifact = "linear.npz"
    parts = frozenset({"linear.npz"})
    packages = ()
    quantized_types = ()
    load = staticmethod(load_linear)

    def refusal(self, model, spec, signatures):
        return None if len(model.layers) == 1 else "linear takes models of one layer; use saved_model."

    def write(self, model, signatures, folder, smaller=None):
        kernel, bias = model.get_weights()
        np.savez(folder / "linear.npz", kernel=kernel, bias=bias + SHIFT)
        return [served.case for served in signatures]


SHIFT = 0.0
EXPORTER = LinearExporter()
'''
SPEC = DatasetSpec("array", (4,), "float32", "regression", 2)
SAMPLES = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


@pytest.fixture
def linear(tmp_path, monkeypatch):
    """Return the module of a format whose file lies with the others."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "linear.py").write_text(LINEAR)
    monkeypatch.setattr(kexp.export, "__path__", [*kexp.export.__path__, str(folder)])
    exporters.cache_clear()
    exporters()
    yield sys.modules["kexp.export.linear"]
    exporters.cache_clear()
    del sys.modules["kexp.export.linear"]


def export(folder, *layers, **options):
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(2)])
    expected = Predictions.from_outputs(model.predict_on_batch(SAMPLES), SPEC)
    path = export_model(
        model, SPEC, folder, samples=SAMPLES, expected=expected, provenance={}, formats=["linear"], **options
    )
    return path, expected


def test_a_new_file_is_a_format_that_is_written_checked_loaded_and_replaced(linear, tmp_path):
    path, _ = export(tmp_path / "served")
    assert sorted(file.name for file in (path / "1").iterdir()) == ["README.md", "assets.extra", "linear.npz"]
    _, expected = export(tmp_path / "served", overwrite=True)
    np.testing.assert_allclose(load_exported(path).predict(SAMPLES).values, expected.values, atol=1e-6)


def test_another_computation_than_the_measured_one_leaves_nothing(linear, tmp_path, monkeypatch):
    monkeypatch.setattr(linear, "SHIFT", 0.5)
    with pytest.raises(ExportError, match="a batch of 1 computes something else"):
        export(tmp_path / "served")
    assert not (tmp_path / "served").exists()


def test_a_model_that_a_format_cannot_hold_is_refused_before_anything_is_written(linear, tmp_path):
    with pytest.raises(InputError, match="linear takes models of one layer; use saved_model"):
        export(tmp_path / "served", keras.layers.Dense(3))
    assert not (tmp_path / "served").exists()
