"""What tests of several folders make alike."""

from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
_NUMBER = """
[[probe]]
id = "number-{i}"
family = "{family}"
version = 1
messages = [{{role = "user", content = "Name a number, {i}."}}]
max_visible_tokens = 8
draws = {draws}
reading = "integer"
rationale = "made"
source = "made"
"""


@pytest.fixture(scope="session")
def number_battery() -> Callable[[Path, Sequence[str], int], str]:
    """``number_battery(path, families, draws)``: writes a battery, gives its path as a string.

    One cell a family that is named, in order: ``number-0``, ``number-1`` and so on.
    """

    def write(path: Path, families: Sequence[str], draws: int) -> str:
        cells = (_NUMBER.format(i=i, family=f, draws=draws) for i, f in enumerate(families))
        path.write_text("".join(cells), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture(scope="session")
def local_models() -> ModuleType:
    """``benchmarks/local_models.py``, which finds the weights that a package brings."""
    spec = spec_from_file_location("local_models", ROOT / "benchmarks" / "local_models.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def smollm2_path(local_models: ModuleType) -> Path:
    """The weights of SmolLM2. Never skipped: they are one pip line away."""
    try:
        return Path(local_models.smollm2())
    except SystemExit as missing:
        pytest.fail(str(missing))
