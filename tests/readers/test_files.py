import gzip
import io
import os
import random
import re
import zipfile
from pathlib import Path

import pytest
import zstandard

from imitation_data.checksum import checksum
from imitation_data.errors import SourceError
from imitation_data.readers import files
from imitation_data.readers.files import SourceFile, find_files, labels

JSON = (".json", ".jsonl")


def names(path: Path) -> list[str]:
    return [file.name for file in find_files(path, JSON)]


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def read(file: SourceFile) -> bytes:
    with file.open() as stream:
        return stream.read()


def read_to_the_error(file: SourceFile) -> tuple[bytes, str]:
    got = b""
    with file.open() as stream:
        try:
            while block := stream.read1(1 << 16):
                got += block
        except SourceError as error:
            return got, str(error)
    return got, "no error"


def open_files() -> int:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not list open files")
    return len(list(folder.iterdir()))


def test_folder_is_listed_in_an_order_of_its_own(tmp_path):
    """Files come sorted by folder and name, whatever order the disk has them in."""
    for name in ["b.jsonl", "a/z.json", "a/b.json.gz", "B.json", "a.json", "notes.txt", ".x.json"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert names(tmp_path) == ["B.json", "a/b.json.gz", "a/z.json", "a.json", "b.jsonl"]


def test_named_file_is_taken_whatever_its_suffix(tmp_path):
    """A user who names a file means it."""
    (tmp_path / "dump.txt").write_bytes(b"{}")
    assert names(tmp_path / "dump.txt") == ["dump.txt"]


def test_glob_is_tried_after_the_very_name(tmp_path):
    """`part[1].json` is a name before it is a pattern."""
    for name in ["part[1].json", "part1.json", "part2.json"]:
        (tmp_path / name).write_bytes(b"")
    assert names(tmp_path / "part[1].json") == ["part[1].json"]
    assert names(tmp_path / "part?.json") == ["part1.json", "part2.json"]


def test_own_files_of_a_saved_dataset_are_no_source(tmp_path):
    """`datasets` keeps JSON files about the data beside the data."""
    for name in ["data-00000-of-00001.arrow", "state.json", "dataset_info.json", "more.json"]:
        (tmp_path / name).write_bytes(b"")
    assert names(tmp_path) == ["more.json"]


@pytest.mark.parametrize("name", ["none.json", "none*.json", "no/such.json", "nul\0.json"])
def test_nothing_there_is_an_error(tmp_path, name):
    """A path that names nothing stops the build and is repeated in the message."""
    with pytest.raises(SourceError, match=r"no such file|cannot be looked"):
        find_files(tmp_path / name, JSON)


def test_folder_without_a_fitting_file_is_an_error(tmp_path):
    """An empty source is never read in silence; the message says what was looked for."""
    (tmp_path / "notes.txt").write_bytes(b"")
    with pytest.raises(SourceError, match=r"no file that ends in \.json, \.jsonl"):
        find_files(tmp_path, JSON)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.json.xz", "a.7z"])
def test_archives_that_are_not_read_say_so(tmp_path, name):
    """Reading a tar file as text would only give puzzling errors."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(SourceError, match="unpack it first"):
        find_files(tmp_path / name, JSON)


@pytest.mark.skipif(os.name != "posix", reason="needs file names that are bytes")
def test_undecodable_name_fits_into_messages(tmp_path):
    """A file name that is not UTF-8 is shown with U+FFFD and still opened."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.json"))
    path.write_bytes(b"{}")
    (file,) = find_files(tmp_path, JSON)
    assert file.name == "caf\ufffd.json"
    assert read(file) == b"{}"


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.jsonl.zst", "A.JSON.GZ"])
def test_packed_files_read_like_plain_ones(tmp_path, name):
    """The suffix that tells the format is the one before `.gz` and `.zst`; case does not matter."""
    content = b'{"a": 1}\n' * 50_000
    packed = {".gz": gzip.compress, ".zst": zstandard.compress}.get(name[-3:].lower())
    packed = packed or {".zst": zstandard.compress}.get(name[-4:])
    (tmp_path / name).write_bytes(packed(content) if packed else content)
    (file,) = find_files(tmp_path, JSON)
    assert file.suffix in JSON
    assert file.packed is (packed is not None)
    assert read(file) == content


