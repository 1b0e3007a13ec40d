"""A process in which Keras has made many names before."""

from kexp.core.keras_private import name_counters

# The text order of names changes where their numbers become longer.
HISTORIES = (0, 8, 50, 98, 995)
_known = {"dense", "flatten"}


def with_history(number: int) -> None:
    """Have Keras go on as if it had made so many objects of every kind that was ever seen."""
    counters = name_counters()
    _known.update(counters)
    counters.clear()
    if number:
        counters.update(dict.fromkeys(_known, number))
