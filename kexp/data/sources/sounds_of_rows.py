"""Sounds of the rows of a table, which has their paths in a column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kexp.core.errors import InputError, shown
from kexp.core.user_paths import user_path
from kexp.data.audio_arguments import AudioOptions
from kexp.data.dataset import Source
from kexp.data.sources.folder_layout import SOUNDS
from kexp.data.sources.sound_clips import clips_of_files


def with_sounds(read: Source, options: AudioOptions, folder: Path | None) -> Source:
    """Return what was read of a table with the sounds in place of their paths, several clips of long ones.

    Args:
        read: Paths as the inputs of the training part.
        options: Rate and length of the clips.
        folder: Of the table, below which the files lie; None: the table is in memory, and its paths are those
            of whoever made it.

    Raises:
        InputError: A path leads out of the folder or to no sound, or a sound cannot be read.
    """
    texts, targets = read.parts["train"]
    clips = clips_of_files([_path(read.name, options.audio, text, folder) for text in texts], options)
    facts = read.rows["train"].taken(clips.sounds)
    if options.hop_seconds is not None and facts.groups is None:
        facts = replace(facts, groups=clips.sounds)
    return replace(
        read,
        parts={"train": (clips.samples, targets[clips.sounds])},
        columns=(),
        rows={"train": facts},
        notes=(*read.notes, *clips.notes),
        sample_rate=clips.sample_rate,
    )


def _path(name: str, column: str | None, text: str, folder: Path | None) -> Path:
    place = f"data {name!r}: column {shown(column)}"
    if not text.strip():
        raise InputError(f"{place} must have a path in each row; received an empty one, so mend it.")
    path = user_path(f"{place}: a path", text)
    if path.suffix.lower() not in SOUNDS.suffixes:
        raise InputError(
            f"{place} must have paths of sounds ({', '.join(sorted(SOUNDS.suffixes))}); received "
            f"{shown(text)}, so name another column or convert it."
        )
    if folder is None:
        return path
    inside = (folder / path).resolve()
    if path.is_absolute() or not inside.is_relative_to(folder.resolve()):
        raise InputError(
            f"{place} must have paths of files below the folder of the table, {folder}; received "
            f"{shown(text)}, so put the sound there, or pass the table as a DataFrame."
        )
    return inside
