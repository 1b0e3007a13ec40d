"""Sounds: WAV and FLAC files in class folders and tables, and arrays, at one rate and of one length."""

import importlib.util
import sys
import wave

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile

import kexp
from kexp.data import load


def tone(hertz, rate=8000, seconds=0.2):
    return np.sin(np.arange(int(rate * seconds)) * 2 * np.pi * hertz / rate).astype(np.float32)


def write(path, samples, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, (samples * 32767).astype(np.int16) if samples.dtype == np.float32 else samples)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two classes of eight sounds each, of 0.2 s but for one of 0.3 s."""
    for name, hertz in (("low", 300), ("high", 900)):
        for number in range(8):
            seconds = 0.3 if (name, number) == ("low", 0) else 0.2
            write(tmp_path / "tones" / name / f"{number}.wav", tone(hertz + number, seconds=seconds))
    return tmp_path / "tones"


def test_class_folders_of_sounds_are_series_with_a_rate_padded_to_the_longest(folder):
    data = load(folder)
    assert (data.spec.kind, data.spec.input_shape, data.spec.sample_rate) == ("series", (2400, 1), 8000)
    assert data.spec.class_names == ("high", "low")
    assert data.notes == ("15 of 16 clips are padded at their end to 0.3 s.",)
    lengths = np.sum(~np.isnan(np.concatenate([data.train.inputs, data.test.inputs])), axis=1)
    assert set(lengths.ravel().tolist()) <= {1600, 2400}
    again = kexp.data.DatasetSpec.from_json(data.spec.to_json())
    assert again == data.spec


def test_sounds_are_resampled_and_mixed_to_one_channel_and_both_is_said(folder):
    both = np.stack([tone(300, 16000), tone(300, 16000) * 0], axis=1)
    write(folder / "low" / "stereo.wav", both, 16000)
    data = load(folder, test=0, validation=0, clip_seconds=0.2)
    assert "of 1 sounds with several channels the mean of them is read." in data.notes
    assert "sounds are resampled to 8,000 samples a second: 1 of 16,000." in data.notes
    said = "longer than 0.2 s, the first 0.2 s are read; the longest has 0.3 s"
    assert any(said in note for note in data.notes)
    stereo = data.train.inputs[-1, :, 0]
    assert stereo.shape == (1600,)
    np.testing.assert_allclose(stereo[200:1400], tone(300)[200:1400] / 2, atol=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_a_wav_file_of_any_width_has_the_same_samples(folder, dtype):
    expected = tone(440)
    largest = {"u": 127, "f": 1}.get(np.dtype(dtype).kind) or 2 ** (8 * np.dtype(dtype).itemsize - 1) - 129
    values = expected.astype(np.float64) * largest + (128 if dtype == np.uint8 else 0)
    wavfile.write(folder / "low" / "z.wav", 8000, values.astype(dtype))
    read = load(folder, test=0, validation=0, clip_seconds=0.2).train.inputs[-1, :, 0]
    np.testing.assert_allclose(read, expected, atol=0.02 if dtype == np.uint8 else 0.005)


def test_a_wav_file_of_24_bits_is_read(folder):
    values = (tone(440) * (2**23 - 1)).astype(np.int32)
    with wave.open(str(folder / "low" / "z.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(8000)
        file.writeframes(b"".join(int(value).to_bytes(3, "little", signed=True) for value in values))
    read = load(folder, test=0, validation=0, clip_seconds=0.2).train.inputs[-1, :, 0]
    np.testing.assert_allclose(read, tone(440), atol=1e-6)


def damaged(content, how):
    changed = bytearray(content)
    if how == "cut":
        return bytes(changed[: len(changed) // 2])
    if how == "without samples":
        changed[40:44] = bytes(4)
        return bytes(changed[:44])
    if how == "of another encoding":
        changed[20:22] = (7).to_bytes(2, "little")  # µ-law
    if how == "of rate 0":
        changed[24:28] = bytes(4)
    if how == "announcing four gigabytes":
        changed[40:44] = (2**32 - 2).to_bytes(4, "little")
    return {"empty": b"", "no sound": b"hello, world" * 20}.get(how, bytes(changed))


@pytest.mark.parametrize(
    "how",
    [
        *("cut", "empty", "no sound", "without samples", "of another encoding", "of rate 0"),
        "announcing four gigabytes",
    ],
)
def test_a_damaged_sound_is_one_sentence_with_its_name(folder, how):
    path = folder / "high" / "3.wav"
    path.write_bytes(damaged(path.read_bytes(), how))
    with pytest.raises(kexp.InputError, match=r"high/3\.wav: .*; .*replace or remove it\.$|is cut") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_samples_that_are_no_numbers_are_refused(folder):
    wavfile.write(folder / "low" / "z.wav", 8000, np.array([0.0, np.nan], np.float32))
    with pytest.raises(kexp.InputError, match="expected finite samples"):
        load(folder)


def test_flac_files_are_read_where_soundfile_is_and_else_say_what_to_install(folder, monkeypatch):
    path = folder / "low" / "z.flac"
    if importlib.util.find_spec("soundfile"):
        import soundfile

        soundfile.write(path, tone(440), 8000)
        read = load(folder, test=0, validation=0, clip_seconds=0.2).train.inputs[-1, :, 0]
        np.testing.assert_allclose(read, tone(440), atol=1e-4)
    path.write_bytes(b"fLaC")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(kexp.InputError, match=r"install kexp\[audio\], or convert it to WAV"):
        load(folder)


@pytest.fixture
def table(tmp_path):
    """Return a table of twelve sounds of 0.5 s by six speakers."""
    rows = []
    for number in range(12):
        write(tmp_path / "clips" / f"{number}.wav", tone(200 + 50 * number, seconds=0.5))
        rows.append((f"clips/{number}.wav", "ab"[number % 2], f"speaker {number // 2}"))
    path = tmp_path / "clips.csv"
    pd.DataFrame(rows, columns=["file", "word", "speaker"]).to_csv(path, index=False)
    return path


def test_no_speaker_of_a_table_of_sounds_is_in_two_parts(table):
    data = load(table, audio="file", target="word", group="speaker", test=0.3, validation=0.2)
    assert data.spec.input_shape == (4000, 1)
    assert any("no group of 'speaker' is in two parts" in note for note in data.notes)
    assert len(data.train) + len(data.validation) + len(data.test) == 12


def test_clips_of_a_long_sound_are_in_one_part(table):
    lengths = {"clip_seconds": 0.2, "hop_seconds": 0.1}
    data = load(table, audio="file", target="word", test=0.3, validation=0.2, **lengths)
    assert any("read in clips that begin every 0.1 s, 48 in all" in note for note in data.notes)
    sounds = [
        {int(np.abs(np.fft.rfft(clip[:, 0])).argmax()) for clip in part.inputs}
        for part in (data.train, data.validation, data.test)
    ]
    assert len(data.train) + len(data.validation) + len(data.test) == 48
    assert not sounds[0] & sounds[1]
    assert not sounds[0] & sounds[2]
    assert not sounds[1] & sounds[2]


def test_tables_by_part_may_lie_beside_their_sounds(table):
    frame = pd.read_csv(table)
    write(table.parent / "clips" / "11.wav", tone(750, seconds=0.7))  # the longest one is tested on
    frame[:8].to_csv(table.parent / "train.csv", index=False)
    frame[8:].to_csv(table.parent / "test.csv", index=False)
    table.unlink()
    data = load(table.parent, audio="file", target="word", validation=0)
    assert (data.train.inputs.shape, data.test.inputs.shape) == ((8, 5600, 1), (4, 5600, 1))
    loudest = [int(np.abs(np.fft.rfft(clip[:4000, 0])).argmax()) for clip in data.test.inputs]
    assert loudest == [300, 325, 350, 375]  # of 4000 samples at 8 kHz each is 2 Hz
    assert not any("left out" in note for note in data.notes)
    lengths = {"clip_seconds": 0.3, "hop_seconds": 0.2}
    clips = load(table.parent, audio="file", target="word", validation=0, **lengths)
    assert (len(clips.train), len(clips.test)) == (16, 9)
    assert clips.test.targets.tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../outside.wav", "below the folder"),
        ("", "must have a path in each row"),
        ("a.mp3", "paths of sounds"),
    ],
)
def test_a_path_of_a_table_leads_to_a_sound_below_it(table, path, said):
    frame = pd.read_csv(table)
    frame.loc[3, "file"] = path
    frame.to_csv(table, index=False)
    with pytest.raises(kexp.InputError, match=said):
        load(table, audio="file", target="word")


@pytest.mark.parametrize("form", ["matrix", "series", "list"])
def test_arrays_of_sounds_have_the_rate_that_is_said(form):
    sounds = [(tone(200 + 40 * number) * 32767).astype(np.int16) for number in range(20)]
    given = {"matrix": np.stack(sounds), "series": np.stack(sounds)[..., None], "list": sounds}[form]
    data = load((given, np.arange(20) % 2), sample_rate=8000, clip_seconds=0.1)
    assert (data.spec.sample_rate, data.spec.input_shape) == (8000, (800, 1))
    assert 0.9 < np.abs(data.train.inputs).max() <= 1


@pytest.mark.parametrize(
    ("source", "arguments", "said"),
    [
        ("digits", {"clip_seconds": 1.0}, "are no sounds"),
        ("iris", {"sample_rate": 8000}, "must be"),
        ("telephone_keys", {"sample_rate": 16000}, "say they have 8000 samples a second"),
        ("telephone_keys", {"hop_seconds": 1.0}, "give clip_seconds too"),
        ("telephone_keys", {"audio": "file"}, "has columns to choose"),
    ],
)
def test_arguments_of_sounds_are_refused_for_other_data(source, arguments, said):
    with pytest.raises(kexp.InputError, match=said):
        load(source, **arguments)
