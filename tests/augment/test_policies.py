"""Policies: what the papers say happens to an image, in Albumentations and on batches."""

import json
import subprocess
import sys
from collections import Counter

import albumentations as A
import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageEnhance, ImageOps

import curate.augment
from curate.augment import AlternatingFlip, AugMix, RandAugment, TrivialAugment
from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.pipeline import batched
from curate.augment.policies import aug_mix, operations, rand_augment, trivial_augment
from curate.errors import UserError
from tests.augment.cases import pictures

POLICIES = [RandAugment(), RandAugment(n=3, magnitude=30), TrivialAugment(), AugMix(), AugMix(severity=10, depth=2)]
CHOICES = {
    "RandAugment": rand_augment.choices(20, 0),
    "TrivialAugment": trivial_augment.choices(0),
    "AugMix": aug_mix.choices(10, (9, 8, 7)),
}
SIDE = 32
FRAME = Frame(SIDE, SIDE, 3)


def enhanced(kind, factor):
    return lambda image: kind(image).enhance(factor)


@pytest.mark.parametrize(
    ("ours", "pillow", "levels"),
    [
        (operations.brightness(0.6, 0.6), enhanced(ImageEnhance.Brightness, 1.6), 1),
        (operations.brightness(-0.6, -0.6), enhanced(ImageEnhance.Brightness, 0.4), 1),
        (operations.contrast(0.6, 0.6), enhanced(ImageEnhance.Contrast, 1.6), 1),
        (operations.contrast(-0.6, -0.6), enhanced(ImageEnhance.Contrast, 0.4), 1),
        (operations.color(0.6, 0.6), enhanced(ImageEnhance.Color, 1.6), 2),
        (operations.color(-0.6, -0.6), enhanced(ImageEnhance.Color, 0.4), 2),
        (operations.sharpness(0.6, 0.6), enhanced(ImageEnhance.Sharpness, 1.6), 0),
        (operations.sharpness(-0.6, -0.6), enhanced(ImageEnhance.Sharpness, 0.4), 0),
        (operations.posterize([(3, 1.0)]), lambda image: ImageOps.posterize(image, 3), 0),
        (operations.solarize(0.4, 0.4), lambda image: ImageOps.solarize(image, 102), 0),
        (operations.auto_contrast(), ImageOps.autocontrast, 1),
    ],
)
def test_operations_do_what_pillow_does(ours, pillow, levels):
    for image in pictures(SIDE, 3):
        wanted = np.asarray(pillow(Image.fromarray(image))).astype(int)
        assert np.abs(ours(image=image, force_apply=True)["image"] - wanted).max() <= levels


@pytest.mark.parametrize(
    ("ours", "matrix"),
    [
        (operations.shear("x", 0.3, 0.3, fill=0), [[1, -0.3], [0, 1]]),
        (operations.shear("y", -0.3, -0.3, fill=0), [[1, 0], [0.3, 1]]),
        (operations.rotate(30, 30, fill=0), [[3**0.5 / 2, 0.5], [-0.5, 3**0.5 / 2]]),
    ],
)
def test_operations_turn_and_shear_about_the_middle(ours, matrix):
    ours(image=pictures(SIDE, 3)[0], force_apply=True)
    np.testing.assert_allclose(ours.params["matrix"][:2, :2], matrix, atol=1e-9)
    middle = np.array([(SIDE - 1) / 2, (SIDE - 1) / 2, 1])
    np.testing.assert_allclose(ours.params["matrix"] @ middle, middle)


@pytest.mark.parametrize(("share", "pixels"), [(0.25, 8), (-0.1, -3)])
def test_operations_move_by_a_share_of_the_side(share, pixels):
    moved = operations.translate("x", share, share, fill=9)(image=pictures(SIDE, 3)[0], force_apply=True)["image"]
    wanted = np.full_like(moved, 9)
    wanted[:, max(pixels, 0) : SIDE + min(pixels, 0)] = pictures(SIDE, 3)[0][:, max(-pixels, 0) : SIDE - max(pixels, 0)]
    np.testing.assert_array_equal(moved, wanted)


@pytest.mark.parametrize(
    ("magnitude", "bits", "threshold"), [(0, 8, 255), (3, 8, 229.5), (9, 7, 178.5), (20, 5, 85), (30, 4, 0)]
)
def test_a_magnitude_means_what_it_means_in_torchvision(magnitude, bits, threshold):
    found = {type(each).__name__: each for each in rand_augment.choices(magnitude, 0)}
    assert ("Posterize" in found) == (bits < 8)
    if bits < 8:
        assert found["Posterize"].num_bits == (bits, bits)
    low, high = found["Solarize"].threshold_range
    assert low == high == threshold / 255


