"""Copies of photos, changed in a known way, and whether they are found: by kind, beside imagededup's hashes.

`python -m tests.benchmarks.copies`: the 200 photos in their own size and 1,200 of Imagenette, 224 x 224. For each kind
a set is made of 200 of either, a copy of each, and 1,000 more of Imagenette. Frames, captions and
places of crops are drawn anew for each image. imagededup wants a virtual environment of its own, and its hashing
part alone imports without torchvision: the peer's script puts an empty module in the place of its networks.
    python3.11 -m venv PEERS && PEERS/bin/pip install --no-deps imagededup==0.3.3 && PEERS/bin/pip install numpy \
        scipy pillow scikit-learn pywavelets tqdm matplotlib
and CURATE_PEERS=PEERS in the environment.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from curate.images import pixel_hash
from curate.likeness import duplicates
from curate.signals.thumbnail import thumbnail
from tests.benchmarks.record import data, record, signals_of

DISTRACTORS, COPIED = 1_000, 200
HASHES = ("PHash", "DHash", "WHash")
RADIUS = 10
"""Bits of 64 that may differ: imagededup's default."""
WITHOUT_NETWORKS = """
import sys, types
for module, name in (("imagededup.methods.cnn", "CNN"), ("imagededup.utils.models", "CustomModel")):
    sys.modules[module] = types.ModuleType(module)
    setattr(sys.modules[module], name, None)
"""
"""What imagededup's hashes are imported after: its networks alone want torch and torchvision."""
PEER = """
import json
from imagededup import methods
found = {}
for name in sys.argv[2:]:
    pairs = getattr(methods, name)(verbose=False).find_duplicates(
        image_dir=sys.argv[1], max_distance_threshold=RADIUS, num_enc_workers=0, num_dist_workers=0
    )
    found[name] = sorted({tuple(sorted((a, b))) for a, others in pairs.items() for b in others})
print(json.dumps(found))
""".replace("RADIUS", str(RADIUS))

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def compressed(quality: int) -> Change:
    return lambda image, _: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)


def resized(scale: float) -> Change:
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return lambda image, _: cv2.resize(image, None, fx=scale, fy=scale, interpolation=way)


