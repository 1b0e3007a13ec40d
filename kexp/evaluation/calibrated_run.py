"""A run whose probabilities and intervals hold: its temperature, prediction sets and prediction intervals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kexp.core.constraints import Count, Level
from kexp.data import DataLike
from kexp.run.calibration_file import Calibration, write_calibration
from kexp.run.record import RunRecord

if TYPE_CHECKING:
    from kexp.evaluation.conformal_prediction import PredictionIntervals, PredictionSets


class CalibratedRun(RunRecord):
    """A finished run that can be calibrated on its validation data."""

    def calibrate(self, *, data: DataLike | None = None) -> Calibration:
        """Fit the temperature of a classifier's probabilities on validation data, and predict by it after.

        The logits are divided by it (Guo et al. 2017), so that labels do not change. It goes into
        calibration.json in the run folder: this result and whatever loads the run later predicts, evaluates,
        reports and exports by it. Recorded metrics stay those of the network's own probabilities.

        Args:
            data: What it was trained on, as for `report`; default: what the recipe was given by name.

        Returns:
            The temperature, and the expected calibration errors before and after on the validation and the
            test part.

        Raises:
            InputError: It is no classifier, it had no validation part, or the data are not those of the run.

        Example:
            >>> import kexp
            >>> result = kexp.load(run_dir)
            >>> found = result.calibrate()
            >>> found.validation.log_loss_after <= found.validation.log_loss_before
            True
            >>> kexp.load(run_dir).spec.temperature == result.spec.temperature == found.temperature
            True
        """
        from kexp.evaluation.fitted_temperature import fit_temperature

        found = fit_temperature(self, data)
        write_calibration(self.run_dir, found)
        vars(self).update(spec=replace(self.spec, temperature=found.temperature), calibration=found)
        return found

    def prediction_sets(
        self,
        inputs: Any,
        level: Level = 0.9,
        *,
        data: DataLike | None = None,
        groups: Any = None,
    ) -> PredictionSets:
        """Return sets of classes that have the true one in them as often as the level says.

        Split-conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2021) with the score 1 - p of the
        true class, by all of the validation part, which each call predicts anew. It holds where new samples
        are as those of validation, exchangeable with them, and on average over all classes.

        Args:
            inputs: As of `predict`.
            level: From 0.01 to 0.9999, default 0.9.
            data: What it was trained on, as for `report`; default: what the recipe was given by name.
            groups: (validation samples,) what each belongs to: one row of each group counts, drawn by chance;
                default None: rows are exchangeable by themselves.

        Returns:
            The sets, with the coverage that the test part has by them.

        Raises:
            InputError: It is no classifier, the level needs more validation samples, or the data are not
                those of the run.

        Example:
            >>> import kexp
            >>> result = kexp.load(run_dir)
            >>> sets = result.prediction_sets(result.example_inputs(), level=0.9)
            >>> sets.included.shape[1], 0.8 < sets.coverage.share < 1
            (10, True)
        """
        from kexp.evaluation.conformal_prediction import conformal_scores, prediction_sets
        from kexp.evaluation.held_out_data import require_classifier

        require_classifier(self, "prediction_sets")
        return prediction_sets(self, inputs, conformal_scores(self, level, data, groups))

    def prediction_intervals(
        self,
        inputs: Any,
        level: Level = 0.9,
        *,
        data: DataLike | None = None,
        groups: Any = None,
        recent: Count | None = None,
    ) -> PredictionIntervals:
        """Return intervals that have the true number in them as often as the level says.

        Split-conformal prediction with the absolute residual as score, of each target or step of a forecast
        by itself: of several, all hold at once less often. The width is the same for every sample.

        Args:
            inputs: As of `predict`.
            level: From 0.01 to 0.9999, default 0.9.
            data: What it was trained on, as for `report`; default: what the recipe was given by name.
            groups: As of `prediction_sets`.
            recent: How many of the last validation samples count, 1 or more, of one series in order of time:
                what comes is taken to be as these were; default None: all.

        Returns:
            The intervals, with the coverage that the test part has by them.

        Raises:
            InputError: It is no regression, the level needs more validation samples, or the data are not
                those of the run.
        """
        from kexp.evaluation.conformal_prediction import conformal_scores, prediction_intervals
        from kexp.evaluation.held_out_data import require_regression

        require_regression(self, "prediction_intervals")
        return prediction_intervals(self, inputs, conformal_scores(self, level, data, groups, recent))
