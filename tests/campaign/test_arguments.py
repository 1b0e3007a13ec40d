"""Calls from Python under attack: a wrong argument is one sentence that names it, and nothing is written."""

import inspect
import io
import json
import os
import sys
from typing import Annotated

import keras
import numpy as np
import pandas as pd
import pytest

import kexp
from kexp import recipes
from kexp.cli.app import main
from kexp.core.constraints import AtLeast, check_value
from kexp.core.machine_faults import machine_fault
from kexp.core.spreadsheets import csv_text


def number_of_a_sample(targets, outputs):
    return 0.0


def without_a_batch(targets, outputs):
    raise ValueError("shapes (8,) and (8, 10) cannot be broadcast")


class Uncalled(keras.Model):
    pass


class Note(keras.callbacks.Callback):
    pass


class Loud:
    def __repr__(self):
        return "two\nlines" * 1000


NUL, LONG, SURROGATE = "a\0b", "x" * 300, "\ud800"
AUC, FLIP, HUBER = keras.metrics.AUC, keras.layers.RandomFlip, keras.losses.Huber

# What `kexp.fit` is given, and what its answer says.
FIT = [
    ({"model": None}, "model must be a Keras model"),
    ({"model": "mlp"}, "model must be a Keras model"),
    ({"model": number_of_a_sample}, "model must be a Keras model"),
    ({"model": keras.Sequential}, "model must be a Keras model, such as"),
    ({"model": FLIP()}, "model must be a Keras model"),
    ({"model": Uncalled()}, "cannot take the inputs of digits"),
    ({"model": keras.Sequential()}, "cannot take the inputs of digits"),
    ({"data": None}, "x must be data to train on, such as arrays or a data set; received None"),
    ({"data": "digist"}, "there is no such data set or path (did you mean 'digits'?)"),
    ({"data": np.ones((3, 8, 8, 1))}, "pass (x, y) if it is an array"),
    ({"data": (np.ones(3), np.ones(3))}, "expected train inputs of shape (samples, ...)"),
    ({"data": pd.DataFrame({"a": [1]})}, "a table needs target="),
    ({"loss": 3}, "loss must be a Keras loss"),
    ({"loss": "no_such_loss"}, "loss must be a Keras loss"),
    ({"loss": HUBER}, "received the class Huber"),
    ({"loss": AUC()}, "loss must be a Keras loss"),
    ({"loss": HUBER()}, "loss must fit model and data"),
    ({"loss": number_of_a_sample}, "the loss must have a number for each sample"),
    ({"loss": without_a_batch}, "cannot compare targets (batch) int32 with outputs (batch, 10) float32"),
    ({"metrics": "accuracy"}, "metrics must be a list of Keras metrics"),
    ({"metrics": ["acuracy"]}, "received 'acuracy'"),
    ({"metrics": 3}, "metrics must be a list"),
    ({"metrics": AUC()}, "metrics must be a list"),
    ({"metrics": [None]}, "metrics must be a list"),
    ({"metrics": [keras.metrics.MeanMetricWrapper(without_a_batch)]}, "metrics must fit model and data"),
    ({"callbacks": Note()}, "callbacks must be a list of Keras callbacks"),
    ({"callbacks": [Note]}, "received the class Note in it"),
    ({"callbacks": [number_of_a_sample]}, "callbacks must be a list"),
    ({"callbacks": "early"}, "callbacks must be a list"),
    ({"callbacks": 3}, "callbacks must be a list"),
    ({"inference_model": "x"}, "inference_model must be a Keras model, or None"),
    ({"inference_model": keras.Model}, "received the class Model"),
    ({"inference_model": number_of_a_sample}, "inference_model must be"),
    ({"preprocessing": number_of_a_sample}, "preprocessing must be a Keras model"),
    ({"preprocessing": keras.layers.Rescaling(1.0)}, "preprocessing must be a Keras model"),
    ({"target_preprocessing": "x"}, "target_preprocessing must be a Keras model"),
    ({"final_metrics": [len]}, "final_metrics must be functions"),
    ({"final_metrics": {"a": 3}}, "final_metrics must be functions"),
    ({"final_metrics": {3: len}}, "final_metrics must be functions"),
    ({"baselines": "naive"}, "baselines must be functions"),
    ({"baselines": {"a": None}}, "baselines must be functions"),
    ({"augmentation": FLIP()}, "augmentation must be a list of Keras layers"),
    ({"augmentation": [FLIP]}, "received the class RandomFlip in it"),
    ({"augmentation": "flip"}, "augmentation must be a list"),
    ({"objective": "reconstruction"}, "objective must be one of kexp.objectives"),
    ({"sample_weight": "x"}, "sample_weight must be"),
    ({"sample_weight": 3}, "sample_weight must be"),
    ({"sample_weight": [object()] * 1295}, "sample_weight must be"),
    ({"sample_weight": [[1], [1, 2]]}, "sample_weight"),
    ({"sample_weight": np.ones(1295, complex)}, "sample_weight must be"),
    ({"sample_weight": np.ones(3)}, "sample_weight must be"),
    ({"run_dir": ""}, "run_dir must be a path"),
    ({"run_dir": NUL}, "run_dir must be a path; received 'a\\x00b'"),
    ({"run_dir": LONG}, "run_dir must be a path of names"),
    ({"run_dir": SURROGATE}, "run_dir must be a string, or None"),
    ({"run_dir": b"x"}, "run_dir must be a string, or None"),
    ({"run_dir": "~nosuchuser"}, "run_dir must be a path whose ~"),
    ({"checkpoint_dir": ""}, "checkpoint_dir must be a path"),
    ({"checkpoint_dir": NUL}, "checkpoint_dir must be a path"),
    ({"devices": ("x",)}, "devices must be names such as 'CPU:0'"),
    ({"devices": "CPU:0"}, "devices must be a tuple"),
    ({"devices": ("CPU:9",)}, "devices must be among those that TensorFlow sees"),
    ({"devices": ("CPU:0", "CPU:0")}, "devices must be among those"),
    ({"devices": ()}, "devices must be a tuple"),
    ({"strategy": "mirrored"}, "model must be built in the scope of the strategy"),
    ({"strategy": "gpus"}, "did you mean 'gpu'"),
    ({"epochs": 1.0}, "epochs must be a whole number, 1 or more; received 1.0"),
    ({"epochs": True}, "epochs must be"),
    ({"epochs": np.array([1])}, "epochs must be"),
    ({"epochs": "1"}, "epochs must be"),
    ({"epochs": 10**400}, "received a number of about 400 digits (at most"),
    ({"epochs": Loud()}, "received two lines"),
    ({"learning_rate": 10**400}, "learning_rate must be"),
    ({"learning_rate": float("nan")}, "learning_rate must be"),
    ({"quiet": "no"}, "quiet must be True or False"),
    ({"class_weight": {0: "heavy"}}, "class_weight must be numbers"),
    ({"class_weight": {"eleven": 1.0}}, "class_weight must be weights of the classes"),
    ({"class_weight": {"out": {0: 1.0}}}, "class_weight must be weights of the classes"),
    ({"class_weight": dict.fromkeys(range(10), 0)}, "class_weight must have a number above 0"),
    ({"class_weight": (float("nan"),) * 10}, "class_weight must be"),
    ({"checkpoint_every": "often"}, "checkpoint_every must read like"),
    ({"no_such_option": 3}, "no_such_option is not a training option"),
]
RUN = recipes.mlp_images
SWEEP = [
    ({"recipe": None}, "recipe must be a function made by @kexp.recipe"),
    ({"recipe": len}, "recipe must be a function made by @kexp.recipe"),
    ({"trials": 0}, "trials must be a whole number, 1 or more"),
    ({"trials": 10**9}, "trials must be"),
    ({"trials": 2.0}, "trials must be"),
    ({"workers": 5000}, "workers must be at most"),
    ({"workers": np.float32(2)}, "workers must be"),
    ({"seed": -1}, "seed must be"),
    ({"seed": np.True_}, "seed must be"),
    ({"keep": 0}, "keep must be"),
    ({"lease_s": float("nan")}, "lease_s must be"),
    ({"budget": "2 parsecs"}, "budget must be an amount"),
    ({"budget": 3}, "budget must be"),
    ({"prune": True}, "prune must be"),
    ({"objective": 3}, "objective must be a string, or None"),
    ({"oracle": 3}, "oracle must be an oracle of keras_tuner.oracles"),
    ({"resources": {"CPU": 1}}, "resources needs cluster"),
    ({"cluster": 3}, "cluster must be a string, or None"),
    ({"cluster": "localhost:1"}, "cluster must be 'auto', or the address"),
    ({"cluster": "host:x"}, "cluster must be 'auto', or the address"),
    ({"cluster": "auto", "resources": {"CPU": float("inf")}}, "resources must be numbers"),
    ({"cluster": "auto", "resources": [1]}, "resources must be numbers"),
    ({"space": 3}, "space must be a mapping"),
    ({"space": {3: 1}}, "space must be a mapping"),
    ({"space": {"x": 1}}, "has no argument x"),
    ({"space": {"learning_rate": (1e-4, float("nan"))}}, "learning_rate"),
    ({"space": {"learning_rate": (1e-4, float("inf"))}}, "learning_rate"),
    ({"space": {"dropout": kexp.Between("a", "b")}}, "dropout in space must be a number"),
    ({"space": {"dropout": kexp.Between(0.4, 0.1)}}, "dropout must have a low end"),
    ({"space": {"optimizer": [["adam"]]}}, "optimizer in space must be one of"),
    ({"space": {"optimizer": []}}, "optimizer must have at least one choice"),
    ({"space": {"optimizer": {"adam"}}}, "optimizer must be one of"),
    ({"space": {"dropout": kexp.When("x", 1, (0, 0.3))}}, "dropout depends on x"),
    ({"dir": ""}, "dir must be a path"),
    ({"dir": NUL}, "dir must be a path"),
    ({"dir": 3}, "dir must be a path"),
    ({"dropuot": 0.1}, "did you mean 'dropout'"),
    ({"run_dir": "x"}, "space must not have run_dir"),
]
# Of a finished run, and of what else there is to call.
CALLS = {
    "load": (lambda run: kexp.load(""), "run_dir must be a path"),
    "load a number": (lambda run: kexp.load(3), "run_dir must be a path as a string or Path"),
    "load nothing": (lambda run: kexp.load(None), "run_dir must be a path as a string or Path"),
    "resume": (lambda run: kexp.resume(NUL), "run_dir must be a path"),
    "resume without a recipe": (lambda run: kexp.resume(run.run_dir, len), "recipe must be a function made"),
    "load a sweep": (lambda run: kexp.load_sweep("~nosuchuser"), "dir must be a path whose ~"),
    "load an export": (lambda run: kexp.load_exported(LONG), "directory must be a path of names"),
    "export": (lambda run: run.export(""), "directory must be a path"),
    "export over": (lambda run: run.export("x", overwrite="yes"), "overwrite must be True or False"),
    "export below a file": (lambda run: run.export(run.run_dir / "config.json" / "x"), "config.json"),
    "report": (lambda run: run.report("no/such/page.html"), "path must be a file in a folder that exists"),
    "report over a folder": (lambda run: run.report("."), "path must be a file in a folder that exists"),
    "report of a name": (lambda run: run.report(data=3), "data must be a name, a path, or data in memory"),
    "evaluate": (lambda run: run.evaluate("digits", batch_size=0), "batch_size must be a whole number"),
    "evaluate in parts": (lambda run: run.evaluate("digits", batch_size=2.5), "batch_size must be"),
    "evaluate nothing": (lambda run: run.evaluate(None), "data: expected a name"),
    "predict nothing": (lambda run: run.predict(None), "inputs must be an array of numbers"),
    "predict objects": (lambda run: run.predict(np.array([object()])), "inputs must be"),
    "sample": (lambda run: run.sample(2), "sample draws from models that make samples"),
    "check": (lambda run: kexp.check(None), "recipe must be a recipe, or kexp.fit"),
    "check a function": (lambda run: kexp.check(len), "recipe must be a recipe, or kexp.fit"),
    "find a rate": (lambda run: kexp.lr_find(RUN, steps=3), "steps must be a whole number, 10 or more"),
    "find a rate of a class": (lambda run: kexp.lr_find(int), "recipe must be a recipe, or kexp.fit"),
    "find it from nan": (lambda run: kexp.lr_find(RUN, lowest=float("nan")), "lowest must be a number"),
    "prove resume": (lambda run: kexp.verify.resume(RUN, kills=1.5), "kills must be a whole number"),
    "prove it of a name": (lambda run: kexp.verify.resume("mlp"), "recipe must be a function made"),
    "prove it with many": (lambda run: kexp.verify.resume(RUN, workers=5000), "workers must be at most"),
    "prove devices": (lambda run: kexp.verify.distributed(RUN, tolerance=float("nan")), "tolerance must be"),
    "prove many devices": (lambda run: kexp.verify.distributed(RUN, replicas=5000), "replicas must be"),
    "prove them of none": (lambda run: kexp.verify.distributed(None), "recipe must be a function made"),
    "hypermodel": (lambda run: kexp.to_hypermodel(None), "recipe must be a function made"),
    "launch": (lambda run: kexp.launch(["run", "mlp_images"], workers=5000), "workers must be at most"),
    "launch by halves": (lambda run: kexp.launch(["run"], workers=1.5), "workers must be a whole number"),
    "scope": (lambda run: kexp.scope("gpus"), "did you mean 'gpu'"),
    "scope of a name": (lambda run: kexp.scope(devices="CPU:0"), "devices must be a tuple"),
    "data": (lambda run: kexp.data.load(""), "data must be a path"),
    "data with a NUL": (lambda run: kexp.data.load(NUL), "data must be a path"),
    "data and a seed": (lambda run: kexp.data.load("digits", seed=-1), "seed=-1"),
    "data and no share": (lambda run: kexp.data.load("digits", validation=float("nan")), "validation=nan"),
    "data and sizes": (lambda run: kexp.data.load("digits", image_size=(8, 0)), "image_size=(8, 0)"),
    "data and kinds": (lambda run: kexp.data.load("digits", kinds="image"), "kinds='image'"),
    "prepare": (lambda run: kexp.data.prepare("mnist", ""), "data_dir must be a path"),
    "a classifier": (
        lambda run: recipes.gan_images(data="digits", classifier="~nosuchuser", run_dir="gan", quiet=True),
        "classifier must be a path whose ~",
    ),
}


