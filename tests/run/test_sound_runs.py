"""Runs on sounds: predictions from files and arrays, what an export takes, and what a page plays."""

import base64
import json
import re

import numpy as np
import pytest
from scipy.io import wavfile

import kexp
from kexp import recipes
from kexp.serve.request_body import read_body

RATE, STEPS = 8000, 800
SMALL = {"bands": 20, "epochs": 2, "batch_size": 16, "quiet": True}


def sounds(count, seed):
    """Return sounds of a low or a high tone, and how many there were of each."""
    random = np.random.default_rng(seed)
    targets = random.integers(2, size=count)
    hertz = np.where(targets == 0, 400, 1600) * random.uniform(0.9, 1.1, count)
    tones = np.sin(hertz[:, None] * np.arange(STEPS) * 2 * np.pi / RATE)
    return (tones * 20000).astype(np.int16), np.array(["low", "high"])[targets]


def data(*, texts=False):
    parts = {}
    for seed, (part, count) in enumerate({"train": 48, "test": 16}.items()):
        parts[f"x_{part}"], answers = sounds(count, seed)
        parts[f"y_{part}"] = np.array([" ".join(answer) for answer in answers]) if texts else answers
    return {**parts, "sample_rate": RATE}


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    np.savez(folder / "tones.npz", **data())
    given = {"data": str(folder / "tones.npz"), "run_dir": str(folder / "run")}
    return recipes.audio_commands(**given, filters=8, blocks=1, **SMALL)


@pytest.fixture(scope="module")
def transcription(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transcription")
    np.savez(folder / "tones.npz", **data(texts=True))
    given = {"data": str(folder / "tones.npz"), "run_dir": str(folder / "run")}
    return recipes.speech_ctc(**given, filters=(8,), units=16, beam=2, **SMALL)


def test_a_file_is_resampled_cut_and_padded_as_in_training(commands, tmp_path):
    tone = sounds(1, 5)[0][0]
    wavfile.write(tmp_path / "short.wav", RATE, tone[:500])
    wavfile.write(tmp_path / "long.wav", RATE, np.concatenate([tone, tone]))
    padded = np.full((2, STEPS, 1), np.nan, np.float32)
    padded[0, :500, 0], padded[1, :, 0] = tone[:500] / 32768, tone / 32768
    from_files = commands.predict([tmp_path / "short.wav", str(tmp_path / "long.wav")])
    np.testing.assert_allclose(from_files.probabilities, commands.predict(padded).probabilities, atol=1e-6)
    wavfile.write(tmp_path / "fast.wav", 2 * RATE, np.repeat(tone, 2))
    assert commands.predict(tmp_path / "fast.wav").probabilities.shape == (1, 2)


def test_an_export_takes_raw_samples_and_no_file_of_the_machine_that_serves_it(commands, tmp_path):
    commands.export(tmp_path / "served")
    served = kexp.load_exported(tmp_path / "served")
    assert served.spec.sample_rate == RATE
    x = (sounds(5, 7)[0] / 32768).astype(np.float32)[..., None]
    np.testing.assert_allclose(
        served.predict(x).probabilities, commands.predict(x).probabilities, rtol=1e-5, atol=1e-6
    )
    wavfile.write(tmp_path / "x.wav", RATE, sounds(1, 5)[0][0])
    for asked in (
        str(tmp_path / "x.wav"),
        {"b64": base64.b64encode(str(tmp_path / "x.wav").encode()).decode()},
    ):
        with pytest.raises(kexp.InputError, match="sounds must be numbers"):
            read_body(json.dumps({"instances": [asked]}).encode(), served, most_rows=10)


def test_what_was_heard_is_measured_recorded_and_exported(transcription, tmp_path):
    assert {"test_token_error_rate", "test_text_error_rate", "val_loss"} <= set(transcription.metrics)
    x = (sounds(4, 7)[0] / 32768).astype(np.float32)[..., None]
    transcription.export(tmp_path / "served")
    own = transcription.predict(x).to_frame(transcription.spec)
    exported = kexp.load_exported(tmp_path / "served").predict(x).to_frame(transcription.spec)
    assert list(exported["target"]) == list(own["target"])
    np.testing.assert_allclose(exported["log_probability"], own["log_probability"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("run", ["commands", "transcription"])
def test_a_page_shows_sounds_by_their_spectrogram_and_plays_them(run, request):
    page = request.getfixturevalue(run).report().read_text(encoding="utf-8")
    players = re.findall(r'<audio controls[^>]* src="data:audio/wav;base64,([^"]+)"', page)
    assert len(players) == 5  # all that are validated on
    assert page.count('alt="spectrogram of sample') == len(players)
    assert "media-src data:" in page
    assert len(page) < 5_000_000
    assert base64.b64decode(players[0])[:4] == b"RIFF"


def test_label_smoothing_is_no_part_of_a_transcription():
    with pytest.raises(kexp.InputError, match="label_smoothing must be 0 for transcription"):
        recipes.speech_ctc(data(texts=True), filters=(8,), units=16, label_smoothing=0.1, **SMALL)
