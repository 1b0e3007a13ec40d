"""Pretrained vectors of tokens: pieces of words, and what an embedding of them begins with."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.core.foreign_files import require_checksum
from kexp.core.json_files import read_json_file
from kexp.core.safetensors_file import read_safetensors
from kexp.models.preprocessing.tokens import Tokenizer

__all__ = ["pretrained_tokens"]

_PACKAGE = "wordllama"
_ADVICE = "install wordllama again"
_VOCABULARY = "tokenizers/l2_supercat_tokenizer_config.json"
_VECTORS = "weights/l2_supercat_256.safetensors"
_CHECKSUMS = {
    _VOCABULARY: "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
    _VECTORS: "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
}
_TENSOR = "embedding.weight"
_SPECIAL = {"<unk>": Tokenizer.UNKNOWN, "<s>": Tokenizer.START, "</s>": Tokenizer.END}
_NO_PIECES = {*_SPECIAL, "\N{REPLACEMENT CHARACTER}"}  # which stands for what is unknown
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # stands for a space in SentencePiece's vocabularies


@dataclass(frozen=True, repr=False)
class PretrainedTokens:
    """Pieces of words with vectors.

    Attributes:
        pieces: Different texts, as `kexp.models.text_preprocessing(…, split="subword", pieces=…)` takes them,
            with a space before the first piece of a word.
        vectors: (pieces, width) float32, a row for each.
        table: (numbers, width) float32, a row for each number of that preprocessing: zeros for the padding 0,
            then those of the unknown token, the start and the end, and then the pieces'.
        source: Where they are from.
        licence: What they may be used under.
    """

    pieces: tuple[str, ...]
    vectors: np.ndarray
    table: np.ndarray
    source: str
    licence: str

    def random_table(self, seed: int) -> np.ndarray:
        """Return numbers in the place of `table` that are drawn at random, as large as these, for comparison.

        Args:
            seed: Of the draws, 0 or more.
        """
        drawn = np.random.default_rng(seed).normal(0.0, self.vectors.std(), self.table.shape)
        drawn[0] = 0.0  # padding
        return drawn.astype(np.float32)

    def __repr__(self) -> str:
        count, width = self.vectors.shape
        return f"PretrainedTokens({count:,} pieces with {width} numbers each, {self.source}, {self.licence})"


def pretrained_tokens(name: str = "wordllama") -> PretrainedTokens:
    """Return pieces of words and their pretrained vectors, to begin an embedding with.

    They are the 32,000 pieces of the vocabulary of Llama 2 without the 3 special ones, U+FFFD and the 256
    that stand for single bytes, a new line among them, and vectors of 256 numbers that were learned from the
    embeddings of large language models (https://github.com/dleemiller/WordLlama). The graph takes the longest
    piece from the left of each word, where the vocabulary's own program merges pairs in a learned order: of
    2,000 sentences of Moby Dick both cut 90.7 % of the 55,391 words alike, and 18 % of the sentences as a
    whole.

    Args:
        name: "wordllama", whose file is the package wordllama 0.4.0.post1 (extra `pretrained`), which is not
            imported.

    Raises:
        InputError: The name is another, the package is not installed, or its files are others.

    Example:
        >>> tokens = pretrained_tokens("wordllama")
        >>> tokens.table.shape, tokens.pieces[:4]
        ((31744, 256), ('  ', ' t', 'er', 'in'))
    """
    if name != _PACKAGE:
        meant = nearest(str(name), [_PACKAGE])
        raise InputError(f"name={shown(name)}: expected 'wordllama'{meant}; pass it.")
    read = read_json_file(_file(_VOCABULARY), {"model": dict[str, Any]}, advice=_ADVICE)
    vocabulary: dict[str, int] = read["model"]["vocab"]
    every = read_safetensors(_file(_VECTORS), _ADVICE)[_TENSOR].astype(np.float32)
    known = [piece for piece in vocabulary if piece not in _NO_PIECES and not _BYTE.fullmatch(piece)]
    vectors = every[[vocabulary[piece] for piece in known]]
    first = np.zeros((Tokenizer.END + 1, every.shape[1]), np.float32)
    for piece, number in _SPECIAL.items():
        first[number] = every[vocabulary[piece]]
    pieces = tuple(piece.replace(_SPACE, " ") for piece in known)
    table = np.concatenate([first, vectors])
    return PretrainedTokens(pieces, vectors, table, "PyPI wordllama 0.4.0.post1", "MIT")


def _file(inside: str) -> Path:
    """Return where a file of the package is, once it is known to be that of the release."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = (spec.submodule_search_locations or []) if spec else []
    path = next((path for folder in folders if (path := Path(folder) / inside).is_file()), None)
    if path is None:
        raise InputError(f"name={_PACKAGE!r}: needs the package wordllama; pip install 'kexp[pretrained]'.")
    require_checksum(path, _CHECKSUMS[inside], "the release of the package", _ADVICE)
    return path
