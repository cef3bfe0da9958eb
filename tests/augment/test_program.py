"""What a compiled pipeline takes and gives: layouts, types, ids, sizes; one clear line for what it does not take."""

import numpy as np
import pytest
import torch

import curate.augment
from curate.augment.upstream import albumentations
from curate.errors import UserError
from tests.augment.cases import pictures, reference, settings, takes

A = albumentations()
FLIPS = A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
IDS = np.arange(8)


def test_layouts_agree():
    images = pictures(32, 3)
    augment = curate.augment.compile(FLIPS, seed=3)
    wanted = augment(images, IDS, 1)
    planes = augment(np.ascontiguousarray(images.transpose(0, 3, 1, 2)), IDS, 1)
    tensors = augment(torch.from_numpy(images).permute(0, 3, 1, 2), torch.arange(8), 1)
    np.testing.assert_array_equal(planes.transpose(0, 2, 3, 1), wanted)
    np.testing.assert_array_equal(tensors.permute(0, 2, 3, 1), wanted)
    grey = augment(images[..., 0], IDS, 1)
    np.testing.assert_array_equal(grey, wanted[..., 0])
    assert isinstance(wanted, np.ndarray)
    assert isinstance(tensors, torch.Tensor)


def test_names_are_ids_too():
    augment = curate.augment.compile(FLIPS)
    names = [f"photos/{number}.png" for number in range(8)]
    whole = augment(pictures(32, 3), names, 0)
    np.testing.assert_array_equal(augment(pictures(32, 3)[3:5], names[3:5], 0), whole[3:5])


def test_epochs_and_seeds_differ():
    images = np.repeat(pictures(32, 3), 8, 0)
    drawn = {
        (seed, epoch): curate.augment.compile(FLIPS, seed=seed)(images, np.arange(64), epoch).tobytes()
        for seed in (0, 1, 2**63)
        for epoch in (0, 1, 500)
    }
    assert len(set(drawn.values())) == 9


@pytest.mark.parametrize("mode", ["exact", "fused"])
def test_type_as_asked(mode):
    augment = curate.augment.compile(FLIPS, dtype=torch.bfloat16, mode=mode)
    result = augment(torch.from_numpy(pictures(32, 3)), IDS, 0)
    assert result.dtype == torch.bfloat16
    assert augment(torch.from_numpy(pictures(32, 3)[:0]), IDS[:0], 0).shape == (0, 32, 32, 3)


def test_sizes_are_grouped():
    images = [pictures(side, 3)[number] for number, side in enumerate((32, 40, 32, 50))]
    augment = curate.augment.compile(A.Compose([A.RandomCrop(24, 24), A.HorizontalFlip()]))
    result = augment(images, IDS[:4], 0)
    assert result.shape == (4, 24, 24, 3)
    np.testing.assert_array_equal(result[1], augment([images[1]], [1], 0)[0])


def test_arrays_of_a_list_that_were_reversed():
    """As `cv2.imread(path)[..., ::-1]` gives them."""
    images = [pictures(side, 3)[0] for side in (32, 40)]
    augment = curate.augment.compile([A.RandomCrop(24, 24), curate.augment.MixUp(p=1)])
    given = [image[..., ::-1] for image in images], [image[..., ::-1].copy() for image in images]
    (ours, targets), (wanted, _) = (augment(each, IDS[:2], labels=[0, 1], classes=2) for each in given)
    np.testing.assert_array_equal(ours, wanted)
    assert targets.shape == (2, 2)


@pytest.mark.parametrize("layout", ["auto", "NHWC", "NCHW"])
@pytest.mark.parametrize(
    "after",
    [
        [A.Normalize()],
        [A.pytorch.ToTensorV2()],
        [curate.augment.MixUp(p=1), A.Normalize()],
        [A.Normalize(), A.pytorch.ToTensorV2(), curate.augment.MixUp(p=1)],
    ],
    ids=lambda steps: "-".join(type(step).__name__ for step in steps),
)
def test_a_list_is_as_an_array(after, layout):
    images, labels = pictures(32, 3)[:, :3], IDS % 2
    pipeline = A.Compose([A.Resize(10, 12), *after])
    wanted = curate.augment.compile(pipeline, layout="NHWC")(images, IDS, labels=labels, classes=2)
    found = curate.augment.compile(pipeline, layout=layout)(list(images), IDS, labels=labels, classes=2)
    for mine, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, other)
    with pytest.raises(UserError, match="NumPy has no bfloat16"):
        curate.augment.compile(pipeline, dtype=torch.bfloat16)(list(images), IDS, labels=labels, classes=2)


