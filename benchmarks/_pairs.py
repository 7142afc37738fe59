"""Pairs of bundles with known relations, and what a score is worth on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from _corpora import FOLDS, Corpus, folds_of, space_rows

from provenance.attribution.calibration import (
    Pairs,
    effective_different,
    effective_same,
    metrics,
)
from provenance.attribution.calibration.fit import fit_line
from provenance.attribution.known_pairs import rows_of
from provenance.attribution.same_source import parts, shrunk
from provenance.attribution.weighing import WEIGHTS
from provenance.library.space import UNUSUAL, Sizes, Space, Summary, fit, mismatch

RELATED = 0.08  # share of related pairs among the negatives that thresholds and rates are for
SAME, RELATIVE, OTHER = 0, 1, 2


@dataclass
class Found:
    """Scores of pairs with what they are.

    ``kind``: `SAME`, `RELATIVE` (models of one unit), `OTHER`. ``a``, ``b``: units, ``i``, ``j``:
    models. ``unlike``: whether the formats of the two sides do not match. ``unusual``: what the
    score's weight of the unusual is multiplied with.
    """

    score: np.ndarray
    kind: np.ndarray
    a: np.ndarray
    b: np.ndarray
    fold: np.ndarray
    unlike: np.ndarray
    i: np.ndarray
    j: np.ndarray
    unusual: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def only(self, chosen: np.ndarray) -> Found:
        return Found(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def of(self, kind: int) -> np.ndarray:
        return self.score[self.kind == kind]

    def weighing(self, unusual: float | Mapping[int, float]) -> Found:
        """With another weight of the unusual in the score, or with one for each fold."""
        if isinstance(unusual, Mapping):
            unusual = np.array([unusual[f] for f in self.fold.tolist()])
        return replace(self, score=self.score + (unusual - UNUSUAL) * self.unusual)


def compared(
    found: np.ndarray,
    unit: np.ndarray,
    a: list[int],
    b: list[int],
    fold: int,
    unlike: np.ndarray | None = None,
    unusual: np.ndarray | None = None,
) -> Found:
    i, j = np.broadcast_arrays(np.array(a)[:, None], np.array(b)[None, :])
    kind = np.where(i == j, SAME, np.where(unit[i] == unit[j], RELATIVE, OTHER))
    strange = np.zeros(found.shape, dtype=bool) if unlike is None else unlike
    none = np.zeros(found.shape) if unusual is None else unusual
    return Found(
        *(x.ravel() for x in (found, kind, unit[i], unit[j])),
        np.full(found.size, fold),
        *(x.ravel() for x in (strange, i, j, none)),
    )


def scored(
    a: Sequence[Summary], b: Sequence[Summary], space: Space
) -> tuple[np.ndarray, np.ndarray]:
    """`scores`, and the part of them that the weight of the unusual multiplies."""
    close, unusual = parts(a, b, space)
    unusual = shrunk(unusual, a, b)
    return close + space.unusual * unusual, unusual


def drawn(
    data: Corpus, documents: np.ndarray, prompts: np.ndarray, n: int, rng: np.random.Generator
) -> dict[int, np.ndarray]:
    """Places in ``documents`` of ``n`` outputs a model; models with fewer have none."""
    model = data.model[documents]
    inside = np.isin(data.prompt[documents], prompts)
    chosen = {}
    for m in np.unique(model):
        own = np.flatnonzero((model == m) & inside)
        if len(own) >= n:
            chosen[int(m)] = rng.permutation(own)[:n]
    return chosen


def summaries(rows: np.ndarray, chosen: Mapping[int, np.ndarray]) -> list[Summary]:
    return [Summary.of_rows(rows[c], "") for c in chosen.values()]


@dataclass
class Split:
    """One fold: units and prompts that the fit did not see."""

    number: int
    train: np.ndarray
    test: np.ndarray


def splits(
    data: Corpus, unit: np.ndarray, rng: np.random.Generator, share: float = 0.5
) -> list[Split]:
    """Folds by unit; each is fitted on a share of the prompts and tested on the others."""
    fold = folds_of(unit, rng)
    seen = rng.permutation(int(data.prompt.max()) + 1)
    fitted = np.isin(data.prompt, seen[: int(len(seen) * share)])
    inside = fold[unit[data.model]]
    return [
        Split(f, np.flatnonzero((inside != f) & fitted), np.flatnonzero((inside == f) & ~fitted))
        for f in range(FOLDS)
    ]


def halves(data: Corpus, test: np.ndarray, repeat: int):
    """The prompts of a test in two halves, and a generator for the outputs."""
    g = np.random.default_rng(100 + repeat)
    prompts = g.permutation(np.unique(data.prompt[test]))
    return prompts[: len(prompts) // 2], prompts[len(prompts) // 2 :], g


@dataclass
class Fitted:
    """A split with its spaces, by view, and the rows of its test by corpus."""

    split: Split
    spaces: dict[str, Space]
    rows: dict[tuple[str, str], np.ndarray]


def fitted(
    corpora: Mapping[tuple[str, str], Corpus],
    unit: np.ndarray,
    *,
    share: float = 0.5,
    sizes: Sizes | None = None,
    seed: int = 0,
) -> Iterator[Fitted]:
    """Spaces without the units and prompts of their tests.

    Parameters
    ----------
    corpora
        By view, and what was done to the texts (`CHANGES`; empty: nothing): the same outputs in the
        same order. A space is fitted on texts as they are.
    """
    data = next(iter(corpora.values()))
    for split in splits(data, unit, np.random.default_rng(seed), share):
        made = Fitted(split, {}, {})
        for view, change in sorted(corpora):
            own = corpora[view, change]
            if not change:
                units = unit[np.unique(own.model[split.train])]
                training = replace(own.training.only(split.train), units=units)
                rng = np.random.default_rng(split.number)
                made.spaces[view] = fit(training, rng=rng, sizes=sizes)
                made.rows[view, change] = rows_of(own.training, split.test, made.spaces[view])
            else:
                made.rows[view, change] = space_rows(made.spaces[view], own, split.test)
        yield made


def held_out(
    corpora: Mapping[tuple[str, str], Corpus],
    unit: np.ndarray,
    outputs: Sequence[int],
    *,
    share: float = 0.5,
    repeats: int = 5,
    sizes: Sizes | None = None,
) -> dict[tuple[int, str, str], Found]:
    """Pairs on disjoint prompts, in spaces without their units.

    Returns
    -------
    dict
        By number of outputs, view and what the suspect alone did to its texts.
    """
    data = next(iter(corpora.values()))
    found: dict[tuple[int, str, str], list[Found]] = {}
    for made in fitted(corpora, unit, share=share, sizes=sizes):
        test = made.split.test
        for repeat in range(repeats):
            one, two, g = halves(data, test, repeat)
            for n in outputs:
                a, b = drawn(data, test, one, n, g), drawn(data, test, two, n, g)
                for (view, change), own in made.rows.items():
                    references, suspects = summaries(made.rows[view, ""], a), summaries(own, b)
                    found_, unusual = scored(references, suspects, made.spaces[view])
                    both = corpora[view, ""], corpora[view, change]
                    found.setdefault((n, view, change), []).append(
                        compared(
                            found_,
                            unit,
                            list(a),
                            list(b),
                            made.split.number,
                            _unlike(*both, test, a, b),
                            unusual,
                        )
                    )
    return {key: Found.joined(parts) for key, parts in found.items()}


def _unlike(one: Corpus, two: Corpus, test, a, b) -> np.ndarray:
    left = [one.formats_of(test[c]) for c in a.values()]
    right = [two.formats_of(test[c]) for c in b.values()]
    return np.array([[mismatch(x, y) is not None for y in right] for x in left])


def auc(high: np.ndarray, low: np.ndarray) -> float:
    if not len(high) or not len(low):
        return float("nan")
    low = np.sort(low)
    both = sum(np.searchsorted(low, high, side=s).mean() for s in ("left", "right"))
    return float(both / 2 / len(low))


def threshold(found: Found, rate: float = 0.01) -> float:
    """The score that a share ``rate`` of negatives of the stated composition exceeds."""
    others, related = found.of(OTHER), found.of(RELATIVE)
    share = RELATED if len(related) else 0.0
    weights = np.concatenate(
        [
            np.full(len(others), (1 - share) / max(1, len(others))),
            np.full(len(related), share / max(1, len(related))),
        ]
    )
    values = np.concatenate([others, related])
    order = np.argsort(-values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), rate)])


def rates(found: Found, above: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """False-positive rate of the stated composition, and its 95% upper limit over units."""
    units = np.unique(np.concatenate([found.a, found.b]))
    a, b = np.searchsorted(units, found.a), np.searchsorted(units, found.b)
    size = (len(units), len(units))
    tables = {}
    for kind in (OTHER, RELATIVE):
        chosen = found.kind == kind
        tables[kind] = tuple(
            np.bincount(a[chosen] * size[1] + b[chosen], w, minlength=size[0] ** 2).reshape(size)
            for w in (above[chosen].astype(float), np.ones(chosen.sum()))
        )

    def rate(times: np.ndarray) -> float:
        weights = np.outer(times, times)
        np.fill_diagonal(weights, times)
        parts = []
        for kind, share in ((OTHER, 1 - RELATED), (RELATIVE, RELATED)):
            hits, total = ((t * weights).sum() for t in tables[kind])
            if total:
                parts.append((share, hits / total))
        return float(sum(s * r for s, r in parts) / max(1e-12, sum(s for s, _ in parts)))

    plain = rate(np.ones(len(units)))
    drawn_ = [
        rate(np.bincount(rng.integers(len(units), size=len(units)), minlength=len(units)))
        for _ in range(500)
    ]
    return plain, float(np.quantile(drawn_, 0.95))


def chosen_weights(found: Sequence[Found]) -> dict[int, float]:
    """For each fold the weight of the unusual that pairs of the others choose."""
    return {
        fold: chosen_weight([f.only(f.fold != fold) for f in found])
        for fold in np.unique(found[0].fold).tolist()
    }


def chosen_weight(found: Sequence[Found]) -> float:
    """The weight of the unusual with the least cost, as `library calibrate` chooses one.

    The mean over numbers of outputs of Cllr of clipped ratios, each fold's by a line of the others;
    of equal ones the largest (`provenance.attribution.weighing`).
    """
    costs = {w: float(np.mean([_cost(f.weighing(w)) for f in found])) for w in WEIGHTS}
    return min(costs, key=lambda w: (costs[w], -w))


def _cost(found: Found) -> float:
    _, ratio = judged(found, found)
    return metrics.cllr(ratio[found.kind == SAME], ratio[found.kind == OTHER])


def judged(
    plain: Found,
    tested: Found,
    rate: float = 0.01,
    weights: Mapping[int, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each pair of ``tested`` is above the threshold, and its log10 ratio, clipped.

    Threshold, line and bounds are those of the pairs of ``plain`` in the other folds. The line is
    for the same model against a model of another unit. ``weights``: of the unusual by fold, for the
    fold's own pairs and for those that judge them; None: as scored.
    """
    above = np.zeros(len(tested.score), dtype=bool)
    ratio = np.zeros(len(tested.score))
    for fold in np.unique(tested.fold):
        inside = tested.fold == fold
        rest, score = plain.only(plain.fold != fold), tested.score[inside]
        if weights is not None:
            rest = rest.weighing(weights[fold])
            score = tested.only(inside).weighing(weights[fold]).score
        above[inside] = score > threshold(rest, rate)
        pairs = pairs_of(rest)
        line = fit_line(pairs)
        assert line is not None
        low = -np.log10(effective_same(pairs) + 1)
        high = np.log10(effective_different(pairs) + 1)
        ratio[inside] = np.clip(line.ratios(score), low, high)
    return above, ratio


