"""What Albumentations drew goes in, the same pixels come out: every transform, with every one of its examples."""

import numpy as np
import pytest

import curate.augment
from curate.augment.pipeline import batched
from tests.augment.cases import SIZES, names, pictures, reference, settings, takes

ROUNDS = 3
"""Draws for each picture."""


@pytest.mark.filterwarnings("ignore:The image is already")  # Albumentations, of ToGray on grey images
@pytest.mark.parametrize("side", SIZES)
@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize(("name", "example"), settings(), ids=names())
def test_parity(name, example, channels, side):
    pipeline = reference(name, example)
    transform = batched(pipeline.transforms[0])
    if not takes(transform, side, channels):
        pytest.skip(f"{name} is not for {side} px images of {channels} channels with these settings")
    images = np.concatenate([pictures(side, channels)] * ROUNDS)
    theirs = [pipeline(image=image.copy()) for image in images]
    ours = curate.augment.compile(pipeline, layout="NHWC").replay(
        images, [each["applied_transforms"] for each in theirs]
    )
    ours = np.asarray(ours)
    wanted = np.stack([np.asarray(each["image"]).reshape(ours.shape[1:]) for each in theirs])
    assert ours.dtype == wanted.dtype
    scale = 1 if ours.dtype == np.uint8 else 255 / max(np.ptp(wanted), 1e-9)
    off = np.abs(ours.astype(np.float64) - wanted.astype(np.float64)) * scale
    near = (off <= transform.levels + 1e-3).mean()
    assert near >= transform.share, f"{near:.5f} within {transform.levels} levels, most {off.max():.0f}"
