"""Bad input through the command line: one sentence, exit code 2, and nothing half written."""

import numpy as np
import pytest
from PIL import Image

from kexp.cli.app import main

GOOD = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype="uint8")
LABELS = np.arange(40) % 4


def table(text):
    def write(folder):
        (folder / "data.csv").write_text(text)
        return ["mlp_tabular", "--data", folder / "data.csv", "--target", "kind"]

    return write


def arrays(inputs, targets, recipe="mlp_images"):
    def write(folder):
        np.savez(folder / "data.npz", x_train=inputs, y_train=targets)
        return [recipe, "--data", folder / "data.npz"]

    return write


def pictures(spoil):
    def write(folder):
        for number in range(20):
            place = folder / "pictures" / "ab"[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(GOOD[number]).save(place / f"{number}.png")
        spoil(folder / "pictures" / "a" / "4.png")
        return ["cnn_images", "--data", folder / "pictures"]

    return write


def foreign(folder):
    (folder / "thesis.txt").write_text("mine")
    return folder


def with_value(array, value):
    spoilt = array.astype("float32")
    spoilt[3, 2, 1] = value
    return spoilt


ROWS = "".join(f"{number},{'ab'[number % 2]}\n" for number in range(40))

CASES = {
    "empty CSV": (table(""), ["data.csv", "received nothing"]),
    "header only": (table("size,kind\n"), ["column names only"]),
    "target absent": (table("size,kinds\n" + ROWS), ["no column target='kind'", "did you mean 'kinds'?"]),
    "one class only": (table("size,kind\n" + ROWS.replace("b", "a")), ["class", "'a'"]),
    "infinite number": (table("size,kind\ninf,a\n" + ROWS), ["'size'", "infinite", "row 1 of 41"]),
    "target with gaps": (table("size,kind\n3,\n" + ROWS), ["'kind' is missing in 1 rows"]),
    "dates": (
        table("day,kind\n" + "".join(f"{n + 1}st of Jan 2024,{'ab'[n % 2]}\n" for n in range(28))),
        ["'day'", "dates in one format", "'1st of Jan 2024'", "convert it"],
    ),
    "NaN": (arrays(with_value(GOOD, np.nan), LABELS), ["NaN"]),
    "infinity": (arrays(with_value(GOOD, np.inf), LABELS), ["infinit"]),
    "negative label": (arrays(GOOD, LABELS - 1), ["-1"]),
    "mismatched lengths": (arrays(GOOD, LABELS[:-1]), ["40", "39"]),
    "fewer samples than classes": (arrays(GOOD, np.arange(40)), ["class"]),
    "pickled labels": (arrays(GOOD, np.array([{}] * 40, dtype=object)), ["y_train"]),
    "mixed sizes": (
        pictures(lambda path: Image.fromarray(GOOD[0][:5]).save(path)),
        ["4.png", "(5, 8)", "image_size"],
    ),
    "corrupt PNG": (pictures(lambda path: path.write_bytes(path.read_bytes()[:50])), ["4.png"]),
    "zero epochs": (
        lambda folder: ["mlp_images", "--epochs", "0"],
        ["epochs must be a whole number, 1 or more"],
    ),
    "checkpoints where no file system is": (
        lambda folder: ["mlp_images", "--data", "digits", "--checkpoint-dir", "nosuch://x", "--quiet"],
        ["checkpoint_dir must be a folder that can be reached", "nosuch"],
    ),
    "checkpoints among other files": (
        lambda folder: ["mlp_images", "--data", "digits", "--checkpoint-dir", foreign(folder), "--quiet"],
        ["checkpoint_dir", "holds files that are not checkpoints"],
    ),
    "table for an image recipe": (
        lambda folder: ["cnn_images", "--data", "wine"],
        ["data 'wine' is of kind 'table', expected 'image'"],
    ),
    "path that leaves the data folder": (
        lambda folder: ["mlp_images", "--data", "../../etc/passwd"],
        ["../../etc/passwd"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_answered_in_one_sentence_and_nothing_is_written(case, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write, words = CASES[case]
    line = ["run", *map(str, write(tmp_path))]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as ended:
        main(line)
    printed = capfd.readouterr()
    assert ended.value.code == 2
    assert printed.out == ""
    assert printed.err.startswith("kexp: ")
    assert printed.err.count("\n") == 1
    for word in words:
        assert word in printed.err
    assert sorted(tmp_path.rglob("*")) == before
