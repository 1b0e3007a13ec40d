"""The metrics; tools/stubs.py writes this file."""

from kexp.metrics.auroc import area_interval as area_interval
from kexp.metrics.auroc import area_under_roc as area_under_roc
from kexp.metrics.bits_per_character import bits_per_character as bits_per_character
from kexp.metrics.bounds import UNBOUNDED as UNBOUNDED
from kexp.metrics.bounds import metric_bounds as metric_bounds
from kexp.metrics.class_suffixes import class_suffixes as class_suffixes
from kexp.metrics.conformal import conformal_quantile as conformal_quantile
from kexp.metrics.direction import Direction as Direction
from kexp.metrics.direction import better as better
from kexp.metrics.direction import known_direction as known_direction
from kexp.metrics.direction import required_direction as required_direction
from kexp.metrics.direction import signed_metric as signed_metric
from kexp.metrics.direction import stated_directions as stated_directions
from kexp.metrics.error_rates import error_rates as error_rates
from kexp.metrics.error_rates import text_error_rate as text_error_rate
from kexp.metrics.error_rates import token_error_rate as token_error_rate
from kexp.metrics.exact_metrics import best_thresholds as best_thresholds
from kexp.metrics.exact_metrics import binary_metrics as binary_metrics
from kexp.metrics.exact_metrics import multiclass_metrics as multiclass_metrics
from kexp.metrics.exact_metrics import multilabel_metrics as multilabel_metrics
from kexp.metrics.exact_metrics import regression_metrics as regression_metrics
from kexp.metrics.forecast_baselines import forecast_baselines as forecast_baselines
from kexp.metrics.forecast_baselines import scaled_error as scaled_error
from kexp.metrics.forecast_metrics import mean_absolute_scaled_error as mean_absolute_scaled_error
from kexp.metrics.forecast_metrics import pinball as pinball
from kexp.metrics.forecast_metrics import quantile_coverage as quantile_coverage
from kexp.metrics.forecast_metrics import symmetric_percentage_error as symmetric_percentage_error
from kexp.metrics.forecast_metrics import weighted_quantile_loss as weighted_quantile_loss
from kexp.metrics.label_accuracy import label_accuracy as label_accuracy
from kexp.metrics.naive_forecast import naive_forecast as naive_forecast
from kexp.metrics.reliability import reliability as reliability
from kexp.metrics.stated_names import names_within as names_within
from kexp.metrics.stated_names import stated_names as stated_names
from kexp.metrics.temperature_scaling import best_temperature as best_temperature

__all__: list[str]
