"""What a process has written to a terminal of the test's own."""

import contextlib
import os


def read_to_the_end(ours):
    """Return all bytes from our end of a terminal, and close it."""
    parts = []
    with contextlib.suppress(OSError):  # when nobody has the other end any more
        while part := os.read(ours, 4096):
            parts.append(part)
    os.close(ours)
    return b"".join(parts)
