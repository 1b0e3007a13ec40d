"""The built wheel, installed elsewhere: its recipes run by name without the checkout."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from environment import ROOT, prepared


def main() -> None:
    """Build the wheel, install it into a new environment and run one recipe from another folder."""
    python = prepared("dev") / "python"
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        build = [python, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, ROOT]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = place.glob("kexp-*.whl")
        venv.create(place / "venv", with_pip=True, upgrade_deps=True)
        pip = [place / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip += ["--no-compile"]
        subprocess.run([*pip, wheel], check=True)
        kexp = place / "venv/bin/kexp"
        elsewhere = place / "elsewhere"
        elsewhere.mkdir()
        without = subprocess.run([kexp, "run", "mlp_images"], capture_output=True, text=True, cwd=elsewhere)
        if without.returncode != 2 or not without.stderr.startswith("kexp: TensorFlow is needed"):
            sys.exit(f"without TensorFlow the wheel should say how to get it; it said: {without.stderr}")
        subprocess.run([*pip, f"{wheel}[cpu]"], check=True)
        for arguments in (
            ["list"],
            ["run", "mlp_images", "--epochs", "2", "--run-dir", "run"],
            ["export", "run", "served"],
        ):
            subprocess.run([kexp, *arguments], check=True, cwd=elsewhere)
        if not (elsewhere / "served/1/saved_model.pb").is_file():
            sys.exit("the installed wheel exported nothing")
    print("the wheel works by itself")


if __name__ == "__main__":
    main()
