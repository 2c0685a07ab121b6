"""Samples from folders of images and .wav files, and every way in which these can be wrong."""

from __future__ import annotations

import io
import random
import struct
import sys
import wave
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from byteprop import ArgumentError, DataError
from byteprop.data import folders as folders_module
from byteprop.data import has_split, kind_of, load_labels, load_samples
from byteprop_host.cli import main
from byteprop_host.data.reading import Reading
from byteprop_host.training.data import Sources, load_parts
from test_npz import peak_of

FASHION = Path(__file__).resolve().parents[2] / "examples/fashion_mnist"
Array = npt.NDArray[Any]


def grey(seed: int, height: int = 5, width: int = 4) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)


def save(path: Path, pixels: Array, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def save_wav(
    path: Path, values: Array, rate: int = 8000, channels: int = 1, width: int = 2
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(values.astype(f"<i{width}").tobytes())
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, name in enumerate(("wolf", "Bear", "fox")):
        for i in range(3 if name == "fox" else 2):
            save(tmp_path / "photos" / name / f"{i}.png", grey(10 * number + i))
    return tmp_path / "photos"


# --- images ---


def test_subfolders_are_classes_in_sorted_order_one_in_turn_after_the_other(photos: Path) -> None:
    samples = load_samples(photos)
    assert samples.classes == ("Bear", "fox", "wolf")
    assert samples.y is not None
    assert samples.y.tolist() == [0, 1, 2, 0, 1, 2, 1]
    assert samples.x.dtype == np.uint8
    seeds = [10, 20, 0, 11, 21, 1, 22]
    np.testing.assert_array_equal(samples.x, [grey(seed) for seed in seeds])
    assert "images of 5x4, grey" in samples.notes


def test_the_first_samples_are_of_all_classes(photos: Path) -> None:
    samples = load_samples(photos, limit=3)
    assert samples.y is not None
    assert samples.y.tolist() == [0, 1, 2]
    assert samples.classes == ("Bear", "fox", "wolf")
    assert load_samples(photos, limit=1).classes == samples.classes


def test_a_folder_without_subfolders_and_a_single_file_have_no_labels(photos: Path) -> None:
    for source, n in ((photos / "fox", 3), (photos / "fox" / "0.png", 1)):
        samples = load_samples(source)
        assert (samples.x.shape, samples.y, samples.classes) == ((n, 5, 4), None, None)
        assert kind_of(source) == "images"


def test_other_and_hidden_files_are_left_out(photos: Path) -> None:
    (photos / "fox" / "notes.md").write_text("no image")
    (photos / "fox" / ".hidden.png").write_bytes(b"no image")
    (photos / ".thumbnails").mkdir()
    (photos / "fox" / "folder.png").mkdir()
    samples = load_samples(photos)
    assert len(samples) == 7
    assert "1 other files left out" in samples.notes


def test_files_in_deeper_folders_belong_to_the_class(photos: Path) -> None:
    save(photos / "fox" / "winter" / "0.png", grey(99))
    samples = load_samples(photos)
    assert samples.y is not None
    assert np.bincount(samples.y).tolist() == [2, 4, 2]


def test_grey_or_colour_by_the_model(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    colour = save(tmp_path / "a" / "1.png", pixels)
    luma = np.asarray(Image.fromarray(pixels).convert("L"))
    np.testing.assert_array_equal(load_samples(colour).x, [pixels])
    for shape in ((6, 6), (6, 6, 1), (36,)):
        samples = load_samples(colour, sample_shape=shape)
        np.testing.assert_array_equal(samples.x, luma.reshape(1, *shape))
        assert "images of 6x6, grey, 1 of them converted to grey" in samples.notes
    flat = load_samples(colour, sample_shape=(108,))
    np.testing.assert_array_equal(flat.x, pixels.reshape(1, 108))
    save(tmp_path / "a" / "2.png", luma)
    mixed = load_samples(tmp_path / "a")
    np.testing.assert_array_equal(mixed.x[1], np.repeat(luma[..., np.newaxis], 3, axis=2))
    assert "images of 6x6, RGB, 1 of them converted to RGB" in mixed.notes


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "ppm", "webp", "jpg"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    pixels = np.full((8, 8, 3), (200, 40, 90), np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path, **({"lossless": True} if suffix == "webp" else {}))
    samples = load_samples(path)
    assert samples.x.shape == (1, 8, 8, 3)
    assert kind_of(path) == "images"
    assert np.abs(samples.x[0].astype(int) - pixels).max() <= (3 if suffix == "jpg" else 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path / "a.png", np.full((4, 4, 3), 255, np.uint8), mode)
    x = load_samples(path).x
    assert x.shape == ((1, 4, 4) if mode in ("1", "L", "LA") else (1, 4, 4, 3))
    assert (x == 255).all()


def test_sixteen_bits_per_colour_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.full((4, 4), 40000, np.uint16))
    with pytest.raises(DataError, match="a.png: expected 8 bits per colour, got the mode I"):
        load_samples(path)


def test_sizes_that_differ_need_a_resize(photos: Path) -> None:
    save(photos / "wolf" / "9.png", grey(1, 7, 4))
    with pytest.raises(DataError, match=r"one size, got 5x4 in 0.png and 7x4 in 9.png; --resize H"):
        load_samples(photos)
    samples = load_samples(photos, resize=(5, 4))
    assert samples.x.shape == (8, 5, 4)
    assert "images of 5x4, grey, 1 of them resized" in samples.notes
    np.testing.assert_array_equal(samples.x[0], grey(10))  # of the right size already


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((28, 28, 1), "expected images of 28x28, got 5x4; --resize 28x28 scales them"),
        ((28, 28, 3), "expected images of 28x28, got 5x4; --resize 28x28 scales them"),
        ((784,), "expected images of 784 values, got 5x4; --resize 28x28 scales them"),
        ((768,), "expected images of 768 values, got 5x4; --resize 16x16 scales them"),
        ((50,), "expected images of 50 values, got 5x4; --resize HEIGHTxWIDTH"),
        ((4, 5), "expected images of 4x5, got 5x4; --resize 4x5 scales them"),
        ((28, 28, 2), "expected a model of 1 or 3 channels for images, got 2"),
        ((96, 1), "expected a model that takes images"),
        ((2, 28, 28, 1), "expected a model that takes images"),
    ],
)
def test_a_size_that_the_model_does_not_take(
    photos: Path, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_samples(photos, sample_shape=shape)


def test_parts(tmp_path: Path) -> None:
    for part, n in (("train", 3), ("validation", 2)):
        for name in "ab":
            for i in range(n):
                save(tmp_path / "set" / part / name / f"{i}.png", grey(i))
    root = tmp_path / "set"
    with pytest.raises(DataError, match="got the folders train, validation; --split train or val"):
        load_samples(root)
    assert len(load_samples(root, split="train")) == 6
    assert len(load_samples(root, split="val")) == 4
    assert has_split(root, "val") and not has_split(root, "test")
    with pytest.raises(DataError, match="one of them 'test'"):
        load_samples(root, split="test")
    parts = load_parts(Sources(root, validation=root, reading=Reading(split="train")), seed=0)
    assert [len(p) for p in parts.all] == [6, 4]
    assert parts.classes == ("a", "b")


@pytest.mark.parametrize("name", ["notes.txt", None])
def test_folders_without_data(tmp_path: Path, name: str | None) -> None:
    if name:
        (tmp_path / name).write_text("hello")
    with pytest.raises(DataError, match=r"expected a folder of images \(.png, .*\) or of .wav"):
        load_samples(tmp_path)


def test_folders_that_can_be_read_in_two_ways(photos: Path) -> None:
    (photos / "lynx").mkdir()
    with pytest.raises(DataError, match="lynx: expected files of a class, got none"):
        load_samples(photos)
    (photos / "lynx").rmdir()
    save(photos / "cover.png", grey(1))
    with pytest.raises(DataError, match="one per class, or all in one folder, got both"):
        load_samples(photos)


def test_options_for_other_files_are_refused(photos: Path) -> None:
    for option in ({"window": 3}, {"hop": 3}, {"header": True}):
        with pytest.raises(ArgumentError, match=next(iter(option))):
            load_samples(photos, **option)  # type: ignore[arg-type]
    for size in ((0, 5), (5,), (2.5, 5)):
        with pytest.raises(ArgumentError, match="resize"):
            load_samples(photos, resize=size)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="resize: expected images"):
        load_samples(FASHION / "t10k-1000.npz", resize=(2, 2))
    with pytest.raises(DataError, match="expected a file of labels, got images"):
        load_labels(photos)


