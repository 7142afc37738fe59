"""How alike a model's own draws are: what a likeness to it is measured by.

Some models say nearly the same each time, others something else: a likeness that is poor among
draws of the first is all that a draw of the second has with its own model. So a likeness is divided
by what a fresh draw of the model itself is expected to have (correction for attenuation, Spearman
1904), and 1 means: as alike as the model is to itself.

What is expected of a model comes from draws that are enrolled, never from those that stand in for a
suspect's on the prompts compared, so model and suspect are judged alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.matched import Alike
from provenance.canonical import digest

__all__ = ["OwnDraws", "relative_space"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
VERSION = 1
# Prompts that the mean of all models counts for, beside those that a model answered twice: on the
# prompts compared, and on others. Either half of the prompts of 31 models chooses about these
# (`benchmarks/_matched.py`).
_SHRUNK, _SHRUNK_ELSEWHERE = 3.0, 20.0
FEWEST_ELSEWHERE = 10
_SHARE_OF_PROMPTS, _SHARE_OF_MODELS = 0.5, 0.9
_LEAST = 0.05


@dataclass(frozen=True, slots=True)
class OwnDraws:
    """Of the models of a battery.

    Attributes
    ----------
    enrolled
        Of two draws that are enrolled.
    every
        Of two draws, whichever they are.
    draws
        Shape (models,): enrolled draws of a prompt, typically.
    """

    enrolled: Alike
    every: Alike
    draws: Floats

    def expected(self, prompts: Codes, *, draws: int = 1) -> Floats | None:
        """Likeness that fresh draws of each model are expected to have to its enrolled ones.

        Parameters
        ----------
        prompts
            Those that are compared.
        draws
            A prompt, that are compared with what is enrolled.

        Returns
        -------
        ndarray or None
            Shape (models,), above 0. From enrolled draws on the prompts compared where nine models
            of ten have two on half of them; else from any two draws on the other prompts, where
            `FEWEST_ELSEWHERE` are enough for nine of ten; else None. It hangs on no draw that
            stands in for a suspect's on the prompts compared.

        Notes
        -----
        r, the likeness of one draw to another, is the mean over prompts, drawn towards the mean of
        all models as if they were a few prompts more. The mean of m draws has reliability
        R(m) = m·r/(1 + (m − 1)·r) (Spearman–Brown); √(R(draws)·R(enrolled)) is expected.
        What breaks it: draws that a cache repeats make a model look steadier than it is.
        """
        asked = np.zeros(self.enrolled.total.shape[1], dtype=bool)
        asked[prompts] = True
        alike, shrunk = _only(self.enrolled, asked), _SHRUNK
        if not _enough(alike, _SHARE_OF_PROMPTS * float(asked.sum())):
            alike, shrunk = _only(self.every, ~asked), _SHRUNK_ELSEWHERE
            if not _enough(alike, FEWEST_ELSEWHERE):
                return None
        times = (alike.weight > 0).sum(axis=1)
        own = alike.total.sum(axis=1) / np.maximum(alike.weight.sum(axis=1), 1e-9)
        middle = own[times > 0].mean()
        r = np.clip((times * own + shrunk * middle) / (times + shrunk), _LEAST, 1.0)
        found: Floats = np.sqrt(_reliability(r, float(draws)) * _reliability(r, self.draws))
        return found


def relative_space(scheme: str) -> str:
    """What calibrations of such scores name in place of the scheme of the sketches."""
    return digest({"sketches": scheme, "score": f"own_draws/{VERSION}"})


def _reliability(r: Floats, draws: Floats | float) -> Floats:
    found: Floats = draws * r / (1 + (draws - 1) * r)
    return found


def _only(alike: Alike, prompts: NDArray[np.bool_]) -> Alike:
    return Alike(alike.total[:, prompts], alike.weight[:, prompts])


def _enough(alike: Alike, fewest: float) -> bool:
    times = (alike.weight > 0).sum(axis=1)
    return bool(len(times)) and float(np.mean(times >= max(1.0, fewest))) >= _SHARE_OF_MODELS
