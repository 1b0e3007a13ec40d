"""Tones of telephone keys: sounds that are there without a recording, one at a time or as dialled numbers."""

from __future__ import annotations

import numpy as np

from kexp.data.dataset import Source

# Hertz of rows and columns of keys: two tones at once for each (ITU-T Recommendation Q.23, 1988).
_LOW, _HIGH = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0)
_KEYS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#")
_RATE = 8000  # samples a second
_TELEPHONES = {"train": 40, "test": 10}  # none is in both parts
_KEYS_OF_EACH, _NUMBERS_OF_EACH = 30, 30
_CLIP_S, _NUMBER_S = 0.25, 1.0


def read_keys() -> Source:
    """Draw 1,500 tones of the keys 0 to 9 of 50 telephones, always the same ones; those of 10 are tested on.

    Telephones differ in pitch, by up to 1.5 %, in how loud they are, and in how loud one tone is beside the
    other; each tone lasts 60 to 200 ms somewhere in 250 ms, in noise up to 6 dB louder than itself.

    Example:
        >>> sounds, keys = read_keys().parts["test"]
        >>> sounds.shape, sorted(set(keys.tolist()))[:3]
        ((300, 2000, 1), ['0', '1', '2'])
    """
    return _drawn("telephone_keys", _KEYS_OF_EACH, _key)


def read_numbers() -> Source:
    """Draw 1,500 numbers of 3 to 6 digits that 50 telephones dial, as `read_keys`; a space between digits.

    Example:
        >>> sounds, numbers = read_numbers().parts["train"]
        >>> sounds.shape, numbers[0]
        ((1200, 8000, 1), '7 9 3 5 2 4')
    """
    return _drawn("dialled_numbers", _NUMBERS_OF_EACH, _number, task="transcription")


class _Telephone:
    """How the tones of a telephone differ from those of others."""

    def __init__(self, random: np.random.RandomState) -> None:
        self.pitch = 1 + random.uniform(-0.015, 0.015)
        self.loudness = 10 ** random.uniform(-1.5, -0.5)
        self.twist = 10 ** random.uniform(-0.2, 0.2)  # of the upper tone beside the lower, 4 dB at most

    def tone(self, key: str, steps: int) -> np.ndarray:
        """Return (steps,) of a key that is held, which begins and ends within 2 ms."""
        place = _KEYS.index(key)
        time = np.arange(steps) * (2 * np.pi * self.pitch / _RATE)
        both = np.sin(_LOW[place // 3] * time) + self.twist * np.sin(_HIGH[place % 3] * time)
        edge = np.minimum(np.arange(1, steps + 1), np.arange(steps, 0, -1)) / (0.002 * _RATE)
        return self.loudness * both * np.minimum(edge, 1)


def _key(telephone: _Telephone, random: np.random.RandomState, number: int) -> tuple[np.ndarray, str]:
    sound = np.zeros(int(_CLIP_S * _RATE))
    key = str(number % 10)
    steps = random.randint(int(0.06 * _RATE), int(0.2 * _RATE))
    start = random.randint(len(sound) - steps)
    sound[start : start + steps] = telephone.tone(key, steps)
    return sound, key


def _number(telephone: _Telephone, random: np.random.RandomState, _: int) -> tuple[np.ndarray, str]:
    sound = np.zeros(int(_NUMBER_S * _RATE))
    keys = [str(key) for key in random.randint(10, size=random.randint(3, 7))]
    place = random.randint(int(0.03 * _RATE), int(0.08 * _RATE))
    for key in keys:
        steps = random.randint(int(0.05 * _RATE), int(0.1 * _RATE))
        sound[place : place + steps] = telephone.tone(key, steps)
        place += steps + random.randint(int(0.03 * _RATE), int(0.05 * _RATE))
    return sound, " ".join(keys)


def _drawn(name: str, of_each: int, draw: object, task: str | None = None) -> Source:
    random = np.random.RandomState(0)  # whose numbers NumPy keeps the same in every version
    parts = {}
    for part, count in _TELEPHONES.items():
        sounds, answers = [], []
        for _ in range(count):
            telephone = _Telephone(random)
            for number in range(of_each):
                sound, answer = draw(telephone, random, number)  # type: ignore[operator]
                noise = random.normal(size=len(sound)) * telephone.loudness * 10 ** random.uniform(-1.0, 0.3)
                # Of 16 bits, so that they are the same on every machine.
                sounds.append(np.round(np.clip(sound + noise, -1, 1) * 32767) / 32768)
                answers.append(answer)
        parts[part] = (np.array(sounds, np.float32)[..., None], np.array(answers, object))
    return Source(name, parts, target="digits" if task else "key", task=task, sample_rate=_RATE)