@pytest.mark.filterwarnings("ignore:The image is already")  # Albumentations, of ToGray on grey images
@pytest.mark.parametrize(("side", "channels"), [(1, 3), (8, 1)])
def test_images_are_not_written_to(side, channels):
    """Planes of one pixel, or of one channel, share the memory of the image."""
    images = pictures(side, channels)[:2]
    before = images.copy()
    for name, example in settings():
        pipeline = reference(name, example)
        augment = curate.augment.compile(pipeline, layout="NHWC")
        if takes(augment.steps[0].transform, side, channels):
            augment(images, IDS[:2])
            np.testing.assert_array_equal(images, before, str(pipeline))


@pytest.mark.parametrize(
    ("pipeline", "images", "ids", "says"),
    [
        (FLIPS, pictures(32, 3).astype(np.float32), IDS, "images are float32; give uint8"),
        (FLIPS, np.full((8, 4, 4, 3), np.nan), IDS, "images are float64; give uint8"),
        (FLIPS, pictures(32, 3), IDS[:7], "8 images, but ids of shape (7,)"),
        (FLIPS, pictures(32, 3), IDS / 2, "ids are of type float64"),
        (FLIPS, pictures(32, 3), None, "8 images, but ids of shape (0,)"),
        (FLIPS, pictures(32, 3), IDS - 1, "ids are from -1 to 6; they have to be from 0"),
        (FLIPS, pictures(32, 3), torch.arange(8) - 1, "ids are from -1 to 6; they have to be from 0"),
        (
            FLIPS,
            pictures(32, 3),
            torch.arange(8, dtype=torch.int8) - 8,
            "ids are from -8 to -1; they have to be from 0",
        ),
        (FLIPS, pictures(32, 3), [2**64] * 8, f"ids are from {2**64} to {2**64}; they have to be from 0 to 2**63 - 1"),
        (FLIPS, pictures(32, 3), [None] * 8, "an id is None"),
        (FLIPS, pictures(32, 3)[0], [0], "a single image is a batch as image[None]"),
        (FLIPS, np.zeros((8, 0, 4, 3), np.uint8), IDS, "have no pixels"),
        (FLIPS, pictures(32, 3)[0][0], IDS, "images have 2 axes"),
        (FLIPS, np.zeros((8, 3, 5, 3), np.uint8), IDS, 'either axis could be the channels; say layout="NHWC"'),
        (FLIPS, np.zeros((8, 4, 5, 4), np.uint8), IDS, "no axis has 1 or 3 channels"),
        (FLIPS, "photos", IDS, "images are of type str"),
        (FLIPS, [], [], "no images: the list is empty"),
        (
            A.Compose([A.RandomCrop(40, 33)]),
            pictures(32, 3),
            IDS,
            "RandomCrop cuts 33 x 40 px out of images of 32 x 32",
        ),
        (A.Compose([A.RandomCrop(24, 24, p=0.5)]), pictures(32, 3), IDS, "RandomCrop makes 24 x 24 px of 32 x 32 px"),
        (A.Compose([A.ToGray(1, p=0.5)]), pictures(32, 3), IDS, "ToGray makes 1 channels of 3 channels"),
        (A.Compose([A.CropAndPad(px=-40, p=1)]), pictures(32, 3), IDS, "CropAndPad cuts off all of images of 32 x 32"),
        (A.Compose([A.D4()]), pictures(32, 3)[:, :30], IDS, "D4 would turn some images of 32 x 30 px"),
        (FLIPS, [pictures(32, 3)[0], pictures(224, 3)[0]], IDS[:2], "leaves images in several sizes"),
        (FLIPS, [pictures(32, 3)[0], pictures(32, 1)[0]], IDS[:2], "leaves images in several sizes"),
    ],
)
def test_what_it_does_not_take(pipeline, images, ids, says):
    with pytest.raises(UserError) as error:
        curate.augment.compile(pipeline)(images, ids, 0)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"mode": "quick"}, 'mode is "exact" or "fused"'),
        ({"layout": "HWC"}, 'layout is "auto", "NHWC" or "NCHW"'),
        ({"fallback": "gpu"}, 'fallback is None or "cpu"'),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5; it has to be a whole number"),
        ({"dtype": "float16"}, "dtype is 'float16'; it has to be torch.uint8, or one of floats"),
        ({"dtype": torch.int8}, "dtype is torch.int8"),
    ],
)
def test_settings(settings, says):
    with pytest.raises(UserError) as error:
        curate.augment.compile(FLIPS, **settings)
    assert says in str(error.value)


