"""The rows of the table of false alarms: which studies, read by which test, how many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import _null_tests as tests
import numpy as np
from _null_studies import Shape
from _null_tests import LEVELS, Rejections

from provenance.stats.contrasts import common_shift, excess_over
from provenance.stats.instruments import INSTRUMENTS
from provenance.stats.parts import CATEGORICAL, FIRST_TOKEN, LIKELIHOOD, TEXT

SETTLES, MANY = 20_000, 200_000
Run = Callable[[np.random.Generator, int, bool], Rejections]


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes
    ----------
    run
        (generator, studies, alternative) → rejections, shape (studies, levels), NaN where a level
        is not tested; stress rows give (rejects, diagnosed, different).
    group
        valid, peer or stress.
    runs
        Studies, unless the command says otherwise.
    rest
        What runs after the first `SETTLES` studies; None: the same.
    power
        What the power is measured on where the row's own studies are too few to show any effect at
        .01: the same test on studies of the same design with more cells (or draws, where one cell
        or flat ones are the point); None: ``run``.
    """

    name: str
    run: Run
    group: str = "valid"
    runs: int = SETTLES
    rest: Run | None = None
    power: Run | None = None


# If blocks were ignored, .99 of these studies would be rejected at .05.
RESTART = Shape("peaked", draws=12, ratio=6, blocked=True, restart=True, cells=8)
FUSED = {
    "3 + 3 draws": (Shape(draws=3), 0.9),
    "peaked": (Shape("peaked", draws=5, cells=3), 0.9),
    "flat": (Shape("flat", draws=6, cells=3), 1.0),
    "Zipf": (Shape("zipf", draws=5, cells=3), 1.0),
    "two answers": (Shape("binary", draws=6, cells=3), 1.0),
    "one cell, 8 + 8": (Shape("zipf", draws=8, cells=1), 1.0),
    "12 : 3 draws": (Shape(draws=3, ratio=4, cells=2), 1.0),
    "uneven cells": (Shape(draws=5, cells=3, uneven=True), 0.9),
    "blocks 1:1": (Shape(draws=4, blocked=True), 1.0),
    "blocks 3:1": (Shape(draws=2, ratio=3, blocked=True, cells=3), 1.0),
    "drift shared by blocks": (Shape(draws=4, blocked=True, drift=True), 1.0),
    "failures 5% and 25%": (Shape(draws=5, cells=3, fail=(0.05, 0.25)), 0.9),
    "failures, blocks": (Shape(draws=5, cells=3, blocked=True, fail=(0.05, 0.25)), 1.0),
}
SMALL = {
    "3 + 3 draws": Shape(draws=3, cells=3),
    "6 : 2, blocks": Shape(draws=2, ratio=3, cells=4, blocked=True),
    "uneven cells": Shape(draws=6, cells=4, sizes=((6, 1), (1, 4), (1, 1), (5, 3))),
}
SMALL_TEXTS = {
    "3 + 3 draws": Shape(draws=3, cells=2),
    "6 : 2, blocks": Shape(draws=2, ratio=3, cells=2, blocked=True),
    "uneven cells": Shape(draws=5, cells=3, sizes=((5, 1), (1, 4), (4, 3))),
}
# One of three reference draws shows no second favourite: nothing to learn, nothing ever rejected.
HALVES = {"6 + 3 draws": Shape(draws=3, ratio=2, cells=3)} | {
    label: SMALL[label] for label in ("6 : 2, blocks", "uneven cells")
}
# Cheap enough for .001 on the smallest studies.
CHEAP = ("likelihood_ratio", "total_variation", "length")
MIXED, PAIRS = Shape(draws=5, blocked=True), Shape(draws=15)
STRESS = {
    "cache repeats 10%": Shape(cells=12, draws=10, blocked=True, cache=0.1),
    "cache repeats 30%": Shape(cells=12, draws=10, blocked=True, cache=0.3),
    "sticky routing, two models": Shape(cells=12, draws=10, blocked=True, sticky=0.95),
    "drift, not blocked": Shape(cells=12, draws=10, drift=True),
    "failures hang on content": Shape(
        cells=12, draws=10, blocked=True, fail=(0.0, 0.3), fail_on_content=True
    ),
}


def _powered(shape: Shape) -> Shape:
    """The same design, large enough to show an effect."""
    if shape.cells == 1:
        return replace(shape, draws=3 * shape.draws)
    if shape.model == "flat":  # another flat table is the hardest to tell
        return replace(shape, draws=2 * shape.draws, cells=48)
    return replace(shape, cells=24 if shape.ratio == 3 else 12)


def _instruments() -> list[Row]:
    rows = []
    for name, instrument in INSTRUMENTS.items():
        shapes = SMALL_TEXTS if instrument.reads == "texts" else SMALL
        for label, shape in (HALVES if name == "border_halves" else shapes).items():
            cheap = name in CHEAP and label == "3 + 3 draws"
            rows.append(
                Row(
                    f"{name}, {label}",
                    partial(tests.run_instrument, name, shape),
                    runs=MANY if cheap else SETTLES,
                    power=partial(tests.run_instrument, name, _powered(shape)),
                )
            )
    return rows


