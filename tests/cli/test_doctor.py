"""`kexp doctor` says what a machine would train on, and names planted faults."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kexp
import kexp.cli.doctor as doctor_module

ROOT = Path(__file__).resolve().parents[2]
GPU = "NVIDIA H100 80GB HBM3, 550.54.15, 81559 MiB"


def diagnose(folder, *, before="", **variables):
    """Return how `kexp doctor` ends on a machine without GPUs, but for what a test plants."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "KEXP_"))}
    (folder / "bin").mkdir(exist_ok=True)
    hidden = {"PATH": str(folder / "bin"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", f"{before}\nfrom kexp.cli.app import main\nmain(['doctor'])"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**kept, **hidden, **variables}, cwd=folder, timeout=120
    )
    assert done.stderr == ""
    return done


def plant_nvidia_smi(folder, script):
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def problems_of(done):
    return [line.removeprefix("✗ ") for line in done.stdout.splitlines() if line.startswith("✗ ")]


def test_a_machine_without_faults_trains_on_its_cpu_and_is_told_why(tmp_path):
    done = diagnose(tmp_path, CUDA_VISIBLE_DEVICES="-1")
    assert done.returncode == 0, done.stdout
    lines = dict(re.split(r" {2,}", line, maxsplit=1) for line in done.stdout.splitlines()[:-1])
    assert lines["kexp"] == kexp.__version__
    assert lines["strategy auto"] == "cpu on CPU:0: TensorFlow sees no GPU and no TPU"
    assert re.fullmatch(r"2\.\d+\.\d+ \(tensorflow[\w-]*\)", lines["TensorFlow"])
    assert {"Python", "Keras", "NumPy", "CPU", "memory", "disk", "device", "built with"} <= set(lines)
    assert done.stdout.endswith("✓ nothing is wrong\n")


@pytest.mark.slow
def test_an_invisible_gpu_a_bad_cluster_and_missing_folders_are_each_named(tmp_path):
    plant_nvidia_smi(tmp_path, f'echo "{GPU}"')
    variables = {"TF_CONFIG": "{", "KEXP_DATA_DIR": "/no/such/folder", "TPU_NAME": "local"}
    done = diagnose(tmp_path, **variables)
    assert done.returncode == 1
    assert "NVIDIA H100 80GB HBM3, driver 550.54.15, 81559 MiB" in done.stdout
    problems = problems_of(done)
    for words in (
        ("KEXP_DATA_DIR", "/no/such/folder"),
        ("TPU_NAME is 'local'", "pip install 'kexp[tpu]'"),
        ("nvidia-smi shows an NVIDIA GPU, and TensorFlow sees none", "pip install 'kexp[cuda]'"),
        ("TF_CONFIG: is not JSON",),
    ):
        assert any(all(word in problem for word in words) for problem in problems), words
    assert len(problems) == 4


def test_a_cluster_is_described_and_not_spoken_to(monkeypatch):
    config = '{"cluster": {"worker": ["a.invalid:1", "b.invalid:1"]}, "task": {"type": "worker", "index": 1}}'
    monkeypatch.setenv("TF_CONFIG", config)
    facts = dict(kexp.doctor().facts)
    assert facts["workers"] == "2 by TF_CONFIG, of which this is worker 1: a.invalid:1, b.invalid:1"
    assert facts["strategy auto"].startswith("multiworker on ")
    assert facts["strategy auto"].endswith(": TF_CONFIG describes 2 workers")


def test_another_backend_of_keras_is_named(tmp_path):
    done = diagnose(tmp_path, KERAS_BACKEND="jax")
    assert done.returncode == 1
    assert problems_of(done) == ["KERAS_BACKEND must be tensorflow for kexp; received 'jax', so unset it."]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (
            "import importlib.util as u; find = u.find_spec\n"
            "u.find_spec = lambda name, *more: None if name == 'tensorflow' else find(name, *more)",
            "TensorFlow is needed and not installed: pip install 'kexp[cpu]'",
        ),
        (
            "import sys\nclass Broken:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name == 'tensorflow.python': raise ImportError('libfoo.so: cannot open')\n"
            "sys.meta_path.insert(0, Broken())",
            "TensorFlow cannot be started (ImportError: libfoo.so: cannot open); install it anew",
        ),
    ],
)
def test_tensorflow_that_is_missing_or_broken_is_a_sentence(tmp_path, before, words):
    done = diagnose(tmp_path, before=before, CUDA_VISIBLE_DEVICES="-1")
    assert done.returncode == 1
    (problem,) = problems_of(done)
    assert problem.startswith(words)


def test_an_nvidia_smi_that_fails_is_no_gpu(tmp_path, monkeypatch):
    plant_nvidia_smi(tmp_path, "exit 9")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    diagnosis = kexp.doctor()
    assert "does not answer" in dict(diagnosis.facts)["nvidia-smi"]
    assert not any("nvidia-smi" in problem for problem in diagnosis.problems)


def test_packages_side_by_side_and_a_full_disk_are_named(monkeypatch):
    installed = {"tensorflow": "2.21.0", "tensorflow-cpu": "2.21.0"}
    monkeypatch.setattr(doctor_module, "installed_version", lambda name: installed.get(name, ""))
    monkeypatch.setattr(doctor_module, "free_bytes", lambda: 3e8)
    problems = "\n".join(kexp.doctor().problems)
    assert "tensorflow and tensorflow-cpu are installed side by side" in problems
    assert "pip uninstall tensorflow tensorflow-cpu, then pip install" in problems
    assert "has 300 MB free" in problems
