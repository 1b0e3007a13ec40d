"""Learning curves can be read."""

import itertools

import pytest

from kexp.run.learning_curves import draw_curves, draw_panels

AWKWARD = (-0.00075, 0.0012, 99_999.6, 99_999.2, 1e-9, 123_456_789.0)


@pytest.mark.parametrize("panels", [1, 2, 3, 5, 7])
def test_no_text_of_a_panel_reaches_into_another_or_over_the_edge(panels):
    values = itertools.cycle(itertools.permutations(AWKWARD, 2))
    figure = draw_curves({f"metric_{number}": list(next(values)) for number in range(panels)})
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert len(boxes) == panels
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert 0 <= box.y0 < box.y1 <= figure.bbox.height


def test_the_chosen_epoch_has_a_ring_on_each_curve_and_later_phases_a_line_before_them():
    history = {
        "loss": [0.5, 0.3, 0.2, 0.4],
        "val_loss": [0.6, 0.4, 0.3, 0.5],
        "accuracy": [0.1, 0.2, 0.3, 0.2],
    }
    for axes in (
        draw_curves(history, best_epoch=3, phases=(1, 3)).axes[0],
        draw_panels(history, best_epoch=3, phases=(1, 3))["loss"].axes[0],
    ):
        training, validation, line, ring = axes.lines
        assert training.get_ydata().tolist() == history["loss"]
        assert validation.get_ydata().tolist() == history["val_loss"]
        assert list(line.get_xdata()) == [2.5, 2.5]
        assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([3, 3], [0.2, 0.3])
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]
    assert len(draw_curves(history).axes[0].lines) == 2
