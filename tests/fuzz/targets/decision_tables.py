"""`decisions.csv` and filled-in lists, as people and spreadsheets leave them."""

from curate import decisions
from curate.apply import apply
from curate.csv_text import read_csv, write_csv
from tests.fuzz.contract import answered, file
from tests.tables import decided, images

IMAGES = images(("a", "train", "cat"), ("b", "train", "dog"), ("t", "test", "dog"), ("p", "pool", ""))
EARLIER = decided(("a", "drop", "", "policy", "dark", "", "2026-01-01T12:00:00Z"), ("b", "keep", "", "eve"))


def seeds() -> list[bytes]:
    """Tables with every action, with quotes, other line ends and columns of a review."""
    return [
        b"image_id,action,label,by,because,note,at\na,drop,,policy,dark,,2026-01-01T12:00:00Z\nb,keep,,eve,,,\n",
        b'\xef\xbb\xbfimage_id,action,label,note\r\na,relabel,dog,"x, ""y"""\r\np,,cat,\r\n\r\n',
        b"image_id,action\nt,relabel\n",
        b'"image_id","action","label"\n"a","keep","\r"\n',
    ]


def one(data: bytes) -> None:
    """What is read is written and read as the same; what can be carried out is, and taken over twice is taken once."""
    path = file("decisions.csv", data)
    with answered():
        table = read_csv(path)
        write_csv(again := path.with_name("again.csv"), table)
        if len(table.columns):
            assert read_csv(again).to_numpy().tolist() == table.to_numpy().tolist()
        checked = decisions.check(table, IMAGES, str(path))
        merged = decisions.merge(EARLIER, checked, by="ada", at="2026-01-02T12:00:00Z")
        assert set(checked["image_id"]) <= set(merged["image_id"])
        assert not merged.duplicated(["image_id", "by"]).any()
        assert set(apply(IMAGES, merged).table["image_id"]) <= set(IMAGES["image_id"])
