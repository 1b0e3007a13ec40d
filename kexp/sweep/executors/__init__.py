"""Who runs the trials of a sweep: one file per kind of executor, behind one protocol."""
