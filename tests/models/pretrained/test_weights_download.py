"""Weights are downloaded when that is asked for, compared with Keras's checksum, and used from then on."""

import functools
import hashlib
import http.server
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest

import kexp
from kexp.cli.app import main
from kexp.core.errors import InputError
from kexp.core.pretrained_catalog import prepared_folder_of, prepared_weights

NAME, FILE = "mobilenet_v2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
HASHED, HASHED_FILE = "efficientnet_b0", "efficientnetb0_notop.h5"
SIZE = (64, 64)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """Yield a folder, and the address that its files are served at."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KEXP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "cache"


def module_of(name):
    """Return Keras's module of a network, whose addresses and checksums are constants."""
    return sys.modules[getattr(keras.applications, kexp.models.pretrained_facts(name).keras_name).__module__]


def command(*line):
    with pytest.raises(SystemExit) as ended:
        main(["models", *line])
    return ended.value.code


def left_in(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def test_weights_that_were_prepared_are_what_keras_itself_would_load(served, monkeypatch, capsys):
    folder, address = served
    plain = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_shape=(*SIZE, 3)
    )
    plain.save(folder / FILE)  # in the older form, which Keras's own files have
    monkeypatch.setattr(module_of(NAME), "BASE_WEIGHT_PATH", address)
    with pytest.raises(InputError, match=f"kexp models prepare {NAME}"):
        kexp.models.pretrained(NAME)
    path = kexp.models.prepare_pretrained(NAME)
    assert path == prepared_folder_of(NAME) / FILE
    found = prepared_weights(kexp.models.pretrained_facts(NAME))
    assert (found.url, found.keras_hash) == (f"{address}{FILE}", None)
    model = kexp.models.pretrained(NAME, (*SIZE, 3), image_size=SIZE)
    image = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.uint8)
    expected = np.asarray(plain(image / np.float32(127.5) - 1, training=False))
    found, largest = np.asarray(model(image, training=False)), np.abs(expected).max()
    np.testing.assert_allclose(
        found / largest, expected / largest, atol=1e-3
    )  # untrained ones give small ones
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="its checksum differs"):
        kexp.models.pretrained(NAME)
    assert command("list") == 0
    assert "prepared: features" in capsys.readouterr().out


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(served, monkeypatch, cache, capsys):
    folder, address = served
    (folder / HASHED_FILE).write_bytes(b"other weights")
    module = module_of(HASHED)
    monkeypatch.setattr(module, "BASE_WEIGHTS_PATH", address)
    assert command("prepare", HASHED) == 2
    said = capsys.readouterr().err
    assert "hash does not match" in said
    assert left_in(cache) == []
    # With the right one it is what a file of weights must be that is missing.
    digest = hashlib.md5(b"other weights").hexdigest()
    monkeypatch.setitem(module.WEIGHTS_HASHES, "b0", ("", digest))
    assert command("prepare", HASHED) == 2
    assert "an HDF5 file of weights" in capsys.readouterr().err
    assert left_in(cache) == []


def test_a_file_that_is_not_there_or_a_server_that_is_none_is_one_sentence(served, monkeypatch, cache):
    _, address = served
    monkeypatch.setattr(module_of(NAME), "BASE_WEIGHT_PATH", address)
    with pytest.raises(InputError, match="could not be downloaded"):
        kexp.models.prepare_pretrained(NAME)
    monkeypatch.setattr(module_of(NAME), "BASE_WEIGHT_PATH", "http://127.0.0.1:9/")
    with pytest.raises(InputError, match="cannot be reached"):
        kexp.models.prepare_pretrained(NAME)
    assert left_in(cache) == []


def test_what_is_no_network_is_refused_before_keras_is_asked(capsys):
    assert command("prepare", "mobilenet_v4") == 2
    assert "did you mean" in capsys.readouterr().err
    assert command("prepare", "hub:../..") == 2
    assert "the name of a preset" in capsys.readouterr().err
    assert command("prepare", "efficientnet_lite0") == 0
    assert "efficientnet-lite0-57934424.pth" in capsys.readouterr().out
