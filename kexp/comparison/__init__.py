"""Runs beside one another: lists of them, figures with intervals, and the first step at which two differ."""
