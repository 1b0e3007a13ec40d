"""EfficientNet-Lite0 of kexp beside PyTorch, which computes with the same checkpoint.

    python tools/torch_backbone.py [PYTHON]

Both see the same 8 images of 224 × 224, cut from scikit-learn's photographs; the largest difference of the
1000 logits is printed, and above 1e-3 the exit code is 1. PYTHON is one that has PyTorch; by default it is
installed into a new environment, 200 MB. The network in PyTorch is written here by the names of the
checkpoint, with TensorFlow's padding.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np

TORCH = "torch==2.13.0"
TOLERANCE = 1e-3
IMAGES = 8
# Kernel, blocks and stride of the first, as of table 1 of Tan and Le 2019.
STAGES = ((3, 1, 1), (3, 2, 2), (5, 2, 2), (3, 3, 2), (5, 3, 1), (5, 4, 2), (3, 1, 1))
_PARTS = ("images", "expected", "checkpoint")


def main() -> None:
    """Compute the logits with kexp, then have them compared by a Python that has PyTorch."""
    from environment import ROOT, prepared

    with tempfile.TemporaryDirectory() as folder:
        places = [str(Path(folder) / name) for name in _PARTS]
        line = [str(prepared("dev") / "python"), __file__, "kexp", *places]
        subprocess.run(line, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        python = sys.argv[1] if len(sys.argv) > 1 else python_with_torch(Path(folder) / "torch")
        code = subprocess.run([python, __file__, "torch", *places]).returncode
    sys.exit(code)


def python_with_torch(folder: Path) -> str:
    """Return the Python of a new environment with PyTorch."""
    print(f"Installing {TORCH} ...", flush=True)
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", TORCH, "numpy"], check=True)
    return python


def compute(images: str, expected: str, checkpoint: str) -> None:
    """Write images, their logits by kexp, and where the checkpoint is."""
    from sklearn.datasets import load_sample_image

    import kexp
    from kexp.core.pretrained_catalog import package_file

    model = kexp.models.pretrained("efficientnet_lite0", top=True)
    drawn = np.random.default_rng(0)
    found = []
    for number in range(IMAGES):
        photograph = load_sample_image(("flower.jpg", "china.jpg")[number % 2])
        row, column = (drawn.integers(size - 224 + 1) for size in photograph.shape[:2])
        found.append(photograph[row : row + 224, column : column + 224])
    np.save(f"{images}.npy", np.stack(found))
    np.save(f"{expected}.npy", np.asarray(model(np.stack(found), training=False)))
    Path(checkpoint).write_text(str(package_file(kexp.models.pretrained_facts("efficientnet_lite0"))))


def compare(images: str, expected: str, checkpoint: str) -> None:
    """Compute the logits with PyTorch, print the largest difference, and exit with 1 if it is too large."""
    import torch

    tensors = torch.load(Path(checkpoint).read_text(), weights_only=True)
    x = torch.from_numpy(np.load(f"{images}.npy")).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        found = logits((x - 127) / 128, tensors).numpy()
    wanted = np.load(f"{expected}.npy")
    largest, of = float(np.abs(found - wanted).max()), float(np.abs(wanted).max())
    print(
        f"PyTorch {torch.__version__}: the largest difference of {found.size} logits is {largest:.2g}, of "
        f"{of:.3g}"
    )
    sys.exit(largest > TOLERANCE)


def logits(x, tensors):
    """Return the logits of EfficientNet-Lite0 for (batch, 3, height, width), already scaled."""
    from torch.nn import functional

    def convolved(x, name, normal, stride=1, *, groups=1, bent=True):
        kernel = tensors[f"{name}.weight"]
        # TensorFlow's: what is missing for the last place is put around the image, more of it behind.
        missing = [
            max((-(-size // stride) - 1) * stride + kernel.shape[-1] - size, 0) for size in x.shape[2:]
        ]
        around = [part for size in missing[::-1] for part in (size // 2, size - size // 2)]
        x = functional.conv2d(functional.pad(x, around), kernel, stride=stride, groups=groups)
        parts = (tensors[f"{normal}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        x = functional.batch_norm(x, *parts, eps=1e-3)
        return functional.relu6(x) if bent else x

    x = convolved(x, "_conv_stem", "_bn0", 2)
    strides = [stride if place == 0 else 1 for _, blocks, stride in STAGES for place in range(blocks)]
    for number, stride in enumerate(strides):
        block, before = f"_blocks.{number}.", x
        if f"{block}_expand_conv.weight" in tensors:
            x = convolved(x, f"{block}_expand_conv", f"{block}_bn0")
        x = convolved(x, f"{block}_depthwise_conv", f"{block}_bn1", stride, groups=x.shape[1])
        x = convolved(x, f"{block}_project_conv", f"{block}_bn2", bent=False)
        x = x + before if x.shape == before.shape else x
    x = convolved(x, "_conv_head", "_bn1").mean((2, 3))
    return functional.linear(x, tensors["_fc.weight"], tensors["_fc.bias"])


if __name__ == "__main__":
    role = sys.argv[1] if len(sys.argv) > 2 else ""
    {"": lambda *_: main(), "kexp": compute, "torch": compare}[role](*sys.argv[2:])
