"""The nearest of each of a million embeddings, every vector compared with every other, as `predict` looks for them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from curate.predictions import NEIGHBORS
from tests.benchmarks.gpu.job import Figures, Job, Parts
from tests.benchmarks.record import spread
from train.nearest import nearest

COUNT, FEW = 1_000_000, 3_000
"""Vectors; in a trial."""
SIZE = 512
"""Dimensions: those of the embeddings of `resnet18`."""
MOST = NEIGHBORS + 1
"""Nearest vectors of each, itself included."""
MEMBERS = 50
"""Vectors in a cluster, on average."""
CLOSE, LOOSE = 0.2, 1.5
"""Length of what is added to a cluster's centre, by cluster: its members are 1 / (1 + length ** 2) alike."""
PLANTED = 0.05
"""Share of the vectors that are near-copies of another."""
FURTHEST = 0.6
"""Length, at most, of what is added to a near-copy: 0.86 alike."""
WARM_UP = 20_000
"""Vectors that libraries are set up with."""
ROUNDS = 3
CHECKED = 512
"""Rows compared with a float64 product, half of them near-copies."""
BLOCK = 65_536
"""Vectors in a block of that product."""
QUERIES = 10_000
"""Of the million, that faiss is asked for: all would take it minutes."""
FAISS_SECONDS = 30
"""With less left it isn't tried."""
Found = TypeVar("Found")


def neighbors(job: Job) -> Parts:
    """The nearest of each vector, and faiss on the processor for some."""
    vectors, planted = clustered(FEW if job.small else COUNT, SIZE, job.device)
    figures, positions = closest(job, vectors, planted)
    yield "nearest", figures
    if job.left() > FAISS_SECONDS:
        yield "faiss-cpu", beside(job.work, vectors.cpu().numpy(), positions, median_of(figures))


def clustered(count: int, size: int, device: str) -> tuple[Tensor, Tensor]:
    """Unit vectors of shape (N, D) in clusters, float32, and positions of shape (P, 2): a vector and its near-copy."""
    draw = torch.Generator(device).manual_seed(0)

    def noise(rows: int, length: Tensor) -> Tensor:
        return torch.randn(rows, size, generator=draw, device=device) * (length / size**0.5)[:, None]

    clusters = count // MEMBERS
    centres = F.normalize(torch.randn(clusters, size, generator=draw, device=device))
    lengths = CLOSE + (LOOSE - CLOSE) * torch.rand(clusters, generator=draw, device=device)
    cluster = torch.randint(clusters, (count,), generator=draw, device=device)
    vectors = F.normalize(noise(count, lengths[cluster]) + centres[cluster])
    planted = torch.randperm(count, generator=draw, device=device)[: 2 * int(PLANTED * count)].view(-1, 2)
    lengths = FURTHEST * torch.rand(len(planted), generator=draw, device=device)
    vectors[planted[:, 1]] = F.normalize(vectors[planted[:, 0]] + noise(len(planted), lengths))
    return vectors, planted


def closest(job: Job, vectors: Tensor, planted: Tensor) -> tuple[Figures, np.ndarray]:
    """Seconds for the nearest of each, itself included, results on the host; the share that a float64 product finds,
    too, for some rows. And the positions, shape (N, `MOST`)."""
    nearest(vectors[:WARM_UP], most=MOST, device=job.device)
    (similarity, positions), figures = timed(job, lambda: nearest(vectors, most=MOST, device=job.device))
    rows = sample(planted, len(vectors))
    asked = vectors[torch.from_numpy(rows).to(vectors.device)].double()
    best = torch.cat([asked @ block.double().T for block in vectors.split(BLOCK)], 1).topk(MOST)
    exact = best.indices.cpu().numpy()
    return {
        "vectors": len(vectors),
        "dimensions": vectors.shape[1],
        **figures,
        "neighbours": MOST,
        "rows_checked": len(rows),
        "same": shared(exact, positions[rows]),
        "largest_difference": float(np.abs(best.values.cpu().numpy() - similarity[rows]).max()),
    }, positions


def beside(work: Path, vectors: np.ndarray, positions: np.ndarray, seconds: float) -> Figures:
    """Seconds that faiss takes on this machine's processor, the share of the nearest that it finds, and how many times
    as many queries a second the device answers, building the index left out. seconds: of the device, for all."""
    try:
        from curate.likeness.neighbors import Index
    except ImportError as error:
        return {"not_available": str(error)}
    started = time.perf_counter()
    index = Index.built(vectors, work / "neighbors.faiss")
    built = time.perf_counter()
    _, found = index.search(vectors[:QUERIES], most=MOST)
    ended = time.perf_counter()
    queries = len(found)
    return {
        "dimensions": vectors.shape[1],
        "build_seconds": built - started,
        "queries": queries,
        "search_seconds": ended - built,
        "recall": shared(positions[:QUERIES], found),
        "times_as_fast": (ended - built) / queries / (seconds / len(vectors)),
    }


def timed(job: Job, call: Callable[[], Found]) -> tuple[Found, dict[str, object]]:
    """What it returns, and seconds of `ROUNDS` calls, or of as many as fit into half of what is left; and the GPU's
    memory at its fullest, vectors included."""
    seconds: list[float] = []
    limit = job.left() / 2
    if job.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    while len(seconds) < ROUNDS and (not seconds or sum(seconds) + max(seconds) < limit):
        started = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - started)
    memory = {"gpu_gib": torch.cuda.max_memory_allocated() / 2**30} if job.device == "cuda" else {}
    return found, {"seconds": spread(seconds), **memory}


def sample(planted: Tensor, count: int) -> np.ndarray:
    """Positions of `CHECKED` vectors, half of them near-copies, each once, in ascending order."""
    copies = planted[: CHECKED // 2, 1].cpu().numpy()
    rest = np.linspace(0, count - 1, CHECKED).astype(np.int64)
    return np.unique(np.concatenate([copies, np.setdiff1d(rest, copies)[::2]]))


def shared(first: np.ndarray, second: np.ndarray) -> float:
    """Share of the positions in a row that are in the other's row, too. Both have shape (Q, `MOST`)."""
    return float((first[:, :, None] == second[:, None]).any(2).mean())


def median_of(figures: Figures) -> float:
    """Seconds, at the median."""
    seconds = figures["seconds"]
    assert isinstance(seconds, dict)
    return float(seconds["median"])
