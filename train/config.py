"""What a training run is told. Everything that decides its outcome, but for the images, is here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from curate import recipe
from curate.errors import UserError, known
from curate.workspace import Workspace
from train import models
from train.budget import parse_seconds

Optimizer = Literal["sgd", "muon"]
Schedule = Literal["cosine", "triangular", "step"]
Precision = Literal["auto", "bf16", "fp32"]
Device = Literal["auto", "cpu", "cuda"]
Compile = Literal["auto", "on", "graphs", "off"]

RANGES = (
    ("epochs", "whole", 1, 1e6),
    ("steps", "whole", 1, 1e9),
    ("batch_size", "whole", 2, 1e6),
    ("lr", "finite", 1e-9, 1e6),
    ("head_lr", "finite", 1e-9, 1e6),
    ("bias_lr", "finite", 1e-9, 1e6),
    ("momentum", "finite", 0, 0.9999),
    ("weight_decay", "finite", 0, 1),
    ("label_smoothing", "finite", 0, 0.99),
    ("warmup", "finite", 0, 1),
    ("small_first", "finite", 0, 1),
    ("skip_easy", "finite", 0, 0.9),
    ("pad", "whole", 0, 1e3),
    ("cutout", "whole", 0, 1e3),
    ("crop_area", "finite", 0.01, 1),
    ("mixup", "finite", 0, 100),
    ("cutmix", "finite", 0, 100),
    ("seed", "whole", 0, 2**53),
    ("image_size", "whole", 8, 4096),
    ("time_budget", "finite", 0.001, 1e8),
)
"""Setting, kind of number, lowest and highest value that can work."""

OPTIONAL = ("steps", "head_lr", "bias_lr", "image_size", "time_budget")
"""Settings that may be None."""

OF_SETS = ("pad", "flip", "cutout", "crop_area", "mixup", "cutmix", "augment", "image_size")
"""Settings that follow from the images, whatever network learns them."""
OF_RUNS = ("precision", "device", "compile", "seed", "time_budget")
"""Settings of where and when it is trained."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run, each with the reason for its value.

    The defaults are for 32 px images on two CPU cores: a 5-fold cross-validation of 50,000 images took 9.5 minutes on
    an Intel Xeon with AMX (2,150 images/s), and would take 15 on an AMD EPYC with AVX512-BF16, where one core trains on
    689 images a second (batches of 256) and nothing else runs. Trained on 40,000 images of CIFAR-10 (JPEG copy) of
    which 9 % carried a wrong label (CIFAR-10N aggre): 79.0 % single view and 79.7 % with flip on 5,000 test images (one
    run).
    """

    model: str = "resnet_fast"
    """Learns most per CPU second; with a GPU take resnet18."""
    model_options: Mapping[str, models.Option] = field(default_factory=dict, hash=False)
    """Options of the network, for instance {shortcut: B} for resnet20. Left out of the hash, which a mapping has not;
    two configurations are equal only if they agree in it."""
    epochs: int = 6
    """As many as a break allows; more are better where there is time, 9 for a single training of 6 minutes."""
    steps: int | None = None
    """Of training in all, in place of `epochs`, in batches of `batch_size` whatever the size of the set: sets of
    different size are then learned equally long. Images that `skip_easy` leaves out count as seen."""
    batch_size: int = 256
    """Images a step. Short training is short of steps: on 10,000 images and 3 epochs, before the stem started from
    patches, test accuracy was 47 % in batches of 512 (lr 1.2), 50 % in 256 (lr 0.8) and 52 % in 128 (lr 0.4); one run
    each, 2,000 images, +-2. Sets too small for 32 steps an epoch have smaller batches, see `train.schedule`."""
    lr: float = 0.8
    """Highest learning rate, for batches of `batch_size`; where a set is too small for them, less by the square root
    of how much smaller they are. 720 digits, 3 epochs, batches of 22: 94.6 % at 0.07, which proportion would give,
    98.2 % at 0.24, the root, and 98.9 % at 0.35 (355 test images, mean of 2 seeds). On 20,000 photos, 4
    epochs and batches of 512, 0.4 reached 53 % and 0.15 only 45 %: high rates are what short training needs."""
    optimizer: Optimizer = "sgd"
    """sgd, or muon, which turns filters by `lr` of their norm in a step: see `train.optimizer`."""
    head_lr: float | None = None
    """Of the last layer and other matrices; None: `lr`."""
    bias_lr: float | None = None
    """Of biases and batch normalisation; None: `lr`."""
    momentum: float = 0.9
    """With Nesterov's correction: Sutskever et al. 2013."""
    weight_decay: float = 5e-4
    """Of convolutions and the head, not of biases and batch normalisation: He et al. 2019, "Bag of Tricks"."""
    label_smoothing: float = 0.1
    """Szegedy et al. 2016; it also keeps a network from being certain of wrong labels."""
    schedule: Schedule = "triangular"
    """A line up, a line down to 0: Page 2019, for trainings of few epochs. "step" is that of the ResNet papers."""
    warmup: float = 0.2
    """Share of training in which the learning rate rises: Page 2019."""
    small_first: float = 0.0
    """Share of training, at its start, on images of three quarters of the side, which cost half as much: Howard 2018,
    "Training ImageNet in 3 hours"; an error says so where a network is not for images so small."""
    skip_easy: float = 0.0
    """Share that is left out, but for the first and the last epochs, of the images whose loss was below the mean; the
    rest of these count for them: Qin et al. 2024, "InfoBatch", who have 0.5. Off: it is for trainings that are long
    for their network, see docs/log.md."""
    pad: int = 4
    """Shift by up to so many pixels each way, the border reflected: He et al. 2015, for 32 px."""
    flip: bool = True
    """Mirror left and right. Off for what must not be mirrored: digits, letters, signs."""
    cutout: int = 0
    """Side of the grey square in pixels (DeVries, Taylor 2017). Off: it is against overfitting; 6 epochs underfit."""
    crop_area: float = 1.0
    """Least share of its area that is seen of an image, brought to full size: Szegedy et al. 2015, section 6, who have
    0.08 for photos. 1 for none: objects in small images fill them."""
    mixup: float = 0.0
    """Alpha of Zhang et al. 2018: every image is mixed with another, and its label too; the weights are drawn from
    Beta(alpha, alpha). Off: against overfitting, for long training; the paper has 1 for CIFAR."""
    cutmix: float = 0.0
    """Alpha of Yun et al. 2019: a square of another image, of an area drawn from Beta(alpha, alpha). Off, as mixup; the
    paper has 1. One of the two."""
    augment: Mapping[str, Any] | list[Any] | None = field(default=None, hash=False)
    """A pipeline of Albumentations in place of `pad` … `cutmix`: what `A.to_dict` gives, or a list such as
    [HorizontalFlip: {p: 0.5}, Transpose]; see docs/augment.md. None: what those settings say."""
    precision: Precision = "auto"
    """bf16 where the hardware computes in it: 1.8 times the speed of fp32 (resnet_fast, AVX512-BF16)."""
    device: Device = "auto"
    """CUDA where there is some."""
    compile: Compile = "auto"
    """torch.compile, timed apart; "auto" does on CUDA alone, in one process, where there is a C++ compiler: on CPU a
    short training ends before it pays. "graphs" also lets CUDA replay the steps without the processor, for networks of
    many small layers."""
    seed: int = 0
    """Decides weights, order and augmentation."""
    image_size: int | None = None
    """Side in pixels; None: chosen from the images, see `train.data.common_size`."""
    time_budget: float | None = None
    """Seconds of each training, or a text such as 16m: where the clock is ahead of the steps, the schedule follows the
    clock, and the learning rate comes down to 0 when time is up. Results then depend on the speed of the machine,
    and do not repeat bit for bit. Evaluation and compiling do not count."""

    def __post_init__(self) -> None:
        """Raises `UserError` for a value that cannot work."""
        if not isinstance(self.model_options, Mapping):
            example = "{shortcut: B}"
            raise UserError(f"training setting model_options = {self.model_options!r}; it has to be like {example}")
        models.check(self.model, self.model_options)
        for name, kind, low, high in RANGES:
            value = getattr(self, name)
            number = not isinstance(value, bool) and isinstance(value, int if kind == "whole" else (int, float))
            if value is None and name in OPTIONAL:
                continue
            if not (number and low <= value <= high):  # not a number lies nowhere
                raise UserError(
                    f"training setting {name} = {value!r}; it has to be a {kind} number from {low:g} to {high:g}"
                )
        if self.augment is not None and not isinstance(self.augment, Mapping | list):
            raise UserError(f"training setting augment = {self.augment!r}; it has to be a list of transforms")
        mixing = "mixup" if self.mixup else "cutmix"
        if self.skip_easy and (self.mixup or self.cutmix):
            raise UserError(
                f"skip_easy = {self.skip_easy:g} and {mixing} = {getattr(self, mixing):g}; set one of them to 0: "
                "whether an image is easy cannot be told from its mixture with another"
            )
        if self.mixup and self.cutmix:
            raise UserError(f"mixup = {self.mixup:g} and cutmix = {self.cutmix:g}; set one of them to 0")
        if not isinstance(self.flip, bool):
            raise UserError(f"training setting flip = {self.flip!r}; it has to be true or false")
        for name, choices in (
            ("optimizer", Optimizer),
            ("schedule", Schedule),
            ("precision", Precision),
            ("device", Device),
            ("compile", Compile),
        ):
            if getattr(self, name) not in get_args(choices):
                there = ", ".join(get_args(choices))
                raise UserError(f"training setting {name} = {getattr(self, name)!r}; it has to be one of: {there}")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> "TrainConfig":
        """Settings from a recipe or a JSON file; an unknown key raises `UserError` naming the known ones."""
        names = [each.name for each in fields(cls)]
        for key in settings:
            if key not in names:
                raise known("training setting", str(key), names)
        if isinstance(settings.get("compile"), bool):  # YAML reads a plain on and off so
            settings = {**settings, "compile": "on" if settings["compile"] else "off"}
        if isinstance(settings.get("time_budget"), str):
            settings = {**settings, "time_budget": parse_seconds(settings["time_budget"])}
        return cls(**settings)

    def as_dict(self) -> dict[str, object]:
        """The settings by name, ready for JSON."""
        return asdict(self)


def configure(workspace: Workspace, settings: Mapping[str, object]) -> TrainConfig:
    """The training settings of the workspace's recipe, changed by `settings`."""
    return TrainConfig.from_mapping({**recipe.in_workspace(workspace).train, **settings})


def by_epochs(config: TrainConfig) -> TrainConfig:
    """The settings themselves; raises `UserError` where they count steps, in verbs that go by epochs."""
    if config.steps is not None:
        raise UserError(f"steps = {config.steps}; this verb goes by epochs: set epochs, and leave steps out")
    return config
