import subprocess
import sys

import numpy as np
import pytest

from kexp.data.order import batches, epoch_order


def test_an_epoch_visits_every_sample_once():
    assert sorted(epoch_order(1000, seed=3, epoch=2)) == list(range(1000))


def test_every_epoch_and_every_seed_has_an_order_of_its_own():
    orders = {epoch_order(50, seed, epoch).tobytes() for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_the_order_is_the_documented_permutation_and_the_same_in_another_process():
    code = "from kexp.data.order import epoch_order; print(epoch_order(9, 5, 4).tolist())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert epoch_order(9, 5, 4).tolist() == np.random.default_rng([5, 4]).permutation(9).tolist()
    assert str(epoch_order(9, 5, 4).tolist()) == other.strip()


def test_without_shuffling_the_order_is_that_of_the_data():
    assert epoch_order(4, 0, 9, shuffle=False).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("samples", "batch_size", "steps", "left"), [(10, 3, 3, 1), (9, 3, 3, 0), (2, 5, 0, 2)]
)
def test_full_batches_and_the_tail_are_the_order_in_a_row(samples, batch_size, steps, left):
    order = epoch_order(samples, 0, 0)
    full, tail = batches(order, batch_size)
    assert full.shape == (steps, batch_size)
    assert len(tail) == left
    np.testing.assert_array_equal(np.concatenate([full.ravel(), tail]), order)
    assert np.shares_memory(full, order) or not steps
