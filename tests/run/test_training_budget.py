"""A run on small data has the steps that it needs, unless it is told its epochs, and goes on as it began."""

import json

import keras
import numpy as np
import pytest

import kexp
from kexp import InputError, TrainOptions, Unpack
from kexp.data.folds import Fold, use_fold
from kexp.run.context import capture_training


@kexp.recipe(epochs=2, least_steps=30, batch_size=32, schedule="cosine", learning_rate=0.01)
def small(data: str = "iris", **train: Unpack[TrainOptions]) -> kexp.Result:
    """Classify a table."""
    dataset = kexp.data.load(data, **kexp.holdout(train))
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    network = kexp.models.mlp(preprocessing.output_shape[1:], 3, hidden=(8,))
    return kexp.fit(network, dataset, preprocessing=preprocessing, **train)


@kexp.recipe(
    epochs=2, least_batches=10, least_validation=30, batch_size=32, schedule="cosine", learning_rate=0.01
)
def few(data: str = "iris", **train: Unpack[TrainOptions]) -> kexp.Result:
    """Classify a table, of which nothing is held out for nothing."""
    return small.__wrapped__(data, **train)


def trained(tmp_path, **options):
    return small(run_dir=str(tmp_path / "run"), **{"compare": False, **options})


def test_few_samples_have_more_epochs_which_is_said_and_recorded(tmp_path, capsys):
    found = trained(tmp_path)
    assert (found.epochs, len(found.history["loss"])) == (8, 8)  # 30 steps of 108 samples in batches of 32
    note = "8 epochs for 30 steps: 2 of 4 steps would be 8"
    assert note in capsys.readouterr().out
    recorded = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (recorded["epochs"], recorded["arguments"]["epochs"]) == (8, 2)
    page = found.report().read_text(encoding="utf-8")
    assert note in page
    preflight = kexp.check(small, quiet=True)
    assert note in str(preflight)
    assert preflight.cost.epochs == 8


def test_epochs_that_are_given_are_had_and_enough_of_them_stay_as_they_are(tmp_path):
    assert trained(tmp_path / "given", epochs=3, quiet=True).epochs == 3
    assert trained(tmp_path / "both", epochs=3, least_steps=13, quiet=True).epochs == 4
    assert trained(tmp_path / "enough", least_steps=5, quiet=True).epochs == 2
    assert trained(tmp_path / "tried", fast_dev_run=True, quiet=True).epochs == 1


def test_the_same_line_finds_the_run_and_more_epochs_go_on_with_it(tmp_path, capsys):
    trained(tmp_path, quiet=True)
    trained(tmp_path)
    assert "is finished" in capsys.readouterr().out
    assert kexp.resume(tmp_path / "run", small, quiet=True).epochs == 8
    with pytest.raises(InputError, match="other arguments"):
        trained(tmp_path, epochs=7, quiet=True)
    trained(tmp_path, epochs=8)
    assert "is finished" in capsys.readouterr().out
    assert trained(tmp_path, epochs=9, quiet=True).epochs == 9


def test_a_run_from_before_the_data_could_ask_for_epochs_goes_on_with_its_own(tmp_path, capsys):
    trained(tmp_path, epochs=2, quiet=True)
    path = tmp_path / "run" / "config.json"
    recorded = json.loads(path.read_text())
    del recorded["epochs"], recorded["arguments"]["least_steps"]
    path.write_text(json.dumps(recorded))
    (tmp_path / "run" / "result.json").unlink()  # as if it had been interrupted at its end
    assert trained(tmp_path).epochs == 2
    assert "too few" not in capsys.readouterr().out


def test_no_epoch_is_chosen_on_a_few_validation_samples_unless_that_is_asked_for(tmp_path, capsys):
    found = trained(tmp_path / "few")  # of 12
    assert found.best_epoch is None
    assert "12 validation samples are too few to choose one by (30 or more)" in capsys.readouterr().out
    assert trained(tmp_path / "asked", monitor="val_loss", quiet=True).best_epoch is not None
    assert trained(tmp_path / "more", validation=0.3, quiet=True).best_epoch is not None
    assert trained(tmp_path / "constant", schedule="constant", quiet=True).best_epoch is not None


