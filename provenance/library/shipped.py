"""Files of numbers that ship in a folder of configs, each by its name or as a path of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from provenance import resources
from provenance.battery import explain
from provenance.errors import SettingsError

T = TypeVar("T", bound=BaseModel)


def names(folder: str) -> list[str]:
    """Names of the files of a folder of configs."""
    return sorted(p.stem for p in (resources.configs() / folder).glob("*.json"))


def load(kind: type[T], folder: str, name_or_file: str | Path, *, hint: str = "") -> T:
    """A shipped file by name, or a file, as ``kind``, whose name the errors use.

    Parameters
    ----------
    hint
        What is added to the message that there is none.

    Raises
    ------
    SettingsError
        If there is none, or it cannot be read.
    """
    what = kind.__name__.lower()
    path = Path(name_or_file)
    if path.suffix != ".json":
        path = resources.configs() / folder / f"{name_or_file}.json"
    try:
        return kind.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError:
        raise SettingsError(
            f"no {what} {str(name_or_file)!r}; shipped: {', '.join(names(folder)) or 'none'}; "
            f"or give the path of a .json file{hint}"
        ) from None
    except ValidationError as error:
        raise SettingsError(f"{what} {path}: {explain(error)}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{what} {path} is not JSON: {error}") from None
