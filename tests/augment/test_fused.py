"""The fused mode beside the exact one: what is composed gives the same pixels, or ones as near as is said of them."""

import cv2
import numpy as np
import pytest
import torch

import curate.augment
from curate.augment.choices import Chooser
from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.fused import Group, Levels, Single, as_matrix
from curate.augment.lattice import moved
from curate.augment.pipeline import batched
from curate.augment.transform import frame_of
from curate.augment.upstream import albumentations
from curate.augment.warp import Warp, warp_affine
from curate.errors import UserError
from tests.augment.cases import pictures

A = albumentations()
IMAGES = np.concatenate([pictures(32, 3)] * 6)
WIDE = np.ascontiguousarray(IMAGES[:, :26])
IDS = np.arange(len(IMAGES))
BORDERS = ({"border_mode": cv2.BORDER_CONSTANT, "fill": (99, 5, 200)}, {"border_mode": cv2.BORDER_REFLECT_101})


def both(pipeline, images=IMAGES):
    """What the exact and the fused mode make of the images."""
    exact, fused = (curate.augment.compile(pipeline, seed=3, mode=mode)(images, IDS, 2) for mode in ("exact", "fused"))
    assert exact.shape == fused.shape
    assert exact.dtype == fused.dtype
    assert exact.shape != images.shape or (exact != images).any((1, 2, 3)).mean() > 0.4
    return exact, fused


def stages(pipeline):
    return [type(stage) for stage in curate.augment.compile(pipeline, mode="fused").stages]


def off(pipeline, images=IMAGES):
    exact, fused = both(pipeline, images)
    return np.abs(exact.astype(float) - fused.astype(float))


MOVES = [
    [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.3), A.RandomRotate90(p=0.7)],
    *([A.Pad(4, **border), A.RandomCrop(32, 32), A.HorizontalFlip(), A.D4(p=0.5)] for border in BORDERS),
    *([A.Transpose(), A.PadIfNeeded(40, 37, **border), A.VerticalFlip(), A.RandomCrop(29, 35)] for border in BORDERS),
    [A.OneOf([A.HorizontalFlip(), A.Transpose(), A.RandomRotate90()], p=0.8), A.CenterCrop(20, 24)],
    [A.SomeOf([A.HorizontalFlip(), A.VerticalFlip(), A.D4()], n=2), A.RandomOrder([A.Transpose(), A.D4()], n=2)],
    [A.D4(p=0.7), A.RandomCrop(26, 20), A.HorizontalFlip(), A.Transpose(p=1)],
    [A.RandomRotate90(), A.RandomCrop(24, 28), A.Pad((2, 4)), A.D4()],
]


@pytest.mark.parametrize("pipeline", MOVES, ids=str)
def test_moves_are_one_look_up(pipeline):
    np.testing.assert_array_equal(*both(pipeline))
    assert stages(pipeline) == [Group]


@pytest.mark.parametrize(
    "pipeline",
    [
        [A.Transpose(p=1), A.HorizontalFlip()],
        [A.Transpose(p=1), A.VerticalFlip(p=1), A.Transpose(p=1)],
        [A.Transpose(p=1), A.RandomCrop(20, 26), A.Transpose(p=1)],
        [A.Transpose(p=1), A.RandomCrop(24, 24), A.D4(), A.CenterCrop(11, 23)],
    ],
    ids=str,
)
def test_moves_of_what_is_no_square(pipeline):
    np.testing.assert_array_equal(*both(pipeline, WIDE))


@pytest.mark.parametrize("border", BORDERS, ids=["constant", "reflect_101"])
def test_moves_before_a_warp(border):
    turn = A.Affine(rotate=(-45, 45), scale=(0.7, 1.3), p=0.8, **border)
    pipeline = [A.Pad(4, **border), A.RandomCrop(32, 32), A.HorizontalFlip(), turn]
    np.testing.assert_array_equal(*both(pipeline))
    assert stages(pipeline) == [Group]


@pytest.mark.parametrize("border", BORDERS, ids=["constant", "reflect_101"])
def test_moves_behind_a_warp(border):
    """They are one matrix with it, whose source coordinates are rounded, to 32nds of a pixel, another way."""
    turn = A.Affine(rotate=(-45, 45), scale=(0.7, 1.3), p=0.8, **border)
    pipeline = [turn, A.RandomCrop(24, 24), A.D4()]
    found = off(pipeline)
    assert (found == 0).mean() > 0.99
    assert found.max() <= 12  # a 32nd of the way from black to white, and of half that across
    assert stages(pipeline) == [Group]


