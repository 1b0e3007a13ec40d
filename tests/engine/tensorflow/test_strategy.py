"""Which devices a strategy stands for, and what is said of those that are not there."""

import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from kexp.engine.tensorflow import strategy
from kexp.engine.tensorflow.strategy import choose, scope

WITHOUT_GPU = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="has a GPU")
CLUSTER = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}'


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS", "TPU_NAME"):
        monkeypatch.delenv(name, raising=False)


@WITHOUT_GPU
def test_auto_takes_the_cpu_where_there_is_nothing_else():
    choice = choose("auto")
    assert (choice.kind, choice.devices) == ("cpu", ("CPU:0",))
    assert choice.reason == "TensorFlow sees no GPU and no TPU"


def test_auto_takes_workers_before_all_and_then_a_tpu(monkeypatch):
    monkeypatch.setenv("TPU_NAME", "planted")
    assert (choose("auto").kind, choose("auto").reason) == ("tpu", "TPU_NAME is set")
    monkeypatch.setenv("TF_CONFIG", CLUSTER)
    assert (choose("auto").kind, choose("auto").reason) == ("multiworker", "TF_CONFIG describes 2 workers")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("multiworker",), "needs to know its workers from TF_CONFIG or SLURM, and neither is set"),
        pytest.param(("gpu",), "received 'gpu', and TensorFlow sees none", marks=WITHOUT_GPU),
        (
            ("mirrored", ("CPU:0", "CPU:9")),
            "devices must be among those that TensorFlow sees, .*received CPU:9",
        ),
        (("auto", ()), "received none"),
        (("gpu", ("CPU:0",)), "devices must fit the strategy.*received CPU:0 for 'gpu'"),
        (("tpu", ("CPU:0",)), "none for 'multiworker' and 'tpu'"),
    ],
)
def test_devices_that_are_not_there_are_named(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        scope(*arguments)


def test_a_tpu_that_is_not_there_is_told_in_one_sentence():
    with pytest.raises(
        InputError, match=r"strategy 'tpu' needs a TPU, and TensorFlow finds none \(.*\); set"
    ):
        kexp.recipes.mlp_images(strategy="tpu", quiet=True)


def test_a_device_by_name_is_where_a_model_is():
    with kexp.scope(devices=("cpu:0",)):
        model = kexp.models.mlp((4,), 2, hidden=(3,))
    assert model.weights[0].value.device.endswith("CPU:0")


@pytest.mark.slow
def test_one_device_of_a_mirrored_strategy_trains_as_without(tmp_path):
    options = {"hidden": (16,), "epochs": 1, "quiet": True}
    one = kexp.recipes.mlp_images(**options, run_dir=str(tmp_path / "one"))
    mirrored = kexp.recipes.mlp_images(
        **options, run_dir=str(tmp_path / "mirrored"), devices=("CPU:0",), strategy="mirrored"
    )
    assert mirrored.metrics == pytest.approx(one.metrics, abs=1e-6)


def test_a_tpu_is_connected_to_and_initialised_before_it_has_a_strategy(monkeypatch):
    order = []

    def noted(name, value=None):
        return lambda *given: order.append((name, *given)) or value

    resolvers = tf.distribute.cluster_resolver
    monkeypatch.setattr(resolvers, "TPUClusterResolver", noted("resolver", "resolver of it"))
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", noted("connect"))
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", noted("initialise"))
    monkeypatch.setattr(tf.distribute, "TPUStrategy", noted("strategy", tf.distribute.get_strategy()))
    monkeypatch.setenv("TPU_NAME", "planted")
    try:
        scope("tpu")
        scope("tpu")  # once is enough for a process
    finally:
        strategy.tpu_strategy.cache_clear()
    steps = ["connect", "initialise", "strategy"]
    assert order == [("resolver", "planted"), *((step, "resolver of it") for step in steps)]