def test_too_few_to_validate_on_are_trained_on_which_is_said_and_recorded(tmp_path, capsys):
    found = few(run_dir=str(tmp_path / "run"), compare=False)
    assert "val_accuracy" not in found.metrics
    assert found.best_epoch is None
    note = (
        "all 120 training samples are trained on, none validated: a share of 0.1, 12 of them, would be too "
        "few to choose an epoch by (30 or more); validation=0.1 holds them out all the same."
    )
    batches = "batches of 12 samples, not 32, so that 120 make 10 or more; batch_size=32 keeps them."
    said = " ".join(capsys.readouterr().out.split())
    assert note in said
    assert batches in said
    recorded = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (recorded["arguments"]["batch_size"], recorded["batch"]["global_batch"]) == (32, 12)
    page = found.report().read_text(encoding="utf-8")
    preflight = str(kexp.check(few, quiet=True))
    for sentence in (note, batches):
        assert sentence in page
        assert sentence in preflight


def test_what_is_asked_of_validation_data_or_batches_is_kept():
    def held(**options):
        def sizes(setup):
            return len(setup.raw.validation or ()), setup.batch_size

        return capture_training(sizes, few, quiet=True, **options)

    assert held() == (0, 12)
    assert held(batch_size=32) == (0, 32)
    assert held(callbacks=[keras.callbacks.TerminateOnNaN()]) == (0, 12)  # it looks at no validation data
    for asked in (
        *({"validation": 0.1}, {"monitor": "val_loss"}, {"early_stop": 5}, {"schedule": "constant"}),
        {"callbacks": [keras.callbacks.ReduceLROnPlateau("val_loss")]},
    ):
        assert held(**asked) == (12, 10), asked
    assert held(validation=0.3, least_validation=36) == (36, 8)
    assert held(validation=0.3, least_validation=37) == (0, 12)
    assert held(validation=0.3) == (36, 8)


def test_parts_of_the_source_and_folds_are_validated_on_however_few_they_are():
    data = kexp.data.load("iris")
    splits = {"train": data.train, "validation": data.validation}
    parts = {f"x_{name}": np.stack(list(split.inputs.values()), 1) for name, split in splits.items()}
    parts |= {f"y_{name}": split.targets for name, split in splits.items()}
    assert len(kexp.data.load(parts, least_validation=30).validation) == 12
    with use_fold(Fold(0, 5, part="validation")):
        assert len(kexp.data.load("iris", least_validation=30).validation) == 24
    with use_fold(Fold(0, 5)):
        assert kexp.data.load("iris", least_validation=30).validation is None
    assert len(kexp.data.load("japanese_vowels", least_validation=20).train) == 270  # 5 of each of 9 classes


def test_a_run_from_before_all_could_be_trained_on_goes_on_with_its_own_parts(tmp_path):
    first = few(run_dir=str(tmp_path / "run"), compare=False, quiet=True, validation=0.1, batch_size=32)
    path = tmp_path / "run" / "config.json"
    recorded = json.loads(path.read_text())
    del recorded["arguments"]["least_validation"], recorded["arguments"]["least_batches"]
    path.write_text(json.dumps(recorded))
    (tmp_path / "run" / "result.json").unlink()  # as if it had been interrupted at its end
    again = few(run_dir=str(tmp_path / "run"), compare=False, quiet=True)
    assert again.metrics == first.metrics
    assert "val_accuracy" in again.metrics


@pytest.mark.slow
def test_trials_of_a_sweep_have_validation_data_and_folds_of_a_test_none(tmp_path):
    space = {"learning_rate": (1e-3, 1e-2)}
    sweep = kexp.sweep(few, space=space, algorithm="grid", trials=2, dir=tmp_path / "sweep", quiet=True)
    assert sweep.to_frame()["val_accuracy"].notna().all()
    found = kexp.cross_validate(few, folds=2, dir=tmp_path / "folds", quiet=True)
    assert "test_accuracy" in found.to_frame()
    assert "val_accuracy" not in found.to_frame()


@pytest.mark.slow
def test_a_sweep_goes_by_the_validation_figure_of_runs_that_keep_their_last_epoch(tmp_path):
    space = {"learning_rate": (1e-3, 1e-2)}
    sweep = kexp.sweep(
        small, space=space, batch_size=32, algorithm="grid", trials=2, dir=tmp_path / "sweep", quiet=True
    )
    assert sweep.to_frame()["val_accuracy"].notna().all()
    assert (sweep.best.epochs, sweep.best.best_epoch) == (8, None)
