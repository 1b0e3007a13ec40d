"""The search space of a sweep: what a recipe's signature spans, and what a caller writes in place of it."""

from kexp.sweep.space.space import Space, space_of

__all__ = ["Space", "space_of"]
