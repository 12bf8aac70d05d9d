"""Files that nobody would give in good faith, or that do not fit: bombs, pipes, what only seems a picture."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import socket
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rnnlab
from rnnlab.__main__ import main
from rnnlab.data import mnist_files
from rnnlab.data.errors import DatasetError
from rnnlab.data.image_files import MAX_FILE_BYTES, load_drawing, load_picture, read_file
from rnnlab.data.labelled_drawings import LabelledDrawings
from rnnlab.data.preprocessing import DrawingError
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights, WeightsError
from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, RunState
from rnnlab.store.run_files import labelled_drawings_folder
from rnnlab.store.store import Store
from rnnlab.system.regular_files import UnfitFileError, read_end, read_regular_file
from rnnlab.training.checkpoint import Checkpoint, CheckpointError
from tests.mnist import NAMES, few_digits, write_archive, write_idx_files
from tests.pens import draw_digit
from tests.weights import random_weights

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
MEGABYTE = 1_000_000

needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other pipes and sockets")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, memory cannot be limited so")


def seven(form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw_digit("7")[..., :3]).save(file, form)
    return file.getvalue()


def damaged(packed: bytes) -> bytes:
    """Return a TIFF file of which the decoder has much to say."""
    return packed[:8] + bytes(byte ^ 0x5A for byte in packed[8:40]) + packed[40:]


@pytest.fixture
def trained(store: Store) -> str:
    run = store.create_run(config_from({"dataset": "digits", "iterations": 60}), claimed=True)
    store.reports.add_point(run.id, AccuracyPoint(40, 0.5, 1.0, 1.0))
    store.reports.end_run(run.id, RunState.FINISHED, step=60)
    random_weights(16).save(store.files(run.id).make_folder() / "weights.npz", 60)
    return run.id


@pytest.fixture
def things(tmp_path: Path) -> dict[str, Path]:
    """Return what a path can lead to that is no picture, by what is said of it."""
    (tmp_path / "folder").mkdir()
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(60_000 * MEGABYTE)
    found = {"a folder": tmp_path / "folder", "at most 64 MB, not 60,000 MB": tmp_path / "sparse"}
    if os.name != "nt":
        os.mkfifo(tmp_path / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(tmp_path)  # the name of a socket must be short
            listener.bind("socket")
            os.chdir(here)
        special = {"pipe": tmp_path / "pipe", "socket": tmp_path / "socket", "device": Path("/dev/zero")}
        found |= {f"a device, a pipe or a socket): {name}": path for name, path in special.items()}
    return found


def test_what_is_no_file_or_too_large_a_one_is_refused_and_never_waited_for(things: dict[str, Path]) -> None:
    for said, path in things.items():
        with pytest.raises(DrawingError, match=re.escape(said.partition(")")[0])):
            read_file(path)
        with pytest.raises(UnfitFileError):
            read_regular_file(path, 1000)


def test_each_bad_picture_costs_one_sentence_and_all_others_are_read(
    trained: str, things: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = dict.fromkeys(things.values(), "")
    packed = io.BytesIO()
    Image.fromarray(draw_digit("7")[..., 0]).save(packed, "TIFF", compression="tiff_lzw")
    for number, content in enumerate(
        (POSTSCRIPT, seven("AVIF")[:200], seven()[:90], b"", damaged(packed.getvalue()))
    ):
        path = tmp_path / f"{number}.png"
        path.write_bytes(content)
        bad[path] = ""
    good = tmp_path / "seven.png"
    good.write_bytes(seven())
    paths = [path for each in bad for path in (each, good)]
    assert main(["read", trained, *map(str, paths), "--json"]) == 1
    printed, told = capfd.readouterr()  # also what decoders in C print
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [line["image"] for line in lines] == [str(path) for path in paths]
    assert all("digit" in line for line in lines[1::2])
    assert all(line["error"].endswith(".") and "\n" not in line["error"] for line in lines[::2])
    assert len(told.splitlines()) == 1
    assert f"{len(bad)} of the images could not be read" in told


@needs_posix
def test_no_file_starts_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, ghostscript = tmp_path / "started", tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {started}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for load in (load_picture, load_drawing, lambda data: LabelledDrawings(tmp_path / "hand").add(data, 1)):
        with pytest.raises((ValueError, RuntimeError), match="not a picture"):
            load(POSTSCRIPT)
    assert not started.exists()


@pytest.mark.parametrize("form", ["JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "AVIF"])
def test_the_canvas_and_the_labelled_drawings_take_png_files_alone(form: str) -> None:
    assert load_drawing(seven()).shape == (280, 280, 4)
    with pytest.raises(DrawingError, match="not a picture that can be read; save the drawing as a PNG file"):
        load_drawing(seven(form))


def test_one_module_alone_has_pillow_open_files_and_none_has_numpy_unpickle_them() -> None:
    code = {path.name: path.read_text() for path in Path(rnnlab.__file__).parent.rglob("*.py")}
    assert [name for name, text in code.items() if "Image.open(" in text] == ["image_files.py"]
    for unsafe in (r"np\.load\(", "allow_pickle=True", r"\bpickle\b", r"np\.fromfile\("):
        assert [name for name, text in code.items() if re.search(unsafe, text)] == []


GROWTH = """
import io, resource, sys
import numpy as np
from PIL import Image
from rnnlab.data.image_files import load_picture

