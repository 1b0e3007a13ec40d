"""What the fresh process of the parity check runs: TensorFlow and NumPy, nothing of kexp or Keras.

`kexp.export.parity` passes this file's text to `python -c`, so that neither kexp nor this folder is
on the path by way of it.
"""

from __future__ import annotations

import sys
from typing import Any

FORBIDDEN = ("kexp", "keras", "tf_keras")


def main(saved_model: str, samples_file: str, answers_file: str, batch_sizes: list[int]) -> None:
    """Run batches of every size through a SavedModel, each twice, and write down what it answers.

    Args:
        saved_model: Folder with saved_model.pb.
        samples_file: .npz with "inputs/KEY" for every signature key, (samples, ...).
        answers_file: .npz to write, with "BATCH_SIZE/CALL/OUTPUT" for each.
        batch_sizes: Samples per batch. The samples are repeated where they are fewer.
    """
    # Whoever imports these from here on gets an ImportError. TensorFlow, which would import Keras for
    # those who load its models, does without, and is imported in half the time.
    for name in FORBIDDEN:
        sys.modules[name] = None  # type: ignore[assignment]

    import numpy as np
    import tensorflow as tf

    with np.load(samples_file, allow_pickle=False) as file:
        samples = {name.removeprefix("inputs/"): file[name] for name in file.files}
    count = len(next(iter(samples.values())))
    loaded = tf.saved_model.load(saved_model)
    serve = loaded.signatures["serving_default"]
    answers: dict[str, Any] = {}
    for batch_size in batch_sizes:
        rows = np.arange(batch_size) % count
        for call in ("first", "second"):
            outputs = serve(**{key: tf.constant(values[rows]) for key, values in samples.items()})
            for name, output in outputs.items():
                answers[f"{batch_size}/{call}/{name}"] = _plain(output.numpy())
    np.savez(answers_file, **answers)
    for name in FORBIDDEN:
        del sys.modules[name]
    assert not any(name.partition(".")[0] in FORBIDDEN for name in sys.modules)


def _plain(array: Any) -> Any:
    """Turn bytes objects, which NumPy would have to pickle, into an array of str."""
    import numpy as np

    return np.array([value.decode() for value in array], dtype=np.str_) if array.dtype == object else array


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], [int(size) for size in sys.argv[4:]])
