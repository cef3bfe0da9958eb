"""Positions outside a line, thrown back as OpenCV does it, and what pixels from nowhere are filled with."""

import cv2
import pytest
import torch

from curate.augment.lattice import BORDERS, NOWHERE, Moves, moved, within

SIZES = (1, 2, 7)


@pytest.mark.parametrize("border", BORDERS)
def test_within(border):
    line = torch.arange(-20, 20)
    for size in SIZES:
        wanted = [cv2.borderInterpolate(at, size, border) for at in line.tolist()]  # constant: -1 outside
        assert within(line, size, border).tolist() == wanted
    sizes = torch.tensor(SIZES)[:, None]
    assert torch.equal(within(line, sizes, border), torch.stack([within(line, size, border) for size in SIZES]))


@pytest.mark.parametrize(("kind", "wanted"), [(torch.uint8, [3, 255, 77]), (torch.float32, [2.6, 300.0, 77.9])])
def test_fills_between_levels(kind, wanted):
    """Padded they are rounded, hidden they are cut off; of floats they stay."""
    images, outside = torch.zeros((1, 1, 1, 2), dtype=kind), torch.tensor([[0, NOWHERE, 0]])
    hidden = torch.tensor([[[False, False, True]]])
    found = moved(images, Moves(outside[:, :1], outside, fills=True), (2.6, 300), hidden=hidden, hidden_fill=77.9)
    assert torch.equal(found[0, 0], torch.tensor([[0, 0], wanted[:2], wanted[2:] * 2], dtype=kind))