@pytest.mark.parametrize("transform", [A.Normalize(), A.ToFloat()], ids=lambda it: type(it).__name__)
def test_floats_do_not_fit_bytes(transform):
    name = type(transform).__name__
    with pytest.raises(UserError, match=rf"dtype is torch\.uint8, but {name} makes floats of levels; ask for floats"):
        curate.augment.compile([transform], dtype=torch.uint8)


@pytest.mark.parametrize(
    "epoch",
    [-1, 1.5, "a", None, True, 2**40, np.int64(-1), np.True_, np.float32(1), torch.tensor(1.5), torch.tensor([3])],
)
def test_what_is_no_epoch(epoch):
    with pytest.raises(UserError, match=r"epoch is .*; it has to be a whole number from 0 on"):
        curate.augment.compile(FLIPS)(pictures(32, 3), IDS, epoch)


def test_epoch_may_be_a_tensor():
    augment = curate.augment.compile(FLIPS)
    np.testing.assert_array_equal(augment(pictures(32, 3), IDS, torch.tensor(3)), augment(pictures(32, 3), IDS, 3))


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_epoch_may_be_a_number_of_numpy(kind):
    augment = curate.augment.compile([*FLIPS.transforms, curate.augment.AlternatingFlip()])
    np.testing.assert_array_equal(augment(pictures(32, 3), IDS, kind(3)), augment(pictures(32, 3), IDS, 3))


def test_an_array_that_was_reversed():
    augment = curate.augment.compile(FLIPS)
    reversed_ = pictures(32, 3)[..., ::-1]
    np.testing.assert_array_equal(augment(reversed_, IDS, 0), augment(reversed_.copy(), IDS, 0))


def test_an_array_cannot_become_bfloat16():
    with pytest.raises(UserError, match="NumPy has no bfloat16"):
        curate.augment.compile(FLIPS, dtype=torch.bfloat16)(pictures(32, 3), IDS, 0)


def test_an_empty_batch_has_the_type_of_others():
    assert curate.augment.compile(A.Compose([A.Normalize()]))(pictures(32, 3)[:0], IDS[:0], 0).dtype == np.float32


def test_fallback():
    pipeline = A.Compose([A.HorizontalFlip(), A.RandomFog(p=0.5)])
    augment = curate.augment.compile(pipeline, fallback="cpu")
    images = pictures(32, 3)
    whole = augment(images, IDS, 0)
    np.testing.assert_array_equal(whole[[6, 2]], augment(images[[6, 2]], IDS[[6, 2]], 0))
    assert (whole != curate.augment.compile(A.Compose([A.HorizontalFlip()]))(images, IDS, 0)).any()


@pytest.mark.parametrize("transform", [A.RandomScale((-0.5, 0.5), p=1), A.RandomCropFromBorders(p=1)], ids=str)
def test_fallback_of_several_sizes(transform):
    name = type(transform).__name__
    with pytest.raises(UserError, match=f"{name} makes images of different sizes, but those of a batch have one; take"):
        curate.augment.compile([transform, A.Resize(8, 8)], fallback="cpu")(pictures(32, 3), IDS, 0)


@pytest.mark.parametrize("transform", [A.GridDistortion(p=1), A.Superpixels(p=1)], ids=lambda it: type(it).__name__)
def test_fallback_on_images_too_small(transform):
    name = type(transform).__name__
    with pytest.raises(UserError, match=f"{name}, run by Albumentations on images of 3 x 5 px: .*; take it out, or"):
        curate.augment.compile(transform, fallback="cpu", layout="NHWC")(pictures(32, 3)[:, :5, :3], IDS, 0)


def test_fallback_that_needs_more():
    with pytest.raises(UserError, match="needs mask beside the image"):
        curate.augment.compile(A.Compose([A.MaskDropout()]), fallback="cpu")


def test_replay_of_another_pipeline():
    pipeline = A.Compose([A.Transpose(p=1)], save_applied_params=True)
    applied = [pipeline(image=image)["applied_transforms"] for image in pictures(32, 3)]
    with pytest.raises(UserError, match=r"image 0: Transpose was applied .* but has no place in the pipeline"):
        curate.augment.compile(FLIPS).replay(pictures(32, 3), applied)
