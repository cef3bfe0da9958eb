"""The checks, most important first. One more is one more function, and one line here."""

from tests.benchmarks.gpu.accuracy import best, imagenette, to_93
from tests.benchmarks.gpu.airbench import airbench94, airbench96
from tests.benchmarks.gpu.augmentation import augmentation
from tests.benchmarks.gpu.job import Check
from tests.benchmarks.gpu.labels import label_errors
from tests.benchmarks.gpu.many import many_networks
from tests.benchmarks.gpu.neighbors import neighbors
from tests.benchmarks.gpu.papers import degradation, identity_mappings
from tests.benchmarks.gpu.parity import parity
from tests.benchmarks.gpu.speed import epoch_seconds, folds
from tests.benchmarks.gpu.worth import curation

CIFAR10 = "CIFAR-10 (JPEG copy), 50,000 training and 10,000 test images of 32 px"
CLUSTERS = "1,000,000 unit vectors in clusters, 50,000 of them near-copies of known others, made on the device"
IMAGENETTE = "Imagenette, 9,469 training and 3,925 validation photos, brought from 224 to 128 px"

CHECKS: dict[str, Check] = {
    "parity": Check(
        parity,
        150,
        CIFAR10,
        "does the GPU compute what the CPU does, and does training wait for it?",
        "probabilities in fp32 differ by less than 0.001, and no epoch waits",
    ),
    "augmentation": Check(
        augmentation,
        150,
        "noise: 65,536 images of 32 px, 2,048 of 256 px",
        "how many images a second are augmented, and as on the processor?",
        "50 million of 32 px and 1.5 million of 224 px, on an H200; ten times Kornia",
    ),
    "neighbors": Check(
        neighbors,
        120,
        CLUSTERS,
        "in how many seconds are the nearest of each of a million vectors found?",
        "more queries a second than faiss on the machine's processor",
    ),
    "airbench94": Check(
        airbench94,
        420,
        CIFAR10,
        "how long do we take to the accuracy of `airbench94_muon.py`?",
        "no longer than it, in the same run",
    ),
    "folds": Check(
        folds,
        420,
        CIFAR10,
        "how long do five-fold predictions for 50,000 images take?",
        "60 s, compiling included, at 92 %",
    ),
    "label_errors": Check(
        label_errors,
        420,
        f"{CIFAR10}; labels of CIFAR-10N",
        "how many wrong labels does `predict --profile best` find, how well, and in how many seconds?",
        "F1 0.84 (`aggre`) and 0.92 (`worse`), 3 minutes each, on an H200",
        ("label_doubt",),
    ),
    "curation": Check(
        curation,
        560,
        f"{CIFAR10}; labels of CIFAR-10N",
        "what is curating worth, and how much of the way to true labels is it?",
        "three quarters of the way for `worse`, five seeds",
        ("label_doubt",),
    ),
    "to_93": Check(
        to_93,
        560,
        CIFAR10,
        "how many seconds of training to 93.0 % with the mirror image?",
        "30 s of training, on an H200",
    ),
    "epoch_seconds": Check(
        epoch_seconds,
        300,
        CIFAR10,
        "what is an epoch of `resnet18` worth compiled, and as CUDA graphs?",
        "0.65 s, on an H200; the fastest is what `compile: auto` takes",
    ),
    "many_networks": Check(
        many_networks,
        150,
        CIFAR10,
        "which way of training five small networks at once pays?",
        "more images a second than in turn",
    ),
    "airbench96": Check(
        airbench96,
        590,
        CIFAR10,
        "how long do we take to the accuracy of `airbench96_faster.py`?",
        "no longer than it, in the same run",
    ),
    "best": Check(
        best,
        590,
        CIFAR10,
        "how accurate is the best single network in ten minutes?",
        "95.0 % over shifted views",
    ),
    "imagenette": Check(
        imagenette,
        500,
        IMAGENETTE,
        "how accurate are photos at 128 px, trained from scratch?",
        "95 % single view",
    ),
    "degradation": Check(
        degradation,
        590,
        CIFAR10,
        "do plain networks get worse with depth, and residual ones better?",
        "every claim as in the paper",
    ),
    "identity_mappings": Check(
        identity_mappings,
        590,
        CIFAR10,
        "which residual block of 110 layers is best?",
        "every claim as in the paper",
    ),
}
"""Name -> function, seconds at most, data, what it answers, what to reach."""