turned = Image.Exif()
turned[0x0112] = 6
deep = Image.fromarray(np.zeros((8000, 8000), np.uint16))
pictures = [Image.new("1", (8000, 8000)), deep, Image.new("1", (65_000, 900))]
files = []
for picture in pictures:
    # Of the whole picture, Pillow may keep no more than its own copy: the limit leaves room for one.
    file = io.BytesIO()
    picture.save(file, "PNG", exif=turned)
    files.append(file.getvalue())
del pictures, picture, deep
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 300_000_000, resource.RLIM_INFINITY))
print([load_picture(file).shape for file in files])
"""


@only_linux
def test_a_small_file_of_many_pixels_takes_little_more_memory_than_these() -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[(800, 800, 3), (800, 800, 3), (800, 11, 3)]\n"


def test_a_large_picture_is_reduced_strip_by_strip_as_it_would_be_in_one_piece() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1234, 987, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    found = load_picture(file.getvalue())
    whole = Image.fromarray(pixels).resize((found.shape[1], found.shape[0]), Image.Resampling.BOX)
    assert max(found.shape) == 800
    # At some edges, rounding decides which of two means a pixel belongs to.
    assert (np.abs(found - np.asarray(whole, np.float32)) > 1).mean() < 0.01


def with_extra(path: Path, extra: dict[str, int]) -> None:
    """Add entries of so many zeros to an archive; an entry that is there is replaced."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries |= {name: b"\x93NUMPY\x01\x00" + bytes(size) for name, size in extra.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def save_checkpoint(path: Path) -> None:
    Checkpoint(20, 1.0, {"parameters": np.ones(50, np.float32)}).save(path)


def load_checkpoint(path: Path) -> Checkpoint:
    return Checkpoint.load(path, Architecture(neurons=128))


ARCHIVES: dict[str, tuple[Callable[[Path], object], Callable[[Path], object], str]] = {
    "weights": (lambda path: random_weights(8).save(path, 20), Weights.load, "lstm_kernel"),
    "checkpoint": (save_checkpoint, load_checkpoint, "network_parameters"),
    "mnist": (lambda path: write_archive(path, few_digits()), mnist_files.read, "x_train"),
}


@pytest.mark.parametrize("kind", list(ARCHIVES))
def test_of_an_archive_only_known_arrays_of_the_right_shape_are_unpacked(kind: str, tmp_path: Path) -> None:
    save, load, name = ARCHIVES[kind]
    path = tmp_path / "mnist.npz"
    save(path)
    with_extra(path, {"other.npy": 100 * MEGABYTE, "network_other.npy": 100 * MEGABYTE})
    tracemalloc.start()
    try:
        load(path)
        with_extra_peak = tracemalloc.get_traced_memory()[1]
        large = (
            np.zeros((25, MEGABYTE), np.float32) if kind != "mnist" else np.zeros((100, 10, 10**5), np.uint8)
        )
        with zipfile.ZipFile(path) as archive:
            entries = {each: archive.read(each) for each in archive.namelist() if "other" not in each}
        file = io.BytesIO()
        np.save(file, large, allow_pickle=False)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, content in (entries | {f"{name}.npy": file.getvalue()}).items():
                archive.writestr(each, content)
        del large, file, content, entries
        tracemalloc.reset_peak()
        with pytest.raises((WeightsError, CheckpointError, DatasetError)) as told:
            load(path)
        assert max(with_extra_peak, tracemalloc.get_traced_memory()[1]) < 20 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert len(str(told.value).splitlines()) == 1


def test_an_archive_of_very_many_entries_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    random_weights(8).save(path, 20)
    whole = path.read_bytes()
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(2_000):
            archive.writestr(f"{number:050}", b"")
    end = whole.rfind(b"PK\x05\x06")
    of_larger_form = whole[:end] + b"PK\x06\x07" + bytes(16) + whole[end:]
    for content in (path.read_bytes(), of_larger_form):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="too many entries"):
            Weights.load(path)


def test_a_packed_file_is_not_unpacked_beyond_what_its_header_says(tmp_path: Path) -> None:
    folder = write_idx_files(tmp_path / "mnist", few_digits())
    path = folder / f"{NAMES['test_labels']}.gz"
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole + bytes(200 * MEGABYTE)))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="not a whole IDX file"):
            mnist_files.read(folder)
        assert tracemalloc.get_traced_memory()[1] < 20 * MEGABYTE
    finally:
        tracemalloc.stop()


