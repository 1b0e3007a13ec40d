"""The fresh process of the parity check: an exporter's `load` and NumPy, nothing of kexp or Keras.

`kexp.export.parity` passes this file's text to `python -c`, so that neither kexp nor this folder is
on the path by way of it.
"""

from __future__ import annotations

import json
import runpy
import sys
from typing import Any

FORBIDDEN = ("kexp", "keras", "tf_keras")


def main(
    loader_file: str,
    artifact: str,
    examples_file: str,
    outputs_file: str,
    sizes: dict[str, list[int]],
    preprocessing_file: str,
) -> None:
    """Run every signature of an exported model twice, and write down what it computes.

    Args:
        loader_file: Python source with the function `load` of the exporter's.
        artifact: Folder with the exported model.
        examples_file: .npz with "SIGNATURE/KEY" for every input, (samples, ...) where there are batch sizes.
        outputs_file: .npz to write, with "SIGNATURE/BATCH_SIZE/CALL/OUTPUT" for each; 0 is no batch size.
        sizes: Samples per batch by signature, the samples repeated where they are fewer; none: all the
            examples as they are.
        preprocessing_file: Python source with the function `load_preprocessing`; "" where there is none.
    """
    # Whoever imports these from here on gets an ImportError. TensorFlow, which would import Keras for
    # those who load its models, does without, and is imported in half the time.
    for name in FORBIDDEN:
        sys.modules[name] = None  # type: ignore[assignment]

    import numpy as np

    with np.load(examples_file, allow_pickle=False) as file:
        examples = {name: file[name] for name in file.files}
    run = runpy.run_path(loader_file)["load"](artifact)
    prepare: Any = dict
    if preprocessing_file:
        prepare = runpy.run_path(preprocessing_file)["load_preprocessing"](artifact)
    arrays: dict[str, Any] = {}
    for signature, batch_sizes in sizes.items():
        prefix = f"{signature}/"
        inputs = {name[len(prefix) :]: examples[name] for name in examples if name.startswith(prefix)}
        for size in batch_sizes or [0]:
            batch = {key: _first(values, size) if size else values for key, values in inputs.items()}
            for call in (1, 2):
                for name, output in run(signature, prepare(batch)).items():
                    arrays[f"{prefix}{size}/{call}/{name}"] = _plain(output)
    np.savez(outputs_file, **arrays)
    for name in FORBIDDEN:
        del sys.modules[name]
    assert not any(name.partition(".")[0] in FORBIDDEN for name in sys.modules)


def _first(values: Any, size: int) -> Any:
    import numpy as np

    return values[np.arange(size) % len(values)]


def _plain(array: Any) -> Any:
    """Turn bytes objects, which NumPy would have to pickle, into an array of str."""
    import numpy as np

    if array.dtype != object:
        return array
    return np.array([value.decode() for value in array.flat], dtype=np.str_).reshape(array.shape)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], json.loads(sys.argv[5]), sys.argv[6])
