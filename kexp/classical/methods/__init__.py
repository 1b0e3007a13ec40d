"""One classical method a file, found by scanning."""
