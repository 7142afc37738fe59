"""How much must be asked to see how little."""

from __future__ import annotations

import pytest

from provenance.battery import Battery
from provenance.errors import UsageError
from provenance.library.needs import draws_needed, row
from provenance.library.panel import Panel

# Few draws and half of the members: what is tested is the search, not the battery.
QUICK = Battery.load("quick").with_draws(8).cells
_WHOLE = Panel.load("quick")
PANEL = _WHOLE.model_copy(update={"members": _WHOLE.members[1::2]})


def test_more_draws_see_smaller_shares() -> None:
    few, many = (row(QUICK, f, alpha=0.01, panel=PANEL) for f in (1, 4))
    assert (few.requests, many.requests) == (48, 192)
    assert few.middle is not None
    assert many.middle is not None
    assert many.middle < few.middle / 2
    assert many.unseen <= few.unseen


def test_the_search_ends_with_a_plan_that_sees_the_share() -> None:
    rows = list(draws_needed(QUICK, 0.4, alpha=0.05, panel=PANEL))
    assert rows[-1].middle is not None
    assert rows[-1].middle <= 0.4
    assert rows[0].middle is not None
    assert rows[0].middle > 0.4  # the search had something to do
    assert rows[-1].requests == min(
        r.requests for r in rows if r.middle is not None and r.middle <= 0.4
    )


def test_an_unknown_substitute_and_a_panel_of_other_cells() -> None:
    with pytest.raises(UsageError, match="no substitute 'nobody'"):
        list(draws_needed(QUICK, 0.1, alpha=0.01, panel=PANEL, substitute="nobody"))
    other = tuple(c.model_copy(update={"id": f"x-{c.id}"}) for c in QUICK)
    with pytest.raises(UsageError, match="holds no answers to these cells"):
        row(other, 1, alpha=0.01, panel=PANEL)
