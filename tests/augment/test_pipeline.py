"""Pipelines as they come: objects, what Albumentations saves, short lists; and what is wrong with them."""

import json

import numpy as np
import pytest

import curate.augment
from curate.augment.pipeline import from_dict, read_pipeline
from curate.augment.upstream import albumentations
from curate.errors import UserError
from tests.augment.cases import SIZES, names, pictures, reference, settings, takes

A = albumentations()
PIPELINE = A.Compose(
    [
        A.OneOf([A.HorizontalFlip(p=1), A.Sequential([A.VerticalFlip(p=0.5), A.Transpose(p=0.5)], p=2 / 3)], p=0.9),
        A.SomeOf([A.D4(p=0.3), A.VerticalFlip(p=0.5), A.RandomRotate90(p=0.7)], n=2, p=0.8),
        A.RandomOrder([A.Transpose(p=0.5), A.HorizontalFlip(p=0.5)], n=2),
        A.RandomCrop(24, 20),
    ]
)


def results(pipeline, count=64):
    images = np.repeat(pictures(32, 3), count // 8, axis=0)
    return curate.augment.compile(pipeline, seed=1)(images, np.arange(count), 0)


@pytest.mark.parametrize("kind", ["json", "yaml", "dict", "list"])
def test_the_same_however_it_is_written(kind, tmp_path):
    written = {"dict": A.to_dict(PIPELINE), "list": list(PIPELINE.transforms)}.get(kind)
    if written is None:
        written = tmp_path / f"pipeline.{kind}"
        A.save(PIPELINE, written, data_format=kind)
    np.testing.assert_array_equal(results(written), results(PIPELINE))


@pytest.mark.filterwarnings("ignore:The image is already")  # Albumentations, of ToGray on grey images
@pytest.mark.parametrize(("name", "example"), settings(), ids=names())
def test_every_setting_is_the_same_in_a_file(name, example, tmp_path):
    """Also one that is None, where that is not its default, and where A.save writes settings of a base class."""
    pipeline = reference(name, example)
    A.save(pipeline, tmp_path / "pipeline.json")
    object_, file = (curate.augment.compile(each, layout="NHWC") for each in (pipeline, tmp_path / "pipeline.json"))
    side = next((side for side in (16, *SIZES) if takes(object_.steps[0].transform, side, 3)), None)
    assert side, "no size of images is for these settings"
    images = pictures(side, 3)[:2]
    np.testing.assert_array_equal(file(images, np.arange(2)), object_(images, np.arange(2)))


def test_short_list(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text(
        """
        - Pad: {padding: 4, border_mode: reflect_101}
        - RandomCrop: {height: 32, width: 32}
        - OneOf:
            p: 0.5
            transforms: [HorizontalFlip, {VerticalFlip: {p: 1}}]
        - Transpose
        """
    )
    either = A.OneOf([A.HorizontalFlip(), A.VerticalFlip(p=1)], p=0.5)
    pipeline = A.Compose([A.Pad(4, border_mode=4), A.RandomCrop(32, 32), either, A.Transpose()])
    np.testing.assert_array_equal(results(path), results(pipeline))


@pytest.mark.parametrize(
    ("pipeline", "shares"),
    [
        (A.Compose([A.HorizontalFlip(p=0.3)]), {"h": 0.3}),
        (A.Compose([A.HorizontalFlip(p=0.5)], p=0.5), {"h": 0.25}),
        (A.Compose([A.OneOf([A.HorizontalFlip(p=0.25), A.VerticalFlip(p=0.75)], p=0.8)]), {"h": 0.2, "v": 0.6}),
        (A.Compose([A.OneOf([A.Sequential([A.HorizontalFlip(p=0.5)], p=0.1)], p=1)]), {"h": 0.5}),
        (A.Compose([A.Sequential([A.HorizontalFlip(p=0.5)], p=0.4)]), {"h": 0.2}),
        (A.Compose([A.SomeOf([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], n=1)]), {"h": 0.5, "v": 0.5}),
        (A.Compose([A.SomeOf([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=1)], n=2, p=0.5)]), {"v": 0.25, "hv": 0.25}),
        (A.Compose([A.SomeOf([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], n=2, replace=True)]), {"hv": 0.5}),
    ],
)
def test_probabilities(pipeline, shares):
    """How often images end up mirrored left and right, top and bottom, or both; beside Albumentations itself."""
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    kinds = {"": picture, "h": picture[:, ::-1], "v": picture[::-1], "hv": picture[::-1, ::-1]}
    count = 4000
    ours = curate.augment.compile(pipeline, layout="NHWC")(np.repeat(picture[None], count, 0), np.arange(count), 0)
    theirs = np.stack([pipeline(image=picture)["image"] for _ in range(count)])
    for kind, wanted in kinds.items():
        mine, other = ((each == wanted).all((1, 2, 3)).mean() for each in (ours, theirs))
        assert abs(mine - other) < 0.05, kind
        assert abs(mine - shares.get(kind, mine)) < 0.035, kind


def test_random_order_tries_every_order():
    """A crop of the upper left after a flip, or before it: which of the two is drawn per image."""
    pipeline = A.Compose([A.RandomOrder([A.HorizontalFlip(p=1), A.Transpose(p=1)], n=2), A.CenterCrop(2, 2)])
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    ours = curate.augment.compile(pipeline, layout="NHWC")(np.repeat(picture[None], 400, 0), np.arange(400), 0)
    orders = picture[:, ::-1].transpose(1, 0, 2), picture.transpose(1, 0, 2)[:, ::-1]
    shares = [(ours == order).all((1, 2, 3)).mean() for order in orders]
    assert sum(shares) == 1
    assert 0.4 < shares[0] < 0.6


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([{"HorizontalFlop": {}}], "no transform is called 'HorizontalFlop'; did you mean HorizontalFlip"),
        ([{"Zzz": {}}], "`curate transforms` lists what there is"),
        ([{"HorizontalFlip": {"p": 1.5}}], "HorizontalFlip: p = 1.5: input should be less than or equal to 1"),
        ([{"HorizontalFlip": {"p": float("nan")}}], "p"),
        ([{"RandomCrop": {"height": 8, "width": 8, "colour": 3}}], "RandomCrop has no setting colour; it has "),
        ([{"RandomCrop": {"height": 8}}], "width"),
        ([{"RandomCrop": {"height": 0, "width": 8}}], "height = 0: input should be greater than or equal to 1"),
        ([{"OneOf": {"transforms": "HorizontalFlip"}}], "OneOf: transforms has to be a list"),
        ([{"OneOf": {"transforms": [{"HorizontalFlip": {"p": 0}}]}}], "OneOf"),
        ([["HorizontalFlip"]], "is no transform; it has to be like HorizontalFlip: {p: 0.5}"),
        ([{"HorizontalFlip": [1]}], "its settings have to be like {p: 0.5}"),
        ([{"RandomFog": {}}], "there is no version of RandomFog for batches"),
        ([{"HorizontalFlip": {"p": 0, "5": None}}], "HorizontalFlip has no setting 5; decimals have a point"),
        ([{"HorizontalFlip": {"p": None}}], "HorizontalFlip: p = None"),
        ([{"SafeRotate": {"rotate": [-9, 9]}}], "SafeRotate has no setting rotate; it has "),
        ([{"SomeOf": {"transforms": ["Transpose"], "n": -1}}], "SomeOf: n is -1"),
        ([{"OneOf": {"transforms": []}}], "OneOf"),
        ([{"SomeOf": {"transforms": ["Transpose"] * 9, "n": 999, "replace": True}}], "more than 4,096 steps"),
        ([{"Lambda": {"name": "f"}}], "no transform is called 'Lambda'"),
        ([{"os.system": {}}], "no transform is called 'system'"),
        ({"a": 1}, "no pipeline"),
        ("text", "no pipeline"),
        (7, "no pipeline"),
        (
            {**A.to_dict(PIPELINE), "__version__": "1.4.24"},
            "written by albumentations 1.4.24; pipelines of 2.0 are read",
        ),
        ({**A.to_dict(PIPELINE), "__version__": "3.0.0"}, "written by albumentations 3.0.0"),
        ([{"OneOrOther": {"transforms": ["HorizontalFlip", "VerticalFlip"]}}], "OneOrOther cannot be run on batches"),
    ],
)
def test_what_is_no_pipeline(content, says):
    with pytest.raises(UserError) as error:
        curate.augment.compile(from_dict(content))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def inverted(image, **_):
    return 255 - image


