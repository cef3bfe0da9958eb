"""What a quarter of an hour on two cores reaches: the training recipe `fast`, three seeds, on clean labels."""

import json
from pathlib import Path

import torch

from tests.benchmarks.label_sets import workspace
from tests.benchmarks.record import record
from train import parallel, recipes
from train import verbs as training

SEEDS = 3


def run() -> None:
    """As many seeds at the same time as there are cores: on two, the last is alone, and shows how long a user waits."""
    run_dir, _ = training.train(
        workspace("clean"), data="raw", seeds=SEEDS, settings=recipes.load("fast"), name="fast", resume=False
    )
    record("fast_recipe", "CIFAR-10 (JPEG copy), 50,000 training and 10,000 test images of 32 px", told(run_dir))


def told(run_dir: Path) -> dict[str, object]:
    """The figures of a finished run: accuracies with their seeds, and of each seed the minutes and the threads."""
    result = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
    epochs = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    wanted = ("accuracy", "accuracy_flip", "accuracy_multi_crop", "calibration_error", "config")
    return {
        **{name: result[name] for name in wanted},
        "threads": parallel.share_threads(len(result["seeds"]), result["at_once"], torch.get_num_threads()),
        "minutes": [
            sum(epoch["seconds"] for epoch in epochs if epoch["seed"] == seed) / 60 for seed in result["seeds"]
        ],
    }
