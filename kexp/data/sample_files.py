"""Sample files: the data that come with kexp."""

from __future__ import annotations

from pathlib import Path

from kexp.core.errors import InputError, nearest, shown

SAMPLES = Path(__file__).with_name("samples")


def sample_path(name: str) -> Path:
    """Return the path of a file that comes with kexp, with its licence beside it in NAME.LICENSE.

    Args:
        name: "emoji" (.npz), "fashion_mnist_small" (.npz), "first_names" (.csv.gz: name, label),
            "japanese_vowels" (.npz), "moby_dick" (.txt.gz), "pronunciations" (.csv.gz: word, phonemes) or
            "sunspots" (.csv: year, sunactivity).

    Raises:
        InputError: There is no such file.

    Example:
        >>> sample_path("moby_dick").name
        'moby_dick.txt.gz'
    """
    files = {path.name.partition(".")[0]: path for path in SAMPLES.iterdir() if path.suffix != ".LICENSE"}
    if not isinstance(name, str) or name not in files:
        raise InputError(
            f"name={shown(name)}: there is no such sample{nearest(str(name), files)}; give one of "
            f"{', '.join(sorted(files))}."
        )
    return files[name]
