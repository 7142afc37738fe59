"""Where probes/ and configs/ lie: in a wheel under ``_data``, in a checkout beside the package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The shipped folder ``name`` ("probes" or "configs").

    Raises
    ------
    FileNotFoundError
        If neither an installed wheel nor a checkout holds it.
    """
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the shipped folder {name!r} is missing: reinstall llm-provenance")


def probes() -> Path:
    """Probe families (``*.toml``) and ``batteries/``."""
    return folder("probes")


def configs() -> Path:
    """Recipes, prices, panels, and the recordings of the demo."""
    return folder("configs")


def schema() -> Path:
    """The JSON Schema of the study document."""
    return _PACKAGE / "study.schema.json"