def names_of(cases):
    return [f"{'-'.join(given)}-{number}" for number, (given, _) in enumerate(cases)]


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits")


@pytest.fixture(scope="module")
def model():
    return kexp.models.mlp((8, 8, 1), 10, hidden=(16,), dtype="uint8")


@pytest.fixture
def empty_place(tmp_path, monkeypatch):
    """Return an empty working directory, in which no process may be started."""

    def begun(*arguments, **options):
        raise AssertionError("work has begun before the arguments were judged")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("subprocess.Popen.__init__", begun)
    return tmp_path


def assert_refused(call, words, place):
    with pytest.raises(kexp.InputError) as refused:
        call()
    sentence = str(refused.value)
    assert words in sentence
    assert "\n" not in sentence
    assert len(sentence) < 700
    assert list(place.rglob("*")) == []


@pytest.mark.parametrize(("given", "words"), FIT, ids=names_of(FIT))
def test_a_wrong_argument_of_fit_is_named_before_a_folder_is_made(given, words, digits, model, empty_place):
    options = {"model": model, "data": digits, "epochs": 1, "quiet": True, **given}
    assert_refused(lambda: kexp.fit(options.pop("model"), options.pop("data"), **options), words, empty_place)


@pytest.mark.parametrize(("given", "words"), SWEEP, ids=names_of(SWEEP))
def test_a_wrong_argument_of_a_sweep_is_named_before_a_folder_is_made(given, words, empty_place):
    assert_refused(lambda: kexp.sweep(**{"recipe": RUN, "trials": 2, **given}), words, empty_place)


