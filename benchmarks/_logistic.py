"""Logistic regression on a few figures of pairs, both kinds weighing alike."""

from __future__ import annotations

import numpy as np

STEPS = 60


def logistic(
    first: np.ndarray, second: np.ndarray, *, ridge: float, weights: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Weights and intercept of the natural log odds at equal prior odds.

    Parameters
    ----------
    first, second
        Shape (pairs, figures): of pairs for which the first and the second hypothesis is true.
    ridge
        On the weights of standardised figures.
    weights
        Shape (len(second),): of the second kind, for a stated composition; None: all alike.
    """
    x = np.concatenate([first, second])
    centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-12
    x = np.concatenate([(x - centre) / spread, np.ones((len(x), 1))], axis=1)
    y = np.repeat([1.0, 0.0], [len(first), len(second)])
    other = np.ones(len(second)) if weights is None else weights
    w = np.concatenate([np.full(len(first), 0.5 / len(first)), other / other.sum() / 2])
    held = np.diag([*np.full(x.shape[1] - 1, ridge), 0.0])
    found = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ found, -50, 50)))
        slope = x.T @ (w * (p - y)) + held @ found
        step = np.linalg.solve((x * (w * p * (1 - p))[:, None]).T @ x + held, slope)
        found -= step * min(1.0, 4.0 / max(1e-12, float(np.abs(step).max())))
    lines = found[:-1] / spread
    return lines, float(found[-1] - lines @ centre)