def pairs_of(found: Found) -> Pairs:
    """Without related pairs: same model against a model of another unit."""
    kept = found.only(found.kind != RELATIVE)
    return Pairs(kept.score, kept.kind == SAME, kept.a, kept.b)


def described(
    found: Found, rate: float = 0.01, weights: Mapping[int, float] | None = None
) -> dict[str, float]:
    """AUC; TPR and realised false-positive rate at thresholds of the other folds; Cllr by units.

    ``weights`` as in `judged`; where folds have different ones, AUC is of scores of two kinds.
    """
    above, ratio = judged(found, found, rate, weights)
    free = _calibrated(found, ratio, weights)
    plain, found = found, found if weights is None else found.weighing(weights)
    row = {"auc": auc(found.of(SAME), found.of(OTHER))} | told(found, above, ratio)
    same, related = found.of(SAME), found.of(RELATIVE)
    if len(related):
        # Where no sibling of the model is among the negatives.
        unrelated = plain.only(plain.kind != RELATIVE)
        alone, _ = judged(unrelated, unrelated, rate, weights)
        row |= {
            "tpr_other": float(alone[unrelated.kind == SAME].mean()),
            "auc_related": auc(same, related),
            "tpr_related_5": float(np.mean(same > np.quantile(related, 0.95))),
        }
    return row | free


