"""The Triton kernel, run by Triton's interpreter on the processor, beside the same in torch."""

from itertools import product

import cv2
import pytest
import torch

from curate.augment.frame import Frame
from curate.augment.lattice import Moves, within
from curate.augment.parts import Parts
from curate.augment.pointwise import Linear
from curate.augment.rendering import render

pytest.importorskip("triton", reason="Triton is not installed")
from curate.augment.kernel import render_with_kernel

COUNT, HEIGHT, WIDTH = 3, 20, 20
BORDERS = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT, cv2.BORDER_WRAP, cv2.BORDER_REFLECT_101)


def images(channels: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(channels)
    return torch.randint(0, 256, (COUNT, HEIGHT, WIDTH, channels), generator=random, dtype=torch.uint8)


def moves(kind: str, border: int) -> Moves:
    """A window of 24 x 24 px that begins above and left of the image; some are turned or read in reverse."""
    start = torch.tensor([[-3], [0], [-5]])
    rows, columns = (
        within(start + torch.arange(24), HEIGHT, border),
        within(start.flip(0) + torch.arange(24), 20, border),
    )
    turned = torch.tensor([True, False, True]) if kind == "turned" else None
    return Moves(rows, columns.flip(1), turned, fills=border == cv2.BORDER_CONSTANT)


def matrix() -> torch.Tensor:
    turns = torch.tensor([[0.9, 0.3, 1.7], [-0.2, 1.1, -2.3], [0, 0, 1]], dtype=torch.float64)
    quarter = torch.tensor([[0, 1.15, -1.2], [-1.3, 0, 20.4], [0, 0, 1]], dtype=torch.float64)
    return torch.stack([turns, quarter, torch.linalg.inv(turns)])


def parts(kind: str, border: int, channels: int) -> Parts:
    """All that can be asked of the kernel, or of it what `kind` names."""
    found = Parts(size=Frame(HEIGHT, WIDTH, channels))
    if kind in ("moved", "turned", "all"):
        found.add_moves(moves(kind, border), 77.6)
        found.size = Frame(24, 24, channels)
    if kind in ("warped", "still", "all"):
        found.add_matrix(matrix(), border, 99.5)
        found.size = Frame(22, 17, channels)
    if kind in ("still", "all"):
        found.still = torch.tensor([False, True, False])
    random = torch.Generator().manual_seed(5)
    if kind == "table":
        found.add_table(torch.randint(0, 256, (COUNT, channels, 256), generator=random, dtype=torch.uint8))
    if kind in ("mixed", "all"):
        mix = torch.rand((COUNT, channels, channels), generator=random)
        found.add_linear(Linear(mix, torch.randn((COUNT, channels), generator=random) * 9))
    if kind in ("holes", "all"):
        holes = [[[2, 3, 9, 6], [0, 0, 4, 4]], [[0, 0, 0, 0], [15, 2, 20, 20]], [[1, 1, 2, 2], [0, 0, 0, 0]]]
        found.add_holes(torch.tensor(holes), 128.7)
    if kind in ("scaled", "all"):
        found.scale_shift = torch.rand(channels, generator=random), torch.randn(channels, generator=random)
    return found


KINDS = ("moved", "turned", "warped", "still", "table", "mixed", "holes", "scaled", "all")


@pytest.mark.parametrize(("kind", "border", "channels"), list(product(KINDS, BORDERS, (1, 3))))
def test_as_in_torch(kind: str, border: int, channels: int) -> None:
    if kind not in ("moved", "turned", "warped", "still", "all") and border:
        pytest.skip("has no border")
    pixels, asked = images(channels), parts(kind, border, channels)
    ours, wanted = render_with_kernel(pixels, asked), render(pixels, asked)
    assert ours.dtype == wanted.dtype
    torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=1e-3 if ours.is_floating_point() else 0)


@pytest.mark.parametrize("kind", ["moved", "warped", "mixed", "holes"])
def test_whole_levels_as_floats(kind: str) -> None:
    asked = parts(kind, cv2.BORDER_CONSTANT, 3)
    ours = render_with_kernel(images(3), asked, dtype=torch.float32)
    torch.testing.assert_close(ours, render(images(3), asked, torch.float32), rtol=0, atol=0)
    assert (ours == ours.round()).all()


@pytest.mark.parametrize("kind", ["moved", "warped"])
def test_turned_and_cut_to_a_rectangle(kind: str) -> None:
    asked = Parts(size=Frame(9, 15, 3))
    asked.add_moves(
        moves("turned", cv2.BORDER_CONSTANT).after(Moves(torch.arange(3, 12)[None], torch.arange(15)[None])), 77
    )
    if kind == "warped":
        asked.add_matrix(matrix(), cv2.BORDER_REFLECT_101, 99)
    ours = render_with_kernel(images(3), asked)
    assert torch.equal(ours, render(images(3), asked))


def test_type_as_asked() -> None:
    asked = parts("scaled", 0, 3)
    ours = render_with_kernel(images(3), asked, dtype=torch.bfloat16)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), render(images(3), asked), rtol=2e-2, atol=1e-2)