@pytest.mark.parametrize("case", CALLS)
def test_a_wrong_argument_is_named(case, digits_run, empty_place):
    call, words = CALLS[case]
    assert_refused(lambda: call(kexp.load(digits_run)), words, empty_place)


def test_a_sweep_without_ray_is_refused_before_its_folder_is_made(empty_place, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert_refused(lambda: kexp.sweep(RUN, trials=1, cluster="auto"), "cluster needs Ray", empty_place)


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (np.int64(3), int, 3),
        (np.uint8(3), float, 3.0),
        (np.float32(0.5), float, 0.5),
        (np.float64(0.5), float, 0.5),
        (np.longdouble(0.5), float, 0.5),
        (np.True_, bool, True),
        (np.str_("adam"), str, "adam"),
        ((np.int64(3), np.uint8(4)), tuple[int, ...], (3, 4)),
    ],
    ids=str,
)
def test_a_scalar_of_numpy_is_what_it_is_in_python(value, annotation, expected):
    converted = check_value("argument", value, annotation)
    assert converted == expected
    assert json.loads(json.dumps(converted)) == json.loads(json.dumps(expected))


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (np.True_, int),
        (np.float32("nan"), float),
        (np.complex64(1), float),
        (np.int64(3), str),
        (np.int64(0), bool),
    ],
    ids=str,
)
def test_a_scalar_of_numpy_is_refused_where_python_s_own_is(value, annotation):
    with pytest.raises(kexp.InputError, match="argument must be"):
        check_value("argument", value, annotation)


