"""Runs from texts to texts: teacher forcing, padding that does not count, answers, figures and errors."""

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.engine.tensorflow.evaluator import LossEvaluator
from kexp.engine.tensorflow.step_context import SeededStepContext
from kexp.run.context import capture_training
from kexp.run.preprocess_dataset import teacher_forced
from kexp.train.objectives import supervised


def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Short English words with how they sound."""
    words = kexp.data.load("pronunciations", validation=0, test=0).train
    short = np.array([len(word) <= 4 for word in words.inputs])
    return words.inputs[short][:400], words.targets[short][:400]


@kexp.recipe(epochs=8, batch_size=32, learning_rate=1e-2)
def sounds(steps: int | None = None, **train: kexp.Unpack[kexp.TrainOptions]) -> kexp.Result:
    """Say how short words sound."""
    data = kexp.data.load(pairs(), task="text", validation=train["validation"], seed=train["seed"])
    reads = kexp.models.tokenizer(data.train.inputs, split="character")
    writes = kexp.models.tokenizer(data.train.targets, split="space", ends=True, steps=steps)
    sizes = [kexp.models.tokens_of(tokens).size for tokens in (reads, writes)]
    model = kexp.models.seq2seq(*sizes, units=32, embedding=16)
    return kexp.fit(
        model,
        data,
        preprocessing=reads,
        target_preprocessing=writes,
        inference_model=kexp.models.transcriber(model, reads, writes),
        final_metrics={"wrong": lambda part, given: np.mean(part.targets != given["text"])},
        **train,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return sounds(run_dir=str(tmp_path_factory.mktemp("sounds") / "run"), quiet=True)


def test_a_run_learns_and_records_figures_of_tokens_and_of_answers(run):
    assert run.history["loss"][-1] < 0.8 * run.history["loss"][0]
    assert {"test_accuracy", "test_perplexity", "test_wrong", "val_wrong"} <= run.metrics.keys()
    assert run.spec.task == "text"
    test = kexp.data.load(pairs(), task="text").test
    assert run.metrics["test_wrong"] == np.mean(run.predictions_of(test.inputs).texts != test.targets)


def test_a_loaded_run_gives_the_same_answers(run):
    words = pairs()[0][:20]
    first, second = run.predictions_of(words), kexp.load(run.run_dir).predictions_of(words)
    np.testing.assert_array_equal(first.texts, second.texts)
    np.testing.assert_allclose(first.log_probabilities, second.log_probabilities, rtol=1e-6)
    frame = second.to_frame(run.spec)
    assert frame.columns.tolist() == ["target", "log_probability"]


@pytest.mark.slow
def test_characters_of_the_source_that_training_had_not_are_counted(run):
    for one in (run, kexp.load(run.run_dir)):
        with pytest.warns(UserWarning, match="1 of 3 characters is not in the vocabulary .*, such as '9'"):
            one.predict(["be9"])


def test_the_export_answers_strings_with_strings(run, tmp_path):
    run.export(tmp_path / "served")
    words = pairs()[0][:20]
    answers = kexp.load_exported(tmp_path / "served").predict(words)
    np.testing.assert_array_equal(answers.texts, run.predict(words).texts)


def test_the_model_is_told_the_tokens_before_the_one_it_is_asked_for():
    data = kexp.data.load((["ab", "c"], ["x y", "y"]), task="text", validation=0, test=0)
    reads = kexp.models.tokenizer(data.train.inputs, split="character")
    writes = kexp.models.tokenizer(data.train.targets, split="space", ends=True)
    told = teacher_forced(data, reads, writes).train
    x, y = (kexp.models.tokens_of(writes).vocabulary.index(token) + 4 for token in "xy")
    assert told.inputs["previous"].tolist() == [[2, x, y], [2, y, 3]]
    assert told.targets.tolist() == [[x, y, 3], [y, 3, 0]]
    assert told.inputs["source"].shape == (2, 2)


def test_the_loss_is_the_mean_over_tokens_of_the_mean_over_samples_and_padding_is_left_out():
    def seen(steps):
        keras.utils.set_random_seed(0)
        return capture_training(lambda training: training, sounds, steps=steps, validation=0.0)

    short, long = seen(None), seen(20)
    long.model.set_weights(short.model.get_weights())
    assert long.data.train.targets.shape[1] == 19 > short.data.train.targets.shape[1]
    figures = [
        LossEvaluator(item.model, item.objective, item.data.train).measure(32) for item in (short, long)
    ]
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)
    split = short.data.train
    logits = np.asarray(short.model(dict(split.inputs)), "float64")
    each = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, split.targets[..., None], -1)[..., 0]
    real = split.targets != 0
    mean = ((each * real).sum(1) / real.sum(1)).mean()
    assert figures[0]["loss"] == pytest.approx(mean, rel=1e-4)
    assert figures[0]["perplexity"] == pytest.approx(np.exp(each[real].mean()), rel=1e-4)
    assert figures[0]["accuracy"] == pytest.approx(
        (logits.argmax(-1) == split.targets)[real].mean(), rel=1e-4
    )


def test_smoothed_labels_leave_padding_out_too():
    spec = kexp.data.load(pairs(), task="text").spec
    objective = supervised(spec, label_smoothing=0.1)
    targets, outputs = np.array([[5, 0]]), np.random.default_rng(0).normal(size=(1, 2, 7)).astype("float32")
    model, step = keras.Sequential([keras.layers.Identity()]), SeededStepContext(False, 0)
    first = objective.losses("model", model, outputs, targets, step).total
    other = np.array(outputs)
    other[0, 1] = 9.0
    second = objective.losses("model", model, other, targets, step).total
    assert float(first[0]) == float(second[0]) > 0


def test_what_does_not_fit_is_an_error_before_anything_is_written(tmp_path):
    data = kexp.data.load(pairs(), task="text")
    reads = kexp.models.tokenizer(data.train.inputs, split="character")
    writes = kexp.models.tokenizer(data.train.targets, split="space", ends=True)
    sizes = [kexp.models.tokens_of(tokens).size for tokens in (reads, writes)]
    model = kexp.models.seq2seq(*sizes, units=8, embedding=4)
    options = {"run_dir": str(tmp_path / "run"), "quiet": True}
    with pytest.raises(InputError, match="target_preprocessing must be a model from texts to tokens"):
        kexp.fit(model, data, preprocessing=reads, **options)
    with pytest.raises(InputError, match="inference_model must be a model from inputs to texts"):
        kexp.fit(model, data, preprocessing=reads, target_preprocessing=writes, **options)
    answers = kexp.models.transcriber(model, reads, writes)
    small = kexp.models.seq2seq(sizes[0], 6, units=8, embedding=4)
    with pytest.raises(
        InputError, match=r"cannot take the inputs of arrays.*indices\[.*\] = \d+ is not in \[0, 6\)"
    ):
        kexp.fit(
            small, data, preprocessing=reads, target_preprocessing=writes, inference_model=answers, **options
        )
    with pytest.raises(
        InputError, match="final_metrics need inference_model, the model that wrong are measured by"
    ):
        kexp.fit(
            kexp.models.mlp((4,), 3),
            kexp.data.load("iris"),
            final_metrics={"wrong": lambda *_: 0.0},
            **options,
        )
    with pytest.raises(InputError, match="data 'arrays' is of kind 'array', expected 'text'"):
        kexp.data.load((np.zeros((9, 2)), ["a"] * 9), task="text")
    assert not (tmp_path / "run").exists()


def test_a_run_on_texts_says_what_to_do_instead_of_evaluating(run):
    with pytest.raises(InputError, match="compare predict"):
        run.evaluate((["ab", "cd"], ["x", "y"]))


def test_the_texts_of_a_csv_file_are_taken_to_the_letter(tmp_path):
    (tmp_path / "sums.csv").write_text("sum,result\n" + "".join(f"{n}+1,{n + 1:03}\n" for n in range(30)))
    data = kexp.data.load(
        tmp_path / "sums.csv", text="sum", target="result", task="text", test=0, validation=0
    )
    assert data.train.inputs[3] == "3+1"
    assert data.train.targets[3] == "004"
    assert (data.spec.kind, data.spec.outputs, data.spec.target) == ("text", 0, "result")
