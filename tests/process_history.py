"""A process in which Keras has made many names before."""

from kexp.core.keras_private import name_counters

# The text order of names changes where their numbers become longer: among the first names and after 99, and
# not after 50.
HISTORIES = (0, 50, 99)
_known = {"dense", "flatten"}


def with_history(number: int) -> None:
    """Have Keras go on as if it had made so many objects of every kind that was ever seen."""
    counters = name_counters()
    _known.update(counters)
    counters.clear()
    if number:
        counters.update(dict.fromkeys(_known, number))
