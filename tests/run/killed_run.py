"""python -m tests.run.killed_run HISTORY RUN_DIR [STEP]: a short run, killed after a step."""

import os
import signal
import sys

import keras

from tests.process_history import with_history
from tests.run.small_models import branches, diffusion, trained


class KillAfter(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) >= self.step:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    history, run_dir, *step = sys.argv[1:]
    if int(history):
        trained(branches, f"{run_dir}-before")
        with_history(int(history))
    callbacks = [KillAfter(int(step[0]))] if step else []
    trained(diffusion, run_dir, epochs=2, checkpoint_every="1 steps", callbacks=callbacks)