def test_members_of_a_zip_are_files(tmp_path):
    """Members come sorted and unpacked; what does not fit and macOS's shadows are left out."""
    path = zipped(
        tmp_path / "export.zip",
        ("b/two.json", b"two"),
        ("a.json", b"one"),
        ("chat.html", b"no"),
        ("__MACOSX/a.json", b"no"),
        ("c.jsonl.gz", gzip.compress(b"three")),
        ("d.jsonl.zst", zstandard.compress(b"four")),
    )
    found = find_files(path, JSON)
    assert [file.name for file in found] == [
        "export.zip!a.json",
        "export.zip!b/two.json",
        "export.zip!c.jsonl.gz",
        "export.zip!d.jsonl.zst",
    ]
    assert [read(file) for file in found] == [b"one", b"two", b"three", b"four"]
    assert [file.suffix for file in found] == [".json", ".json", ".jsonl", ".jsonl"]
    assert names(tmp_path) == names(path)


@pytest.mark.parametrize(
    "name", ["../a.json", "/etc/a.json", "b/../../a.json", "b\\..\\..\\a.json"]
)
def test_zip_member_outside_the_archive_is_refused(tmp_path, name):
    """A path that leaves the archive is an attack or a mistake; neither is read."""
    path = zipped(tmp_path / "a.zip", (name, b"{}"))
    with pytest.raises(SourceError, match="leaves the archive"):
        find_files(path, JSON)


def test_zip_with_two_members_of_one_name_is_refused(tmp_path):
    """Only one of the two could be opened: the other would be lost in silence."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "a.zip", ("a.json", b"1"), ("a.json", b"2"))
    with pytest.raises(SourceError, match="two members"):
        find_files(path, JSON)


def test_zip_with_too_many_members_is_refused(tmp_path, monkeypatch):
    """The number of members has a limit."""
    monkeypatch.setattr(files, "MAX_MEMBERS", 2)
    path = zipped(tmp_path / "a.zip", *((f"{number}.json", b"") for number in range(3)))
    with pytest.raises(SourceError, match="3 files; at most 2"):
        find_files(path, JSON)


def test_named_zip_must_hold_something_but_a_found_one_need_not(tmp_path):
    """In a folder, a zip of pictures is one of the files that do not fit."""
    zipped(tmp_path / "pictures.zip", ("a.png", b""))
    (tmp_path / "a.json").write_bytes(b"")
    assert names(tmp_path) == ["a.json"]
    with pytest.raises(SourceError, match="holds no file"):
        find_files(tmp_path / "pictures.zip", JSON)


def test_broken_and_locked_zips_are_located(tmp_path):
    """A zip that is none, and one with a password, are errors that name the file."""
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(SourceError, match=r"a\.zip: is no readable zip"):
        find_files(tmp_path / "a.zip", JSON)
    path = zipped(tmp_path / "b.zip", ("a.json", b"{}"))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # the flag for encryption, in the directory
    raw[6] |= 1
    path.write_bytes(raw)
    (file,) = find_files(path, JSON)
    with pytest.raises(SourceError, match=r"b\.zip!a\.json: cannot be opened \(.*encrypted"):
        file.open()


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_cut_off_archive_gives_what_it_has_and_then_an_error(tmp_path, pack, keep):
    """A cut-off download is never taken for a whole file; what precedes the cut can be read."""
    content = random.Random(1).randbytes(1_000_000)
    packed = pack(content)
    suffix = "gz" if pack is gzip.compress else "zst"
    (tmp_path / f"a.json.{suffix}").write_bytes(packed[: int(len(packed) * keep)])
    (file,) = find_files(tmp_path, JSON)
    got, error = read_to_the_error(file)
    assert re.match(r"a\.json\.\w+: .*cut off after [\d,]+ bytes", error)
    assert content.startswith(got)
    assert len(got) > len(content) * keep - 200_000


def test_damaged_archives_are_errors_of_the_source(tmp_path):
    """Wrong bytes and wrong checksums inside gzip, zstd and zip all end in a `SourceError`."""
    content = random.Random(1).randbytes(100_000)
    packed = bytearray(gzip.compress(content))
    packed[5_000] ^= 0xFF
    (tmp_path / "a.json.gz").write_bytes(packed)
    (tmp_path / "b.json.zst").write_bytes(b"this is not zstd")
    member = bytearray(zipped(tmp_path / "c.zip", ("c.json", content)).read_bytes())
    member[5_000] ^= 0xFF
    (tmp_path / "c.zip").write_bytes(member)
    for file in find_files(tmp_path, JSON):
        with pytest.raises(SourceError, match="damaged"):
            read(file)


@pytest.mark.parametrize("form", ["gz", "zst", "zip", "gz in zip"])
def test_bombs_are_refused_while_unpacking(tmp_path, monkeypatch, form):
    """What unpacks to an absurd multiple of its size is stopped before it fills the memory."""
    monkeypatch.setattr(files, "RATIO_APPLIES_AFTER", 1 << 20)
    zeros = bytes(50 << 20)
    if form == "gz":
        path = tmp_path / "a.json.gz"
        path.write_bytes(gzip.compress(zeros))
    elif form == "zst":
        path = tmp_path / "a.json.zst"
        path.write_bytes(zstandard.compress(zeros))
    elif form == "zip":
        path = zipped(tmp_path / "a.zip", ("a.json", zeros))
    else:
        path = zipped(tmp_path / "a.zip", ("a.json.gz", gzip.compress(zeros)))
    (file,) = find_files(path, JSON)
    got, error = read_to_the_error(file)
    assert "more than 400 times its size" in error
    assert len(got) < 25 << 20


def test_size_a_zip_claims_does_not_raise_the_limit(tmp_path, monkeypatch):
    """A directory entry can lie about its packed size; the archive's own size is the limit."""
    monkeypatch.setattr(files, "RATIO_APPLIES_AFTER", 1 << 20)
    path = zipped(tmp_path / "a.zip", ("a.json", bytes(50 << 20)))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02") + 20
    raw[at : at + 4] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(SourceError, match=r"more than 400 times|damaged"):
        read(find_files(path, JSON)[0])