def _rows() -> list[Row]:
    rows = [
        Row(
            f"fused, {name}",
            partial(tests.run_batch, shape, effect, True),
            runs=MANY,
            rest=partial(tests.run_batch, shape, effect, False),
            power=partial(tests.run_batch, _powered(shape), 1.0, True),
        )
        for name, (shape, effect) in FUSED.items()
    ]
    few, wide = Shape(draws=5, cells=2, blocked=True), Shape(draws=1, ratio=2, cells=6)
    rows += [
        Row("fused, a restart, blocks 6:1", partial(tests.run_direct, CATEGORICAL, RESTART)),
        Row(
            "fused text, blocks 1:1",
            partial(tests.run_direct, TEXT, few),
            power=partial(tests.run_direct, TEXT, replace(few, cells=8)),
        ),
        Row(
            "fused text, 2 : 1 draws",
            partial(tests.run_direct, TEXT, wide),
            power=partial(tests.run_direct, TEXT, replace(wide, cells=24)),
        ),
        Row(
            "fused with log probabilities and scores",
            partial(tests.run_direct, (*CATEGORICAL, FIRST_TOKEN, LIKELIHOOD), few),
        ),
        Row(
            "Holm over 3 families",
            partial(tests.run_holm, Shape(draws=5, cells=3)),
            power=partial(tests.run_holm, Shape(draws=5, cells=24)),
        ),
        Row("panel of 3", partial(tests.run_panel, replace(MIXED, draws=4))),
        Row("panel of 3, 12 : 3 draws", partial(tests.run_panel, Shape(draws=3, ratio=4, cells=3))),
        Row("upper limit of a substitute's share", partial(tests.run_share, "upper")),
        Row("lower limit of a substitute's share", partial(tests.run_share, "lower")),
        Row("share of anything else, none", partial(tests.run_foreign, 0.0)),
        Row("share of anything else, .1", partial(tests.run_foreign, 0.1)),
        Row("sequential, no panel", partial(tests.run_sequential, PAIRS, False, 0)),
        Row("sequential, panel", partial(tests.run_sequential, PAIRS, True, 0)),
        Row(
            "sequential, unpaired draws learnt from", partial(tests.run_sequential, PAIRS, True, 5)
        ),
        Row(
            "sequential, drift shared by blocks",
            partial(tests.run_sequential, replace(PAIRS, blocked=True, drift=True), True, 0),
        ),
        Row("repeats", partial(tests.run_serial, "repeat", Shape(cells=4, draws=8))),
        Row(
            "drift",
            partial(tests.run_serial, "drift", Shape(cells=4, draws=8, blocked=True)),
            power=partial(tests.run_serial, "drift", Shape(cells=24, draws=8, blocked=True)),
        ),
        Row(
            "copies in a study",
            partial(tests.run_order, Shape(cells=3, draws=8, blocked=True)),
            power=partial(tests.run_order, Shape(cells=12, draws=8, blocked=True)),
        ),
        Row("moment of a change", partial(tests.run_switch, Shape(cells=4, draws=8))),
        Row("suspect beyond its anchors", partial(tests.run_anchored, excess_over, 4)),
        Row(
            "shift of the anchors",
            partial(tests.run_anchored, common_shift, 4),
            power=partial(tests.run_anchored, common_shift, 12),
        ),
        Row("rank in a band of 19", tests.run_band),
        Row(
            "failure rates (Fisher)",
            partial(tests.run_rates, Shape(cells=4, draws=8, fail=(0.1, 0.1))),
            runs=MANY,
        ),
    ]
    rows += _instruments()
    rows.append(
        Row(
            "whole pipeline, labels permuted",
            partial(
                tests.run_whole,
                Shape("peaked", cells=3, draws=8, blocked=True, drift=True, fail=(0.03, 0.05)),
            ),
        )
    )
    rows += [
        Row("MET as released", partial(tests.run_met, Shape(draws=4), 0.0), "peer"),
        Row(
            "MET as released, time-outs",
            partial(tests.run_met, Shape(draws=25), 0.6),
            "peer",
            2_000,
        ),
        *(
            Row(f"rank test, {m} reference draws", partial(tests.run_ranks, m), "peer")
            for m in (3, 5, 10)
        ),
        *(
            Row(f"plug-in betting, {m} draws", partial(tests.run_plug_in, m), "peer")
            for m in (15, 25, 50)
        ),
    ]
    rows += [
        Row(name, partial(tests.run_stress, shape), "stress", 1_000)
        for name, shape in STRESS.items()
    ]
    return rows


ROWS = {row.name: row for row in _rows()}


def chunk_of(row: Row) -> int:
    """Studies in one call: enough to spread the cost, few enough for memory."""
    return 200 if row.group != "stress" else 50


__all__ = ["LEVELS", "MANY", "ROWS", "SETTLES", "Row", "chunk_of"]
