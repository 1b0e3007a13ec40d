"""Every test sees no data but its own, unless it asks for the real data that KEXP_DATA_DIR holds."""

import os
from pathlib import Path

import numpy as np
import pytest

REAL_DATA_DIR = os.environ.get("KEXP_DATA_DIR")


@pytest.fixture(autouse=True)
def no_data_around(monkeypatch, tmp_path_factory):
    monkeypatch.delenv("KEXP_DATA_DIR", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))


@pytest.fixture
def real_data(monkeypatch, no_data_around) -> Path:
    if not REAL_DATA_DIR:
        pytest.skip("KEXP_DATA_DIR is unset: no real MNIST, vowels or sunspots here")
    monkeypatch.setenv("KEXP_DATA_DIR", REAL_DATA_DIR)
    return Path(REAL_DATA_DIR)


@pytest.fixture
def data_dir(monkeypatch, tmp_path, no_data_around) -> Path:
    """An empty KEXP_DATA_DIR."""
    folder = tmp_path / "data_dir"
    folder.mkdir()
    monkeypatch.setenv("KEXP_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """Forty training and twenty test images of four classes, every image different."""
    rng = np.random.default_rng(7)
    return {
        "x_train": rng.integers(0, 256, (40, 5, 6), dtype=np.uint8),
        "y_train": np.arange(40) % 4,
        "x_test": rng.integers(0, 256, (20, 5, 6), dtype=np.uint8),
        "y_test": np.arange(20) % 4,
    }
