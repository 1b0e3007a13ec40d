"""Published figures are run again, set beside what was measured, and a miss is a miss."""

import json

import pytest

import kexp
from kexp import Reference, TrainOptions, Unpack
from kexp.cli.app import main
from kexp.core.errors import InputError
from kexp.verify.reproduce import Reproduced, reproduce, write_table

SHORT = {"data": "iris", "epochs": 2}


def recipe_with(*references):
    @kexp.recipe(epochs=1, learning_rate=0.01, references=references)
    def flowers(data: str = "iris", **train: Unpack[TrainOptions]) -> kexp.Result:
        """Classify irises."""
        dataset = kexp.data.load(data, validation=train["validation"], seed=train["seed"])
        preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
        model = kexp.models.mlp(preprocessing.output_shape[1:], dataset.spec.outputs, hidden=(8,))
        return kexp.fit(model, dataset, preprocessing=preprocessing, **train)

    return flowers


def test_a_reference_is_run_over_seeds_and_compared_with_its_tolerance(tmp_path):
    easy = Reference(SHORT, "test_accuracy", 0.2, 0.1, "a page")
    hard = Reference(SHORT, "test_accuracy", 1.2, 0.1, "a page")
    small = Reference(SHORT, "test_loss", 0.001, 0.0, "a page")
    absent = Reference({"data": "cifar10"}, "test_accuracy", 0.9, 0.0, "a paper")
    told = []
    recipe = recipe_with(easy, hard, small, absent)
    found = reproduce([recipe], seeds=2, dir=tmp_path / "runs", say=told.append)
    assert [one.met for one in found] == [True, False, False, True]
    alone = recipe(**SHORT, seed=1, run_dir=str(tmp_path / "alone"), quiet=True)
    assert found[0].values[1] == alone.metrics["test_accuracy"]
    assert "MISSED" in told[1]
    assert "skipped" in told[3]
    assert "cifar10" in told[3]

    folders = list((tmp_path / "runs" / "flowers").iterdir())
    assert len(folders) == 2  # one for each seed: three references share a call
    written = {folder: (folder / "result.json").stat().st_mtime_ns for folder in folders}
    assert reproduce([recipe], seeds=2, dir=tmp_path / "runs", say=told.append) == found
    assert all((folder / "result.json").stat().st_mtime_ns == then for folder, then in written.items())


def test_the_table_replaces_the_one_between_the_marks_of_a_page(tmp_path):
    found = reproduce(
        [recipe_with(Reference(SHORT, "test_accuracy", 0.2, 0.1, "a page"))],
        seeds=1,
        dir=tmp_path / "runs",
        say=lambda line: None,
    )
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- kexp reproduce -->\nold\n<!-- end -->\nafter\n")
    write_table(found, page)
    text = page.read_text()
    assert text.startswith("before\n<!-- kexp reproduce -->\n| recipe |")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "| `flowers` | `--data iris --epochs 2` | test_accuracy | 0.2 |" in text
    assert "old" not in text
    write_table(found, page)
    assert page.read_text() == text
    page.write_text("no marks")
    with pytest.raises(InputError, match="must be a new file, or hold"):
        write_table(found, page)
    assert page.read_text() == "no marks"


def test_mistakes_are_said_before_anything_is_trained(tmp_path, capsys):
    with pytest.raises(InputError, match=r"epoch .did you mean 'epochs'"):
        reproduce([recipe_with(Reference({"epoch": 1}, "loss", 1, 0, ""))], dir=tmp_path)
    with pytest.raises(InputError, match="flowers has none"):
        reproduce([recipe_with()], dir=tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", "mlp_image", "--dir", str(tmp_path)])
    assert stopped.value.code == 2
    assert "did you mean 'mlp_images'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_references_of_recipes_are_of_their_own_arguments_and_say_where_they_are_from():
    for name in kexp.recipes.__all__:
        recipe = getattr(kexp.recipes, name)
        for reference in recipe.references:
            assert reference.source
            json.dumps(dict(reference.args))


def test_arguments_are_written_as_the_command_line_takes_them():
    arguments = {"flip": True, "bidirectional": False, "hidden": (8, 4), "code": None}
    row = Reproduced("flowers", Reference(arguments, "loss", 1, 0, ""), (1.0,)).row()
    assert "`--flip --no-bidirectional --hidden 8 4 --code None`" in row
