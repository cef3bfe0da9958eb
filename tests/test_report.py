"""The report: what it shows of which workspace, that nothing in it can harm, and that it stays small."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import findings, images, interval, manifest, paired, predictions, proof, report, verbs, wording
from curate.decisions import COLUMNS
from curate.errors import UserError
from curate.report import charts, gallery, thumbnails
from curate.report import labels as section
from curate.report import runs as worth
from curate.workspace import DECISIONS, FINDINGS, MANIFEST, Workspace

EVIL = '<script>alert("1")</script>'


def make(
    root: Path, labels: list[str], *, side: int = 8, split: str = "train", image_ids: list[str] | None = None
) -> Workspace:
    """A workspace of noise images with these labels; every fourth is a test image unless `split` says otherwise."""
    names = image_ids or [f"set/{number}.png" for number in range(len(labels))]
    random = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    for number in range(len(labels)):
        pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
        (root / "images" / f"{number}.png").write_bytes(images.encode_png(pixels))
    rows = {
        "image_id": names,
        "path": [f"images/{number}.png" for number in range(len(labels))],
        "split": ["test" if split == "mixed" and number % 4 == 3 else "train" for number in range(len(labels))],
        "label": labels,
        "source": ["set"] * len(labels),
        "width": [side] * len(labels),
        "height": [side] * len(labels),
        "content_hash": names,
        "pixel_hash": names,
    }
    workspace = Workspace(root)
    with workspace.writing("add", {"source": "set"}) as transaction:
        transaction.write_table(MANIFEST, manifest.from_rows(rows))
    return workspace


def find(workspace: Workspace, rows: list[dict]) -> None:
    table = pd.DataFrame([{**findings.DEFAULTS, "score": 0.1, "flagged": True, **row} for row in rows])
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, table[list(findings.COLUMNS)].astype(findings.COLUMNS))


def decide(workspace: Workspace, rows: list[dict]) -> None:
    table = pd.DataFrame([{"by": "policy", "because": "label_error", **row} for row in rows])
    with workspace.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, table.reindex(columns=list(COLUMNS), fill_value="").fillna(""))


def train(
    workspace: Workspace,
    name: str,
    values: list[float],
    classes: list[str],
    *,
    data: str | None = None,
    **changes: object,
) -> None:
    """A run's folder as the trainer leaves it."""
    mean, half = (float(np.mean(values)), 0.01) if len(values) > 1 else (values[0], None)
    score = {"values": values, "mean": mean, "half_width": half}
    count = len(classes)
    result = {
        "config": {"model": "resnet20", "epochs": 3, "seed": 0},
        "classes": classes,
        "seeds": list(range(len(values))),
        "hardware": "CPU",
        "seconds": 1.5,
        "train_images": 90,
        "eval_images": 30,
        "accuracy": score,
        "accuracy_flip": None,
        "accuracy_multi_crop": None,
        "accuracy_leak_free": score,
        "leak_free_images": 28,
        "calibration_error": score,
        "per_class": [mean] * count,
        "confusion": ((np.eye(count, dtype=int) * 9 + 1) * len(values)).tolist(),
    }
    folder = workspace.root / "runs" / name
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({**result, **changes}))
    lines = [
        {"seed": seed, "epoch": epoch, "eval_acc": value * epoch / 3}
        for seed, value in enumerate(values)
        for epoch in (1, 2, 3)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if data is not None:
        with workspace.writing("train", {"data": data, "name": name}):
            pass


def predict(workspace: Workspace, name: str, said: list[str], *seeds: list[str]) -> None:
    """What a run said of the first images of the set, labelled as they are in the manifest: one list per seed."""
    table = verbs.read_manifest(workspace)[["image_id", "label"]].head(len(said))
    for number, each in enumerate((said, *seeds)):
        table[f"seed-{number}"] = each
    table.to_parquet(workspace.root / "runs" / name / "predicted.parquet")


def prove(workspace: Workspace, *, at_all_times: bool = False, name: str = "without-dark", notes: str = "") -> None:
    """A proof as `curate prove` leaves it, of the runs prove-raw, prove-curated and one that leaves a step out."""
    counts = {"raw": [24, 25, 24], "curated": [28, 27, 28], name: [26, 27, 25]}  # right, of 30 cats
    right = {each: np.arange(30) < np.array(of_seeds)[:, None] for each, of_seeds in counts.items()}
    arms = [
        proof.ArmScore(
            name=each,
            run=f"prove-{each}",
            says=f"{each} set",
            images=90,
            right_labels=None if each == "raw" else 0.925,
            seeds=(0, 1, 2),
            accuracy=interval.score(of_seeds.mean(1).tolist()),
            leak_free=interval.score(of_seeds.mean(1).tolist()),
            seconds=9.0,
            images_seen=270,
        )
        for each, of_seeds in right.items()
    ]
    compared = []
    for step, before, count in (("curated", "raw", 12), (name, name, 1)):
        change = right["curated"].astype(np.int8) - right[before].astype(np.int8)
        found = paired.difference(change, at_all_times=at_all_times)
        compared.append(proof.Compared(step, f"worth of {step}", before, "curated", count, found, found))
    made = proof.Proof(
        config={},
        hardware="CPU",
        arms=tuple(arms),
        compared=tuple(compared),
        split=proof.Split(0.06, 0.04),
        gap_closed=0.75,
        test_images=30,
        leak_free_images=28,
        stopped="seeds",
        precision=None,
        seeds_needed=None,
        notes=(notes,) if notes else (),
    )
    for each, of_seeds in right.items():
        train(workspace, f"prove-{each}", of_seeds.mean(1).tolist(), ["cat", "dog"])
        table = pd.DataFrame({"image_id": [f"cat/{number}" for number in range(30)], "label": "cat"})
        table = table.assign(**{f"seed-{seed}": np.where(of_seeds[seed], "cat", "dog") for seed in range(3)})
        table.to_parquet(workspace.root / "runs" / f"prove-{each}" / "predicted.parquet")
    (workspace.root / proof.PROOF).write_text(proof.as_json(made))
    kinds = {"raw": "raw", "curated": "curated"}
    with workspace.writing("prove", {"runs": {f"prove-{each}": kinds.get(each, "other") for each in right}}):
        pass


class Page(HTMLParser):
    """What a browser would see: ids, what is loaded from where, text, and whether tags close in order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attributes)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += " " + data


def written(workspace: Workspace) -> Page:
    page = Page(report.write(workspace).read_text(encoding="utf-8"))
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:  # nothing is asked of the network
        assert link.startswith(("#", "data:")), link
        assert link == "#" or not link.startswith("#") or link[1:] in page.ids
    return page


def tiles(page: Page) -> int:
    return page.tags.count("img")


SECTIONS = {"overview", "proof", "worth", "findings", "decisions", "labels", "predictions", "history"}


def sections(page: Page) -> set[str]:
    return SECTIONS & set(page.ids)


def test_only_a_manifest(tmp_path):
    page = written(make(tmp_path / "ws", ["cat", "dog"]))
    assert sections(page) == {"overview", "history"}
    for verb in ("predict", "scan", "decide", "apply", "train"):
        assert f"curate {verb} {tmp_path}/ws" in page.text


def test_a_manifest_without_rows_or_ledger(tmp_path):
    manifest.empty().to_parquet(tmp_path / MANIFEST)
    page = written(Workspace(tmp_path))
    assert sections(page) == {"overview", "history"}


def test_the_whole_loop(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 8, split="mixed")
    find(
        workspace,
        [
            {
                "image_id": "set/0.png",
                "finder": "label_error",
                "suggested_label": "dog",
                "suggested_prob": 0.8,
                "detail": "so it says",
            }
        ],
    )
    decide(
        workspace,
        [{"image_id": "set/0.png", "action": "relabel", "label": "dog"}, {"image_id": "set/1.png", "action": "drop"}],
    )
    verbs.apply(workspace, include_test=False)
    rows = verbs.read_manifest(workspace)
    probs, none = np.full((len(rows), 2), 0.5, np.float32), np.zeros((len(rows), 3), np.float32)
    summary: dict[str, object] = {
        "fold_accuracy": [0.75, 1.0],
        "thin_classes": ["dog"],
        "config": {"model": "resnet20"},
    }
    fold = np.zeros(len(rows), int)
    predictions.write(workspace, rows, predictions.Predictions(["cat", "dog"], probs, none, fold, summary))
    train(workspace, "raw-a", [0.8, 0.82, 0.81], ["cat", "dog"], data="raw")
    train(workspace, "curated-a", [0.9, 0.91, 0.92], ["cat", "dog"], data="curated")
    page = written(workspace)
    assert sections(page) == SECTIONS - {"proof"}
    assert "Not done yet" not in page.text
    for words in ("so it says", "relabel to dog", "87.5", "Better.", "n = 3 seeds, paired", "runs/curated-a"):
        assert words in page.text, words


def test_wrong_labels_are_told_with_what_to_expect(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 60)
    rows = verbs.read_manifest(workspace)
    scores = np.linspace(0.02, 0.98, len(rows))
    made = zip(rows["image_id"], rows["label"], scores, strict=True)
    find(
        workspace,
        [
            {
                "image_id": image_id,
                "finder": "label_error",
                "score": score,
                "flagged": score < 0.5,
                "suggested_label": "dog" if label == "cat" else "cat",
                "suggested_prob": 1 - score,
            }
            for image_id, label, score in made
        ],
    )
    asked = rows["image_id"].iloc[:50]
    decide(workspace, [{"image_id": image_id, "action": "keep", "by": "ada"} for image_id in asked])
    random = np.random.default_rng(0)
    probs = random.dirichlet([1, 1], len(rows)).astype(np.float32)
    none, fold = np.zeros((len(rows), 3), np.float32), np.zeros(len(rows), int)
    summary: dict[str, object] = {"fold_accuracy": [0.5]}
    predictions.write(workspace, rows, predictions.Predictions(["cat", "dog"], probs, none, fold, summary))
    page = written(workspace)
    assert "labels" in sections(page)
    for words in (
        "60 labels in training are flagged",
        "after 50 answers",
        "of all labels are wrong",
        "What people said",
    ):
        assert words in page.text, words


@pytest.mark.parametrize(("count", "fewest", "found"), [(0, 1, 0), (1, 1, 1), (9, 20, 1), (50, 20, 2), (1000, 20, 10)])
def test_bins_of_equal_size(count, fewest, found):
    expected = np.linspace(0, 1, count)
    bins = section.bins(expected, expected > 0.5, fewest=fewest)
    assert len(bins) == found
    assert sum(each.count for each in bins) == count
    for each in bins:
        assert each.low <= each.observed <= each.high
        assert 0 <= each.low <= each.high <= 1


def test_same_workspace_same_report(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    find(workspace, [{"image_id": "set/1.png", "finder": "outlier"}])
    first = report.write(workspace).read_bytes()
    assert report.write(workspace).read_bytes() == first


def test_hostile_names_come_out_as_text(tmp_path):
    classes = [EVIL, "b'\"&{{ 7*7 }}"]
    ids = [f"set/{EVIL}{number}.png" for number in range(8)]
    workspace = make(tmp_path / "ws<b>", classes * 4, split="mixed", image_ids=ids)
    find(
        workspace,
        [
            {"image_id": ids[0], "finder": "label_error", "suggested_label": EVIL, "detail": EVIL},
            {"image_id": ids[1], "finder": EVIL, "related_id": ids[2]},
        ],
    )
    decide(
        workspace, [{"image_id": ids[0], "action": "relabel", "label": EVIL, "by": EVIL, "because": EVIL, "note": EVIL}]
    )
    train(workspace, "raw<i>", [0.8], sorted(classes), hardware=EVIL, config={"model": EVIL, "epochs": 3, "lr": EVIL})
    train(workspace, "curated<i>", [0.8], sorted(classes), hardware=EVIL, config={"model": EVIL, "epochs": 4})
    html = report.write(workspace).read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<i>" not in html
    assert "<b>" not in re.sub(r"<b>(keep|drop|relabel)", "", html)
    page = Page(html)
    assert EVIL in page.text
    assert "{{ 7*7 }}" in page.text


@pytest.mark.parametrize("count", [2, 10, 30, 31, 100, 1000])
def test_any_number_of_classes(tmp_path, count):
    labels = [f"class {number:04d}" for number in range(count)]
    workspace = make(tmp_path / "ws", labels)
    train(workspace, "raw-a", [0.5], labels)
    train(workspace, "curated-a", [0.6], labels)
    html = report.write(workspace).read_text(encoding="utf-8")
    assert all(label in html for label in labels)
    assert len(html) < 400_000
    assert html.count("<tr") < 150  # a thousand rows are no summary


def test_tiles_are_capped(tmp_path):
    workspace = make(tmp_path / "ws", ["cat"] * 60)
    find(
        workspace, [{"image_id": f"set/{number}.png", "finder": "dark", "score": number / 200} for number in range(60)]
    )
    page = written(workspace)
    assert tiles(page) == gallery.TILES
    assert "60 images flagged" in page.text
    assert "the worst 24 shown" in page.text
    assert "set/23.png" in page.text
    assert "set/24.png" not in page.text


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([("a", 0, ""), ("b", 0, "")], [["a", "b"]]),  # both twins are flagged
        ([("a", 0, "b")], [["a", "b"]]),  # one of them is, and names the other
        ([("a", -1, "b")], [["a", "b"]]),  # twins without a group
        ([("a", -1, ""), ("b", -1, "")], [["a"], ["b"]]),
        ([("a", 0, "b"), ("c", 1, "d"), ("b", 0, "a")], [["a", "b"], ["c", "d"]]),
        ([(letter, 0, "") for letter in "abcdefgh"], [["a", "b", "c", "d", "e", "f"]]),
    ],
)
def test_twins_lie_side_by_side(rows, shown):
    table = pd.DataFrame(
        [{"image_id": name, "group": group, "related_id": twin, "flagged": True} for name, group, twin in rows]
    )
    clusters = list(gallery._clusters(table))
    assert [list(cluster.image_ids) for cluster in clusters] == shown
    assert sum(cluster.more for cluster in clusters) == (2 if len(rows) == 8 else 0)


def test_unflagged_findings_are_counted_but_not_shown(tmp_path):
    workspace = make(tmp_path / "ws", ["cat"] * 3)
    find(workspace, [{"image_id": "set/0.png", "finder": "dark", "score": 0.9, "flagged": False}])
    assert tiles(written(workspace)) == 0


def test_vanished_and_broken_files_have_a_placeholder(tmp_path):
    workspace = make(tmp_path / "ws", ["cat"] * 4)
    shutil.rmtree(workspace.root / "images")
    (workspace.root / "images").mkdir()
    (workspace.root / "images" / "1.png").write_bytes(b"no image")
    ids = ["set/0.png", "set/1.png", "set/long gone.png"]
    find(workspace, [{"image_id": image_id, "finder": "dark"} for image_id in ids])
    page = written(workspace)
    assert tiles(page) == 0
    for reason in ("No such file or directory", "not an image that OpenCV can decode", "not in the manifest any more"):
        assert reason in page.text


def test_pictures_stay_within_the_budget(tmp_path, monkeypatch):
    workspace = make(tmp_path / "ws", ["cat"] * 20, side=96)
    find(workspace, [{"image_id": f"set/{number}.png", "finder": "dark"} for number in range(20)])
    monkeypatch.setattr(thumbnails, "BUDGET", 50_000)
    page = written(workspace)
    assert 0 < tiles(page) < 20
    assert "left out to keep this page small" in page.text
    assert (workspace.root / report.REPORT).stat().st_size < 50_000 + 60_000


def test_large_photos_become_small(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(images.encode_png(np.random.default_rng(0).integers(0, 256, (600, 400, 3), dtype=np.uint8)))
    picture = thumbnails.pictures([path])[path]
    assert picture.uri.startswith("data:image/jpeg;base64,")
    assert len(picture.uri) < 20_000  # noise, which JPEG likes least


def test_one_seed_gives_no_interval(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", [0.8], ["cat", "dog"])
    train(workspace, "curated-a", [0.9], ["cat", "dog"])
    page = written(workspace)
    assert "One seed is no proof." in page.text
    assert "+10.00" in page.text
    assert "±" not in page.text


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([0.80, 0.81, 0.82], [0.90, 0.91, 0.93], "Better."),
        ([0.90, 0.91, 0.93], [0.80, 0.81, 0.82], "Worse."),
        ([0.80, 0.90, 0.85], [0.86, 0.84, 0.87], "Unclear."),
        ([0.80, 0.80, 0.80], [0.80, 0.80, 0.80], "Unclear."),
    ],
)
def test_verdicts(tmp_path, before, after, verdict):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", before, ["cat", "dog"])
    train(workspace, "curated-a", after, ["cat", "dog"])
    assert verdict in written(workspace).text


def test_intervals_are_those_of_scipy():
    from scipy import stats

    before, after = np.array([0.8, 0.82, 0.81, 0.85]), np.array([0.86, 0.84, 0.87, 0.9])
    for (mean, half), expected in (
        (interval.mean_interval(after - before), stats.ttest_rel(after, before).confidence_interval()),
        (
            interval.welch_interval(before, after[:3]),
            stats.ttest_ind(after[:3], before, equal_var=False).confidence_interval(),
        ),
    ):
        assert (mean - half, mean + half) == pytest.approx((expected.low, expected.high))


def test_runs_with_other_seeds_are_not_paired(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", [0.8, 0.81], ["cat", "dog"])
    train(workspace, "curated-a", [0.9, 0.91, 0.92], ["cat", "dog"])
    assert "2 and 3 seeds, not paired" in written(workspace).text


def test_unlike_runs_are_named_and_other_tests_are_not_compared(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", [0.8], ["cat", "dog"])
    train(workspace, "raw-b", [0.8], ["cat", "dog"], eval_images=31)
    train(workspace, "curated-a", [0.9], ["cat", "dog"], config={"model": "resnet20", "epochs": 9})
    page = written(workspace)
    assert "epochs (3 → 9)" in page.text
    assert "against raw-a" in " ".join(page.text.split())
    assert "against raw-b" not in " ".join(page.text.split())


def test_unfinished_and_damaged_runs(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    (workspace.root / "runs" / "raw-a").mkdir(parents=True)
    assert "runs/raw-a" not in written(workspace).text  # nothing was begun
    (workspace.root / "runs" / "raw-a" / "config.json").write_text("{}")
    assert "runs/raw-a" in written(workspace).text
    (workspace.root / "runs" / "raw-a" / "result.json").write_text("{}")
    with pytest.raises(UserError, match=r"raw-a/result\.json is no result of this trainer"):
        report.write(workspace)


def test_runs_without_learning_curves_or_leak_free_images(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    nothing = {"values": [float("nan")], "mean": float("nan"), "half_width": None}
    train(workspace, "mine", [1.0], ["cat", "dog"], accuracy_leak_free=nothing, per_class=[1.0, None])
    (workspace.root / "runs" / "mine" / "metrics.jsonl").unlink()
    page = written(workspace)
    assert "Learning curves" not in page.text
    assert "nan" not in page.text


def test_images_that_flipped_are_shown(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 4)
    for name in ("raw-a", "curated-a"):
        train(workspace, name, [0.8, 0.8, 0.8], ["cat", "dog"])
    page = written(workspace)
    assert "Test images that flipped" not in page.text  # they did not keep what they predicted
    right = ["cat", "dog"] * 4
    predict(workspace, "raw-a", ["dog", *right[1:]], ["dog", *right[1:]], right)
    predict(workspace, "curated-a", right, [*right[:7], "cat"], [*right[:7], "cat"])
    page = written(workspace)
    text = " ".join(page.text.split())
    assert "1 image of 8 went from wrong to right, 1 from right to wrong" in text
    assert "said dog → cat wrong in 2 of 3, right in 3 of 3 set/0.png" in text
    assert "said dog → cat right in 3 of 3, wrong in 2 of 3 set/7.png" in text
    assert tiles(page) == 2


def test_few_of_many_flips_are_shown(tmp_path):
    workspace = make(tmp_path / "ws", ["cat"] * 60)
    for name, said in (("raw-a", "dog"), ("curated-a", "cat")):
        train(workspace, name, [0.8], ["cat", "dog"])
        predict(workspace, name, [said] * 60)
    shutil.rmtree(workspace.root / "images")
    page = written(workspace)
    assert f"{worth.FLIPS} of 60, those first that most seeds agree on" in " ".join(page.text.split())
    assert page.text.count("No such file or directory") == worth.FLIPS


def test_an_image_that_flipped_and_is_gone_since(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    for name, said in (("raw-a", ["dog", "dog"]), ("curated-a", ["cat", "dog"])):
        train(workspace, name, [0.8], ["cat", "dog"])
        predict(workspace, name, said)
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, verbs.read_manifest(workspace).tail(1))
    assert "not in the manifest any more" in written(workspace).text


@pytest.mark.parametrize("at_all_times", [False, True])
def test_a_proof_is_shown_with_its_steps(tmp_path, at_all_times):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    prove(workspace, at_all_times=at_all_times, notes="two steps are one")
    page = written(workspace)
    assert sections(page) == {"overview", "proof", "worth", "history"}
    text = " ".join(page.text.split())
    for words in (
        "Curated minus raw: +11.11 ±",
        "two steps are one",
        "worth of without-dark 1 image",
        "better with probability",
        "92.5",
        "Trained 9 networks for 27 s on 810 images in all, on CPU",
    ):
        assert words in text, words
    proven = re.findall(r"worth of curated 12 images \+11\.11 \((.*?)\)", text)
    assert proven == re.findall(r"Single view \+11\.11 \((.*?)\)", text)  # the section and the comparison agree
    assert len(proven) == 1
    assert text.count("against prove-raw") == 1
    assert "has changed since" not in text
    decide(workspace, [{"image_id": "set/0.png", "action": "drop"}])
    verbs.apply(workspace, include_test=False)
    assert "has changed since this was proven" in written(workspace).text


def test_arms_of_a_proof_are_compared_with_each_other_alone(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "curated-a", [0.9, 0.9, 0.91], ["cat", "dog"])
    train(workspace, "raw-a", [0.8, 0.81, 0.8], ["cat", "dog"])
    prove(workspace)
    text = " ".join(written(workspace).text.split())
    assert re.findall(r"(\S+-\S+) against (\S+)", text) == [("prove-curated", "prove-raw"), ("curated-a", "raw-a")]
    drawn = text[text.index("All runs") : text.index("What was trained Run")]
    assert "prove-raw" in drawn
    assert "prove-without-dark 8" not in drawn  # it is one of the steps above


def test_a_proof_with_hostile_names(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    prove(workspace, name=f"without-{EVIL}".replace("/", "|"), notes=EVIL)
    html = report.write(workspace).read_text(encoding="utf-8")
    assert "<script" not in html
    assert EVIL in Page(html).text


def test_a_damaged_proof_is_named(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    workspace.path(proof.PROOF).write_text("{}")
    with pytest.raises(UserError, match=r"proof\.json cannot be read"):
        report.write(workspace)


def test_decisions_made_after_apply_are_said_to_be(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 4)
    decide(workspace, [{"image_id": "set/0.png", "action": "drop"}])
    verbs.apply(workspace, include_test=False)
    assert "have changed since they were applied" not in written(workspace).text
    decide(workspace, [{"image_id": "set/1.png", "action": "drop"}])
    assert "have changed since they were applied" in written(workspace).text


def test_people_who_disagree_are_told(tmp_path):
    workspace = make(tmp_path, ["cat", "cat", "dog", "dog"])
    rows = [
        ("set/0.png", "keep", "ada"),
        ("set/0.png", "drop", "bob"),
        ("set/1.png", "keep", "ada"),
        ("set/1.png", "keep", "bob"),
    ]
    decide(workspace, [{"image_id": name, "action": action, "by": by} for name, action, by in rows])
    text = " ".join(written(workspace).text.split())
    assert "People disagree on 1 image: nothing is done with them" in text
    assert "ada and bob 2 1 0.00" in text


def test_many_images_are_not_read(tmp_path, monkeypatch):
    workspace = make(tmp_path / "ws", ["cat"])
    count = 60_000
    table = verbs.read_manifest(workspace).iloc[[0] * count].reset_index(drop=True)
    table["image_id"] = [f"set/{number}.png" for number in range(count)]
    table["path"] = [f"images/{number}.png" for number in range(count)]
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, table)
    find(
        workspace,
        [
            {"image_id": image_id, "finder": "dark", "group": number // 3}
            for number, image_id in enumerate(table["image_id"])
        ],
    )
    read: list[Path] = []
    monkeypatch.setattr(thumbnails, "_picture", lambda path: read.append(path) or thumbnails.Picture("", "not read"))
    assert "60,000" in written(workspace).text
    assert len(read) == gallery.TILES


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.913, 0.962], (0.9, 0.92, 0.94, 0.96, 0.98)),
        ([0.5, 0.5], (0.495, 0.5, 0.505)),
        ([0.0, 1.0], (0.0, 0.5, 1.0)),
        ([1.0, 1.0], (0.994, 0.996, 0.998, 1.0)),
    ],
)
def test_axes_hold_their_values_and_are_round(values, ticks):
    scale = charts.axis(values, floor=0, ceiling=1)
    assert scale.ticks == pytest.approx(ticks)
    assert scale.low <= min(values)
    assert scale.high >= max(values)
    assert all(tick == pytest.approx(float(scale.label(tick).replace("−", "-")) / 100) for tick in scale.ticks)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (wording.percent(0.96204, 0.0041), "96.20 ± 0.41"),
        (wording.percent(None), "–"),
        (wording.percent(float("nan")), "–"),
        (wording.signed(0.0123), "+1.23"),
        (wording.signed(-0.0123), "−1.23"),
        (wording.signed(-0.000001), "0.00"),
        (wording.score(0.0001), "0.0001"),
        (wording.score(0.0), "0.00"),
        (wording.middle("short.png", 20), "short.png"),
        (wording.middle("a" * 30 + "z" * 30, 11), "aaaaa…zzzzz"),
        (wording.moment("2026-11-23T22:50:01Z"), "2026-11-23 22:50"),
        (wording.plural(1, "image", "images"), "1 image"),
    ],
)
def test_wording(made, text):
    assert made == text