def test_what_is_too_large_to_be_meant_is_said_with_the_largest():
    with pytest.raises(kexp.InputError, match=r"n must be .* 1 or more; received 11 \(at most 10\)"):
        check_value("n", 11, Annotated[int, AtLeast(1, most=10)])


@pytest.mark.slow
def test_a_seed_of_numpy_gives_the_run_that_python_s_gives(tmp_path):
    short = {"epochs": 1, "hidden": (16,), "fast_dev_run": True, "quiet": True}
    runs = [
        RUN(**short, seed=seed, run_dir=str(tmp_path / f"{number}"))
        for number, seed in enumerate((3, np.int64(3)))
    ]
    assert runs[0].metrics == runs[1].metrics
    assert [json.loads((run.run_dir / "config.json").read_text())["arguments"]["seed"] for run in runs] == [
        3,
        3,
    ]


def test_texts_in_a_csv_are_no_formulas_and_numbers_are_numbers():
    texts = ["=cmd|' /C calc'!A0", "+1+1", "-1-1", "@SUM(1)", "\t=1", "\r=1", "-1", "+0.5", "a=b", "plain"]
    frame = pd.DataFrame({"label": texts, "=1+1": np.linspace(-1, 1, len(texts), dtype="float32")})
    lines = csv_text(frame)
    read = pd.read_csv(io.StringIO(lines), dtype={"label": str}, lineterminator="\n")
    assert [name.strip() for name in read.columns] == ["label", "'=1+1"]
    assert lines.splitlines()[1].startswith("'=cmd|")
    assert not [text for text in read["label"] if text.startswith(("=", "@", "\t", "\r"))]
    assert [text for text in texts if f"\n{text}," in lines] == ["-1", "+0.5", "a=b", "plain"]
    np.testing.assert_allclose(read.iloc[:, 1], frame.iloc[:, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, os.strerror(28), "a/b"), "a/b: No space left on device; free some space"),
        (PermissionError(13, os.strerror(13), "a/b"), "a/b: Permission denied"),
        (OSError(24, os.strerror(24), "a/b"), "(ulimit -n)"),
        (OSError(27, os.strerror(27)), "(ulimit -f)"),
        (OSError("h5: errno = 28, error message = 'No space left on device'"), "free some space"),
        (MemoryError(), "there is not enough memory; "),
        (RuntimeError("can't start new thread"), "there is not enough memory; "),
        (ImportError("x.so: failed to map segment from shared object"), "there is not enough memory; "),
        (np.linalg.LinAlgError("singular"), None),
        (FileNotFoundError(2, os.strerror(2), "a/b"), None),
        (KeyError("steps"), None),
    ],
    ids=str,
)
def test_what_the_machine_lacks_is_told_from_faults_of_kexp(error, words):
    sentence = machine_fault(error)
    assert (sentence is None) if words is None else (words in sentence)


