"""All pairs of a million vectors that are alike, and the nearest of each, every vector compared with every other."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.benchmarks.gpu.job import Figures, Job, Parts
from tests.benchmarks.record import spread
from train.nearest import above, nearest

COUNT, FEW = 1_000_000, 3_000
"""Vectors; in a trial."""
WIDE, NARROW = 512, 48
"""Dimensions: of a network's embeddings, and of what look-alikes are searched by."""
LEAST = 0.9
"""Similarity of a pair. About 2.6 million pairs of a million vectors are that alike, and some of all degrees around."""
MOST = 46
"""Nearest vectors of each."""
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
QUERIES = 100_000
"""Of the million, that faiss is asked for: all would take it minutes."""
FAISS_SECONDS = 30
"""With less left it isn't tried."""
Found = TypeVar("Found")


def neighbors(job: Job) -> Parts:
    """Pairs above a threshold, the nearest of each vector, and faiss on the processor for these."""
    count = FEW if job.small else COUNT
    vectors, planted = clustered(count, WIDE, job.device)
    yield f"pairs of {LEAST} and more", pairs(job, vectors, planted)
    del vectors
    vectors, planted = clustered(count, NARROW, job.device)
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


def pairs(job: Job, vectors: Tensor, planted: Tensor) -> Figures:
    """Seconds for all pairs, results on the host; the share of planted pairs among them, of those that are alike
    enough; and how many pairs of some rows differ from what a float64 product finds."""
    count = len(vectors)
    above(vectors[:WARM_UP], least=LEAST, device=job.device)
    (a, b, similarity), figures = timed(job, lambda: above(vectors, least=LEAST, device=job.device))
    found = a * count + b  # in ascending order, as `above` sorts them
    left, right = (vectors[side].double() for side in planted.T)
    alike = planted[(left * right).sum(1).float() >= LEAST].cpu().numpy()
    wanted = alike.min(1) * count + alike.max(1)
    rows = sample(planted, count)
    asked = np.isin(a, rows) | np.isin(b, rows)
    exact = np.unique(by_float64(vectors, rows, LEAST))
    return {
        "vectors": count,
        "dimensions": vectors.shape[1],
        **figures,
        "pairs": len(found),
        "lowest": float(similarity.min()),
        "planted": len(wanted),
        "recall": float(np.isin(wanted, found).mean()),
        "rows_checked": len(rows),
        "differences": len(np.setxor1d(exact, found[asked])),
    }


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


def by_float64(vectors: Tensor, rows: np.ndarray, least: float) -> np.ndarray:
    """Pairs of these rows with any that are alike enough, as a * N + b for a < b; some are named twice."""
    row = torch.from_numpy(rows).to(vectors.device)
    asked, named = vectors[row].double(), []
    for first in range(0, len(vectors), BLOCK):
        product = (asked @ vectors[first : first + BLOCK].double().T).float()
        own, other = (product >= least).nonzero().unbind(1)
        a, b = row[own], first + other
        named.append((torch.minimum(a, b) * len(vectors) + torch.maximum(a, b))[a != b].cpu().numpy())
    return np.concatenate(named)


def shared(first: np.ndarray, second: np.ndarray) -> float:
    """Share of the positions in a row that are in the other's row, too. Both have shape (Q, `MOST`)."""
    return float((first[:, :, None] == second[:, None]).any(2).mean())


def median_of(figures: Figures) -> float:
    """Seconds, at the median."""
    seconds = figures["seconds"]
    assert isinstance(seconds, dict)
    return float(seconds["median"])
