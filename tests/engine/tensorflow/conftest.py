"""Data that tests of the loop share."""

import pytest

import kexp


@pytest.fixture(scope="package")
def iris():
    return kexp.data.load("iris", validation=0.2)
