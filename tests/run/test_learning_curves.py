"""Learning curves can be read."""

import itertools

import pytest

from kexp.run.learning_curves import draw_curves

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
