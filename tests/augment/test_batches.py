"""An image gets the same augmentation in an epoch, whatever the batch it comes in; another one in the next epoch."""

import numpy as np
import pytest

import curate.augment
from curate.augment.pipeline import batched
from tests.augment.cases import names, pictures, reference, settings, takes


@pytest.mark.parametrize(("name", "example"), settings(), ids=names())
def test_batches(name, example):
    pipeline = reference(name, example)
    if not takes(batched(pipeline.transforms[0]), 32, 3):
        pytest.skip(f"{name} is not for 32 px images with these settings")
    images, ids = pictures(32, 3), np.arange(8) * 7 + 3
    augment = curate.augment.compile(pipeline, seed=5, layout="NHWC")
    whole = np.asarray(augment(images, ids, 2))
    again = np.asarray(augment(images, ids, 2))
    np.testing.assert_array_equal(whole, again)
    order = np.array([5, 0, 7])
    part = np.asarray(curate.augment.compile(pipeline, seed=5, layout="NHWC")(images[order], ids[order], 2))
    np.testing.assert_array_equal(whole[order], part)