def test_rand_augment_has_fourteen_operations_each_as_probable():
    children = rand_augment.choices(9, 0)
    assert sum(child.p for child in children) == 14
    assert all(child.p in (0.5, 1) for child in children)


def applied(policy, *, rounds, seed=0):
    """Names of what Albumentations applies, one tuple for each image."""
    pipeline = A.Compose([policy], save_applied_params=True, seed=seed)
    image = pictures(SIDE, 3)[1]
    return [tuple(name for name, _ in pipeline(image=image)["applied_transforms"]) for _ in range(rounds)]


def test_slots_of_rand_augment_choose_apart():
    """Of 196 pairs of operations, a seed must not leave the 14 of twice the same."""
    pairs = Counter(names for names in applied(RandAugment(), rounds=1500) if len(names) == 2)
    assert len(pairs) > 40
    assert pairs["Equalize", "Solarize"] > 0


def test_trivial_augment_applies_one_operation():
    counts = Counter(applied(TrivialAugment(), rounds=2000))
    assert all(len(names) == 1 for names in counts)
    assert counts["Affine",] == pytest.approx(2000 * 5 / 14, abs=100)
    assert counts["Equalize",] == pytest.approx(2000 / 14, abs=50)
    assert counts["NoOp",] == pytest.approx(2000 / 14 * (1 + 3 / 31), abs=50)  # 3 of 31 magnitudes leave all bits


@pytest.mark.parametrize("policy", [RandAugment(), TrivialAugment()], ids=str)
def test_masks_move_with_the_image(policy):
    image = np.repeat(pictures(SIDE, 1)[3], 3, 2)
    found = [A.Compose([policy], seed=seed)(image=image, mask=image[:, :, 0]) for seed in range(40)]
    assert any((each["mask"] != image[:, :, 0]).any() for each in found)


@pytest.mark.parametrize("policy", [*POLICIES, AlternatingFlip(), curate.augment.MixUp(0.3), curate.augment.CutMix()])
def test_written_and_read_again(policy, tmp_path):
    written = A.to_dict(A.Compose([policy]))
    assert repr(A.from_dict(json.loads(json.dumps(written))).transforms[0]) == repr(policy)
    for name in ("pipeline.json", "pipeline.yaml"):
        A.save(A.Compose([policy]), tmp_path / name, data_format=name.split(".")[1])
        assert steps_of(tmp_path / name) == steps_of([policy])
    settings = {key: value for key, value in written["transform"]["transforms"][0].items() if key[0] != "_"}
    (tmp_path / "short.yaml").write_text(yaml.safe_dump([{type(policy).__name__: settings}]))
    assert steps_of(tmp_path / "short.yaml") == steps_of([policy])


def steps_of(pipeline):
    return [(repr(step.transform.settings), step.gates) for step in curate.augment.compile(pipeline).steps]


def test_replay_compose_replays_policies():
    pipeline = A.ReplayCompose([RandAugment(n=3), TrivialAugment()])
    for image in pictures(SIDE, 3):
        done = pipeline(image=image)
        np.testing.assert_array_equal(A.ReplayCompose.replay(done["replay"], image=image)["image"], done["image"])


@pytest.mark.parametrize("choices", CHOICES)
def test_batches_get_the_pixels_of_albumentations(choices):
    images = np.concatenate([pictures(SIDE, 3)] * 3)
    for operation in CHOICES[choices]:
        pipeline = A.Compose([A.OneOf([operation], p=1.0)], save_applied_params=True, seed=0)
        theirs = [pipeline(image=image) for image in images]
        ours = curate.augment.compile(pipeline).replay(images, [each["applied_transforms"] for each in theirs])
        off = np.abs(ours.astype(int) - np.stack([each["image"] for each in theirs]))
        assert (off <= 2).mean() > 0.999, operation


@pytest.mark.parametrize("mode", ["exact", "fused"])
@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_an_image_gets_the_same_in_any_batch(policy, mode):
    program, ids = curate.augment.compile(policy, seed=5, mode=mode), np.arange(8) * 7 + 3
    whole, order = program(pictures(SIDE, 3), ids, 2), np.array([5, 0, 7])
    np.testing.assert_array_equal(whole[order], program(pictures(SIDE, 3)[order], ids[order], 2))
    assert (whole != program(pictures(SIDE, 3), ids, 3)).any((1, 2, 3)).sum() >= 4


