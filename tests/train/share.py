"""Trains digits, alone or as one of torchrun's processes, and writes the weights: `share.py FILE SETTINGS`."""

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
        trained = train(replace(CONFIG, **SETTINGS[sys.argv[2]]), digits(125))  # type: ignore[arg-type]
        if distributed.first():
            figures = [[epoch.train_loss, epoch.train_acc, epoch.images] for epoch in trained.history]
            tensors = {name: tensor.contiguous() for name, tensor in trained.model.state_dict().items()}
            save_file(tensors, Path(sys.argv[1]), {"history": json.dumps(figures)})
