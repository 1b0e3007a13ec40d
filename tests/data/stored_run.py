"""python -m tests.data.stored_run FOLDER RUN_DIR REPLICAS: a run on images from disk; prints its peak."""

import json
import resource
import sys

import tensorflow as tf

if __name__ == "__main__":
    folder, run_dir, replicas = sys.argv[1:]
    device = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * int(replicas)
    tf.config.set_logical_device_configuration(device, parts)

    from kexp.recipes.mlp_images import mlp_images

    result = mlp_images(
        folder, in_memory=False, hidden=(16,), epochs=1, batch_size=64, quiet=True, run_dir=run_dir
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peak_bytes": peak, "metrics": result.metrics}))
