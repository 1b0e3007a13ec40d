"""The main job, from a fresh clone: train on the embedded digits, export, and say what to try next."""

from environment import ROOT, prepared, run

RUN, SERVED = "runs/first", "served/digits"


def main() -> None:
    """Make the environment, train, export and predict."""
    kexp = prepared("cpu") / "kexp"
    train = "run mlp_images --data digits --epochs 30 --validation 0 --normalization batch"
    run(kexp, *train.split(), "--schedule", "one_cycle", "--learning-rate", "0.01", "--run-dir", RUN)
    run(kexp, "export", RUN, SERVED, "--overwrite")
    shown = kexp.relative_to(ROOT)
    print(
        f"\nThe exported model is in {SERVED}, the run with its curves in {RUN}. Next:\n"
        f"  {shown} list\n"
        f"  {shown} run cnn_images --data fashion_mnist_small --epochs 5\n"
        f"  {shown} run mlp_tabular --data breast_cancer"
    )


if __name__ == "__main__":
    main()
