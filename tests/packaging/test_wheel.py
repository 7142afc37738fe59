"""The wheel alone, in an empty folder: what a user gets."""

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", out, ROOT], check=True
    )
    return next(out.glob("*.whl"))


def test_the_wheel_holds_probes_configs_schema_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "provenance/_data/probes/batteries/quick.toml",
        "provenance/_data/configs/prices.toml",
        "provenance/_data/configs/recipes/nightly.toml",
        "provenance/study.schema.json",
        "provenance/py.typed",
    ):
        assert name in names
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/", "reports/"))]
    assert "0.1.0" in wheel.name


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An interpreter that sees the wheel and this environment's dependencies, not the checkout."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    zipfile.ZipFile(wheel).extractall(site)
    dependencies = folder / "dependencies"
    dependencies.mkdir()
    ours = subprocess.run(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    for item in Path(ours).iterdir():
        # Everything but this project's own editable install.
        if "llm_provenance" not in item.name:
            (dependencies / item.name).symlink_to(item)
    (Path(site) / "dependencies.pth").write_text(str(dependencies))
    return python


def run(python, *arguments, cwd):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PROVEN"))}
    return subprocess.run(
        [python, "-c", "from provenance.cli import main; main()", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_wheel_is_what_runs(installed, tmp_path):
    code = "import provenance; print(provenance.__file__)"
    shown = subprocess.run(
        [installed, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert str(ROOT) not in shown.stdout


def test_every_shipped_battery_loads_from_the_wheel(installed, tmp_path):
    shown = run(installed, "probes", "check", cwd=tmp_path)
    assert shown.returncode == 0, shown.stdout + shown.stderr


def test_the_demo_runs_from_the_wheel(installed, tmp_path):
    shown = run(installed, "demo", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert len(list(tmp_path.rglob("dossier.pdf"))) == 3


def test_every_shipped_toml_parses(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = [n for n in archive.namelist() if n.endswith(".toml")]
        assert len(files) > 20
        for name in files:
            assert tomllib.loads(archive.read(name).decode()), name


@pytest.mark.slow
@pytest.mark.parametrize("recipe", sorted(p.stem for p in (ROOT / "configs/recipes").iterdir()))
def test_every_recipe_runs_from_the_wheel_by_its_name(installed, tmp_path, recipe):
    (tmp_path / "m.toml").write_text(
        '[models.a.cells]\n"*" = {a = 0.5, b = 0.5}\n[models.b.cells]\n"*" = {c = 1}\n'
    )
    sides = ("simulated:m.toml,model=a", "simulated:m.toml,model=b")
    shown = run(installed, "compare", *sides, "--config", recipe, "--seed", "1", cwd=tmp_path)
    assert shown.stdout.startswith("DIFFERENT"), shown.stderr
    # Only the nightly run is one that has to fail.
    assert shown.returncode == (10 if recipe == "nightly" else 0)
    assert len(list(tmp_path.rglob("dossier.html"))) == 1
