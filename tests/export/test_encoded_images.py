"""The signature for bytes sees the pixels that training saw, whatever the file, without Pillow or kexp."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
from kexp.recipes.mlp_images import mlp_images
from PIL import Image

import kexp
from kexp.data import DatasetSpec
from kexp.data.adapters import read_inputs
from kexp.export import ExportError, encoded_images, load_exported
from kexp.export.encoded_images import image_decoder, takes_encoded
from kexp.export.exif_orientation import exif_orientation
from kexp.export.image_resampling import resampled
from kexp.export.parity import run_python

SIZE = (12, 17)
DESCRIPTION, ORIENTATION, SOFTWARE = 0x010E, 0x0112, 0x0131


def spec_of(channels=3, resize="stretch", size=SIZE):
    return DatasetSpec("image", (*size, channels), "uint8", "classification", 2, resize=resize)


def noise(random, height, width, *channels, top=256, dtype="uint8"):
    """Noise, whose upper half is darker, so that each turn and each pixel counts."""
    values = random.integers(0, top, (height, width, *channels)).astype(dtype)
    values[: (height + 1) // 2] //= 3
    return values


def exif(orientation, endian="<"):
    found = Image.Exif()
    found.endian = endian
    found[DESCRIPTION], found[ORIENTATION], found[SOFTWARE] = "a photograph", orientation, "a camera"
    return found


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def decoded(function, contents):
    return function(tf.constant(contents, tf.string)).numpy()


def test_resampling_is_pillows_to_the_bit_for_any_sizes():
    random = np.random.default_rng(0)
    arguments = [tf.TensorSpec((None, None, 3), tf.uint8), *[tf.TensorSpec((), tf.int32)] * 2]
    resample = tf.function(resampled, arguments, autograph=False)
    for number in range(200):
        rows, columns, height, width = map(
            int, random.integers(1, (40, 40, 40, 40) if number % 4 else (400, 700, 30, 90))
        )
        pixels = noise(random, rows, columns, 3)
        across = Image.fromarray(pixels).resize((width, rows), Image.Resampling.BILINEAR)
        expected = across.resize((width, height), Image.Resampling.BILINEAR)
        received = resample(pixels, height, width).numpy()
        np.testing.assert_array_equal(received, expected, f"{rows} x {columns} to {height} x {width}")


def all_files():
    """Names and contents of files of all that is decoded, in several sizes, turned or not."""
    random = np.random.default_rng(1)
    made = []

    def add(name, image, form, **options):
        turned = random.choice([None, *range(1, 9)])
        if turned is not None and form in ("PNG", "JPEG", "WEBP"):
            options["exif"] = exif(int(turned), random.choice(["<", ">"]))
        made.append((f"{len(made)}-{name}.{form.lower()}", saved(image, form, **options)))

    for _ in range(3):
        height, width = map(int, random.integers(1, 50, 2))
        colours = Image.fromarray(noise(random, height, width, 3))
        transparent = Image.fromarray(noise(random, height, width, 4), "RGBA")
        grey, indexed = colours.convert("L"), colours.quantize(16)
        add("colours", colours, "PNG")
        add("grey", grey, "PNG")
        add("bits", colours.convert("1"), "PNG")
        add("transparent", transparent, "PNG")
        add("transparent grey", grey.convert("LA"), "PNG")
        add("indexed", indexed, "PNG", transparency=3)
        add("one transparent colour", colours, "PNG", transparency=(1, 2, 3))
        add("deep", Image.fromarray(noise(random, height, width, top=65_536, dtype="uint16")), "PNG")
        for channels in (3, 4):
            deep = tf.io.encode_png(noise(random, height, width, channels, top=65_536, dtype="uint16"))
            made.append((f"{len(made)}-deep{channels}.png", deep.numpy()))
        add("plain", colours, "JPEG", quality=int(random.integers(5, 100)), subsampling="4:4:4")
        add("halved", colours, "JPEG", quality=int(random.integers(5, 100)), subsampling="4:2:0")
        add("progressive", colours, "JPEG", progressive=True, subsampling="4:2:2")
        add("grey", grey, "JPEG")
        add("colours", colours, "BMP")
        add("grey", grey, "BMP")
        add("indexed", indexed, "GIF")
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, content in all_files():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_file_is_decoded_as_it_is_read(files, channels, resize):
    spec = spec_of(channels, resize)
    received = decoded(
        tf.function(image_decoder(spec), autograph=False), [file.read_bytes() for file in files]
    )
    for file, pixels in zip(files, received, strict=True):
        np.testing.assert_array_equal(pixels, read_inputs(file, spec)[0], file.name)


def damaged_exif():
    """JPEGs and PNGs whose EXIF is odd or broken."""
    image = Image.fromarray(noise(np.random.default_rng(2), 9, 14, 3))
    jpeg, png = (saved(image, form, exif=exif(6)) for form in ("JPEG", "PNG"))
    at = jpeg.index(b"Exif")
    tiff = at + 6
    field = jpeg.index(bytes([0x12, 0x01, 3, 0]), tiff)

    def changed(place, content):
        return jpeg[:place] + content + jpeg[place + len(content) :]

    yield "whole", jpeg, 6
    yield "in a PNG", png, 6
    yield "fill bytes before the segment", jpeg[: at - 4] + b"\xff\xff" + jpeg[at - 4 :], 6
    yield "a long number", changed(field + 2, b"\x04\0\1\0\0\0\5\0\0\0"), 5
    yield "a number that is no orientation", changed(field + 8, b"\x09\0"), 1
    yield "a byte", changed(field + 2, b"\1\0"), 1
    yield "another order of bytes", changed(tiff, b"XX"), 1
    yield "a directory beyond the end", changed(tiff + 4, b"\xff\xff\xff\x7f"), 1
    yield "a directory before the beginning", changed(tiff + 4, b"\xff\xff\xff\xff"), 1
    yield "none", saved(image, "JPEG"), 1
    yield "the word in the pixels alone", saved(image, "BMP") + b"Exif\0\0II*\0\x08\0\0\0", 1
    yield "the beginning of a file", jpeg[:3], 1
    yield "half a segment", jpeg[: tiff + 3], 1
    yield "nothing", b"", 1


DAMAGED = {name: (content, orientation) for name, content, orientation in damaged_exif()}


@pytest.mark.parametrize(("content", "orientation"), DAMAGED.values(), ids=DAMAGED)
def test_the_orientation_is_found_or_upright(content, orientation):
    assert exif_orientation(tf.constant(content)) == orientation


def test_another_size_is_an_error_where_all_images_of_training_had_one():
    random = np.random.default_rng(3)
    right, other = (saved(Image.fromarray(noise(random, *size, 3)), "PNG") for size in (SIZE, (13, 17)))
    decode = image_decoder(spec_of(resize=""))
    assert decoded(decode, [right]).shape == (1, *SIZE, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected an image of 12 x 17 pixels"):
        decode(tf.constant([other]))


def test_only_what_a_file_can_hold_is_served_from_bytes():
    assert takes_encoded(spec_of(1))
    others = [
        spec_of(4),
        DatasetSpec("image", (None, None, 3), "uint8", "classification", 2),
        DatasetSpec("array", (12, 17, 3), "float32", "classification", 2),
    ]
    assert not any(map(takes_encoded, others))


def test_an_export_that_would_decode_something_else_is_none(digits, make_export, tmp_path, monkeypatch):
    monkeypatch.setattr(encoded_images, "exif_orientation", lambda content: 1)
    encoded_images.traced_decoder.cache_clear()
    with pytest.raises(ExportError, match=r"largest difference of turned\.jpg is \d+ of 255, allowed is 1"):
        make_export(digits.model, digits.spec, digits.samples, tmp_path / "served")
    encoded_images.traced_decoder.cache_clear()
    assert not (tmp_path / "served").exists()


ASK = """
import json, pathlib, sys
sys.modules["keras"] = sys.modules["kexp"] = sys.modules["PIL"] = None
import tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_bytes"]
files = [pathlib.Path(path).read_bytes() for path in sys.argv[2:]]
answers = serve(image_bytes=tf.constant(files))
print(json.dumps({name: value.numpy().astype(str).tolist() for name, value in answers.items()}))
"""


def test_a_folder_of_photographs_of_any_size_comes_out_as_a_model_that_answers_for_files(tmp_path):
    random = np.random.default_rng(4)
    for number in range(24):
        place = tmp_path / "photos" / ("dark" if number % 2 else "light")
        place.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(noise(random, *random.integers(9, 60, 2), 3) // (1 + number % 2))
        image.save(place / f"{number}.jpg", exif=exif(1 + number % 8))
    result = mlp_images(
        str(tmp_path / "photos"),
        image_size=(16, 12),
        resize="crop",
        hidden=(16,),
        epochs=1,
        quiet=True,
        run_dir=str(tmp_path / "run"),
    )
    exported = load_exported(result.export(tmp_path / "served"))
    assert exported.signatures == ("serving_default", "serving_bytes")
    paths = sorted((tmp_path / "photos").glob("*/*"))
    expected = result.predict(paths)
    process = run_python(ASK, [str(tmp_path / "served" / "1"), *map(str, paths)], tmp_path)
    assert process.returncode == 0, process.stderr
    answers = json.loads(process.stdout)
    assert answers["label"] == expected.labels.tolist()
    served = np.array(answers["probabilities"], "float64")
    np.testing.assert_allclose(served, expected.probabilities, atol=1e-5)
    again = kexp.load_exported(tmp_path / "served").predict(paths[0])
    np.testing.assert_allclose(again.probabilities, expected.probabilities[:1], atol=1e-5)
