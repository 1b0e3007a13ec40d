"""What tools/fuzz.py damages: a small valid file or folder of each format, and how kexp reads it."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

OLD = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "version_0_1"
SAMPLES = 24


@dataclass(frozen=True)
class Format:
    """A format that kexp reads.

    Attributes:
        suffix: What names of such files end in; empty for folders.
        write: Writes valid ones into a folder.
        read: Reads one; whatever it raises but InputError is a fault.
    """

    suffix: str
    write: Callable[[Path], None]
    read: Callable[[Path], object]


def _table() -> dict[str, list[object]]:
    names = ["a,b", "é", "", 'say "x"'] * (SAMPLES // 4)
    numbers: list[object] = [index / 7 for index in range(SAMPLES)]
    return {"age": numbers, "town": list(names), "y": [index % 2 for index in range(SAMPLES)]}


def _write_npz(folder: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (SAMPLES, 5, 4), np.uint8)
    series, lengths = rng.normal(size=(SAMPLES, 6, 2)), rng.integers(1, 7, SAMPLES)
    labels, words = np.arange(SAMPLES) % 2, np.array(["no", "yes"] * (SAMPLES // 2))
    np.savez(folder / "images.npz", x_train=images, y_train=labels, class_names=np.array(["a", "b"]))
    np.savez_compressed(folder / "series.npz", x_train=series, y_train=words, length_train=lengths)


def _write_npy(folder: Path) -> None:
    np.save(folder / "floats.npy", np.random.default_rng(0).normal(size=(3, 4)))
    np.save(folder / "whole.npy", np.asfortranarray(np.arange(8, dtype=np.int16).reshape(2, 4)))


def _idx(values: np.ndarray, code: int) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, code, values.ndim]) + sizes + values.tobytes()


def _write_idx(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SAMPLES, 5, 4), np.uint8)
    (folder / "images.idx").write_bytes(_idx(pixels, 0x08))
    (folder / "labels.idx").write_bytes(_idx(np.arange(9, dtype=">i4"), 0x0C))


def _write_csv(folder: Path) -> None:
    import pandas as pd

    pd.DataFrame(_table()).to_csv(folder / "table.csv", index=False)
    (folder / "plain.csv").write_text("x,y\r\n" + "".join(f"{i},{i % 2}\r\n" for i in range(SAMPLES)))


def _write_text(folder: Path) -> None:
    (folder / "book.txt").write_text("Call me Ishmael, said Zoë.\n" * 30, encoding="utf-8")


def _write_parquet(folder: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(_table())
    frame.to_parquet(folder / "snappy.parquet")
    frame.assign(town=frame["town"].astype("category")).to_parquet(
        folder / "gzip.parquet", compression="gzip"
    )
    odd = frame.convert_dtypes().set_index("town")
    odd.to_parquet(folder / "odd.parquet", row_group_size=7, compression="zstd", data_page_version="2.0")


def _gzipped(write: Callable[[Path], None]) -> Callable[[Path], None]:
    def write_gzipped(folder: Path) -> None:
        write(folder)
        for path in list(folder.iterdir()):
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()

    return write_gzipped


def _write_pth(folder: Path) -> None:
    """Write what PyTorch does of {"weight": …}, in both of its formats."""

    def text(value: str) -> bytes:
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    storage = b"(%bctorch\nFloatStorage\n%b%bK\x06tQ" % (text("storage"), text("0"), text("cpu"))
    sizes = b"K\x00(K\x02K\x03t(K\x03K\x01t\x89ccollections\nOrderedDict\n)R"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(%b%btR" % (storage, sizes)
    described = b"\x80\x02ccollections\nOrderedDict\n)R%b%bs." % (text("weight"), tensor)
    numbers = np.arange(6, dtype="<f4").tobytes()
    with zipfile.ZipFile(folder / "zip.pth", "w") as archive:
        for name, content in (("data.pkl", described), ("byteorder", b"little"), ("data/0", numbers)):
            archive.writestr(f"model/{name}", content)
    system = {"protocol_version": 1001, "little_endian": True}
    first = [pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, system)]
    parts = [*first, described, pickle.dumps(["0"], 2), (6).to_bytes(8, "little"), numbers]
    (folder / "legacy.pth").write_bytes(b"".join(parts))


def _write_safetensors(folder: Path) -> None:
    entries = {
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
    }
    header = json.dumps(entries).encode()
    (folder / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(range(32)))


def _write_h5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "a.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.arange(6.0).reshape(2, 3)
        file.create_dataset("layers/dense/vars/1", data=np.zeros(100), compression="gzip")


def _images(name: str, **options: object) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        from PIL import Image

        pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
        for mode in ("RGB", "L") if name == "jpg" else ("RGB", "L", "P"):
            picture = Image.fromarray(pixels).convert(mode)
            if name == "webp" and mode != "RGB":
                continue
            if name == "tif":  # rationals, which are fractions that may be divided by 0
                options["tiffinfo"] = {282: 72.0, 283: 72.0, 274: 6}
                options["compression"] = {"RGB": "tiff_lzw", "L": "tiff_deflate", "P": "raw"}[mode]
            elif name in ("jpg", "png"):
                exif = picture.getexif()
                exif[274], exif[282] = 6, 72.0
                options["exif"] = exif
            picture.save(folder / f"{mode}.{name}", **options)

    return write


def _folders(*names: str, make: Callable[[Path], object] | None = None) -> Callable[[Path], None]:
    """Return what copies folders that version 0.1 wrote, and makes one that this version writes."""

    def write(folder: Path) -> None:
        for name in names:
            shutil.copytree(OLD / name, folder / name)
        if make:
            make(folder / "new")

    return write


def _make_run(folder: Path) -> Path:
    from kexp import recipes

    options = {"epochs": 2, "checkpoint_every": "1 epoch", "quiet": True}
    recipes.mlp_tabular(data="iris", hidden=(8,), run_dir=str(folder), **options)
    return folder


def _make_export(folder: Path) -> None:
    import kexp

    kexp.load(_make_run(folder.with_name("run"))).export(folder)
    shutil.rmtree(folder.with_name("run"))


def _read_data(**options: object) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        from kexp.data import load

        return load(path, **options)

    return read


def _read_array(path: Path) -> object:
    from kexp.data import DatasetSpec
    from kexp.data.adapters import read_inputs

    return read_inputs(path, DatasetSpec("array", (4,), "float32", "classification", 2))


def _read_idx(path: Path) -> object:
    from kexp.data.sources.array_files import read_idx

    return read_idx(path)


def _read_text(path: Path) -> object:
    from kexp.data import passages

    return passages(path, context=8)


def _read_image(path: Path) -> object:
    from kexp.data.sources.image_folder import read_images
    from kexp.data.sources.image_resizing import Resizing

    return read_images([path], Resizing((8, 8)))


def _read_pth(path: Path) -> object:
    from kexp.core.torch_checkpoint import read_torch_checkpoint

    return read_torch_checkpoint(path, "save it again")


def _read_safetensors(path: Path) -> object:
    from kexp.core.safetensors_file import read_safetensors

    return read_safetensors(path, "save it again")


def _read_h5(path: Path) -> object:
    from kexp.core.hdf5_file import require_own_hdf5

    return require_own_hdf5(path, "save it again")


def _read_run(folder: Path) -> object:
    import kexp

    result = kexp.load(folder)
    return result.epochs, result.config, result.environment, result.predict(result.example_inputs())


def _read_checkpoints(folder: Path) -> object:
    from kexp.train.checkpoint.checkpoint import load_latest

    return load_latest(folder / "checkpoints")


def _read_export(folder: Path) -> object:
    import kexp

    exported = kexp.load_exported(folder)
    return exported.predict({name: [5.0] for name in ("sepal length (cm)", "sepal width (cm)")} | _PETALS)


def _read_sweep(folder: Path) -> object:
    import kexp

    sweep = kexp.load_sweep(folder)
    return sweep.to_frame(), sweep.best


_PETALS = {name: [1.0] for name in ("petal length (cm)", "petal width (cm)")}
FORMATS: dict[str, Format] = {
    "npz": Format(".npz", _write_npz, _read_data()),
    "npy": Format(".npy", _write_npy, _read_array),
    "idx": Format(".idx", _write_idx, _read_idx),
    "idx.gz": Format(".idx.gz", _gzipped(_write_idx), _read_idx),
    "csv": Format(".csv", _write_csv, _read_data(target="y")),
    "csv.gz": Format(".csv.gz", _gzipped(_write_csv), _read_data(target="y")),
    "txt.gz": Format(".txt.gz", _gzipped(_write_text), _read_text),
    "parquet": Format(".parquet", _write_parquet, _read_data(target="y")),
    **{
        name: Format(f".{name}", _images(name), _read_image)
        for name in ("png", "jpg", "tif", "gif", "webp", "bmp")
    },
    "pth": Format(".pth", _write_pth, _read_pth),
    "safetensors": Format(".safetensors", _write_safetensors, _read_safetensors),
    "h5": Format(".weights.h5", _write_h5, _read_h5),
    "run": Format("", _folders("finished", make=_make_run), _read_run),
    "checkpoint": Format("", _folders("unfinished", make=_make_run), _read_checkpoints),
    "export": Format("", _folders("export", make=_make_export), _read_export),
    "sweep": Format("", _folders("sweep", "sweep_unfinished"), _read_sweep),
}
