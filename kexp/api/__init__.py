"""The functions that are called from outside to train: `kexp.fit` and `kexp.recipe`."""
