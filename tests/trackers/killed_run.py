"""python -m tests.trackers.killed_run RUN_DIR TRACK: a run of a recipe, killed within its third epoch."""

import os
import signal
import sys

import keras

from kexp import recipes

ARGUMENTS = {"data": "digits", "hidden": (16,), "epochs": 4, "batch_size": 256, "quiet": True}


class KillAfter(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if getattr(self, "epoch", 0) == 1:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run_dir, track = sys.argv[1:]
    recipes.mlp_images(**ARGUMENTS, run_dir=run_dir, track=track, callbacks=[KillAfter()])
