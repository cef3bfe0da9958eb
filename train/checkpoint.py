"""The state of an unfinished training run in one file: weights, momentum, epoch. No pickle is read or written."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from curate.errors import UserError
from curate.files import write_bytes_atomic
from curate.wording import pasted
from train.config import TrainConfig
from train.optimizer import SGD

CHECKPOINT = "checkpoint.safetensors"
"""The file, in the folder of a training."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch of training came to: a line of `metrics.jsonl`."""

    seed: int
    epoch: int
    """1 for the first."""
    train_loss: float
    """Mean cross-entropy of the augmented images, label smoothing included."""
    train_acc: float
    """On augmented images, while the weights changed; 0 to 1."""
    eval_acc: float | None
    """On (a sample of) the evaluation set, single view; 0 to 1; None without one."""
    seconds: float
    """Of training alone."""
    eval_seconds: float = 0.0
    """Of the evaluation after the epoch."""
    compile_seconds: float = 0.0
    """Of compiling the network before the epoch: the first of a run, and the first after an interruption."""
    images: int = 0
    """That were trained on: all, or fewer where easy ones were left out, or `steps` or the time budget ended the
    epoch."""
    share: float = 1.0
    """Of the epoch's steps that were taken: 1, or less where `steps` or the time budget ended it."""
    lr: float = 0.0
    """Learning rate of the last step."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on as if it had not stopped."""

    weights: dict[str, Tensor]
    momentum: dict[str, Tensor]
    history: list[Epoch]
    losses: Tensor | None
    """Shape (N,), float32: of each image, when it was last seen; None where the run doesn't need them."""
    margins: Tensor | None
    """Shape (E, N), float16: see `train.epoch.Training`; None where the run doesn't keep them."""


def write_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: SGD,
    history: list[Epoch],
    config: TrainConfig,
    data: str,
    losses: Tensor | None = None,
    margins: Tensor | None = None,
) -> None:
    """Write the run's state after `history`; a kill at any moment leaves the last state or this one."""
    tensors = {f"weights/{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        buffer = optimizer.state[parameter].get("momentum_buffer")
        if buffer is not None:
            tensors[f"momentum/{name}"] = buffer
    tensors |= {name: it for name, it in (("losses", losses), ("margins", margins)) if it is not None}
    about = {
        "config": json.dumps(config.as_dict()),
        "data": data,
        "history": json.dumps([asdict(epoch) for epoch in history]),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes_atomic(path, save(tensors, about))


def read_checkpoint(path: Path, config: TrainConfig, data: str) -> Checkpoint | None:
    """The state in `path`, None where there is no such file.

    Raises `UserError` where it is another run's (naming what differs) and where the file is no checkpoint.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        history = [Epoch(**line) for line in json.loads(about["history"])]
        theirs = json.loads(about["config"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{pasted(path)} is no checkpoint of this trainer ({error}); delete it, or start over with --fresh"
        ) from None
    if unlike := differences(theirs, about["data"], config, data):
        way_out = "--fresh forgets it (or delete its folder), with the settings of then it goes on"
        raise UserError(f"{pasted(path)} belongs to another run: {'; '.join(unlike)}; {way_out}")
    weights, momentum = _part(tensors, "weights/"), _part(tensors, "momentum/")
    return Checkpoint(weights, momentum, history, tensors.get("losses"), tensors.get("margins"))


def differences(theirs: Mapping[str, object], their_data: str, config: TrainConfig, data: str) -> list[str]:
    """What of the settings and the data of a training that was kept is not as here; empty where all is.

    theirs: settings as they were read from JSON. their_data, data: hashes.
    """
    ours = json.loads(json.dumps(config.as_dict()))
    found = [
        f"{name} = {theirs.get(name)!r} there, {value!r} here"
        for name, value in ours.items()
        if theirs.get(name) != value
    ]
    return found if their_data == data else [*found, f"data {their_data[:8]} there, {data[:8]} here"]


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: SGD) -> None:
    """Put a checkpoint's state into a freshly built model and optimizer.

    Raises `UserError` where its weights are not those of this network, as after a change of the network's code.
    """
    load_weights(model, checkpoint.weights, "the checkpoint", "delete it to start over (--fresh)")
    for name, parameter in model.named_parameters():
        if name in checkpoint.momentum:
            buffer = torch.empty_like(parameter, requires_grad=False).copy_(checkpoint.momentum[name])
            optimizer.state[parameter]["momentum_buffer"] = buffer


def load_weights(model: nn.Module, weights: dict[str, Tensor], what: str, way_out: str) -> None:
    """Set a network's weights. Raises `UserError` where they are another network's."""
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    theirs = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if own != theirs:
        name = min(name for name in own.keys() | theirs.keys() if own.get(name) != theirs.get(name))
        raise UserError(
            f"{what} is of another network: {name} is {theirs.get(name, 'missing')} there and "
            f"{own.get(name, 'missing')} here; {way_out}"
        )
    model.load_state_dict(weights)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