def test_a_fault_of_kexp_keeps_its_traceback_and_one_of_the_machine_is_a_sentence(monkeypatch, capsys):
    def raising(error):
        def call():
            raise error

        return call

    monkeypatch.setattr("kexp.cli.doctor.doctor", raising(KeyError("steps")))
    with pytest.raises(KeyError):
        main(["doctor"])
    monkeypatch.setattr("kexp.cli.doctor.doctor", raising(MemoryError()))
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("kexp: there is not enough memory; ")


def test_every_option_of_a_number_has_a_range():
    """A number without one would take hours, or all memory, where a slip made it large."""
    without = [
        f"{name}: {parameter}"
        for name in recipes.__all__
        for parameter, kind in inspect.signature(getattr(recipes, name)).parameters.items()
        if kind.annotation in (int, float)
    ]
    assert not without


@pytest.mark.slow
def test_predict_writes_classes_of_any_name_that_no_spreadsheet_runs(tmp_path, capsys):
    names = np.array(["=cmd|' /C calc'!A0", "@SUM(1)", "plain"])
    inputs = np.random.default_rng(0).integers(0, 256, (90, 8, 8, 1), "uint8")
    data = kexp.data.load((inputs, names[np.arange(90) % 3]))
    model = kexp.models.mlp((8, 8, 1), 3, hidden=(8,), dtype="uint8")
    result = kexp.fit(model, data, epochs=1, quiet=True, run_dir=str(tmp_path / "run"))
    result.export(tmp_path / "served")
    np.save(tmp_path / "inputs.npy", inputs[:9])
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(tmp_path / "served"), str(tmp_path / "inputs.npy")])
    assert ended.value.code == 0
    read = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(read.columns) == ["label", "'=cmd|' /C calc'!A0", "'@SUM(1)", "plain"]
    assert set(read["label"]) <= {"'=cmd|' /C calc'!A0", "'@SUM(1)", "plain"}
    np.testing.assert_allclose(read.iloc[:, 1:].sum(axis=1), 1.0, rtol=1e-5)
