"""Sounds of the rows of a table, which has their paths in a column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from kexp.data.audio_arguments import AudioOptions
from kexp.data.dataset import Source
from kexp.data.sources.folder_layout import SOUNDS
from kexp.data.sources.paths_of_rows import row_file
from kexp.data.sources.sound_clips import clips_of_files


def with_sounds(read: Source, options: AudioOptions, folders: Mapping[str, Path | None]) -> Source:
    """Return what was read of a table, or of one for each part, with the sounds in place of their paths.

    Long sounds become several clips where `hop_seconds` says so. Rate and length are the same in all parts.

    Args:
        read: Paths as the inputs of each part.
        options: Rate and length of the clips.
        folders: Of the table of each part, below which the files lie; None: the table is in memory, and its
            paths are those of whoever made it.

    Raises:
        InputError: A path leads out of the folder or to no sound, or a sound cannot be read.
    """
    paths = {
        part: [row_file(read.name, options.audio, text, folders[part], SOUNDS) for text in texts]
        for part, (texts, _) in read.parts.items()
    }
    clips = clips_of_files([path for some in paths.values() for path in some], options)
    parts, rows, start = {}, {}, 0
    for part, (_, targets) in read.parts.items():
        own = slice(*np.searchsorted(clips.sounds, [start, start + len(paths[part])]))
        sounds = clips.sounds[own] - start
        facts = read.rows[part].taken(sounds)
        if options.hop_seconds is not None and facts.groups is None:
            facts = replace(facts, groups=clips.sounds[own])
        parts[part], rows[part] = (clips.samples[own], targets[sounds]), facts
        start += len(paths[part])
    notes = (*read.notes, *clips.notes)
    return replace(read, parts=parts, columns=(), rows=rows, notes=notes, sample_rate=clips.sample_rate)
