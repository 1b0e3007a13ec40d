"""Sounds of the rows of a table, which has their paths in a column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kexp.data.audio_arguments import AudioOptions
from kexp.data.dataset import Source
from kexp.data.sources.folder_layout import SOUNDS
from kexp.data.sources.paths_of_rows import row_file
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
    paths = [row_file(read.name, options.audio, text, folder, SOUNDS) for text in texts]
    clips = clips_of_files(paths, options)
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
