"""Subwords: pieces of words learned by merging frequent neighbours, and texts cut into them in the graph."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data.transforms.text_chunks import WHITE_SPACE, split_words

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

__all__ = ["learn_subwords", "split_subwords"]

_NO_PIECE = "a a"  # crosses words

Pair = tuple[str, str]


def learn_subwords(texts: Sequence[str], vocabulary: int) -> list[str]:
    """Learn the pieces that words are made of by byte-pair encoding, on characters.

    Sennrich, Haddow and Birch 2016, "Neural machine translation of rare words with subword units": beginning
    with single characters, the pair of neighbours that is most frequent in the words becomes a piece, again
    and again. Among equally frequent pairs the first in alphabetical order is taken; none is merged that
    stands in the texts once.

    Args:
        texts: The training texts; nothing else may be given, or the words of other data would leak into
            the model.
        vocabulary: Most pieces in all; not fewer than the texts have different characters.

    Returns:
        The characters in alphabetical order, then the merged pieces, the frequent ones first.

    Raises:
        InputError: There are more characters than pieces.

    Example:
        >>> learn_subwords(["low lower lowest", "new newer"], 13)
        [' ', 'e', 'l', 'n', 'o', 'r', 's', 't', 'w', 'lo', 'low', ' low', ' lowe']
    """
    counts = Counter(word for text in texts for word in split_words(text))
    pieces = dict.fromkeys(sorted(set().union(*counts)))
    if len(pieces) > vocabulary:
        raise InputError(
            f"vocabulary={vocabulary}: expected as many pieces as the texts have characters, or more; pass "
            f"{len(pieces)} or more."
        )
    merges = _merges(counts)
    while len(pieces) < vocabulary and (piece := next(merges, None)) is not None:
        pieces[piece] = None  # two ways may lead to the same piece
    return list(pieces)


def _merges(counts: Counter[str]) -> Iterator[str]:
    """Yield what the most frequent pair of neighbours makes, and merge it everywhere."""
    words = [list(word) for word in counts]
    weights = list(counts.values())
    frequency: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)  # words that have, or had, the pair
    for number, word in enumerate(words):
        for pair in pairwise(word):
            frequency[pair] += weights[number]
            places[pair].add(number)
    queue = [(-count, pair) for pair, count in frequency.items()]
    heapq.heapify(queue)
    while queue:
        count, pair = heapq.heappop(queue)
        if -count != frequency[pair]:  # an earlier merge has changed it, and put it into the queue anew
            continue
        if -count < 2:
            return
        changed: Counter[Pair] = Counter()
        for number in places.pop(pair):
            before, after = words[number], _merged(words[number], pair)
            words[number] = after
            for word, sign in ((before, -1), (after, 1)):
                for neighbours in pairwise(word):
                    changed[neighbours] += sign * weights[number]
                    places[neighbours].add(number)
        for neighbours, difference in changed.items():
            frequency[neighbours] += difference
            if difference and frequency[neighbours]:
                heapq.heappush(queue, (-frequency[neighbours], neighbours))
        yield pair[0] + pair[1]


def _merged(word: list[str], pair: Pair) -> list[str]:
    merged, position = [], 0
    while position < len(word):
        taken = 2 if tuple(word[position : position + 2]) == pair else 1
        merged.append("".join(word[position : position + taken]))
        position += taken
    return merged


def split_subwords(texts: Any, table: keras.layers.StringLookup, longest: int) -> tf.RaggedTensor:
    """Cut texts into the longest known pieces from the left of each word on, inside a TensorFlow graph.

    Args:
        texts: (batch,) strings in UTF-8.
        table: Knows the pieces; a character that is none is a piece of its own.
        longest: Characters of the longest piece.

    Returns:
        (batch, pieces) strings, which joined are the texts.

    Example:
        >>> import keras
        >>> table = keras.layers.StringLookup(vocabulary=["l", "o", "lo", " lo", "w", "low", "er"])
        >>> split_subwords(["low lower", "x"], table, longest=3).to_list()
        [[b'low', b' lo', b'w', b'er'], [b'x']]
    """
    import tensorflow as tf

    rows = tf.strings.unicode_split(texts, "UTF-8")  # (batch, characters)
    characters = rows.flat_values  # (characters of all rows,)
    starts = _word_starts(characters, rows.row_starts())
    ends = _next_starts(starts)  # for each character, where its word ends
    best, sizes = _longest_pieces(characters, ends, table, longest)

    def mark(places: Tensor, taken: Tensor) -> tuple[Any, Any]:
        taken = tf.tensor_scatter_nd_update(taken, places[:, None], tf.ones_like(places, tf.bool))
        following = places + tf.gather(sizes, places)
        return tf.boolean_mask(following, following < tf.gather(ends, places)), taken

    # One step for each piece of the longest word: all words at once.
    _, taken = tf.while_loop(
        lambda places, _: tf.size(places) > 0,
        mark,
        (tf.where(starts)[:, 0], tf.zeros_like(characters, tf.bool)),
        shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None])),
    )
    owners = tf.boolean_mask(rows.value_rowids(), taken)
    return tf.RaggedTensor.from_value_rowids(tf.boolean_mask(best, taken), owners, rows.nrows())


def _word_starts(characters: Tensor, row_starts: Tensor) -> Any:
    """Return (characters,) bool, True where a word of `kexp.data.split_words` begins."""
    import tensorflow as tf

    white = tf.reduce_any(characters[:, None] == tf.constant(list(WHITE_SPACE)), axis=-1)
    count = tf.size(characters, tf.int64)
    # A row's first character begins a word; a place behind the last is for empty rows.
    first = tf.scatter_nd(row_starts[:, None], tf.ones_like(row_starts), count[None] + 1)[:-1] > 0
    last = tf.concat([first[1:], tf.ones_like(first[:1])], axis=0)
    before = tf.concat([white[:1], white[:-1]], axis=0)
    after = tf.concat([white[1:], white[-1:]], axis=0)
    leads = (characters == " ") & ~after & ~last  # the space before a word
    led = tf.concat([leads[:1], leads[:-1]], axis=0)
    return first | leads | (white & ~before) | (~white & before & ~led)


def _next_starts(starts: Tensor) -> Any:
    """Return (characters,) int64, the first start behind each character, or the end of all."""
    import tensorflow as tf

    begins = tf.concat([tf.where(starts)[:, 0], tf.size(starts, tf.int64)[None]], axis=0)
    return tf.gather(begins, tf.cumsum(tf.cast(starts, tf.int64)))


def _longest_pieces(characters: Tensor, ends: Tensor, table: Any, longest: int) -> tuple[Any, Any]:
    """Return the longest piece that begins at each character, and its size, each (characters,)."""
    import tensorflow as tf

    places = tf.range(tf.size(characters, tf.int64))
    unknown = table(tf.constant([_NO_PIECE]))
    piece = best = characters
    sizes = tf.ones_like(places)
    for size in range(2, longest + 1):
        behind = tf.concat([characters[size - 1 :], tf.fill([size - 1], "")], axis=0)[: tf.size(characters)]
        piece = tf.strings.join([piece, behind])
        known = (places + size <= ends) & (table(piece) != unknown)
        best, sizes = tf.where(known, piece, best), tf.where(known, tf.cast(size, tf.int64), sizes)
    return best, sizes
