"""What only a GPU can show; without one these tests are skipped, and say so."""

import pytest
import tensorflow as tf

import kexp

GPUS = len(tf.config.list_physical_devices("GPU"))
OPTIONS = {"data": "digits", "epochs": 3, "filters": (16, 32), "dropout": 0.0, "quiet": True}

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(GPUS == 0, reason="needs an NVIDIA GPU, and TensorFlow sees none"),
]


def train(folder, **options):
    return kexp.recipes.cnn_images(**{**OPTIONS, **options}, run_dir=str(folder))


def test_a_gpu_trains_to_what_the_cpu_does(tmp_path):
    on_gpu, on_cpu = train(tmp_path / "gpu", strategy="gpu"), train(tmp_path / "cpu", strategy="cpu")
    assert "GPU" in on_gpu.model.weights[0].value.device
    # In another order of sums, and TF32 in convolutions.
    assert on_gpu.metrics["test_accuracy"] == pytest.approx(on_cpu.metrics["test_accuracy"], abs=0.03)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_learns_on_a_gpu(tmp_path, precision):
    assert train(tmp_path / "run", strategy="gpu", precision=precision).metrics["test_accuracy"] > 0.9


@pytest.mark.skipif(GPUS < 2, reason="needs two NVIDIA GPUs")
def test_all_gpus_train_to_what_one_does(tmp_path):
    one, several = train(tmp_path / "one", strategy="gpu"), train(tmp_path / "all", strategy="mirrored")
    assert several.metrics["test_accuracy"] == pytest.approx(one.metrics["test_accuracy"], abs=0.03)


def test_a_model_that_is_exported_from_a_gpu_answers_on_it(tmp_path):
    assert train(tmp_path / "run", strategy="gpu").export(tmp_path / "model").is_dir()
