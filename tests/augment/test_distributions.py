"""What chance decides has the distributions that it has in Albumentations."""

import pytest
import torch
from scipy.stats import ks_2samp

from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.pipeline import batched
from tests.augment.cases import columns, names, pictures, reference, settings, takes

FRAME = Frame(32, 32, 3)
THEIRS = 1500
"""Draws of Albumentations for each example; the benchmarks take 100,000."""
OURS = 10_000
SURE = 1e-4
"""Lowest probability of so large a difference that passes: some hundred are tested."""


@pytest.mark.parametrize(("name", "example"), settings(), ids=names())
def test_distributions(name, example):
    pipeline = reference(name, example, seed=1)
    transform = batched(pipeline.transforms[0])
    if not takes(transform, FRAME.height, FRAME.channels):
        pytest.skip(f"{name} is not for {FRAME} px images with these settings")
    trial = transform.draw(Stream(3, 0, torch.arange(1)).at(0), FRAME)
    small = [key for key, value in trial.items() if value[0].numel() <= 16]
    if not small:
        pytest.skip(f"{name} draws nothing, or whole images")
    drawn_here = transform.draw(Stream(3, 0, torch.arange(OURS)).at(0), FRAME)
    ours = {key: drawn_here[key] for key in small}
    image = pictures(32, 3)[1]
    drawn = []
    for _ in range(THEIRS):
        pipeline.transforms[0](image=image)
        drawn.append(pipeline.transforms[0].params)
    theirs = transform.replay(drawn, FRAME, torch.device("cpu"))
    for key, value in ours.items():
        assert value.shape[1:] == theirs[key].shape[1:], key
        mine, other = columns(value), columns(theirs[key])
        for number in range(len(mine)):
            probability = ks_2samp(mine[number], other[number]).pvalue
            assert probability > SURE, f"{key}[{number}]: {mine[number][:5]} beside {other[number][:5]}"
