"""The dossier in a real browser. Without one the tests are skipped, or fail where it is required:
``REQUIRE_CHROMIUM=yes``, as in continuous integration."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from provenance import StudyDocument, dossier

HERE = Path(__file__).parent


def _load(path: Path) -> ModuleType:
    """A neighbour that is no test; pytest's import mode puts no folder on the path."""
    name = f"_browser_{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


chromium = _load(HERE / "chromium.py")
documents = _load(HERE.parent / "dossier" / "conftest.py")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    program = chromium.find()
    if program is None or os.name == "nt":
        reason = (
            "no Chromium on this machine (Debian: apt-get install chromium)"
            if program is None
            else "the debugging pipe is only driven on Linux and macOS"
        )
        if os.environ.get("REQUIRE_CHROMIUM") == "yes":
            pytest.fail(f"REQUIRE_CHROMIUM=yes, but {reason}")
        pytest.skip(reason)
    with chromium.Browser(program) as running:
        yield running


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Callable[[StudyDocument], Path]:
    """A study document as an HTML file on disk."""
    folder = tmp_path_factory.mktemp("pages")

    def write(document: StudyDocument) -> Path:
        return dossier.write(document, folder / "dossier.html", "html")

    return write


@pytest.fixture(params=list(documents.DOCUMENTS))
def document(request: pytest.FixtureRequest) -> StudyDocument:
    return documents.DOCUMENTS[request.param]()


@pytest.fixture(scope="session")
def make() -> Callable[[str], StudyDocument]:
    return lambda name: documents.DOCUMENTS[name]()
