"""Tables of levels, mixes of channels and formats, beyond what the contract tests of every transform see."""

import cv2
import numpy as np
import pytest
import torch

import curate.augment
from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.fused import Scaling
from curate.augment.pipeline import batched, classes, made
from curate.augment.pointwise import Pointwise, Recolor, indexed, translated
from curate.augment.transforms.channels import main_direction
from curate.augment.upstream import albumentations
from curate.errors import UserError
from tests.augment.cases import pictures, settings

A = albumentations()
IDS = np.arange(8)
EDGES = {
    "black": np.zeros((1, 5, 4, 3), np.uint8),
    "one pixel": np.full((1, 2, 2, 3), 7, np.uint8)[:, :1],
    "one colour": np.full((1, 6, 6, 3), (200, 10, 90), np.uint8),
    "grey in three channels": np.repeat(pictures(32, 1)[:1], 3, axis=3),
    "two levels": np.uint8(np.indices((1, 8, 8, 3)).sum(0) % 2 * 255),
}


def replayed(transform, images):
    """What the batches make of what Albumentations drew, and what Albumentations made of it."""
    pipeline = A.Compose(
        [transform] if not isinstance(transform, list) else transform, save_applied_params=True, seed=3
    )
    theirs = [pipeline(image=image) for image in images]
    augment = curate.augment.compile(pipeline, layout="NHWC")
    ours = np.asarray(augment.replay(images, [each["applied_transforms"] for each in theirs]))
    return ours, np.stack([np.asarray(each["image"]).reshape(ours.shape[1:]) for each in theirs])


@pytest.mark.parametrize("shape", [(1, 1), (8, 1), (1, 3), (8, 3)])
@pytest.mark.parametrize("look_up", [translated, indexed])
def test_look_up(look_up, shape):
    images = torch.from_numpy(pictures(32, 3))
    table = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (*shape, 256), dtype=np.uint8))
    whole = table.expand(8, 3, 256)
    wanted = [
        [whole[image, channel][images[image, :, :, channel].long()] for channel in range(3)] for image in range(8)
    ]
    before = images.clone()
    found = look_up(images, table)
    assert torch.equal(found, torch.stack([torch.stack(planes, 2) for planes in wanted]))
    assert torch.equal(images, before)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("safe", [False, True])
def test_brightness_by_the_mean(safe, channels):
    transform = A.RandomBrightnessContrast((-1, 1), (-1.5, 1), brightness_by_max=False, ensure_safe_range=safe, p=1)
    ours, theirs = replayed(transform, pictures(32, channels))
    np.testing.assert_array_equal(ours, theirs)
    # params of our own draw, told to Albumentations
    ours = batched(transform)
    images = pictures(32, channels)
    params = ours.draw(Stream(0, 0, torch.arange(8)).at(0), Frame(32, 32, channels))
    found = ours.apply(torch.from_numpy(images), params).numpy()
    for image, changed, alpha, share in zip(images, found, params["alpha"], params["share"], strict=True):
        alpha, beta = alpha.item(), share.item() * np.mean(image)
        if safe:
            alpha, beta = A.augmentations.pixel.functional.get_safe_brightness_contrast_params(alpha, beta, 255)
        np.testing.assert_array_equal(changed, transform.apply(image, alpha, beta))


def test_brightness_by_the_mean_stands_alone():
    assert not batched(A.RandomBrightnessContrast(brightness_by_max=False)).composes()
    assert batched(A.RandomBrightnessContrast()).composes()
    assert not batched(A.ToGray(method="max")).composes()
    assert not batched(A.ToGray(num_output_channels=1)).composes()
    assert batched(A.ToGray()).composes()


def matrices():
    """Every transform that may be a matrix, with every one of its example settings."""
    every = [batched(made(classes()[name], {**example, "p": 1.0})) for name, example in settings()]
    found = [each for each in every if isinstance(each, Pointwise | Recolor) and each.composes()]
    return [each for each in found if type(each).linear is not Pointwise.linear]


@pytest.mark.parametrize("transform", matrices(), ids=lambda transform: transform.name)
def test_matrix_is_near(transform):
    """What the fused mode computes is what the exact one does, but for the rounding."""
    for channels in transform.channels:
        params = transform.draw(Stream(0, 0, torch.arange(8)).at(0), Frame(32, 32, channels))
        linear = transform.linear(params, channels)
        images = torch.from_numpy(pictures(32, channels))
        exact = transform.apply(images, params).double()
        mixed = torch.einsum("ncd,nhwd->nhwc", linear.matrix, images.float()) + linear.shift[:, None, None]
        assert (mixed.clamp(0, 255) - exact).abs().max() <= 1.001


