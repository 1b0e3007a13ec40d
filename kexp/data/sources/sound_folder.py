"""Folders of sounds, one folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from kexp.data.audio_arguments import AudioOptions
from kexp.data.dataset import Source
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions
from kexp.data.sources.folder_layout import SOUNDS, folder_layout, has_files
from kexp.data.sources.sound_clips import clips_of_files
from kexp.data.splits import RowFacts


class SoundFolders(DataSource):
    """A folder of sounds for each class."""

    name: ClassVar[str] = "sounds"
    description: ClassVar[str] = "sounds in class folders"
    folder_noun: ClassVar[str] = "class folders with sounds in them"
    asked_last: ClassVar[bool] = True

    def holds(self, folder: Path) -> bool:
        return has_files(folder, SOUNDS)

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return read_sound_folder(place.path, place.name, options.audio)


def read_sound_folder(folder: Path, name: str, options: AudioOptions) -> Source:
    """Read a folder of class folders, or of train, test and validation folders of them.

    Args:
        folder: Folder with a folder of sounds per class.
        name: Name of the data.
        options: Rate and length of the clips.

    Returns:
        (clips, steps, 1) float32, NaN after the end of each, and the folder names as labels; notes on what
        was left out and changed.

    Raises:
        InputError: For a folder that would be left out with sounds in it, an empty class folder, or a broken
            sound.
    """
    found = folder_layout(folder, SOUNDS)
    labelled = [(part, *each) for part, some in found.parts.items() for each in some]
    clips = clips_of_files([path for _, path, _ in labelled], options)
    files = [labelled[number] for number in clips.sounds]
    parts, rows = {}, {}
    for part in found.parts:
        of_part = np.array([one == part for one, _, _ in files])
        labels = np.array([label for one, _, label in files if one == part], dtype=object)
        parts[part] = (clips.samples[of_part], labels)
        rows[part] = RowFacts(groups=clips.sounds[of_part])
    notes = (*found.notes, *clips.notes)
    facts = rows if options.hop_seconds is not None else None
    return Source(name, parts, rows=facts, notes=notes, sample_rate=clips.sample_rate)