def cropped(share: float) -> Change:
    """Both sides cut to a share of them, anywhere."""

    def change(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        height, width = (round(side * share) for side in image.shape[:2])
        top, left = (random.integers(0, round(part * (1 / share - 1)) + 1) for part in (height, width))
        return image[top : top + height, left : left + width]

    return change


def turned(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """By 5 degrees, one way or the other; what lies outside is black."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(random.choice([-5, 5])), 1)
    return cv2.warpAffine(image, matrix, (width, height))


def captioned(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Words on a bar below or above, over 10 to 18 % of the height."""
    image, (height, width) = image.copy(), image.shape[:2]
    bar = round(height * random.uniform(0.1, 0.18))
    top = 0 if random.random() < 0.3 else height - bar
    image[top : top + bar] = random.integers(0, 80)
    words = "".join(random.choice(list("abcdefghij klmnop rstu"), random.integers(8, 30)))
    cv2.putText(image, words, (width // 20, top + round(bar * 0.7)), 0, bar / 40, (255, 255, 255), 1 + bar // 25)
    return image


def bordered(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One colour around, 4 to 12 % of each side."""
    down, across = (round(side * random.uniform(0.04, 0.12)) for side in image.shape[:2])
    shade = [int(value) for value in random.integers(0, 256, 3)]
    return cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_CONSTANT, value=shade)


def letterboxed(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Dark bars above and below, or left and right, each 5 to 15 % of that side."""
    bars = [round(side * random.uniform(0.05, 0.15)) for side in image.shape[:2]]
    down, across = (bars[0], 0) if random.random() < 0.5 else (0, bars[1])
    shade = [int(random.integers(0, 30))] * 3
    return cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_CONSTANT, value=shade)


def screenshot(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """In a window: a bar with a title above it, a desktop of one colour around it, made smaller."""
    height, width = image.shape[:2]
    sides = [round(side * random.uniform(0.08, 0.35)) for side in (height, height, width, width)]
    shade = [int(value) for value in random.integers(0, 256, 3)]
    screen = cv2.copyMakeBorder(image, *sides, cv2.BORDER_CONSTANT, value=shade)
    bar = max(round(sides[0] * 0.4), 6)
    screen[:bar] = random.integers(30, 230)
    cv2.putText(screen, "picture viewer", (bar, round(bar * 0.8)), 0, bar / 40, (255, 255, 255), 1)
    return cv2.resize(screen, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)


KINDS: dict[str, Change] = {
    "JPEG quality 90": compressed(90),
    "JPEG quality 50": compressed(50),
    "JPEG quality 10": compressed(10),
    "resized to 25 %": resized(0.25),
    "resized to 50 %": resized(0.5),
    "resized to 400 %": resized(4.0),
    "cropped to 90 %": cropped(0.9),
    "cropped to 80 %": cropped(0.8),
    "cropped to 70 %": cropped(0.7),
    "mirrored": lambda image, _: image[:, ::-1],
    "turned by 5 degrees": turned,
    "brighter": lambda image, _: np.clip(image * 1.4 + 10, 0, 255).astype(np.uint8),
    "darker": lambda image, _: (image * 0.6).astype(np.uint8),
    "less contrast": lambda image, _: (image * 0.5 + 60).astype(np.uint8),
    "grey": lambda image, _: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
    "blurred": lambda image, _: cv2.GaussianBlur(image, (0, 0), image.shape[1] / 100),
    "caption": captioned,
    "border": bordered,
    "screenshot": screenshot,
    "letterbox": letterboxed,
}


def run() -> None:
    """Kind by kind: recall of ours and the peer's, false pairs of all kinds together."""
    figures: dict[str, object] = {}
    for name, photos in _originals().items():
        rows: dict[str, dict[str, dict[str, int]]] = {}
        for number, (kind, change) in enumerate(KINDS.items()):
            rows[kind] = {"ours": _count(_ours(photos, number, change))}
            print(name, kind, rows[kind], flush=True)
        if "CURATE_PEERS" in os.environ:
            for way, pairs in _peer(photos).items():
                for number, kind in enumerate(KINDS):
                    rows[kind][way] = _count({(a, b) for a, b in pairs if {_kind(a), _kind(b)} <= {"", str(number)}})
        figures[name] = _summary(rows)
    what = f"the {COPIED} photos, or {COPIED} of Imagenette, among {DISTRACTORS:,} of Imagenette; a copy of each"
    record("copies", what, figures, signals=signals_of("near_duplicate"))


def _peer(photos: list[np.ndarray]) -> dict[str, set[tuple[str, str]]]:
    """What imagededup finds: in one set with copies of all kinds, as it compares each image with each."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), photos)
        command = [f"{os.environ['CURATE_PEERS']}/bin/python", "-c", WITHOUT_NETWORKS + PEER, folder, *HASHES]
        said = subprocess.run(command, capture_output=True, check=False)
    if said.returncode:
        sys.exit(f"{command[0]} failed: {said.stderr.decode()[-800:]}")
    return {way: {(a, b) for a, b in pairs} for way, pairs in json.loads(said.stdout).items()}


def _originals() -> dict[str, list[np.ndarray]]:
    """Photos to be copied, and after them those that are there besides."""
    imagenette = _photos("imagenette/imagenette224.tar.xz", DISTRACTORS + COPIED)
    return {
        "photos": _photos("photos/photos200.tar.xz", COPIED) + imagenette[COPIED:],
        "imagenette": imagenette,
    }


def _photos(archive: str, most: int) -> list[np.ndarray]:
    with tarfile.open(data(archive)) as packed:
        members = sorted((item for item in packed if item.isfile()), key=lambda item: item.name)
        step = max(len(members) // most, 1)
        return [
            cv2.imdecode(np.frombuffer(packed.extractfile(item).read(), np.uint8), 1)  # type: ignore[union-attr]
            for item in members[::step][:most]
        ]


def _write(folder: Path, photos: list[np.ndarray]) -> None:
    """`00012.png`, and its copies as `00012-<number of the kind>.png`."""
    for number, photo in enumerate(photos):
        cv2.imwrite(str(folder / f"{number:05d}.png"), photo)
    for kind, change in enumerate(KINDS.values()):
        for number, copy in enumerate(_copies(photos, kind, change)):
            cv2.imwrite(str(folder / f"{number:05d}-{kind}.png"), copy)


def _copies(photos: list[np.ndarray], kind: int, change: Change) -> list[np.ndarray]:
    random = np.random.default_rng(kind)
    return [np.ascontiguousarray(change(photo, random)) for photo in photos[:COPIED]]


def _kind(name: str) -> str:
    """The number of the kind of a copy; "" for an original."""
    return Path(name).stem.partition("-")[2]


def _ours(photos: list[np.ndarray], kind: int, change: Change) -> set[tuple[str, str]]:
    """Pairs of file names, as `scan` finds them."""
    copies = _copies(photos, kind, change)
    name = np.array([f"{at:05d}.png" for at in range(len(photos))] + [f"{at:05d}-{kind}.png" for at in range(COPIED)])
    images = [cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in [*photos, *copies]]
    sizes = np.array([image.shape[:2] for image in images])
    table = pd.DataFrame({"pixel_hash": [pixel_hash(image) for image in images]})
    table = table.assign(split="train", label="", parent_id="", error="")
    table = table.assign(height=sizes[:, 0], width=sizes[:, 1])
    thumbnails = np.stack([thumbnail(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in images])
    pairs = duplicates.same_photo(duplicates.find_pairs(table, thumbnails))
    return {(min(a, b), max(a, b)) for a, b in zip(name[pairs["a"]], name[pairs["b"]], strict=True)}


def _count(pairs: set[tuple[str, str]]) -> dict[str, int]:
    """Copies found with their originals; and pairs of which one is a copy and the other no version of it."""
    copies = [(a, b) for a, b in pairs if _kind(a) or _kind(b)]
    true = sum(a[:5] == b[:5] for a, b in copies)
    return {"found": true, "false": len(copies) - true}


def _summary(rows: dict[str, dict[str, dict[str, int]]]) -> dict[str, object]:
    total = {}
    for way in next(iter(rows.values())):
        found, false = (sum(row[way][what] for row in rows.values()) for what in ("found", "false"))
        total[way] = {"recall": found / (COPIED * len(rows)), "precision": found / max(found + false, 1)}
    return {"kinds": rows, "copies_of_each": COPIED, "total": total}


if __name__ == "__main__":
    run()