def told(found: Found, above: np.ndarray, ratio: np.ndarray) -> dict[str, float]:
    """Rates of what `judged` says, and how often a ratio misleads by more than 10."""
    false, upper = rates(found, above, np.random.default_rng(9))
    same, other = ratio[found.kind == SAME], ratio[found.kind == OTHER]
    row = {"tpr": float(above[found.kind == SAME].mean()), "fpr": false, "fpr_upper": upper}
    if len(other):
        wrong = metrics.misleading(other, 1.0, effective_different(pairs_of(found)))
        row |= {"over_10_other": wrong.rate, "over_10_other_upper": wrong.upper}
    if (found.kind == RELATIVE).any():
        row["over_10_related"] = float(np.mean(ratio[found.kind == RELATIVE] > 1))
    return row | {"under_tenth_same": float(np.mean(same < -1)), "same_pairs": len(same)}


def _calibrated(
    found: Found, ratio: np.ndarray, weights: Mapping[int, float] | None
) -> dict[str, float]:
    """Cllr of the ratios as reported (clipped) and before clipping."""
    tested = ratio[found.kind == SAME], ratio[found.kind == OTHER]
    pairs = pairs_of(found)
    free: dict[int, list[np.ndarray]] = {SAME: [], OTHER: []}
    for fold in np.unique(found.fold):
        own = found if weights is None else found.weighing(weights[fold])
        line = fit_line(pairs_of(own.only(own.fold != fold)))
        assert line is not None
        for kind, kept in free.items():
            kept.append(line.ratios(own.score[(own.fold == fold) & (own.kind == kind)]))
    return {
        "cllr": metrics.cllr(*tested),
        "cllr_unclipped": metrics.cllr(*(np.concatenate(free[k]) for k in (SAME, OTHER))),
        "cllr_min": metrics.cllr_min(*tested),
        "floor": metrics.cllr_floor(effective_same(pairs), effective_different(pairs)),
    }
