"""Random numbers by counter: those of the paper, with the distributions they are named after, and independent."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from curate.augment.draws import PLACES, WORD, Ahead, Draws, Stream, philox, philox_in_numpy

COUNT = 20_000
SEEDS = (0, 5, 2**63 + 12345)
FAR_IDS = torch.tensor([0, 1, 7, 2**31, 2**32 + 5, 2**40, 2**62 - 1, 2**62])
SURE = 1e-4
"""Lowest probability of so large a difference that passes."""
KNOWN = (
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([WORD, WORD, WORD, WORD], [WORD, WORD], [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
)
"""Counter, key and words of Philox 4x32-10: kat_vectors of Random123, the last ones digits of pi."""


def drawn(*, seed: int = 3, epoch: int = 0, place: int = 0, first: int = 0, count: int = COUNT) -> Draws:
    return Stream(seed, epoch, torch.arange(first, first + count)).at(place)


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox(counter, key, words):
    found = philox([torch.tensor([word]) for word in counter], key[0] | key[1] << 32)
    assert [int(word) for word in found] == words


@pytest.mark.parametrize("seed", SEEDS)
def test_philox_in_numpy(seed):
    counter = [torch.tensor([[0, 1, WORD]]), torch.tensor(3), FAR_IDS[:, None] & WORD, FAR_IDS[:, None] >> 32]
    wanted = torch.stack(torch.broadcast_tensors(*philox(counter, seed)), -1)
    np.testing.assert_array_equal(philox_in_numpy([part.numpy() for part in counter], seed), wanted)


@pytest.mark.parametrize("epoch", [0, 3, torch.tensor(2**20)])
@pytest.mark.parametrize("seed", SEEDS)
def test_words_with_the_kernel(seed, epoch):
    pytest.importorskip("triton", reason="Triton is not installed")
    from curate.augment.philox_kernel import words_with_kernel

    place = 2**16 - 1
    words = words_with_kernel(place * PLACES + torch.arange(70), epoch, FAR_IDS, seed)
    assert torch.equal(words, Stream(seed, epoch, FAR_IDS).at(place).words(280))


@pytest.mark.parametrize(
    ("draw", "wanted"),
    [
        (lambda draws: draws.uniform(), stats.uniform()),
        (lambda draws: draws.uniform(-2, 5, (3,)), stats.uniform(-2, 7)),
        (lambda draws: draws.words(5).double() / 2**32, stats.uniform()),
        (lambda draws: draws.normal(), stats.norm()),
        (lambda draws: draws.normal(2, 3, (2, 3)), stats.norm(2, 3)),
        (lambda draws: draws.gamma(0.3), stats.gamma(0.3)),
        (lambda draws: draws.gamma(1.0, 2), stats.gamma(1.0)),
        (lambda draws: draws.gamma(7.5), stats.gamma(7.5)),
        (lambda draws: draws.beta(1, 1), stats.beta(1, 1)),
        (lambda draws: draws.beta(0.4, 0.4), stats.beta(0.4, 0.4)),
        (lambda draws: draws.beta(2, 5), stats.beta(2, 5)),
    ],
)
def test_distributions(draw, wanted):
    assert stats.kstest(draw(drawn()).flatten().numpy(), wanted.cdf).pvalue > SURE


def test_bounds():
    values = drawn(count=200_000).uniform(2, 3)
    assert values.min() >= 2
    assert values.max() < 3
    assert drawn(count=200_000).normal().isfinite().all()


@pytest.mark.parametrize(("low", "high"), [(0, 2), (-3, 4), (5, 6), (0, 100)])
def test_integers(low, high):
    values = drawn().integers(low, high, (4,)) - low
    assert evenly(values, high - low)


def test_integers_between_tensors():
    low, high = torch.arange(COUNT) % 3, torch.arange(COUNT) % 3 + torch.arange(COUNT) % 5 + 1
    values = drawn().integers(low[:, None], high[:, None], (2,))
    assert ((values >= low[:, None]) & (values < high[:, None])).all()
    four = (torch.arange(COUNT) % 5) == 3
    assert evenly((values - low[:, None])[four], 4)


@pytest.mark.parametrize("weights", [(1.0,), (1, 1, 1), (0.2, 0.0, 3.0, 1.0), (0.5, 0.5)])
def test_choice(weights):
    found = np.bincount(drawn().choice(weights).numpy(), minlength=len(weights))
    share = np.array(weights) / np.sum(weights)
    assert not found[share == 0].any()
    if (share > 0).sum() > 1:
        assert stats.chisquare(found[share > 0], COUNT * share[share > 0]).pvalue > SURE


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_coin(p):
    heads = int(drawn().coin(p).sum())
    assert stats.binomtest(heads, COUNT, p).pvalue > SURE


def test_permutation():
    orders = drawn().permutation(4)
    assert torch.equal(orders.sort(1).values, torch.arange(4).expand(COUNT, 4))
    assert evenly((orders * torch.tensor([64, 16, 4, 1])).sum(1).unique(return_inverse=True)[1], 24)


def evenly(values: torch.Tensor, options: int) -> bool:
    """Whether each of the options is there about as often."""
    found = np.bincount(values.flatten().numpy(), minlength=options)
    return len(found) == options and (options == 1 or stats.chisquare(found).pvalue > SURE)


@pytest.mark.parametrize(
    "other",
    [
        {"place": 1},
        {"epoch": 1},
        {"seed": 4},
        {"seed": 3 + 2**32},
        {"first": COUNT},
        {"first": 2**32},
        {"first": 2**62},
    ],
)
@pytest.mark.parametrize("draw", [lambda draws: draws.uniform(), lambda draws: draws.grid_uniform((2,))[:, 1]])
def test_independent(draw, other):
    one, two = draw(drawn()).numpy(), draw(drawn(**other)).numpy()
    assert (one != two).mean() > 0.99
    assert abs(stats.spearmanr(one, two).statistic) < 4 / math.sqrt(COUNT)


def test_calls_are_independent():
    draws = drawn()
    one, two = draws.uniform(), draws.uniform()
    assert (one != two).all()
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / math.sqrt(COUNT)


@pytest.mark.parametrize("ahead", [{}, {0: 1}, {0: 9}, {5: 2}, {5: 2, 0: 3}])
def test_same_whatever_is_made_ahead(ahead):
    ids, chosen = torch.tensor([4, 0, 2**40, 17]), torch.tensor([3, 1])

    def words(made: dict[int, int], chosen: torch.Tensor | None = None) -> torch.Tensor:
        stream = Stream(3, 1, ids, Ahead(dict(made)))
        first, second = stream.at(0, chosen), stream.at(5, chosen)
        return torch.cat([first.words(6), second.words(3), first.words(5)], 1)

    wanted = words({})
    assert torch.equal(words(ahead), wanted)
    assert torch.equal(words(ahead, chosen), wanted[chosen])


def test_ahead_is_learnt():
    ahead = Ahead()
    for _ in range(2):
        draws = Stream(3, 1, torch.arange(4), ahead).at(7)
        draws.words(4)
        draws.words(9)
        assert ahead.blocks == {7: 4}


def test_epoch_as_tensor():
    whole = Stream(3, 2, torch.arange(8)).at(1).words(5)
    assert torch.equal(Stream(3, torch.tensor(2), torch.arange(8)).at(1).words(5), whole)


def test_once():
    same = [drawn(epoch=epoch).once().uniform() for epoch in (0, 1)]
    assert torch.equal(*same)
    assert not torch.equal(drawn(epoch=1).uniform(), same[0])


@pytest.mark.parametrize(
    ("draw", "wanted"),
    [
        (lambda draws: draws.grid_uniform((16, 16, 3)), stats.uniform()),
        (lambda draws: draws.grid_normal((16, 16, 3)), stats.norm()),
    ],
)
def test_grids(draw, wanted):
    values = draw(drawn(count=512)).double()
    pixels = values.flatten(1).numpy()
    assert stats.kstest(pixels.ravel(), wanted.cdf).pvalue > SURE
    # sums of many are normal if they are independent, both those of an image and those of a pixel
    for axis in (0, 1):
        number = pixels.shape[axis]
        sums = (pixels.mean(axis) - wanted.mean()) / wanted.std() * math.sqrt(number)
        assert stats.kstest(sums, stats.norm().cdf).pvalue > SURE
    limit = 4.5 / math.sqrt(values.numel())
    for axis in range(4):
        for distance in (1, 2):
            size = values.shape[axis] - distance
            one, two = values.narrow(axis, 0, size), values.narrow(axis, distance, size)
            assert abs(np.corrcoef(one.flatten(), two.flatten())[0, 1]) < limit, f"axis {axis}, {distance} apart"


def test_grids_differ():
    draws = drawn(count=300)
    one, two = draws.grid_words((64,)), draws.grid_words((64,))
    everything = torch.cat([one, two]).flatten()
    assert len(everything.unique()) > len(everything) - 10
    assert torch.equal(one, drawn(count=300).grid_words((64,)))
    assert torch.equal(one[100:], drawn(first=100, count=200).grid_words((64,)))


@pytest.mark.parametrize("bit", [0, 7, 15, 31])
def test_bits_of_grids(bit):
    ones = int((drawn(count=300).grid_words((500,)) >> bit & 1).sum())
    assert stats.binomtest(ones, 150_000).pvalue > SURE


def test_grids_of_odd_sizes():
    assert drawn(count=2).grid_normal((3, 1, 1)).shape == (2, 3, 1, 1)
    assert drawn(count=2).grid_uniform((1,)).shape == (2, 1)