def not_warped(pipeline):
    """Images that pass no warp: shape (N,), bool."""
    chooser = Chooser(Stream(3, 2, torch.from_numpy(IDS)))
    gates = [step.gates for step in curate.augment.compile(pipeline).steps if isinstance(step.transform, Warp)]
    found = ~torch.stack([chooser.passes(each) for each in gates]).any(0).numpy()
    assert 5 < found.sum() < len(found) - 5
    return found


TURN, OTHER, REFLECTED = (
    A.Affine(rotate=(10, 15), p=p, **border) for p, border in ((0.5, BORDERS[0]), (0.4, BORDERS[0]), (0.5, BORDERS[1]))
)
SCALED = {
    "before": [TURN, A.Resize(80, 60)],
    "after": [A.HorizontalFlip(), A.Resize(80, 60), TURN],
    "between": [TURN, A.Resize(50, 70), OTHER, A.Transpose(p=1)],
    "reflected": [A.Pad(2, border_mode=4), REFLECTED, A.Resize(80, 80), A.D4()],
    "crop": [TURN, A.RandomResizedCrop((50, 50), scale=(1, 1), ratio=(1, 1))],
}


@pytest.mark.parametrize("pipeline", SCALED.values(), ids=SCALED)
def test_a_border_stays_off_images_that_are_not_warped(pipeline):
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in IMAGES])
    assert off(pipeline, smooth)[not_warped(pipeline)].max() <= 2
    assert stages(pipeline) == [Group]


def test_a_border_stays_off_windows_that_are_not_warped():
    pipeline = [A.RandomResizedCrop((40, 40), scale=(0.3, 1)), TURN]
    white = np.full_like(IMAGES, 255)
    fused = curate.augment.compile(pipeline, seed=3, mode="fused")(white, IDS, 2)
    assert (fused[not_warped(pipeline)] == 255).all()


FILLS = [
    [A.Pad(4, fill=77.6), A.HorizontalFlip()],
    [A.RandomCrop(40, 40, pad_if_needed=True, fill=(2.5, 3.5, 300)), A.CoarseDropout(fill=77.6, p=1)],
    [A.HorizontalFlip(), A.CoarseDropout(fill=77.6, p=1)],
]


@pytest.mark.parametrize("pipeline", FILLS, ids=str)
def test_fills_between_levels(pipeline):
    np.testing.assert_array_equal(*both(pipeline))


@pytest.mark.parametrize("colours", [A.ToSepia(p=1), A.HueSaturationValue(p=1)], ids=["matrix", "unrounded"])
@pytest.mark.parametrize("floats", [[], [A.ToFloat(1)]], ids=["levels", "floats"])
def test_holes_between_levels(colours, floats):
    """Filled with 77, as they are by themselves, whatever came before."""
    dropout = A.CoarseDropout(fill=77.6, hole_height_range=(9, 9), hole_width_range=(9, 9), p=1)
    exact, fused = both([colours, dropout, *floats])
    filled = (exact == 77).all(3)
    assert filled.sum() >= 81 * len(IMAGES)
    assert (fused[filled] == 77).all()


@pytest.mark.parametrize(
    "pipeline",
    [
        [A.RandomBrightnessContrast(p=0.7), A.RandomGamma(p=0.5), A.Solarize(p=0.4), A.Posterize(p=0.5)],
        [A.OneOf([A.InvertImg(), A.Solarize(), A.RandomGamma()], p=0.9), A.RandomBrightnessContrast()],
        [A.CoarseDropout(p=0.7, fill=77), A.GridDropout(p=0.4, fill=77)],
        [A.RandomRotate90(), A.RandomGamma(p=1), A.CoarseDropout(fill=(1, 2, 3))],
    ],
    ids=str,
)
def test_levels_and_holes(pipeline):
    np.testing.assert_array_equal(*both(pipeline))
    assert stages(pipeline) == [Group]


@pytest.mark.parametrize("pipeline", [[A.ToSepia(p=0.6)], [A.HorizontalFlip(), A.ToGray(p=0.6)]], ids=str)
def test_a_matrix_of_colours(pipeline):
    found = off(pipeline)
    assert found.max() <= 1
    assert (found == 0).mean() > 0.999


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_normalized(dtype):
    pipeline = [A.Pad(2), A.RandomCrop(32, 32), A.RandomGamma(), A.CoarseDropout(), A.Normalize()]
    assert off(pipeline).max() < 1e-5
    assert stages(pipeline) == [Group]
    images = torch.from_numpy(IMAGES)
    found = curate.augment.compile(pipeline, seed=3, mode="fused", dtype=dtype)(images, IDS, 2)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), torch.from_numpy(both(pipeline)[0]), rtol=2**-8, atol=1e-5)


