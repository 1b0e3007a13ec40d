"""Pickled descriptions of tensors, read by a small machine that has no way to call anything.

Python's own unpickler calls what a file names. This one knows the few operations that PyTorch writes a
dictionary of tensors with, and makes plain records of them; each other operation or name is refused.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import IO, Any

from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import guarded
from kexp.core.tensor_bytes import BFLOAT16

_DICTIONARY = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_STORAGES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch BFloat16Storage": BFLOAT16,
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "|i1",
    "torch ByteStorage": "|u1",
    "torch BoolStorage": "|b1",
}
_NAMES = frozenset({_DICTIONARY, _TENSOR, *_STORAGES})

_WHAT = "a checkpoint of PyTorch"
_VALUES = frozenset(
    ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_SILENT = frozenset(("PROTO", "FRAME", "STOP"))
_MARK = object()


@dataclass(frozen=True)
class StoredNumbers:
    """Where the numbers of tensors are: a storage of PyTorch.

    Attributes:
        dtype: As of `kexp.core.tensor_bytes.item_size`.
        key: The storage's name in the file.
        count: How many numbers it announces.
    """

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a storage; that it lies inside of it is checked.

    Attributes:
        storage: Where its numbers are.
        offset: Of the first of them.
        shape: Its shape.
        strides: Numbers from one place to the next along each axis.
    """

    storage: StoredNumbers
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _Name:
    """A name that the file asks for, which nothing is looked up by."""

    text: str


def read_tensor_pickle(file: IO[bytes], place: str, advice: str) -> Any:
    """Return what the pickle at the place of an open file describes, and leave the file behind it.

    Args:
        file: Open for reading.
        place: What it is, for messages, as "file weights.pth".
        advice: What to do about what is refused.

    Returns:
        Plain values, lists, tuples and dicts, with a `StoredTensor` for each tensor.

    Raises:
        InputError: It is damaged, or asks for anything else; nothing has been called or imported.

    Example:
        >>> import io, pickle
        >>> read_tensor_pickle(io.BytesIO(pickle.dumps({"a": (1, True)}, 2)), "file a.pth", "mend it")
        {'a': (1, True)}
        >>> read_tensor_pickle(io.BytesIO(pickle.dumps(eval, 2)), "file a.pth", "mend it")
        Traceback (most recent call last):
        ...
        kexp.InputError: file a.pth: asks for '__builtin__ eval', and nothing but tensors is read from a
        checkpoint of PyTorch; mend it.
    """
    machine = _Machine(place, advice)
    operations = pickletools.genops(file)
    while True:
        with guarded(place, _WHAT, advice):
            operation = next(operations, None)
        if operation is None:
            return machine.result()
        machine.step(operation[0].name, operation[1])


class _Machine:
    """A stack and a memory of plain values."""

    def __init__(self, place: str, advice: str) -> None:
        self._place, self._advice = place, advice
        self._stack: list[Any] = []
        self._memory: dict[int, Any] = {}

    def result(self) -> Any:
        if len(self._stack) != 1:
            raise self._damaged()
        return self._pop()

    def step(self, name: str, argument: Any) -> None:
        """Take one operation."""
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            self._stack.append(tuple([self._pop() for _ in range(_TUPLES[name])][::-1]))
        elif name == "MARK":
            self._stack.append(_MARK)
        elif name == "TUPLE":
            self._stack.append(tuple(self._since_mark()))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._name(argument)
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memory[len(self._memory) if name == "MEMOIZE" else argument] = self._top()
        elif name in ("BINGET", "LONG_BINGET"):
            if argument not in self._memory:
                raise self._damaged()
            self._stack.append(self._memory[argument])
        elif name in ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD"):
            self._fill(name)
        elif name == "REDUCE":
            arguments, asked = self._pop(), self._pop()
            self._stack.append(self._made(asked, arguments))
        elif name == "BINPERSID":
            self._stack.append(self._storage(self._pop()))
        elif name not in _SILENT:
            raise self._asks_for(f"the operation {name} of pickle")

    def _name(self, argument: str | None) -> None:
        """Put the name of something on the stack, if it is one of those that tensors are written with."""
        if argument is None:
            name, module = self._pop(), self._pop()
            argument = f"{module} {name}"
        if argument not in _NAMES:
            raise self._asks_for(shown(argument))
        self._stack.append(_Name(argument))

    def _fill(self, name: str) -> None:
        """Put items into a list or a dict."""
        items = self._since_mark() if name.endswith("S") else [self._pop()]
        if name == "SETITEM":
            items.insert(0, self._pop())
        target = self._top()
        if name == "BUILD":  # attributes of a dictionary, which say the versions of modules
            if not isinstance(target, dict):
                raise self._asks_for("attributes of something that is no dictionary")
        elif name.startswith("APPEND"):
            if not isinstance(target, list):
                raise self._damaged()
            target.extend(items)
        else:
            keys = items[::2]
            if not isinstance(target, dict) or len(items) % 2:
                raise self._damaged()
            if not all(isinstance(key, str | int) for key in keys):
                raise self._asks_for("a dictionary with keys that are no texts")
            target.update(zip(keys, items[1::2], strict=True))

    def _made(self, asked: Any, arguments: Any) -> Any:
        """Return the record of what a call would make."""
        if asked == _Name(_DICTIONARY) and arguments == ():
            return {}
        if asked != _Name(_TENSOR) or not isinstance(arguments, tuple) or len(arguments) < 4:
            raise self._asks_for("a call that makes no tensor")
        return self._tensor(*arguments[:4])

    def _storage(self, identity: Any) -> StoredNumbers:
        if isinstance(identity, tuple) and len(identity) in (5, 6) and identity[0] == "storage":
            _, kind, key, _, count, *view = identity
            dtype = _STORAGES.get(kind.text) if isinstance(kind, _Name) else None
            if dtype is not None and isinstance(key, str) and _is_count(count) and view in ([], [None]):
                return StoredNumbers(dtype, key, count)
        raise self._asks_for("a storage of an unknown form")

    def _tensor(self, storage: Any, offset: Any, shape: Any, strides: Any) -> StoredTensor:
        sizes = (shape, strides)
        if not isinstance(storage, StoredNumbers) or not all(isinstance(one, tuple) for one in sizes):
            raise self._damaged()
        if (
            len(shape) != len(strides)
            or len(shape) > 32
            or not all(map(_is_count, (offset, *shape, *strides)))
        ):
            raise self._damaged()
        numbers, last = 1, offset
        for size, stride in zip(shape, strides, strict=True):
            numbers, last = numbers * size, last + (size - 1) * stride
        if numbers and (last >= storage.count or numbers > storage.count):
            raise InputError(
                f"{self._place}: has a tensor of shape {shown(shape)} in a storage of {storage.count} "
                f"numbers, which do not hold it; {self._advice}."
            )
        return StoredTensor(storage, offset, shape, strides)

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise self._damaged()
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise self._damaged()
        return self._stack[-1]

    def _since_mark(self) -> list[Any]:
        items: list[Any] = []
        while self._stack:
            item = self._stack.pop()
            if item is _MARK:
                return items[::-1]
            items.append(item)
        raise self._damaged()

    def _damaged(self) -> InputError:
        return InputError(
            f"{self._place}: expected {_WHAT}, received a pickle whose parts do not fit together; "
            f"{self._advice}."
        )

    def _asks_for(self, asked: str) -> InputError:
        return InputError(
            f"{self._place}: asks for {asked}, and nothing but tensors is read from {_WHAT}; {self._advice}."
        )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