@needs_posix
def test_pipes_and_endless_files_in_the_place_of_data_are_refused(tmp_path: Path) -> None:
    folder = write_idx_files(tmp_path / "mnist", few_digits())
    path = folder / f"{NAMES['test_labels']}.gz"
    path.unlink()
    os.mkfifo(path)
    sparse = tmp_path / "sparse.npz"
    with sparse.open("wb") as file:
        file.truncate(60_000 * MEGABYTE)
    with pytest.raises(DatasetError, match=r"cannot be read \(it is a device, a pipe or a socket"):
        mnist_files.read(folder)
    with pytest.raises(DatasetError):
        mnist_files.examine(path)
    for load, error in ((Weights.load, WeightsError), (Checkpoint.load, CheckpointError)):
        with pytest.raises(error, match=r"cannot be read \(it is a device, a pipe or a socket"):
            load(path)
        with pytest.raises(error, match=r"cannot be read \(it has more than"):
            load(sparse)
        assert sparse.exists()


def test_a_pipe_among_the_labelled_drawings_is_passed_over_and_not_copied(store: Store) -> None:
    folder = labelled_drawings_folder(store.home)
    kept = LabelledDrawings(folder).add(seven(), 7)
    stray = folder / kept.id.replace("7-", "8-")
    stray.mkdir() if os.name == "nt" else os.mkfifo(stray)
    (folder / "stray.txt").write_text("not a drawing")
    assert [each.id for each in LabelledDrawings(folder).drawings()] == [kept.id]
    files = store.files(store.create_run(config_from({})).id)
    files.make_folder()
    files.copy_labelled_drawings("")
    assert [path.name for path in files.labelled_drawings.iterdir()] == [kept.id]


SHORT_OF_MEMORY = """
import os, resource, sys
from pathlib import Path
from rnnlab.data import image_files, mnist_files
from rnnlab.data.errors import DatasetError
from rnnlab.data.labelled_drawings import LabelledDrawingError, LabelledDrawings
from rnnlab.data.preprocessing import DrawingError
from rnnlab.model.architecture import Architecture
from rnnlab.model.weights import Weights, WeightsError
from rnnlab.training.checkpoint import Checkpoint, CheckpointError

home = Path(sys.argv[1])
drawing = (home / "hand" / os.listdir(home / "hand")[0]).read_bytes()
loads = {
    WeightsError: lambda: Weights.load(home / "weights.npz"),
    CheckpointError: lambda: Checkpoint.load(home / "checkpoint.npz"),
    DatasetError: lambda: mnist_files.examine(home / "mnist"),
    LabelledDrawingError: lambda: LabelledDrawings(home / "hand").drawings()[0],
    DrawingError: lambda: image_files.load_drawing(drawing),
}
for error, load in loads.items():
    held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 1_000_000, resource.RLIM_INFINITY))
    try:
        load()
    except error as told:
        assert "not enough memory" in str(told), told
    else:
        raise AssertionError(error)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    load()
"""


@only_linux
def test_a_healthy_file_is_not_called_damaged_for_want_of_memory(tmp_path: Path) -> None:
    weights = random_weights(512)
    weights.save(tmp_path / "weights.npz", 20)
    Checkpoint(20, 1.0, {"parameters": np.ones(2_000_000, np.float32)}).save(tmp_path / "checkpoint.npz")
    write_idx_files(tmp_path / "mnist", few_digits(train=6000), packed=False)
    file = io.BytesIO()
    Image.fromarray(draw_digit("7")).resize((4000, 4000)).save(file, "PNG")
    LabelledDrawings(tmp_path / "hand").add(file.getvalue(), 7)
    before = sorted(tmp_path.rglob("*"))
    command = [sys.executable, "-c", SHORT_OF_MEMORY, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_the_end_of_a_log_is_read_however_large_it_is_and_nothing_that_is_no_file(
    tmp_path: Path, things: dict[str, Path]
) -> None:
    log = tmp_path / "log.txt"
    for content in (b"", b"short", b"x" * 100 + b"end"):
        log.write_bytes(content)
        assert read_end(log, 10) == content[-10:]
    for path in things.values():
        if path.name == "sparse":
            assert read_end(path, 10) == bytes(10)
        else:
            with pytest.raises(UnfitFileError):
                read_end(path, 10)


def test_the_page_takes_as_large_a_picture_as_the_command_line() -> None:
    upload = Path(rnnlab.__file__).parent / "dashboard" / "regions" / "picture_upload.py"
    assert "max_upload_size=MAX_FILE_BYTES // 1_000_000" in upload.read_text()
    assert MAX_FILE_BYTES % MEGABYTE == 0
