"""The one exception that kexp raises for a mistake its user can mend."""


class InputError(ValueError):
    """An argument, a file or a data set that cannot be used as given.

    The message is one sentence that names the argument, says what was expected, what was received,
    and what to do. The command line prints it alone and exits with code 2.
    """