def test_text_that_begins_like_an_image_is_text(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("BMI,label\n21.5,0\n27.5,1\n")
    assert load_samples(tmp_path / "people.csv").x.tolist() == [[21.5], [27.5]]


def test_without_pillow(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(
        DataError, match=r'need Pillow to be read: pip install "byteprop\[images\]"'
    ):
        load_samples(photos)


# --- hostile images ---


def png(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in parts)


@pytest.mark.parametrize("side", [5000, 30_000, 2**31 - 1])
def test_an_image_that_claims_to_be_huge_takes_no_memory(tmp_path: Path, side: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(side, side, bytes(100)))

    def load() -> None:
        with pytest.raises(DataError, match="a.png"):
            load_samples(path)

    assert peak_of(load) < 16_000_000


def test_many_small_files_cannot_claim_much_together(tmp_path: Path) -> None:
    for i in range(40):
        (tmp_path / f"{i}.png").write_bytes(png(1900, 1900, bytes(10)))

    def load() -> None:
        with pytest.raises(DataError, match="expected at most 16000000 bytes unpacked"):
            load_samples(tmp_path)

    assert peak_of(load) < 16_000_000


def test_damaged_images_are_refused_or_read(tmp_path: Path) -> None:
    """Bytes changed, cut off or added anywhere: a DataError, or pixels."""
    draw = random.Random(7)
    read = 0
    for suffix in ("png", "jpg", "bmp", "gif", "webp"):
        buffer = io.BytesIO()
        Image.fromarray(grey(3, 16, 16)).save(buffer, {"jpg": "jpeg"}.get(suffix, suffix))
        for _ in range(60):
            data = bytearray(buffer.getvalue())
            for _ in range(draw.randint(1, 4)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            if draw.random() < 0.4:
                del data[draw.randrange(len(data)) :]
            path = tmp_path / f"a.{suffix}"
            path.write_bytes(data)
            try:
                read += load_samples(path).x.shape[0]
            except DataError as error:
                assert str(path) in str(error)
    assert 10 < read < 290


def test_a_folder_of_too_many_files(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders_module, "_MOST_ENTRIES", 5)
    with pytest.raises(DataError, match="expected at most 5 files, got more"):
        load_samples(photos)


def test_links_to_folders_are_not_followed(photos: Path) -> None:
    (photos / "fox" / "again").symlink_to(photos)
    (photos / "fox" / "broken.png").symlink_to(photos / "nothing.png")
    (photos / "root").symlink_to("/")
    assert len(load_samples(photos)) == 7


# --- sound ---


def ramp(n: int, start: int = 0) -> Array:
    return (np.arange(n) + start) * 100 - 5000


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    save_wav(tmp_path / "sounds" / "low" / "a.wav", ramp(10))
    save_wav(tmp_path / "sounds" / "low" / "b.wav", ramp(3))
    save_wav(tmp_path / "sounds" / "high" / "c.wav", ramp(9, 20))
    return tmp_path / "sounds"


def test_windows_of_all_files(sounds: Path) -> None:
    samples = load_samples(sounds, window=4)
    assert samples.classes == ("high", "low")
    assert samples.y is not None
    assert samples.y.tolist() == [0, 1, 0, 1, 1]
    starts = [ramp(4, 20), ramp(4), ramp(4, 24), ramp(4, 4), np.append(ramp(3), 0)]
    np.testing.assert_array_equal(samples.x, np.array(starts, np.float32) / 32768)
    assert samples.x.dtype == np.float32
    assert samples.notes == (
        "8000 Hz, windows of 4 values (0.0005 s)",
        "1 of 3 files are shorter and end with zeros",
        "the end of 2 of 3 files fills no window",
    )


def test_windows_may_overlap(sounds: Path) -> None:
    samples = load_samples(sounds / "low" / "a.wav", window=4, hop=3)
    np.testing.assert_array_equal(samples.x * 32768, [ramp(4), ramp(4, 3), ramp(4, 6)])
    assert samples.notes[0].endswith("every 3")
    assert samples.y is None


def test_the_window_is_that_of_the_model_or_of_all_files(sounds: Path) -> None:
    assert load_samples(sounds, sample_shape=(1, 5, 1)).x.shape == (4, 5)
    with pytest.raises(DataError, match="as files have 3 to 10 values; --window N"):
        load_samples(sounds)
    save_wav(sounds / "low" / "b.wav", ramp(9))
    (sounds / "low" / "a.wav").unlink()
    assert load_samples(sounds).x.shape == (2, 9)


def test_several_channels(tmp_path: Path) -> None:
    path = save_wav(tmp_path / "a.wav", ramp(12), channels=2)
    np.testing.assert_array_equal(load_samples(path, window=3).x * 32768, ramp(12).reshape(2, 3, 2))
    assert load_samples(path, sample_shape=(6,)).x.shape == (2, 3, 2)
    with pytest.raises(DataError, match="which 2 channels do not divide"):
        load_samples(path, sample_shape=(5,))


def test_files_that_differ_are_named(sounds: Path) -> None:
    save_wav(sounds / "low" / "d.wav", ramp(10), rate=16000)
    with pytest.raises(DataError, match=r"d.wav: expected 8000 samples per second as in c.wav"):
        load_samples(sounds, window=4)
    save_wav(sounds / "low" / "d.wav", ramp(10), channels=2)
    with pytest.raises(DataError, match=r"d.wav: expected 1 channels as in c.wav, got 2"):
        load_samples(sounds, window=4)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    path = save_wav(tmp_path / "a.wav", ramp(8), width=4)
    with pytest.raises(DataError, match="expected PCM of 16 bits, got 32; `ffmpeg"):
        load_samples(path)
    data = bytearray(save_wav(tmp_path / "b.wav", ramp(8)).read_bytes())
    data[20] = 3  # floats
    path.write_bytes(data)
    with pytest.raises(DataError, match="expected .wav with PCM of 16 bits, but: unknown format"):
        load_samples(path)


@pytest.mark.parametrize("claimed", [1000, 2**31, 2**32 - 2])
def test_a_wav_that_claims_to_be_long_takes_no_memory(tmp_path: Path, claimed: int) -> None:
    data = bytearray(save_wav(tmp_path / "a.wav", ramp(8)).read_bytes())
    data[40:44] = struct.pack("<I", claimed)
    path = tmp_path / "a.wav"
    path.write_bytes(data)

    def load() -> None:
        with pytest.raises(DataError, match="a.wav"):
            load_samples(path, window=4)

    assert peak_of(load) < 1_000_000


def test_damaged_wavs_are_refused_or_read(tmp_path: Path) -> None:
    draw = random.Random(3)
    good = save_wav(tmp_path / "a.wav", ramp(8)).read_bytes()
    read = 0
    for _ in range(400):
        data = bytearray(good)
        for _ in range(draw.randint(1, 3)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        if draw.random() < 0.3:
            del data[draw.randrange(len(data)) :]
        (tmp_path / "a.wav").write_bytes(data)
        try:
            read += load_samples(tmp_path / "a.wav", window=4).x.shape[0] > 0
        except DataError as error:
            assert "a.wav" in str(error)
    assert 20 < read < 380


# --- verbs ---


def test_verbs_take_folders_and_name_their_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with np.load(FASHION / "t10k-1000.npz") as data:
        images, labels = data["x"][:40], data["y"][:40]
    names = (FASHION / "classes.txt").read_text().split("\n")
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        save(Path("photos") / f"{label} {names[label].replace('/', ' ')}" / f"{i}.png", image)
    model = str(FASHION / "fashion_mlp.tflite")
    assert main(["verify", model, "--data", "photos", "--no-other-kernels"]) == 0
    out = capsys.readouterr().out
    assert "identical: 40 of 40 samples" in out
    assert "images of 28x28, grey; labels in sorted order: 0 T-shirt" in out
    report = Path("byteprop-verify-host.html").read_text(encoding="utf-8")
    assert "9 Ankle boot" in report

    for i in range(12):
        save(Path("big") / "ab"[i % 2] / f"{i}.png", grey(i, 12, 12 + i % 3))
    assert main(["train", "--net", "64-2", "--data", "big", "--no-report"]) == 2
    assert "--resize 8x8 scales them" in capsys.readouterr().err
    assert main(["train", "--net", "64-2", "--data", "big", "--no-report", "--resize", "8x8"]) == 0
    assert "12 of them resized" in capsys.readouterr().out
    assert main(["verify", model, "--resize", "8x8"]) == 2
    assert "--resize: expected images, got no --data" in capsys.readouterr().err
    for wrong in ("8", "0x8", "8x", "axb", "-1x2"):
        with pytest.raises(SystemExit):
            main(["verify", model, "--data", "big", f"--resize={wrong}"])


def test_sound_trains_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, period in (("low", 40), ("high", 9)):
        for i in range(4):
            wave_form = 20000 * np.sin((np.arange(300) + 7 * i) * 2 * np.pi / period)
            save_wav(tmp_path / name / f"{i}.wav", wave_form)
    command = ["train", "--net", "64-8-2", "--data", str(tmp_path), "--no-report", "--hop", "32"]
    assert main(command) == 0
    assert "8000 Hz, windows of 64 values (0.008 s) every 32" in capsys.readouterr().out
