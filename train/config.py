"""What a training run is told. Everything that decides its outcome, but for the images, is here."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from curate.errors import UserError
from train import models

Schedule = Literal["cosine", "triangular"]
Precision = Literal["auto", "bf16", "fp32"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run, each with the reason for its value."""

    model: str = "resnet_fast"
    epochs: int = 8
    batch_size: int = 512
    """Images a step. Sets too small for 32 such steps an epoch are trained in smaller batches, see `train.loop`."""
    lr: float = 0.5
    """Highest learning rate, for batches of `batch_size`; smaller batches get proportionally less."""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    schedule: Schedule = "triangular"
    warmup: float = 0.2
    pad: int = 4
    flip: bool = True
    cutout: int = 0
    precision: Precision = "auto"
    device: Device = "auto"
    seed: int = 0
    image_size: int | None = None

    def __post_init__(self) -> None:
        """Raises `UserError` for a value that cannot work."""
        if self.model not in models.names():
            models.build(self.model, num_classes=2, image_size=32)  # raises the error that names the models
        for name, low, high in (
            ("epochs", 1, math.inf),
            ("batch_size", 2, math.inf),
            ("lr", 1e-12, math.inf),
            ("momentum", 0, 0.9999),
            ("weight_decay", 0, 1),
            ("label_smoothing", 0, 0.99),
            ("warmup", 0, 1),
            ("pad", 0, math.inf),
            ("cutout", 0, math.inf),
            ("seed", 0, 2**63 - 1),
            ("image_size", 8, 4096),
        ):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and low <= value <= high):
                raise UserError(f"training setting {name} = {value!r}; it has to be {low:g} or more and {high:g} or less")
        for name, choices in (("schedule", Schedule), ("precision", Precision), ("device", Device)):
            if getattr(self, name) not in get_args(choices):
                raise UserError(
                    f"training setting {name} = {getattr(self, name)!r}; it has to be one of: {', '.join(get_args(choices))}"
                )

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> "TrainConfig":
        """A configuration from a recipe's or a JSON file's settings; an unknown key raises `UserError` naming all keys."""
        names = [field.name for field in fields(cls)]
        for key in settings:
            if key not in names:
                raise UserError(f"no training setting is called {key!r}; there are: {', '.join(names)}")
        return cls(**settings)

    def as_dict(self) -> dict[str, int | float | str | None]:
        """The settings by name, ready for JSON."""
        return asdict(self)
