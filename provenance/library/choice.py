"""Which questions carry the information, and the cheapest plan that reaches a power.

Both are estimated on a panel of measured models. A model's table of two dozen answers is not its
distribution, and what was chosen for looking different will look less so next time; hence:

- information is cross-fitted: a bet is learnt from one half of both tables and paid on the other;
- questions are chosen on one half of the pairs of models, the power is promised for the other,
  whose substitutes the simulated panel test does not know;
- in that promise a model answers as a draw from what its table leaves open (`smoothing`): tables
  that are taken for the truth promised .83 where .37 came, in simulated worlds;
- a pair's draws are moved together if its measured distance, noise taken off, is smaller;
- the median over a handful of pairs, some of them far apart and some hardly, is little known: what
  is promised is its lower limit.

The halves share models, though not pairs: each stand-in for the reference is in both. A draw from
a posterior is right on average whatever was chosen by looking at the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from statistics import median

import numpy as np
from numpy.typing import NDArray

from provenance.battery import Battery, Cell, Probe
from provenance.errors import UsageError
from provenance.library.panel import Panel
from provenance.library.promised import SEED, Pair, median_at_least, powers_of
from provenance.library.smoothing import Smoothed, smoothed
from provenance.stats.fused import fused_test
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull

# Random halvings behind an estimate of information.
HALVINGS = 8
NUMBERS = (6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
DRAWS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40, 45, 50, 60, 80, 120)
CHOSEN = "chosen"  # family of the questions that were
_STAND_INS = 3
_PARTED = 0.01
_PRIOR = 1.0  # draws that the smoothing of a table is worth
_DRAWN = 3  # draws of all models behind a promise
_COARSE, _FINE = (1_000, 200), (2_000, 200)  # simulated plans: for the threshold, for the power


@dataclass(frozen=True, slots=True)
class Choice:
    """Questions and draws, and what they promise.

    Attributes
    ----------
    battery
        What to ask, draws included.
    cells, requests, tokens
        Cells; requests and most visible tokens of one side.
    power
        What the median substitute is seen with at least, with confidence `promised.CONFIDENCE`,
        from the pairs that had no part in choosing the questions (`promised.median_at_least`).
    median
        Median power over those pairs.
    least
        Power that three quarters of those pairs have.
    pairs, alike
        Number of those pairs; and of pairs that the panel cannot part on any of the battery's
        questions: no plan is promised to see these.
    reached
        Whether ``power`` is at least what was asked for.
    """

    battery: Battery
    cells: int
    requests: int
    tokens: int
    power: float
    median: float
    least: float
    pairs: int
    alike: int
    reached: bool


def information(
    cells: Sequence[Cell], pairs: Sequence[Pair], share: float, *, seed: int = SEED
) -> NDArray[np.float64]:
    """Expected log-wealth a suspect draw, for each pair (rows) and cell (columns).

    The bet s is that of `stats.sequential` on a pair of draws, made from smoothed shares of a
    random half of each table and paid with the other halves, the suspect's a share ε of the
    substitute's. It is fair whatever it was made from: for models that answer alike E s = 0,
    where a likelihood ratio with estimated shares would earn. A gambler who stakes the best
    fraction earns about (E s)²/(2 E s²); that is given, with the sign of E s, means over halvings.
    NaN where a side has fewer than four draws.

    Parameters
    ----------
    pairs
        (reference, substitute).
    share
        ε in (0, 1].
    """
    rng = np.random.default_rng(seed)
    found = np.full((len(pairs), len(cells)), np.nan)
    for j, cell in enumerate(cells):
        for i, (reference, substitute) in enumerate(pairs):
            p, r = _aligned(reference.cells.get(cell.id), substitute.cells.get(cell.id))
            if min(p.sum(), r.sum()) >= 4:
                mean, square = np.mean([_payment(p, r, share, rng) for _ in range(HALVINGS)], 0)
                found[i, j] = mean * abs(mean) / (2 * max(square, 1e-12))
    return found


def worth(gains: NDArray[np.float64], tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    """Information a token of each cell, every pair counting alike.

    Each pair's gains are divided by their mean over cells, so that substitutes that are seen at
    once do not decide alone; pairs that no cell parts are left out.
    """
    mean = np.nanmean(gains, axis=1, keepdims=True)
    parted = mean[:, 0] > 0
    if not parted.any():
        return np.zeros(gains.shape[1])
    relative = np.where(np.isnan(gains), 0.0, gains)[parted] / mean[parted]
    return np.asarray(relative.mean(axis=0) / tokens)


def pairs_of(cells: Sequence[Cell], panel: Panel) -> list[Pair]:
    """A few members that stand in for the reference, each with every other as its substitute.

    Only members that were measured on at least half of what any member was measured on.
    """
    ids = {cell.id for cell in cells}
    widest = max((len(ids & m.cells.keys()) for m in panel.members), default=0)
    wide = [m for m in panel.members if 2 * len(ids & m.cells.keys()) >= widest > 0]
    stand_ins = [m for m in wide if not m.derivative][:_STAND_INS] or wide[:_STAND_INS]
    return [(a, b) for a in stand_ins for b in wide if a is not b]


def parted(pair: Pair) -> bool:
    """Whether the two tables differ at all: `fused_test` over shared cells, at level .01."""
    cells = []
    for cell in sorted(pair[0].cells.keys() & pair[1].cells.keys()):
        counted = _aligned(pair[0].cells[cell], pair[1].cells[cell])
        codes = [np.repeat(np.arange(len(c), dtype=np.intp), c) for c in counted]
        labels = np.repeat([False, True], [len(c) for c in codes])
        cells.append(CellDraws(np.concatenate(codes), (), labels, None))
    null = PermutationNull(np.random.default_rng(SEED), resamples=199)
    return bool(cells) and fused_test(cells, null=null).p_value <= _PARTED


def choose(battery: Battery, panel: Panel, *, target: float, share: float, alpha: float) -> Choice:
    """The cheapest plan out of a battery's questions whose power reaches a target.

    Numbers of questions, best first, are tried with numbers of draws, the same for every question
    and both sides; cost is the visible tokens that both may answer with. All are one family,
    `CHOSEN`. The test that is simulated is that of a study with this panel: the fused test of that
    family and the panel test, Holm over both.

    Parameters
    ----------
    target
        Power for the median substitute, in (0, 1); held with confidence `promised.CONFIDENCE`.
    share
        Share of requests that the substitute answers.

    Raises
    ------
    UsageError
        If fewer than four pairs of the panel differ on these questions.
    """
    battery = _together(battery)
    measured = pairs_of(battery.cells, panel)
    pairs = [pair for pair in measured if parted(pair)]
    if len(pairs) < 4:
        raise UsageError(
            f"the panel {panel.name!r} has {len(pairs)} pairs of models that differ on the "
            f"questions of {battery.name!r}; choosing needs 4: name another with --panel"
        )
    learn, promise = pairs[::2], pairs[1::2]
    ids = [c.id for c in battery.cells]
    drawn, *others = (
        smoothed(ids, panel.members, np.random.default_rng([SEED, i])) for i in range(1 + _DRAWN)
    )
    ranked = _ranked(battery, learn, share)
    best: tuple[int, int, int] | None = None
    strongest: tuple[float, int, int] = (-1.0, 0, 0)
    for number in dict.fromkeys(min(n, len(ranked)) for n in NUMBERS):
        cells = _cells_of(ranked[:number])
        per_draw = sum(c.max_visible_tokens for c in cells)
        affordable = [d for d in DRAWS if best is None or d * per_draw < best[0]]
        low, high = 0, len(affordable)
        while low < high:
            middle = (low + high) // 2
            draws = affordable[middle]
            power = median_at_least(
                powers_of(cells, draws, promise, share, alpha, _COARSE, known=learn, drawn=drawn)
            )
            strongest = max(strongest, (power, number, draws))
            low, high = (low, middle) if power >= target else (middle + 1, high)
        if low < len(affordable):
            best = (affordable[low] * per_draw, number, affordable[low])
    number, draws = best[1:] if best is not None else strongest[1:]
    found = _choice(ranked[:number], draws, promise, learn, target, share, alpha, battery, others)
    return replace(found, alike=len(measured) - len(pairs))


def _choice(
    probes: Sequence[Probe],
    draws: int,
    promise: Sequence[Pair],
    known: Sequence[Pair],
    target: float,
    share: float,
    alpha: float,
    battery: Battery,
    drawn: Sequence[Smoothed],
) -> Choice:
    """The plan with its power by the finer simulation; more draws if that falls short.

    On draws of the models that had no part in the search: the cheapest plan that passes is one
    that its own draw flatters.
    """
    cells = _cells_of(probes)
    for more in [d for d in DRAWS if d >= draws][:3]:
        each = [
            powers_of(cells, more, promise, share, alpha, _FINE, known=known, drawn=one)
            for one in drawn
        ]
        powers = sorted(float(np.mean(of_pair)) for of_pair in zip(*each, strict=True))
        if median_at_least(powers) >= target:
            break
    order = {p.id: i for i, p in enumerate(battery.probes)}
    asked = sorted(probes, key=lambda p: order[p.id])
    return Choice(
        battery=Battery(
            name=f"{battery.name[:32]}-chosen",
            description=f"{len(asked)} questions of {battery.name}, chosen for power on a panel.",
            probes=tuple(p.model_copy(update={"draws": more}) for p in asked),
        ),
        cells=len(cells),
        requests=more * len(cells),
        tokens=more * sum(c.max_visible_tokens for c in cells),
        power=round(median_at_least(powers), 3),
        median=round(median(powers), 3),
        least=round(powers[len(powers) // 4], 3),
        pairs=len(powers),
        alike=0,
        reached=median_at_least(powers) >= target,
    )


def _together(battery: Battery) -> Battery:
    """The same questions as one family: drawn alike, they show more in one test than in several."""
    probes = tuple(p.model_copy(update={"family": CHOSEN}) for p in battery.probes)
    return battery.model_copy(update={"probes": probes})


def _ranked(battery: Battery, pairs: Sequence[Pair], share: float) -> list[Probe]:
    """Probes by information a token, best first; those that parted no pair are left out."""
    cells = [c for c in battery.cells if any(c.id in a.cells for a, _ in pairs)]
    tokens = np.array([c.max_visible_tokens for c in cells], dtype=np.float64)
    values = worth(information(cells, pairs, share), tokens)
    of_probe: dict[str, list[float]] = {}
    for cell, value in zip(cells, values, strict=True):
        of_probe.setdefault(cell.probe, []).append(float(value))
    by_id = {p.id: p for p in battery.probes}
    measured = {name for name, found in of_probe.items() if np.mean(found) > 0}
    # A probe is asked under all its conditions.
    return sorted(
        (by_id[name] for name in measured), key=lambda p: (-float(np.mean(of_probe[p.id])), p.id)
    )


def _cells_of(probes: Sequence[Probe]) -> list[Cell]:
    return list(Battery(name="part", probes=tuple(probes)).cells)


def _aligned(
    one: Mapping[str, int] | None, other: Mapping[str, int] | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    one, other = one or {}, other or {}
    names = list(dict.fromkeys([*one, *other]))
    return (
        np.array([one.get(n, 0) for n in names], dtype=np.intp),
        np.array([other.get(n, 0) for n in names], dtype=np.intp),
    )


def _payment(
    p: NDArray[np.intp], r: NDArray[np.intp], share: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Mean and mean square of one bet."""
    first_p, first_r = (
        rng.multivariate_hypergeometric(counts, ceil(int(counts.sum()) / 2)) for counts in (p, r)
    )
    rest_p, rest_r = p - first_p, r - first_r
    pooled = (first_p + first_r + 1) / (first_p + first_r + 1).sum()
    known_p, known_r = (
        (half + _PRIOR * pooled) / (half.sum() + _PRIOR) for half in (first_p, first_r)
    )
    known_q = (1 - share) * known_p + share * known_r
    # Rows are the reference's answer, columns the suspect's.
    straight = np.outer(known_p, known_q)
    bet = (straight - straight.T) / (straight + straight.T)
    reference = rest_p / rest_p.sum()
    suspect = (1 - share) * reference + share * rest_r / rest_r.sum()
    return float(reference @ bet @ suspect), float(reference @ bet**2 @ suspect)
