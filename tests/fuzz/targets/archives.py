"""Tar and zip files, in any compression, as folders of classes and as WebDataset shards; the first byte chooses."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

from curate.layouts import Options, Sample, folders
from curate.layouts.unpack import safe_path, unique
from curate.sources import tar, webdataset
from curate.sources import zip as zip_file
from tests.fuzz.contract import answered, file

READERS = ((tar, "x.tar"), (zip_file, "x.zip"), (webdataset, "train-0.tar"), (tar, "x.tar.gz"))
MEMBERS = (("cat/1.png", b"png"), ("dog/a b.jpg", b"jpg"), ("cat/.hidden.png", b""), ("x/y/z.txt", b"text"))
SHARD = (("1.png", b"png"), ("1.cls", b"3"), ("2.jpg", b"jpg"), ("2.json", b'{"label": "cat"}'), ("3.txt", b"dog"))


def seeds() -> list[bytes]:
    """Archives of each form and compression, with links, long names and empty members."""
    plain = [packed(MEMBERS, form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
    long = packed([("a" * 150 + "/ä.png", b"x")], tarfile.GNU_FORMAT), packed([("ä" * 99 + "/ö.png", b"x")], 2)
    squeezed = [press(plain[0]) for press in (gzip.compress, bz2.compress, lzma.compress)]
    tars = [*plain, *long, linked(), *squeezed]
    zips = [zipped(MEMBERS, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
    return [
        *(bytes([0]) + data for data in tars),
        *(bytes([1]) + data for data in zips),
        bytes([2]) + packed(SHARD, tarfile.USTAR_FORMAT),
    ]


def one(data: bytes) -> None:
    """Everything that the archive gives has a name that leads nowhere else, and a place among splits and classes."""
    reader, name = READERS[data[0] % len(READERS)] if data else READERS[0]
    path = file(name, data[1:])
    with answered():
        reader.recognises(path)
        found = [item for item in reader.read(path, Options()) if isinstance(item, Sample)]
        taken: dict[str, int] = {}
        for sample in found:
            inside = unique(safe_path(sample.name), taken, ignore_case=True)
            assert not inside.startswith("/"), sample.name
            assert not {"", ".", ".."} & set(inside.split("/")), sample.name
            assert "\0" not in inside, sample.name
        assert len(folders.places([sample.name for sample in found])) == len(found)


def packed(members: "list | tuple", form: int) -> bytes:
    """A tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def linked() -> bytes:
    """A tar file with links, a device, a folder and a sparse file of nothing."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE):
            info = tarfile.TarInfo(f"cat/{kind.decode()}.png")
            info.type, info.linkname = kind, "../../x"
            archive.addfile(info)
    return buffer.getvalue()


def zipped(members: "list | tuple", method: int) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()