def test_small_files_may_pack_well(tmp_path):
    """Sixty megabytes of one letter are no bomb."""
    content = b"a" * (60 << 20)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(content))
    assert read(find_files(tmp_path, JSON)[0]) == content


def test_streams_close_what_they_opened(tmp_path):
    """Closing the stream closes the file on disk: thousands of files are read in one build."""
    zipped(tmp_path / "a.zip", ("a.json.gz", gzip.compress(b"{}")))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b"{}"))
    (tmp_path / "c.json").write_bytes(b"{}")
    before = open_files()
    for file in find_files(tmp_path, JSON):
        stream = file.open()
        assert isinstance(stream, io.BufferedReader)
        assert stream.read() == b"{}"
        stream.close()
    assert open_files() == before


def test_checksum_is_sha256(tmp_path):
    """The checksum is the one `sha256sum` prints."""
    (tmp_path / "a").write_bytes(b"abc")
    assert checksum(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223b00361a3")


def test_patterns_choose_among_the_files_of_a_folder(tmp_path):
    """A fetched folder may hold more than the recipe names; the Hub's pattern rules apply."""
    for name in ["data/train/a.json", "data/test/b.json", "c.json"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    def chosen(*patterns: str) -> list[str]:
        return [file.name for file in find_files(tmp_path, JSON, patterns)]

    assert chosen("data/*.json") == ["data/test/b.json", "data/train/a.json"]
    assert chosen("data/train/", "c.json") == ["c.json", "data/train/a.json"]
    with pytest.raises(SourceError, match=r"no file that matches \*\.csv and ends in"):
        chosen("*.csv")


def test_labels_tell_files_apart():
    """A file's own name; with as many folders as it takes where several have it."""
    paths = ["a/x/rows.jsonl", "b/x/rows.jsonl", "b/x/more.jsonl", "b/x/more.jsonl"]
    files = [SourceFile(Path("/data", path), Path(path).name) for path in paths]
    assert labels(files) == ["a/x/rows.jsonl", "b/x/rows.jsonl", "more.jsonl", "more.jsonl#2"]
    inside = [SourceFile(Path("/data/c/d/z.zip"), "d/z.zip!m/a.json", "m/a.json")] * 2
    assert labels([*inside[:1], *files[:1]]) == ["d/z.zip!m/a.json", "rows.jsonl"]
    other = SourceFile(Path("/data/e/d/z.zip"), "d/z.zip!m/a.json", "m/a.json")
    assert labels([inside[0], other]) == ["c/d/z.zip!m/a.json", "e/d/z.zip!m/a.json"]
    assert labels([]) == []
    odd = [
        SourceFile(Path("x/a.jsonl"), "a.jsonl"),
        SourceFile(Path("x/a.jsonl").absolute(), "a.jsonl"),
        SourceFile(Path("/b/a.jsonl"), "b/a.jsonl"),
        SourceFile(Path("/c/a.jsonl#2"), "a.jsonl#2"),
        SourceFile(Path("/z.zip"), "z.zip!a.jsonl", "a.jsonl"),
        SourceFile(Path("/z.zip!a.jsonl"), "z.zip!a.jsonl"),
    ]
    assert len(set(labels(odd))) == len(odd)
