"""The calibrations at hand, and which of them speaks to a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from provenance.attribution.calibration import Assessed, Calibration, Case
from provenance.errors import SettingsError
from provenance.library.population import Library
from provenance.signatures.document import Document
from provenance.signatures.words import FUNCTION_WORDS
from provenance.transcript import Completion

__all__ = ["SAME_MODEL", "Ratio", "Ratios", "Told", "language_of"]

Ratio = Assessed
SAME_MODEL = ("same_weights", "none_of_these")
_ENGLISH = 0.2  # function words among the words of a text: English has .35 to .5
_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Told:
    """What decides, of a suspect's texts, whether a calibration covers them.

    ``genre`` is that of the prompts, empty where it is not known; ``characters`` the mean length.
    """

    language: str
    characters: float
    genre: str = ""

    @classmethod
    def of(cls, completions: Sequence[Completion], genre: str = "") -> Told:
        """Of some texts."""
        mean = fmean(len(c.text) for c in completions) if completions else 0.0
        return cls(language_of(completions), mean, genre)


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

    @property
    def languages(self) -> tuple[str, ...]:
        """Of the texts that they were measured on."""
        return tuple(sorted({x for c in self.calibrations for x in c.scope.languages}))

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
        told: Told,
        *,
        other: Told | None = None,
        unlike: bool = False,
        battery: str = "",
    ) -> Assessed | None:
        """The ratio of a pair of hypotheses; None where no calibration speaks to it.

        Parameters
        ----------
        outputs
            Of the suspect's bundle and of the other; prompts of both, with a battery.
        told
            What decides, of the suspect's texts, whether a calibration covers them.
        other
            The same of the other bundle; None where it is one that calibrations were made of.
        unlike
            Whether the two bundles are of unlike format.
        battery
            Digest of the prompts that both answered, where they were compared prompt by prompt.

        Notes
        -----
        Where several calibrations cover a case the one with the lowest Cllr gives the ratio, and it
        is named. Ratios of two calibrations, of two views, or of a ratio and another strand are
        never multiplied: they rest on the same texts.
        """
        fitting = [c for c in self.calibrations if (c.hypothesis, c.against) == pair]
        if not fitting:
            return None
        cases = [
            Case(
                kind="matched" if battery else "free_text",
                battery=battery,
                space=self.space,
                language=t.language,
                outputs=min(outputs),
                characters=t.characters,
                genre=t.genre,
                unlike_formats=unlike,
            )
            for t in (told, *(() if other is None else (other,)))
        ]
        case = cases[0]
        # Chosen by what they were worth on known pairs, never by what they say here.
        fitting = sorted(fitting, key=lambda c: (_cost(c, case.outputs), c.name))
        assessed = [_both(c, c.assess(score, case), cases[1:]) for c in fitting]
        found = next((a for a in assessed if a.assessed), None)
        if found is not None:
            return found
        genres = sorted({g for c in fitting for g in c.scope.genres})
        if all(c.scope.genres for c in fitting) and told.genre not in genres:
            own = told.genre or "not stated"
            why = f"Calibrations cover the genres {', '.join(genres)}; this one is {own}."
            return replace(assessed[0], why_not=why, calibration=self.name)
        # Why one of another genre does not cover the case would be beside the point.
        of_genre = (told.genre in c.scope.genres for c in fitting)
        return next((a for a, own in zip(assessed, of_genre, strict=True) if own), assessed[0])

    def same_model(
        self,
        score: float,
        n_suspect: int,
        n_model: int,
        told: Told,
        *,
        unlike: bool = False,
        battery: str = "",
    ) -> Assessed:
        """One model against a model of another maker."""
        outputs = (n_suspect, n_model)
        found = self.weigh(SAME_MODEL, score, outputs, told, unlike=unlike, battery=battery)
        if found is not None:
            return found
        return Assessed(None, None, None, False, self.name, "", None, None, "no_calibration")


def _both(calibration: Calibration, assessed: Assessed, others: Sequence[Case]) -> Assessed:
    """No ratio where the calibration does not cover the other side."""
    why = next((w for case in others if (w := calibration.scope.covers(case)) is not None), None)
    if why is None or not assessed.assessed:
        return assessed
    return assessed.withheld(f"For the texts of the reference: {why}")


def _cost(calibration: Calibration, outputs: int) -> float:
    costs = [g.cllr for g in calibration.grades if g.outputs <= outputs and g.cllr is not None]
    return costs[-1] if costs else float("inf")


def language_of(completions: Sequence[Completion]) -> str:
    """``en`` or ``other``, by the share of English function words."""
    words = known = 0
    for completion in completions[:_LOOKED_AT]:
        own = Document.of(completion).words
        words += len(own)
        known += sum(w in FUNCTION_WORDS for w in own)
    return "en" if words and known / words >= _ENGLISH else "other"
