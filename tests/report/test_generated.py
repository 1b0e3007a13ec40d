"""The page of a model that makes images: samples, what they may be copies of, and what was drawn earlier."""

import dataclasses

import numpy as np
import pytest

import kexp
from kexp.core.images import grid, save_png
from kexp.data import Split
from kexp.report import run_page
from kexp.report.reported import ReportedRun
from kexp.report.sections.run import training_stages
from kexp.report.sections.run.nearest_training_images import nearest_indices
from tests import answering
from tests.report.test_reconstructed import cell, headings, pictures
from tests.report.test_run_page import pixels
from tests.report.test_sweep_page import HOSTILE, Reader


@pytest.fixture(scope="module")
def data():
    return kexp.data.load("digits")


@pytest.fixture(scope="module")
def unconditional(digits_run, tmp_path_factory):
    return answering.run_of(answering.gan(), "generation", tmp_path_factory.mktemp("run") / "gan", digits_run)


def test_without_classes_a_hundred_samples_are_one_picture(unconditional, data):
    page = run_page(unconditional, data)
    assert not Reader(page).open
    assert headings(page) == ["Samples", "Nearest training images"]
    (picture,) = pictures(page, "samples")
    images = unconditional.sample(100)
    for row, column in ((0, 0), (3, 7), (9, 9)):
        np.testing.assert_array_equal(cell(picture, row, column), images[10 * row + column, ..., 0])


def test_below_a_sample_stands_the_training_image_that_is_nearest_to_it(unconditional, data):
    images = unconditional.sample(100)
    inputs = data.train.inputs.copy()
    inputs[700] = images[4]  # a copy, which has to be found
    spoilt = dataclasses.replace(data, train=Split(inputs, data.train.targets))
    (picture,) = pictures(run_page(unconditional, spoilt), "samples above the nearest training images")
    for column in (0, 4, 9):
        np.testing.assert_array_equal(cell(picture, 0, column), images[column, ..., 0])
        apart = ((inputs.astype(float) - images[column]) ** 2).sum(axis=(1, 2, 3))
        np.testing.assert_array_equal(cell(picture, 1, column), inputs[np.argmin(apart), ..., 0])
    whole = nearest_indices(inputs, images[:10])
    np.testing.assert_array_equal(nearest_indices(inputs, images[:10], at_once=64 * 100), whole)


def test_with_classes_each_has_a_row_with_its_name_as_text(digits_run, tmp_path):
    names = (HOSTILE[0], *answering.CLASSES[1:])
    plain = answering.gan(classes=True)
    model = kexp.models.GAN(plain.generator, plain.discriminator, class_names=names)
    run = answering.run_of(model, "generation", tmp_path / "run", digits_run)
    page = run_page(run)
    reader = Reader(page)
    assert not reader.open
    assert not reader.count("script")
    assert HOSTILE[0] in reader.text
    (row,) = pictures(page, "samples of 3")
    np.testing.assert_array_equal(
        cell(row, 0, 5), run.sample(100, labels=np.repeat(np.arange(10), 10))[35, ..., 0]
    )
    assert "Nearest training images" not in page  # without data there are none


def test_pictures_from_training_are_shown_from_the_first_to_the_last(unconditional, tmp_path):
    run = ReportedRun(dataclasses.replace(unconditional, run_dir=tmp_path), None)
    folder = tmp_path / "samples"
    folder.mkdir()
    assert not training_stages.applies(run)
    for epoch in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20):
        save_png(folder / f"epoch-{epoch}.png", grid(np.full((1, 8, 8, 1), epoch, np.uint8), 1))
    (folder / "epoch-best.png").touch()
    assert training_stages.applies(run)
    reader = Reader(training_stages.html(run))
    elements = [fields for tag, fields in reader.elements if tag == "img"]
    shown = [int(pixels(fields)[0, 0, 0]) for fields in elements]
    assert shown == [1, 3, 5, 7, 9, 20]
    assert "epoch 20" in reader.text
