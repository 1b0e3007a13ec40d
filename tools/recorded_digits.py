"""Measure a run of `audio_commands` on the ten digits as a person recorded them for a telephone exchange.

python tools/recorded_digits.py RUN [PACKAGE.deb]

They are ten sounds of one voice, from Debian's asterisk-core-sounds-en-wav 1.6.1 (Allison Smith, CC BY-SA 3),
of which nothing is part of this project. The run's classes are the English words of the digits. Needs
`apt-get` and `dpkg-deb`, or the package and `dpkg-deb`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from debian_package import unpacked
from spoken_words import DIGITS

import kexp

PACKAGE = "asterisk-core-sounds-en-wav"
FOLDER = "usr/share/asterisk/sounds/en_US_f_Allison/digits"


def heard(run: Path, package: Path | None = None) -> list[tuple[str, str, float]]:
    """Return for each digit what it is taken for, and the probability of that.

    Args:
        run: Folder of a finished run.
        package: The Debian package; None: `apt-get download` fetches it.
    """
    result = kexp.load(run)
    with unpacked(PACKAGE, package) as files:
        paths = [files / FOLDER / f"{number}.wav" for number in range(len(DIGITS))]
        predictions = result.predict(paths)
    return list(zip(DIGITS, predictions.labels, predictions.probabilities.max(axis=1), strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("package", type=Path, nargs="?")
    asked = parser.parse_args()
    found = heard(asked.run, asked.package)
    for word, taken_for, probability in found:
        print(f"{word:6} {taken_for:6} {probability:.2f}")
    print(f"{sum(word == taken_for for word, taken_for, _ in found)} of {len(found)} right")
