"""The calibrations at hand, and which of them speaks to a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from provenance.attribution.calibration import Assessed, Calibration, Case
from provenance.errors import SettingsError
from provenance.library.population import Library
from provenance.signatures.document import Document
from provenance.signatures.words import FUNCTION_WORDS
from provenance.transcript import Completion

__all__ = ["Ratio", "Ratios", "language_of"]

Ratio = Assessed
SAME_MODEL = ("same_weights", "none_of_these")
_ENGLISH = 0.2  # function words among the words of a text: English has .35 to .5
_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Ratios:
    """Calibrations in one space, by their pair of hypotheses."""

    space: str
    calibrations: tuple[Calibration, ...]

    @classmethod
    def of(cls, library: Library, space: str) -> Ratios | None:
        """Those that a library keeps for a space; None where there is none.

        Raises
        ------
        SettingsError
            If a file is no calibration.
        """
        found = []
        for path in sorted((library.path / "calibrations").glob("*.json")):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise SettingsError(f"cannot read {path}: {error.strerror}") from None
            calibration = Calibration.read(content, str(path))
            if calibration.scope.space == space:
                found.append(calibration)
        return cls(space, tuple(found)) if found else None

    @property
    def name(self) -> str:
        """Names of all of them."""
        return ", ".join(c.name for c in self.calibrations)

    def to_json(self) -> dict[str, Any]:
        """As kept in the evidence of a study."""
        return {
            "space": self.space,
            "calibrations": [c.model_dump(mode="json") for c in self.calibrations],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Ratios:
        """Read back `to_json`."""
        return cls(
            content["space"],
            tuple(Calibration.model_validate(c) for c in content["calibrations"]),
        )

    def weigh(
        self,
        pair: tuple[str, str],
        score: float,
        outputs: tuple[int, int],
        completions: Sequence[Completion],
    ) -> Assessed | None:
        """The ratio of a pair of hypotheses; None where no calibration speaks to it.

        Parameters
        ----------
        outputs
            Of the suspect's bundle and of the other.
        completions
            The suspect's: their language and length decide whether a calibration covers them.
        """
        fitting = [c for c in self.calibrations if (c.hypothesis, c.against) == pair]
        if not fitting:
            return None
        case = Case(
            space=self.space,
            language=language_of(completions),
            outputs=min(outputs),
            characters=fmean(len(c.text) for c in completions) if completions else 0.0,
        )
        assessed = [c.assess(score, case) for c in fitting]
        return next((a for a in assessed if a.assessed), assessed[0])

    def same_model(
        self, score: float, n_suspect: int, n_model: int, completions: Sequence[Completion]
    ) -> Assessed:
        """One model against a model of another maker."""
        found = self.weigh(SAME_MODEL, score, (n_suspect, n_model), completions)
        if found is not None:
            return found
        return Assessed(None, None, None, False, self.name, "", None, None, "no_calibration")


def language_of(completions: Sequence[Completion]) -> str:
    """``en`` or ``other``, by the share of English function words."""
    words = known = 0
    for completion in completions[:_LOOKED_AT]:
        own = Document.of(completion).words
        words += len(own)
        known += sum(w in FUNCTION_WORDS for w in own)
    return "en" if words and known / words >= _ENGLISH else "other"
