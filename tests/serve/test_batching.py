"""Batches: what comes together is computed together, and each request gets its own rows."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kexp.core.errors import InputError
from kexp.serve.batching import Batcher, ServerBusy
from kexp.tasks.predictions import Predictions


def doubled(inputs):
    if (inputs < 0).any():
        raise InputError("inputs must be positive.")
    return Predictions(values=2 * inputs)


def together(requests, predict=doubled, most_rows=8, wait_s=0.05):
    """Return what each request is answered, and the rows of the batches."""
    batches = []

    async def ask():
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(predict, thread, most_rows=most_rows, wait_s=wait_s, observe=batches.append)
            asked = [batcher.predict(one, len(one)) for one in requests]
            return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(ask()), batches


def test_requests_are_computed_together_and_each_gets_its_own_rows():
    requests = [np.full((rows, 3), rows, np.float32) for rows in (1, 2, 3)]
    found, batches = together(requests)
    for one, request in zip(found, requests, strict=True):
        np.testing.assert_array_equal(one["values"], 2 * request)
    assert batches == [6]


def test_a_batch_has_no_more_rows_than_it_may_but_for_one_large_request():
    _, batches = together([np.zeros((rows, 1)) for rows in (3, 3, 3, 20, 1)])
    assert batches == [6, 3, 20, 1]


def test_samples_of_another_shape_are_another_batch():
    found, batches = together([np.zeros((1, 2)), np.ones((1, 3)), np.ones((1, 3))])
    assert [one["values"].shape for one in found] == [(1, 2), (1, 3), (1, 3)]
    assert batches == [1, 2]


def test_a_request_that_cannot_be_computed_fails_alone():
    good, bad, other = together([np.ones((1, 2)), -np.ones((1, 2)), np.ones((2, 2))])[0]
    assert isinstance(bad, InputError)
    assert (len(good["values"]), len(other["values"])) == (1, 2)


def test_a_fault_of_the_model_reaches_every_request_and_the_next_is_answered():
    calls = []

    def fails_once(inputs):
        calls.append(inputs)
        if len(calls) == 1:
            raise ZeroDivisionError
        return Predictions(values=inputs)

    first, second, third = together([np.zeros((2, 1)), np.zeros((2, 1)), np.zeros((5, 1))], fails_once)[0]
    assert {type(first), type(second)} == {ZeroDivisionError}
    assert len(third["values"]) == 5


def test_more_than_can_wait_is_refused_and_who_has_gone_is_not_computed():
    release = threading.Event()

    def slow(inputs):
        release.wait(20)
        return Predictions(values=inputs)

    async def ask():
        batches = []
        with ThreadPoolExecutor(1) as thread:
            batcher = Batcher(slow, thread, most_rows=1, wait_s=0, observe=batches.append)
            asked = [asyncio.create_task(batcher.predict(np.zeros((1, 1)), 1)) for _ in range(80)]
            await asyncio.sleep(0.05)
            for one in asked[1:60]:
                one.cancel()
            await asyncio.sleep(0)
            release.set()
            return await asyncio.gather(*asked, return_exceptions=True), batches

    found, batches = asyncio.run(ask())
    assert sum(isinstance(one, ServerBusy) for one in found) == 80 - 64
    assert sum(isinstance(one, dict) for one in found) == len(batches) == 64 - 59
