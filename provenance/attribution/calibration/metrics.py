"""How good likelihood ratios are: Cllr and its parts, Tippett and ECE curves, misleading evidence.

Words. A *likelihood ratio* says how many times as probable the evidence is under one hypothesis as
under another. *Cllr* is the mean cost in bits of using it, 1 for a method that says nothing, 0 for
a perfect one (Brümmer & du Preez 2006); *Cllr_min* what remains of it when ratios are re-calibrated
on the test set itself, so Cllr − Cllr_min is lost by calibration. *Misleading* evidence speaks for
the wrong hypothesis. All ratios here are log10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.errors import UsageError

__all__ = [
    "Misleading",
    "cllr",
    "cllr_floor",
    "cllr_min",
    "ece",
    "misleading",
    "pav_ratios",
    "tippett",
    "upper_limit",
]

Floats = NDArray[np.float64]
_LN10 = np.log(10.0)


def cllr(
    same: Floats,
    different: Floats,
    same_weights: Floats | None = None,
    different_weights: Floats | None = None,
) -> float:
    """Log-likelihood-ratio cost, in bits.

    ½ [mean over same-source pairs of log2(1 + 1/LR) + mean over others of log2(1 + LR)].

    Parameters
    ----------
    same, different
        log10 likelihood ratios, as reported (clipped), of pairs for which the first or the second
        hypothesis is true; shapes (s,) and (d,).
    same_weights, different_weights
        Of the pairs, for a stated composition; None: all alike.

    Returns
    -------
    float
        ≥ 0.

    Raises
    ------
    UsageError
        If one of them is empty.
    """
    _require(same, different)
    first = np.logaddexp(0, -same * _LN10) / np.log(2)
    second = np.logaddexp(0, different * _LN10) / np.log(2)
    return float(
        (np.average(first, weights=same_weights) + np.average(second, weights=different_weights))
        / 2
    )


def cllr_floor(n_same: float, n_different: float) -> float:
    """The smallest Cllr that ratios within the bounds can reach: all right, all at their bound.

    ½ [log2(1 + 1/(N_d + 1)) + log2(1 + 1/(N_s + 1))].
    """
    return float((np.log2(1 + 1 / (n_different + 1)) + np.log2(1 + 1 / (n_same + 1))) / 2)


def pav_ratios(same: Floats, different: Floats) -> tuple[Floats, Floats]:
    """log10 ratios re-calibrated on the pairs themselves by pool-adjacent-violators.

    Returns
    -------
    same, different
        In the order given; ±inf where only one kind of pair occurs.
    """
    _require(same, different)
    from scipy.optimize import isotonic_regression

    scores = np.concatenate([same, different])
    truth = np.concatenate([np.ones(len(same)), np.zeros(len(different))])
    # Both kinds weigh alike, so that odds are likelihood ratios; equal scores are pooled.
    weights = np.concatenate(
        [np.full(len(same), 1 / len(same)), np.full(len(different), 1 / len(different))]
    )
    values, place = np.unique(scores, return_inverse=True)
    total = np.bincount(place, weights, minlength=len(values))
    mean = np.bincount(place, weights * truth, minlength=len(values)) / total
    fitted = isotonic_regression(mean, weights=total).x[place]
    with np.errstate(divide="ignore"):
        ratios = np.log10(fitted) - np.log10(1 - fitted)
    return ratios[: len(same)], ratios[len(same) :]


def cllr_min(same: Floats, different: Floats) -> float:
    """Cllr after `pav_ratios`: what discrimination alone allows."""
    return cllr(*pav_ratios(same, different))


def tippett(same: Floats, different: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Shares of pairs with a ratio of at least each point: of same-source pairs, of others."""
    _require(same, different)
    return _at_least(same, points), _at_least(different, points)


def ece(same: Floats, different: Floats, prior_log10_odds: Floats) -> Floats:
    """Empirical cross-entropy in bits at each prior (Ramos et al. 2013); shape of the priors.

    At prior odds of 1 it is Cllr. A method that says nothing has the entropy of the prior.
    """
    _require(same, different)
    odds = np.asarray(prior_log10_odds, dtype=np.float64) * _LN10
    p = 1 / (1 + np.exp(-odds))
    first = np.array([np.mean(np.logaddexp(0, -(same * _LN10 + o))) for o in odds])
    second = np.array([np.mean(np.logaddexp(0, different * _LN10 + o)) for o in odds])
    found: Floats = (p * first + (1 - p) * second) / np.log(2)
    return found


@dataclass(frozen=True, slots=True)
class Misleading:
    """Different-source pairs with a ratio above ``above`` (log10).

    ``rate`` is over all pairs; ``upper`` its one-sided 95% limit over ``effective`` pairs, as if so
    many independent ones had shown the same rate.
    """

    above: float
    rate: float
    upper: float
    effective: float


def misleading(different: Floats, above: float, effective: float) -> Misleading:
    """How often a pair of different sources gets a ratio above ``above``."""
    rate = float(np.mean(different > above))
    return Misleading(above, rate, upper_limit(rate, effective), effective)


def upper_limit(rate: float, n: float, level: float = 0.95) -> float:
    """One-sided Clopper–Pearson limit of a rate seen in ``n`` effective trials.

    With none seen, 1 − (1 − level)^(1/n): at most 1/1000 takes 2,995 trials. For the mean of n
    independent shares, each between 0 and 1, it is wider than need be: of all these, shares that
    are 0 or 1 vary most (in simulations of 3 to 50 shares of eight kinds it covered 95.8% or more).
    """
    from scipy.special import betaincinv

    hits = rate * n
    if hits >= n:
        return 1.0
    return float(betaincinv(hits + 1, n - hits, level))


def _at_least(values: Floats, points: Floats) -> Floats:
    ordered = np.sort(values)
    found: Floats = 1 - np.searchsorted(ordered, points, side="left") / len(ordered)
    return found


def _require(same: Floats, different: Floats) -> None:
    if not len(same) or not len(different):
        raise UsageError(
            f"ratios of both kinds of pairs are needed, found {len(same)} and {len(different)}"
        )
