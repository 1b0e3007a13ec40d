"""What the fresh process of the parity check runs: TensorFlow and NumPy, nothing of kexp or Keras.

`kexp.export.parity` passes this file's text to `python -c`, so that neither kexp nor this folder is
on the path by way of it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

FORBIDDEN = ("kexp", "keras", "tf_keras")


def main(saved_model: str, examples_file: str, answers_file: str, sizes: dict[str, list[int]]) -> None:
    """Ask every signature of a SavedModel twice, and write down what it answers.

    Args:
        saved_model: Folder with saved_model.pb.
        examples_file: .npz with "SIGNATURE/KEY" for every input, (samples, ...) where there are batch sizes.
        answers_file: .npz to write, with "SIGNATURE/BATCH_SIZE/CALL/OUTPUT" for each; 0 is no batch size.
        sizes: Samples per batch by signature, the samples repeated where they are fewer; none: all the
            examples as they are.
    """
    # Whoever imports these from here on gets an ImportError. TensorFlow, which would import Keras for
    # those who load its models, does without, and is imported in half the time.
    for name in FORBIDDEN:
        sys.modules[name] = None  # type: ignore[assignment]

    import numpy as np
    import tensorflow as tf

    with np.load(examples_file, allow_pickle=False) as file:
        examples = {name: file[name] for name in file.files}
    loaded = tf.saved_model.load(saved_model)
    answers: dict[str, Any] = {}
    for signature, batch_sizes in sizes.items():
        prefix = f"{signature}/"
        inputs = {name[len(prefix) :]: examples[name] for name in examples if name.startswith(prefix)}
        for size in batch_sizes or [0]:
            batch = {key: _first(values, size) if size else values for key, values in inputs.items()}
            for call in (1, 2):
                outputs = loaded.signatures[signature](
                    **{key: tf.constant(value) for key, value in batch.items()}
                )
                for name, output in outputs.items():
                    answers[f"{prefix}{size}/{call}/{name}"] = _plain(output.numpy())
    np.savez(answers_file, **answers)
    for name in FORBIDDEN:
        del sys.modules[name]
    assert not any(name.partition(".")[0] in FORBIDDEN for name in sys.modules)


def _first(values: Any, size: int) -> Any:
    import numpy as np

    return values[np.arange(size) % len(values)]


def _plain(array: Any) -> Any:
    """Turn bytes objects, which NumPy would have to pickle, into an array of str."""
    import numpy as np

    return np.array([value.decode() for value in array], dtype=np.str_) if array.dtype == object else array


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