@pytest.mark.parametrize(
    "transform",
    [A.ToGray(method=method, p=1) for method in ("weighted_average", "from_lab", "desaturation", "average", "max")]
    + [A.ToSepia(p=1)],
    ids=lambda transform: getattr(transform, "method", "sepia"),
)
def test_every_seventh_colour(transform):
    """The same levels as OpenCV's for 53,000 colours all over the cube, and where the sum has to be cut at 255."""
    line = np.unique(np.append(np.arange(0, 256, 7, dtype=np.uint8), np.uint8([254, 255])))
    colours = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(1, len(line), -1, 3)
    ours, theirs = replayed(transform, colours)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("image", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize(
    "transform",
    [
        A.ToGray(method="pca", p=1),
        A.ToSepia(p=1),
        A.RandomBrightnessContrast(brightness_by_max=False, p=1),
        *(A.Normalize(normalization=kind) for kind in ("standard", "image", "min_max", "min_max_per_channel")),
        A.Normalize(normalization="image_per_channel"),
    ],
    ids=lambda transform: f"{type(transform).__name__} {getattr(transform, 'normalization', '')}",
)
def test_edges(transform, image):
    ours, theirs = replayed(transform, image)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert ours.dtype == theirs.dtype


def test_main_direction():
    random = np.random.default_rng(0)
    points = random.normal(0, 1, (200, 500, 3)) @ random.normal(0, 30, (200, 3, 3))
    points = points - points.mean(1, keepdims=True)
    covariance = torch.from_numpy(points.transpose(0, 2, 1) @ points / points.shape[1])
    wanted = [cv2.PCACompute2(each, mean=None, maxComponents=1)[1][0] for each in points]
    np.testing.assert_allclose(main_direction(covariance), wanted, atol=1e-9)


def test_grey_stays_grey():
    images = pictures(32, 1)
    for transform in (A.ToGray(p=1), A.ToSepia(p=1), A.ChannelShuffle(p=1)):
        np.testing.assert_array_equal(curate.augment.compile(transform, layout="NHWC")(images, IDS, 0), images)


@pytest.mark.parametrize(
    "pipeline",
    [
        [A.ToFloat(), A.HorizontalFlip(p=1), A.Normalize(max_pixel_value=1.0)],
        [A.ToFloat(), A.ToFloat(), A.pytorch.ToTensorV2()],
        [A.Normalize(normalization="image"), A.ToFloat()],
        [A.Normalize(mean=(0.5, 0.4), std=(0.3, 0.2)), A.pytorch.ToTensorV2()],
    ],
    ids=lambda pipeline: ", ".join(type(each).__name__ for each in pipeline),
)
def test_formats_after_one_another(pipeline):
    ours, theirs = replayed(pipeline, pictures(32, 3))
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("transform", [A.Normalize(), A.Normalize(mean=0.4, std=(0.1, 0.2, 0.3)), A.ToFloat(99.0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_scale_and_shift(transform, channels):
    images = torch.from_numpy(pictures(32, channels))
    ours = batched(transform)
    assert isinstance(ours, Scaling)
    scale, shift = ours.scale_shift(channels)
    assert scale.dtype == shift.dtype == torch.float32
    torch.testing.assert_close(images * scale + shift, ours.apply(images, {}), atol=1e-5, rtol=1e-5)


def test_no_scale_where_the_image_counts():
    assert batched(A.Normalize(normalization="min_max")).scale_shift(3) is None


@pytest.mark.parametrize(
    ("pipeline", "channels", "says"),
    [
        (A.ChannelDropout(fill=256, p=1), 3, "ChannelDropout: fill is 256.0; a level is from 0 to 255"),
        (A.ChannelDropout((1, 3), p=1), 3, "ChannelDropout may drop 3 of 3 channels; one has to stay"),
        (A.ChannelDropout(p=1), 1, "ChannelDropout takes images of 3 channels; these have 1"),
        (A.Posterize((2, 9), p=1), 3, "Posterize: num_bits from 2 to 9; a level has from 0 to 8 bits"),
        (A.Posterize([(1, 2), (3, 4), (5, 6)], p=1), 1, "Posterize has num_bits for 3 channels, the images have 1"),
        (A.Compose([A.ToFloat(), A.Normalize(normalization="image")]), 3, 'normalization="image" takes levels'),
        (A.Compose([A.ToFloat(), A.Solarize(p=1)]), 3, "Solarize comes after ToFloat, and takes levels"),
        (A.Normalize(p=0.5), 3, "Normalize makes floats of some images alone; give it p=1"),
        (A.OneOf([A.ToFloat(), A.Normalize()], p=1), 3, "ToFloat makes floats of some images alone"),
        (A.pytorch.ToTensorV2(p=0), 3, "ToTensorV2 makes planes of some images alone; give it p=1"),
        (A.Compose([A.pytorch.ToTensorV2()], p=0.5), 3, "ToTensorV2 makes planes of some images alone; give it p=1"),
    ],
)
def test_what_they_do_not_take(pipeline, channels, says):
    with pytest.raises(UserError) as error:
        curate.augment.compile(pipeline, layout="NHWC")(pictures(32, channels), IDS, 0)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