@pytest.mark.parametrize(
    ("pipeline", "wanted"),
    [
        ([], []),
        ([A.HorizontalFlip(), A.MedianBlur(p=1), A.VerticalFlip()], [Group, Single, Group]),
        ([A.CoarseDropout(p=1), A.HorizontalFlip()], [Group, Group]),
        ([A.RandomGamma(p=1), A.Pad(4)], [Group, Group]),
        ([A.Normalize(), A.HorizontalFlip(), A.RandomCrop(24, 24)], [Group, Single, Single]),
        ([A.Pad(4, fill=1), A.Pad(4, fill=2)], [Group, Group]),
        ([A.Pad(4, border_mode=4), A.Pad(4, fill=2)], [Group, Group]),
        ([A.CoarseDropout(fill=1), A.CoarseDropout(p=1, fill=2)], [Group, Group]),
        ([A.RandomGamma(p=1), A.Equalize(), A.RandomGamma()], [Group, Single, Group]),
        ([A.Normalize(normalization="image")], [Single]),
    ],
    ids=str,
)
def test_steps_that_are_not_one(pipeline, wanted):
    """What cannot be composed, or comes in another order than within a group: same pixels, in more stages."""
    assert stages(pipeline) == wanted
    if pipeline:
        assert off(pipeline).max() < 1e-5


@pytest.mark.parametrize(
    ("pipeline", "wanted"),
    [
        ([A.CoarseDropout(fill=9, p=1), A.Affine(rotate=(-30, 30))], [Group, Group]),
        ([A.RandomGamma(p=1), A.Rotate(p=1)], [Group, Group]),
        ([A.Affine(rotate=(-30, 30), p=1), A.Pad(4, fill=9)], [Group, Group]),
        ([A.Affine(rotate=(-30, 30), p=1), A.Affine(rotate=(-30, 30), border_mode=4, p=0)], [Group, Group]),
        ([A.Affine(rotate=(-30, 30), interpolation=cv2.INTER_CUBIC, p=1), A.CenterCrop(20, 20)], [Single, Group]),
    ],
    ids=str,
)
def test_warps_that_cannot_be_composed(pipeline, wanted):
    assert stages(pipeline) == wanted
    np.testing.assert_array_equal(*both(pipeline))


def test_unrounded_levels_go_on():
    pipeline = [A.HorizontalFlip(), A.ColorJitter(p=1), A.CoarseDropout(), A.Normalize()]
    assert stages(pipeline) == [Group, Levels, Group]
    levels = off(pipeline) * np.array(A.Normalize().std) * 255
    assert (levels <= 3).mean() > 0.9  # of dark pixels hue and saturation follow from few levels


def test_normalize_in_the_middle():
    with pytest.raises(UserError, match="RandomGamma comes after Normalize, and takes levels from 0 to 255"):
        curate.augment.compile([A.Normalize(), A.RandomGamma()], mode="fused")


@pytest.mark.parametrize(
    "move", [A.HorizontalFlip(), A.VerticalFlip(), A.Transpose(), A.D4(), A.RandomCrop(20, 24), A.CenterCrop(1, 9)]
)
def test_moves_as_a_matrix(move):
    transform, images = batched(move), torch.from_numpy(IMAGES if isinstance(move, A.D4) else WIDE)
    frame = frame_of(images)
    params = transform.draw(Stream(0, 0, torch.from_numpy(IDS)).at(0), frame)
    moves = transform.moves(params, frame, images.device)
    matrix = as_matrix(moves).expand(len(images), 3, 3)
    assert torch.equal(warp_affine(images, matrix, transform.output(frame)), moved(images, moves))


def test_random_resized_crop():
    """It is resampled at 32nds of a pixel; resized exactly, at 2048ths. Flat where it lies in the border's pixel."""
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in IMAGES])
    found = off([A.RandomResizedCrop((32, 32), scale=(0.2, 1.0), p=1), A.HorizontalFlip()], smooth)[:, 2:-2, 2:-2]
    assert found.max() <= 4
    assert found.mean() < 0.5
    assert stages([A.RandomResizedCrop((32, 32))]) == [Group]
    assert curate.augment.compile([A.RandomResizedCrop((20, 24))], mode="fused").output(Frame(32, 32, 3)) == (20, 24, 3)
