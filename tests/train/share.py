"""Trains digits by each of `SETTINGS`, alone or as one of torchrun's processes: `share.py FOLDER`.

The first process writes the weights, `FOLDER/NAME.safetensors`; each what it would draw for dropout after each epoch,
`FOLDER/NAME.RANK`.
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
SETTINGS: dict[str, dict[str, float]] = {
    "easy ones left out": {"skip_easy": 0.5},
    "steps": {"skip_easy": 0.5, "steps": 12},
    "mixed": {"cutmix": 1.0},
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    with distributed.joined("cpu"):
        for name, settings in SETTINGS.items():
            path, drawn = Path(sys.argv[1], name), list[float]()
            trained = train(
                replace(CONFIG, **settings),  # type: ignore[arg-type]
                digits(125),
                watch=lambda epochs, network: drawn.append(float(torch.rand(()))),  # noqa: B023  (called before it ends)
            )
            path.with_suffix(f".{distributed.rank()}").write_text(json.dumps(drawn))
            if distributed.first():
                figures = [[epoch.train_loss, epoch.train_acc, epoch.images] for epoch in trained.history]
                tensors = {name: tensor.contiguous() for name, tensor in trained.model.state_dict().items()}
                save_file(tensors, path.with_suffix(".safetensors"), {"history": json.dumps(figures)})
