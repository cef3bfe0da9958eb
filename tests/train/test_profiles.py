"""How long a profile trains, and what it takes from its recipe."""

import pytest

from curate.errors import UserError
from train.config import TrainConfig
from train.profiles import MOST_EPOCHS, PROFILES, configured, find, settings


@pytest.mark.parametrize(
    ("profile", "images", "side", "epochs"),
    [
        ("quick", 37_500, 32, 10),  # CIFAR-10, three of four folds
        ("quick", 1_000_000, 32, 5),  # every set at least so often
        ("quick", 720, 32, MOST_EPOCHS),
        ("quick", 720, 8, MOST_EPOCHS),
        ("quick", 0, 32, MOST_EPOCHS),
        ("quick", 9_375, 64, 10),  # a quarter as many of four times the size
        ("quick", 5_000, 128, 5),
        ("best", 40_000, 32, 16),
        ("best", 1_000_000, 32, 16),
        ("best", 10, 32, MOST_EPOCHS),
        ("plain", 40_000, 32, 3),  # those of the settings
    ],
)
def test_epochs(profile: str, images: int, side: int, epochs: int) -> None:
    config = configured(PROFILES[profile], TrainConfig(epochs=3, lr=0.25), images=images, side=side)
    assert (config.epochs, config.lr) == (epochs, 0.25)


def test_more_images_never_have_more_epochs() -> None:
    for profile in PROFILES.values():
        counts = [configured(profile, TrainConfig(), images=10**power, side=32).epochs for power in range(1, 8)]
        assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("name", PROFILES)
def test_settings_are_settings_of_a_training(name: str) -> None:
    own = settings(find(name))
    TrainConfig.from_mapping(own)
    assert "epochs" not in own
    assert bool(own) == (name != "plain")


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(
        UserError, match=r"no profile is called 'qick' \(did you mean 'quick'\?\); there are: best, plain, quick"
    ):
        find("qick")
