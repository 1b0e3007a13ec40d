"""Write words spoken by the voices of Debian's espeak-ng, as a data set of sounds.

python tools/spoken_words.py digits FILE.csv   # file, word and voice of WAV files in the folder FILE
python tools/spoken_words.py phonemes FILE.npz # words and their phonemes, no word or voice in two parts

Voices are variants of timbre, of men and women; accent, pitch and speed are drawn for each clip. Needs
`espeak-ng` (apt-get install espeak-ng; GPL-3.0-or-later) and what kexp needs.

Nothing that it writes is part of this project. A program's licence is not that of its output, but where it
copies what it holds into it, and programs with stored sound are named as such
(https://www.gnu.org/licenses/gpl-faq.html#WhatCaseIsOutputGPL): espeak-ng makes vowels by formant synthesis,
and plays voiceless consonants from recordings that are part of it.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import subprocess
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from kexp.data.sources.text_pairs import read_pronunciations

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029")
VOICES = (
    *(
        "m1",
        "m2",
        "m3",
        "m4",
        "m5",
        "m6",
        "m7",
        "m8",
        "f1",
        "f2",
        "f3",
        "f4",
        "f5",
        "Alex",
        "Alicia",
        "Andrea",
    ),
    *("Andy", "Annie", "Denis", "Diogo", "Gene", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael"),
    *("Mike", "Nguyen", "adam", "anika", "antonio", "aunty", "belinda", "benjamin", "caleb", "david", "ed"),
    *(
        "edward",
        "grandma",
        "grandpa",
        "iven",
        "john",
        "linda",
        "max",
        "michel",
        "pablo",
        "paul",
        "quincy",
        "rob",
    ),
    *("robert", "shelby", "steph", "travis", "victor", "zac"),
)
RATE = 8000  # samples a second
CLIPS_OF_A_VOICE = 30  # of digits
COUNTS = {"train": 6000, "validation": 400, "test": 600}  # clips of phonemes
LONGEST_S = 1.0  # of those


def write_digits(table: Path) -> int:
    """Write each digit three times by each voice, and return how many clips there are."""
    folder = table.with_suffix("")
    folder.mkdir(parents=True)
    random = np.random.RandomState(0)
    rows = []
    for voice in VOICES:
        for number in range(CLIPS_OF_A_VOICE):
            word = DIGITS[number % len(DIGITS)]
            accent, pitch, speed = _drawn(random)
            path = folder / f"{voice}_{number:02}_{word}.wav"
            wavfile.write(path, RATE, spoken(word, voice, accent, pitch, speed))
            rows.append((f"{folder.name}/{path.name}", word, voice))
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "word", "voice"), *rows])
    return len(rows)


def write_phonemes(path: Path) -> int:
    """Write words with what espeak-ng says their phonemes are, and return how many clips there are."""
    random = np.random.RandomState(0)
    words = random.permutation(read_pronunciations().parts["train"][0])
    voices = random.permutation(VOICES)
    bounds = {"train": (0, 0.7), "validation": (0.7, 0.85), "test": (0.85, 1.0)}
    arrays: dict[str, np.ndarray] = {"sample_rate": np.int64(RATE)}
    for part, count in COUNTS.items():
        first, last = bounds[part]
        own = words[int(first * len(words)) : int(last * len(words))]
        clips, targets, number = [], [], 0
        while len(clips) < count:
            word = str(own[number % len(own)])
            number += 1
            spoken_by = voices[int(first * len(voices)) : int(last * len(voices))]
            voice = str(spoken_by[random.randint(len(spoken_by))])
            accent, pitch, speed = _drawn(random)
            clip = spoken(word, voice, accent, pitch, speed)
            if word.isalpha() and len(clip) <= LONGEST_S * RATE:
                clips.append(clip)
                targets.append(phonemes(word, accent))
        longest = int(LONGEST_S * RATE)
        arrays[f"x_{part}"] = np.stack([np.pad(one, (0, longest - len(one))) for one in clips])[..., None]
        arrays[f"length_{part}"] = np.array(list(map(len, clips)))
        arrays[f"y_{part}"] = np.array(targets)
    np.savez_compressed(path, **arrays)
    return sum(COUNTS.values())


def spoken(word: str, voice: str, accent: str, pitch: int, speed: int) -> np.ndarray:
    """Return (samples,) int16 at `RATE` of a word, silence around it cut.

    Args:
        word: What is said.
        voice: Variant of timbre.
        accent: Language and region.
        pitch: From 0 to 99.
        speed: Words a minute.
    """
    command = ["espeak-ng", "-v", f"{accent}+{voice}", "-p", str(pitch), "-s", str(speed), "--stdout", word]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    rate, values = wavfile.read(io.BytesIO(_with_sizes(answer)))
    resampled = resample_poly(values / 32768, RATE, rate)
    loud = np.flatnonzero(np.abs(resampled) > 0.01)
    cut = resampled[loud[0] : loud[-1] + 1]
    return np.round(np.clip(cut, -1, 1) * 32767).astype(np.int16)


def phonemes(word: str, accent: str) -> str:
    """Return the phonemes of a word in espeak-ng's letters, without marks of stress and of length."""
    command = ["espeak-ng", "-q", "-x", "--sep= ", "-v", accent, word]
    answer = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout
    plain = (re.sub(r"[',%=:#|]|_", "", one) for one in answer.split())
    return " ".join(one for one in plain if one)


def _drawn(random: np.random.RandomState) -> tuple[str, int, int]:
    return ACCENTS[random.randint(len(ACCENTS))], random.randint(20, 80), random.randint(130, 221)


def _with_sizes(content: bytes) -> bytes:
    """Return a WAV file with its sizes, which espeak-ng cannot know when it begins to write to a pipe."""
    sizes = [(len(content) - less).to_bytes(4, "little") for less in (8, 44)]
    return content[:4] + sizes[0] + content[8:40] + sizes[1] + content[44:]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("digits", "phonemes"))
    parser.add_argument("path", type=Path)
    asked = parser.parse_args()
    write = write_digits if asked.what == "digits" else write_phonemes
    print(f"{write(asked.path)} clips in {asked.path}")
