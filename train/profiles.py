"""How much `predict` does: named profiles, from one cross-validation to several on labels corrected in between."""

from dataclasses import dataclass, replace

from curate.errors import known
from train import recipes
from train.config import TrainConfig

MOST_EPOCHS = 20
"""For small sets: 720 digits or 5,000 photos have learned by then what a short training teaches."""


@dataclass(frozen=True)
class Profile:
    """What `predict` trains."""

    summary: str
    folds: int
    corrected: int
    """Rounds after the first, each on what the labels and all rounds before it say together."""
    recipe: str | None = None
    """Of `train.recipes`; None: the settings of the workspace's recipe."""
    images: int | None = None
    """That each network is shown, in images of 32 x 32 px, chosen for the time that takes; None: as the settings say.
    Small sets are shown more often, but not beyond `MOST_EPOCHS`, and every set at least `least_epochs` times."""
    least_epochs: int = 1


PROFILES = {
    "plain": Profile("one cross-validation with the workspace's settings", folds=5, corrected=0),
    "quick": Profile(
        "two cross-validations, the second on soft labels; for a CPU",
        folds=4,
        corrected=1,
        recipe="fast",
        images=370_000,
        least_epochs=5,
    ),
    "best": Profile(
        "five longer cross-validations, four of them on soft labels; for a GPU",
        folds=5,
        corrected=4,
        recipe="fast_gpu",
        images=640_000,
        least_epochs=16,
    ),
}


def find(name: str) -> Profile:
    """The profile of that name; raises `UserError` for one that there isn't."""
    if name not in PROFILES:
        raise known("profile", name, list(PROFILES))
    return PROFILES[name]


def settings(profile: Profile) -> dict[str, object]:
    """The training settings of the profile's recipe, without its number of epochs where the profile counts images."""
    own = recipes.load(profile.recipe) if profile.recipe else {}
    return {name: value for name, value in own.items() if name != "epochs" or profile.images is None}


def configured(profile: Profile, config: TrainConfig, *, images: int, side: int) -> TrainConfig:
    """The settings with the profile's number of epochs for networks that train on so many images of `side` px."""
    if profile.images is None:
        return config
    shown = max(images, 1) * (side / 32) ** 2
    return replace(config, epochs=max(profile.least_epochs, min(MOST_EPOCHS, round(profile.images / shown))))