def test_aug_mix_is_the_weighted_mean_of_its_chains():
    """Beside each chain run for itself, one image after the other."""
    transform = batched(AugMix(width=2, depth=1))
    images = torch.from_numpy(pictures(SIDE, 3))
    params = transform.draw(Stream(0, 0, torch.arange(8)).at(0), FRAME)
    mixed = transform.apply(images, params)
    for number in range(8):
        chains = [alone(transform, images[number], params, number, chain) for chain in range(2)]
        own, shares = params["own"][number], params["shares"][number]
        wanted = own * images[number] + (1 - own) * (shares[0] * chains[0] + shares[1] * chains[1])
        assert (mixed[number].double() - wanted).abs().max() <= 0.501


def alone(transform, image, params, number, chain):
    """What a chain makes of an image."""
    image = image[None]
    for at, step in enumerate(transform.steps):
        begin = f"{at} "
        mine = {
            key.removeprefix(begin): value[number, chain][None] for key, value in params.items() if begin in key[:3]
        }
        if mine.pop("passed"):
            image = step.transform.apply(image, mine)
    return image[0].double()


def test_aug_mix_draws_as_the_paper_says():
    transform = batched(AugMix(depth=3, width=3))
    params = transform.draw(Stream(1, 0, torch.arange(4000)).at(0), FRAME)
    assert params["own"].mean().item() == pytest.approx(0.5, abs=0.03)
    torch.testing.assert_close(params["shares"].sum(1), torch.ones(4000, dtype=torch.float64))
    assert params["shares"].std().item() == pytest.approx(18**-0.5, abs=0.02)  # Dirichlet(1, 1, 1)
    passed = torch.stack([value for key, value in params.items() if key.endswith(" passed")])
    depths = torch.bincount(passed.sum(0).flatten(), minlength=4)
    assert depths.tolist() == pytest.approx([0, 4000, 4000, 4000], abs=250)
    assert (passed[:, :, 0] != passed[:, :, 1]).any()


def test_alternating_flip_shows_both_sides_in_two_epochs():
    images, ids = pictures(SIDE, 3), np.arange(8) + 20
    program = curate.augment.compile(AlternatingFlip(), seed=3)
    epochs = [program(images, ids, epoch) for epoch in range(4)]
    np.testing.assert_array_equal(epochs[0], epochs[2])
    np.testing.assert_array_equal(epochs[1], epochs[3])
    np.testing.assert_array_equal(epochs[0], epochs[1][:, :, ::-1])
    mirrored = [(image != before).any() for image, before in zip(epochs[0], images, strict=True)]
    assert 0 < sum(mirrored) < 8


def test_alternating_flip_mirrors_half():
    params = batched(AlternatingFlip()).draw(Stream(0, 1, torch.arange(10_000)).at(0), FRAME)
    assert params["mirrored"].double().mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("policy", [AlternatingFlip, AugMix])
def test_one_image_is_not_enough_for_albumentations(policy):
    with pytest.raises(UserError, match=r"curate\.augment\.compile"):
        A.Compose([policy()])(image=pictures(SIDE, 3)[0])


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"RandAugment": {"n": 0}}, "n is 0"),
        ({"RandAugment": {"n": 2.5}}, "n is 2.5"),
        ({"RandAugment": {"magnitude": 31}}, "magnitude is 31; it has to be a whole number from 0 to 30"),
        ({"RandAugment": {"m": 3}}, "RandAugment: .*'m'"),
        ({"TrivialAugment": {"p": 2}}, "p is 2"),
        ({"AugMix": {"severity": 11}}, "severity = 11"),
        ({"AugMix": {"depth": 0}}, "depth = 0"),
        ({"AugMix": {"chains": 3}}, "AugMix has no setting chains; it has p, alpha, depth, fill, severity, width"),
        ({"MixUp": {"alpha": 0}}, "alpha = 0"),
        ({"CutMix": {"alpha": -1}}, "alpha = -1"),
        ({"Sharpness": {"factor": [2, 1]}}, "a range such as"),
        ({"RandAugmnt": {}}, "did you mean RandAugment"),
    ],
)
def test_settings_that_cannot_be(written, message):
    with pytest.raises(UserError, match=message):
        curate.augment.compile([written])


def test_importing_the_package_does_not_import_albumentations():
    code = "import sys, curate.augment; sys.exit('albumentations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
