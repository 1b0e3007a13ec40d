"""Metrics: every number that is measured, and which way it is better."""

from kexp.metrics.auroc import area_under_roc
from kexp.metrics.bits_per_character import bits_per_character
from kexp.metrics.error_rates import error_rates, text_error_rate, token_error_rate
from kexp.metrics.naive_forecast import naive_forecast

__all__ = [
    "area_under_roc",
    "bits_per_character",
    "error_rates",
    "naive_forecast",
    "text_error_rate",
    "token_error_rate",
]
