"""What is published: the wheel holds the library, its recipes and its licences alone, and can be cited."""

import re
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Return the names of the files in the wheel."""
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")))
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_library_and_nothing_beside_it(names):
    assert {name.partition("/")[0] for name in names} == {"kexp", f"kexp-{PROJECT['version']}.dist-info"}
    assert not [name for name in names if re.search(r"\.pyc$|(^|/)(tests|tools|docs|\.[a-z]+)(/|$)", name)]


def test_the_wheel_holds_every_module_recipe_and_sample(names):
    sources = [path for path in (ROOT / "kexp").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    wanted = {str(path.relative_to(ROOT)) for path in sources}
    wanted |= {f"kexp/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.py*") if path.is_file()}
    assert not wanted - names


def test_the_wheel_holds_the_licences(names):
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    samples = {name.partition(".")[0] for name in names if name.startswith("kexp/data/samples/")}
    licences = {name.partition(".")[0] for name in names if name.endswith(".LICENSE")}
    assert licences == samples - {"kexp/data/samples/__init__"}


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


@pytest.mark.parametrize("form", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_a_form_for_issues_has_a_label_for_each_field(form):
    content = yaml.safe_load(form.read_text())
    if form.name != "config.yml":
        assert {"name", "description", "body"} <= set(content)
        assert all(field["attributes"]["label"] for field in content["body"])
        assert len({field["id"] for field in content["body"]}) == len(content["body"])


def test_the_template_of_a_pull_request_fits_on_a_screen():
    assert len((ROOT / ".github/PULL_REQUEST_TEMPLATE.md").read_text().splitlines()) <= 30
