"""Trains digits, alone or as one of torchrun's processes, and writes the weights: `share.py FILE SETTINGS`.

Each process also writes what it would draw for dropout after each epoch: `FILE.RANK`.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.train.digits import QUICK, digits
from train import distributed
from train.loop import train

CONFIG = replace(QUICK, epochs=3, batch_size=31, lr=0.02, precision="fp32", device="cpu")
SETTINGS: dict[str, dict[str, float]] = {"easy ones left out": {"skip_easy": 0.5}, "mixed": {"cutmix": 1.0}}

if __name__ == "__main__":
    torch.set_num_threads(1)
    with distributed.joined("cpu"):
        drawn: list[float] = []
        trained = train(
            replace(CONFIG, **SETTINGS[sys.argv[2]]),  # type: ignore[arg-type]
            digits(125),
            watch=lambda epochs, network: drawn.append(float(torch.rand(()))),
        )
        Path(f"{sys.argv[1]}.{distributed.rank()}").write_text(json.dumps(drawn))
        if distributed.first():
            figures = [[epoch.train_loss, epoch.train_acc, epoch.images] for epoch in trained.history]
            tensors = {name: tensor.contiguous() for name, tensor in trained.model.state_dict().items()}
            save_file(tensors, Path(sys.argv[1]), {"history": json.dumps(figures)})
