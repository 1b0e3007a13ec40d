"""The exceptions of kexp: a mistake its user can mend, with what was probably meant, and a run gone wrong."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """An argument, a file or a data set that cannot be used as given.

    The message is one sentence that names the argument, says what was expected, what was received,
    and what to do. The command line prints it alone and exits with code 2.
    """

    def __init__(self, message: str) -> None:
        # Names of files and of what is in them may hold anything.
        super().__init__(plain_line(message))


def plain_line(text: str) -> str:
    """Return a text in one line, without what would steer a terminal or turn the direction of writing.

    Example:
        >>> plain_line("a\\x1b[2J\\nb")
        'a\\\\x1b[2J b'
    """
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in " ".join(text.split("\n")))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what was probably meant, in brackets for the middle of a sentence, or nothing.

    Example:
        >>> nearest("specis", ["species", "island"])
        " (did you mean 'species'?)"
    """
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.65)
    return f" (did you mean {' or '.join(map(shown, close))}?)" if close else ""


@contextmanager
def located(place: str) -> Iterator[None]:
    """Say of what is wrong inside the block where it stands.

    Args:
        place: Such as "file runs/first/config.json".

    Raises:
        InputError: The body raised one.

    Example:
        >>> with located("file config.json"):
        ...     raise InputError("epochs must be a whole number, 1 or more; received 0.")
        Traceback (most recent call last):
        ...
        kexp.InputError: file config.json: epochs must be a whole number, 1 or more; received 0.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def shown(value: object) -> str:
    """Return what was received, in one line that is short enough for a sentence.

    Example:
        >>> shown("adm"), shown(10**5000), len(shown(list(range(10**5))))
        ("'adm'", 'a number of about 5000 digits', 80)
    """
    if isinstance(value, int) and abs(value) >= 10**_LONGEST_SHOWN:
        return f"a number of about {value.bit_length() * 0.30103:.0f} digits"  # Python may refuse to write it
    text = " ".join(_shortened.repr(value).split("\n"))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


_LONGEST_SHOWN = 80
_shortened = reprlib.Repr()
_shortened.maxstring = _shortened.maxother = _shortened.maxlong = _LONGEST_SHOWN
_shortened.maxlist = _shortened.maxtuple = _shortened.maxdict = _shortened.maxset = 40


class TrainingDiverged(ArithmeticError):
    """A training step gave a loss or a gradient that is not finite, or a loss far above the others.

    The run's last good checkpoint is kept. The command line prints the message alone and exits with code 1.

    Attributes:
        step: Steps taken since the run began, that one not included.
        epoch: Its epoch, from 1.
        samples: Positions in the training data of the samples of the step.
        loss: Mean loss of the step.
        gradient_norm: Global norm of its gradient.
    """

    def __init__(
        self, message: str, *, step: int, epoch: int, samples: list[int], loss: float, gradient_norm: float
    ) -> None:
        super().__init__(message)
        self.step = step
        self.epoch = epoch
        self.samples = samples
        self.loss = loss
        self.gradient_norm = gradient_norm


class WorkerLost(ConnectionError):
    """One of several processes that train together is gone, or never came.

    The others stop; the run's last checkpoint is kept. The command line prints the message alone and exits
    with code 75.
    """

    exit_code = 75


for _error in (InputError, TrainingDiverged, WorkerLost):
    _error.__module__ = "kexp"  # where its users find it, and what a traceback calls it
