"""Which test images went from wrong to right between two runs, and which to wrong."""

from pathlib import Path

import pandas as pd
import pytest

from curate.errors import UserError
from curate.results import flips, side_by_side
from tests.made_runs import Said, by_letters, make_run


def predicted(said: Said, labels: list[str]) -> pd.DataFrame:
    ids = pd.Index([f"set/{number}.png" for number in range(len(labels))], name="image_id")
    return pd.DataFrame({"label": labels} | {f"seed-{seed}": it for seed, it in said.items()}, index=ids)


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        # right in both, to right, to wrong, wrong in both, undecided; all images are cats
        (by_letters("c"), by_letters("c"), (1, 0, 0, 0, 0)),
        (by_letters("d"), by_letters("c"), (0, 1, 0, 0, 0)),
        (by_letters("c"), by_letters("d"), (0, 0, 1, 0, 0)),
        (by_letters("d"), by_letters("e"), (0, 0, 0, 1, 0)),
        (by_letters("ccdd"), by_letters("cdcd"), (1, 1, 1, 1, 0)),
        (by_letters("c", "d"), by_letters("c", "c"), (0, 0, 0, 0, 1)),  # half of the seeds is no majority
        (by_letters("c", "c"), by_letters("d", "c"), (0, 0, 0, 0, 1)),
        (by_letters("c", "c", "d"), by_letters("d", "d", "c"), (0, 0, 1, 0, 0)),
        (by_letters("c", "d", "d"), by_letters("c"), (0, 1, 0, 0, 0)),  # one seed of both is no pairing: all count
        (by_letters("c", "c", "d", "d", "d"), by_letters("c", "c"), (1, 0, 0, 0, 0)),  # two are
        (by_letters("d", "d", "c"), by_letters("c", "c", first=7), (0, 1, 0, 0, 0)),  # none is, so all count
        (by_letters(""), by_letters(""), (0, 0, 0, 0, 0)),
    ],
)
def test_flips_by_the_majority_of_the_seeds(before: Said, after: Said, counts: tuple[int, ...]) -> None:
    labels = ["cat"] * len(before[0])
    found = flips.flips(predicted(before, labels), predicted(after, labels), first=9)
    assert (found.both_right, found.to_right, found.to_wrong, found.both_wrong, found.undecided) == counts
    assert (len(found.now_right), len(found.now_wrong)) == counts[1:3]


def test_those_come_first_that_most_seeds_agree_on() -> None:
    labels = ["cat"] * 4
    before = predicted(by_letters("dddc", "cdec", "deec"), labels)
    after = predicted(by_letters("cccd", "cccd", "dccc"), labels)
    found = flips.flips(before, after.iloc[::-1], first=2)  # whatever the order of the images
    assert [flip.image_id for flip in found.now_right] == ["set/1.png", "set/2.png"]
    assert found.to_right == 3
    assert found.now_right[1] == flips.Flip("set/2.png", "cat", "eel", "cat", 3, 3)
    assert found.now_wrong == [flips.Flip("set/3.png", "cat", "cat", "dog", 3, 2)]
    assert flips.flips(before, after, first=0).now_right == []


@pytest.mark.parametrize(("gained", "lost", "p_value"), [(0, 0, 1.0), (3, 0, 0.25), (5, 5, 1.0), (10, 0, 2 / 2**10)])
def test_chance_of_an_uneven_split(gained: int, lost: int, p_value: float) -> None:
    labels = ["cat"] * 30
    before = "d" * gained + "c" * (30 - gained)
    after = "c" * (30 - lost) + "d" * lost
    found = flips.flips(predicted(by_letters(before), labels), predicted(by_letters(after), labels), first=1)
    assert (found.to_right, found.to_wrong) == (gained, lost)
    assert found.p_value == pytest.approx(p_value)


def test_runs_that_kept_nothing_have_no_flips(tmp_path: Path) -> None:
    before, after = (make_run(tmp_path, name, by_letters("ccdd"), kept=name == "b") for name in "ab")
    assert flips.predicted(before.folder, before.seeds) is None
    assert side_by_side.compare(before, after, first=1).flips is None


OTHER_SEEDS = pd.DataFrame({"image_id": ["a"], "label": ["cat"], "seed-7": ["cat"]}).to_parquet()


@pytest.mark.parametrize("content", [b"", b"no table", pd.DataFrame({"a": [1]}).to_parquet(), b"PAR1PAR1", OTHER_SEEDS])
def test_a_file_that_holds_no_predictions_is_named(tmp_path: Path, content: bytes) -> None:
    made = make_run(tmp_path, "a", by_letters("ccdd"))
    (made.folder / "predicted.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"predicted\.parquet does not hold what its run predicted; remove it"):
        flips.predicted(made.folder, made.seeds)
