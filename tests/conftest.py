"""What tests of several folders make alike."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

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
