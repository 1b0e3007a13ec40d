import json

import numpy as np
import pytest
from PIL import Image

import kexp
from kexp import recipes

LEFT_OUT = "image folder shades: left out are .txt: 1."


@pytest.fixture(scope="module")
def shades(tmp_path_factory):
    """Images of two classes, and a file that is none."""
    folder = tmp_path_factory.mktemp("images") / "shades"
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("dev", 4), ("test", 4)):
        for name, shade in (("dark", 60), ("light", 190)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.normal(shade, 20, (6, 6)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    (folder / "train" / "dark" / "source.txt").write_text("a camera")
    return folder


def test_what_was_left_out_is_said_recorded_and_on_the_page(shades, tmp_path, capsys):
    result = recipes.mlp_images(data=str(shades), hidden=(16,), epochs=1, run_dir=str(tmp_path / "run"))
    assert LEFT_OUT in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "env.json").read_text())["notes"] == [LEFT_OUT]
    assert LEFT_OUT in result.report().read_text()


def test_a_quiet_run_says_nothing_of_what_was_left_out_and_records_it(shades, tmp_path, capsys):
    recipes.mlp_images(data=str(shades), hidden=(16,), epochs=1, run_dir=str(tmp_path / "run"), quiet=True)
    assert capsys.readouterr().out == ""
    assert json.loads((tmp_path / "run" / "env.json").read_text())["notes"] == [LEFT_OUT]


def test_what_was_left_out_is_a_finding_of_a_check(shades):
    finding = kexp.check(recipes.mlp_images, data=str(shades), hidden=(16,))["note"]
    assert (finding.status, finding.message) == ("warning", LEFT_OUT)