class HorizontalFlip(A.ImageOnlyTransform):
    """Not the one of Albumentations."""

    def apply(self, img, **params):
        return 255 - img


@pytest.mark.parametrize(
    ("pipeline", "says"),
    [
        (A.OneOf([A.Transpose()], p=float("nan")), "OneOf: p is nan"),
        (A.Compose([A.Transpose()], p=2), "Compose: p is 2"),
        (A.Compose([A.Lambda(image=inverted, p=1)]), "there is no version of Lambda for batches"),
        (A.Compose([HorizontalFlip(p=1)]), "there is no version of HorizontalFlip for batches"),
        (None, "None is no transform of Albumentations"),
        (A.HorizontalFlip, "is no transform of Albumentations"),
        ([A.Transpose(), "Transpose"], "is no transform"),
    ],
)
def test_objects_that_cannot_be_run(pipeline, says):
    with pytest.raises(UserError) as error:
        curate.augment.compile(pipeline)
    assert says in str(error.value)


def test_transforms_of_others_run_with_the_fallback():
    for transform in (HorizontalFlip(p=1), A.Lambda(image=inverted, p=1)):
        augment = curate.augment.compile(A.Compose([transform]), fallback="cpu")
        np.testing.assert_array_equal(augment(pictures(32, 3), np.arange(8), 0), 255 - pictures(32, 3))


def test_misspelt_setting_of_an_object():
    with pytest.warns(UserWarning, match="not valid"):
        pipeline = A.Compose([A.RandomCrop(height=8, width=8, colour=3)])
    with pytest.raises(UserError, match=r"RandomCrop has no setting colour; it has .*pad_if_needed"):
        curate.augment.compile(pipeline)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.yaml", None, "No such file"),
        ("broken.json", "{", "is neither JSON nor YAML"),
        ("broken.yaml", "[", "is neither JSON nor YAML"),
        ("tag.yaml", "!!python/object/apply:os.system [ls]", "is neither JSON nor YAML"),
        ("bytes.yaml", b"\xff\xfe\x00", "not a text file"),
        ("typo.json", json.dumps([{"Flop": {}}]), "typo.json: no transform is called 'Flop'"),
        ("empty.yaml", "", "no pipeline"),
        ("itself.yaml", "- &a {Compose: {transforms: [*a]}}", "a transform that holds itself"),
    ],
)
def test_what_is_no_file(name, content, says, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        read_pipeline(path)
    assert says in str(error.value)
    assert name in str(error.value)
    assert "\n" not in str(error.value)
