"""A run on small data has the steps that it needs, unless it is told its epochs, and goes on as it began."""

import json

import pytest

import kexp
from kexp import InputError, TrainOptions, Unpack


@kexp.recipe(epochs=2, least_steps=30, batch_size=32, schedule="cosine", learning_rate=0.01)
def small(data: str = "iris", **train: Unpack[TrainOptions]) -> kexp.Result:
    """Classify a table."""
    dataset = kexp.data.load(data, **kexp.holdout(train))
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    network = kexp.models.mlp(preprocessing.output_shape[1:], 3, hidden=(8,))
    return kexp.fit(network, dataset, preprocessing=preprocessing, **train)


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


@pytest.mark.slow
def test_a_sweep_goes_by_the_validation_figure_of_runs_that_keep_their_last_epoch(tmp_path):
    space = {"learning_rate": (1e-3, 1e-2)}
    sweep = kexp.sweep(
        small, space=space, batch_size=32, algorithm="grid", trials=2, dir=tmp_path / "sweep", quiet=True
    )
    assert sweep.to_frame()["val_accuracy"].notna().all()
    assert (sweep.best.epochs, sweep.best.best_epoch) == (8, None)
