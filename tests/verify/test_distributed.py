"""The proof that devices and processes compute the same holds, and fails where they do not."""

import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from kexp.verify.distributed import Case, compare
from tests.recipes.every import tiny
from tests.verify.replica_recipes import centred_by_batch, drawing

# 32 samples to a step, of two batches.
EVERYTHING = {"batch_size": 16, "accumulate": 2, "clip_norm": 0.5, "weight_decay": 0.01, "ema": 0.9}


@pytest.mark.slow
def test_devices_and_processes_compute_what_one_device_does(digits_run):
    gan = {**tiny("gan_images", digits_run), **EVERYTHING, "critic_steps": 2}
    half = {**EVERYTHING, "precision": "bfloat16"}
    boxes = {**tiny("detect_images", digits_run), **EVERYTHING}
    cases = [Case(drawing, EVERYTHING), Case(drawing, half), Case(recipes.gan_images, gan)]
    cases.append(Case(recipes.detect_images, boxes))
    cases.append(Case(recipes.image_text, {**tiny("image_text", digits_run), **EVERYTHING}))
    reports = compare(cases, 4, 2)
    assert len(reports) == len(cases)
    for case, report in zip(cases, reports, strict=True):
        # Half precision rounds what is in between by up to a 256th, and not always alike, by the processor.
        tolerance, loss_tolerance = (2**-7, 0.2) if case.arguments.get("precision") else (1e-5, 1e-3)
        assert all(way.weight_difference <= tolerance for way in report.ways), str(report)
        assert all(way.loss_difference <= loss_tolerance for way in report.ways), str(report)
        assert all(way.weight_difference > 0 for way in report.ways), "nothing was trained"


@pytest.mark.slow
def test_a_layer_that_looks_at_the_batch_is_found_out():
    report = kexp.verify.distributed(centred_by_batch, replicas=2, workers=None, train_steps=4)
    assert not report.same
    assert report.ways[0].weight_difference > 1e-3
    assert "NOT the same (tolerance 1e-05)" in str(report)


def test_mistakes_are_told_before_a_process_starts():
    with pytest.raises(InputError, match=r"replicas must be .* received 1"):
        kexp.verify.distributed(drawing, replicas=1)
    with pytest.raises(InputError, match=r"workers must be .* received 0"):
        kexp.verify.distributed(drawing, workers=0)
    with pytest.raises(InputError, match="replicas or workers must be given"):
        kexp.verify.distributed(drawing, replicas=None, workers=None)
    with pytest.raises(InputError, match="drawing has no argument epoch"):
        kexp.verify.distributed(drawing, epoch=3)
