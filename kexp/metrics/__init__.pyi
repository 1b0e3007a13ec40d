"""The metrics; tools/stubs.py writes this file."""

from kexp.metrics.auroc import area_under_roc as area_under_roc
from kexp.metrics.bits_per_character import bits_per_character as bits_per_character
from kexp.metrics.direction import Direction as Direction
from kexp.metrics.direction import better as better
from kexp.metrics.direction import stated_directions as stated_directions
from kexp.metrics.error_rates import error_rates as error_rates
from kexp.metrics.error_rates import text_error_rate as text_error_rate
from kexp.metrics.error_rates import token_error_rate as token_error_rate
from kexp.metrics.naive_forecast import naive_forecast as naive_forecast

__all__: list[str]
