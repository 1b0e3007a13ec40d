"""`kexp.lr_find` suggests a rate that trains, or none where no rate does."""

from dataclasses import replace

import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from kexp.data import Split

SMALL = {"hidden": (32,), "dropout": 0.1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "arguments", "plausible"),
    [
        (recipes.mlp_images, {"data": "digits", **SMALL}, (1e-3, 0.1)),
        (recipes.mlp_tabular, {"data": "diabetes", **SMALL}, (3e-4, 0.3)),
    ],
)
def test_the_suggestion_trains_better_than_rates_far_from_it(recipe, arguments, plausible, tmp_path):
    search = kexp.lr_find(recipe, **arguments)
    assert plausible[0] < search.suggestion < plausible[1]
    # The last rate is the one that the search ended at, above the one where the loss was four times its best.
    assert search.losses[-5:].mean() > 2 * search.smoothed.min()

    def trained(rate):
        options = {"epochs": 4, "schedule": "constant", "spike": None, "quiet": True}
        run_dir = str(tmp_path / f"{rate:.3g}")
        return recipe(**arguments, **options, learning_rate=rate, run_dir=run_dir).history["loss"][-1]

    loss = trained(search.suggestion)
    assert loss < 0.8 * trained(search.suggestion / 1000)
    assert loss < 0.8 * trained(min(10.0, 10 * float(search.learning_rates[-1])))


def test_rates_grow_by_the_same_factor_and_the_search_ends_when_the_loss_explodes():
    search = kexp.lr_find(recipes.mlp_images, steps=60, lowest=1e-5, highest=10.0, **SMALL)
    steps = len(search.learning_rates)
    assert len(search.losses) == len(search.smoothed) == steps < 60
    np.testing.assert_allclose(search.learning_rates, np.geomspace(1e-5, 10.0, 60)[:steps])
    assert search.losses[-5:].mean() > 4 * min(search.losses[n : n + 5].mean() for n in range(steps - 5))


def test_a_loss_that_never_falls_gives_no_suggestion_and_the_plot_says_so(tmp_path):
    for data in ("digits", "breast_cancer"):
        recipe = recipes.mlp_images if data == "digits" else recipes.mlp_tabular
        search = kexp.lr_find(recipe, data=data, highest=1e-6, **SMALL)
        assert search.suggestion is None
        assert len(search.losses) == 100
        assert str(search).startswith("no suggestion: the loss did not fall beyond its noise in 100 steps")
        figure = search.plot()
        assert "does not fall" in figure.axes[0].get_title()
    figure.savefig(tmp_path / "search.png")
    assert (tmp_path / "search.png").stat().st_size > 10_000


def test_the_plot_marks_the_suggestion_on_a_logarithmic_axis():
    search = kexp.lr_find(recipes.mlp_images, steps=40, **SMALL)
    axes = search.plot().axes[0]
    assert axes.get_xscale() == "log"
    raw, smoothed, mark = axes.lines
    np.testing.assert_array_equal(raw.get_ydata(), search.losses)
    np.testing.assert_array_equal(smoothed.get_ydata(), search.smoothed)
    assert mark.get_xdata()[0] == search.suggestion


@pytest.mark.slow
def test_every_training_option_may_be_in_use():
    search = kexp.lr_find(
        recipes.mlp_images,
        precision="float16",
        accumulate=2,
        batch_size="auto",
        clip_norm=1.0,
        ema=0.9,
        class_weight="balanced",
        schedule="cosine",
        warmup=0.2,
        label_smoothing=0.1,
        **SMALL,
    )
    assert 1e-4 < search.suggestion < 1


def test_what_does_not_fit_is_an_input_error():
    for options, words in (
        ({"steps": 3}, "steps must be a whole number, 10 or more"),
        ({"lowest": 0.0}, "lowest must be a number"),
        ({"lowest": 1.0, "highest": 0.1}, "lowest must be below highest"),
        ({"epoch": 3}, "mlp_images has no argument epoch"),
    ):
        with pytest.raises(InputError, match=words):
            kexp.lr_find(recipes.mlp_images, **options)
    digits = kexp.data.load("digits")
    nothing = Split(np.full_like(digits.train.inputs, np.nan, "float32"), digits.train.targets)
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(4,))
    with pytest.raises(InputError, match=r"first loss is not finite .* kexp\.check"):
        kexp.lr_find(kexp.fit, model, replace(digits, train=nothing))


def test_players_that_compete_have_no_loss_to_go_by():
    with pytest.raises(InputError, match="recipe must have one loss"):
        kexp.lr_find(kexp.recipes.gan_images)
