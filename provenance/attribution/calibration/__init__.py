"""Calibration: from scores of known pairs to likelihood ratios that carry their bounds.

``pairs.py`` known pairs and their effective numbers, ``fit.py`` the line, ``calibration.py`` scope,
grades and assessment, ``metrics.py`` how good ratios are.
"""

from __future__ import annotations

from provenance.attribution.calibration import metrics
from provenance.attribution.calibration.calibration import (
    Assessed,
    Calibration,
    Case,
    Grade,
    Scope,
    shuffled_control,
    validated,
)
from provenance.attribution.calibration.pairs import (
    Pairs,
    effective_different,
    effective_same,
)

__all__ = [
    "Assessed",
    "Calibration",
    "Case",
    "Grade",
    "Pairs",
    "Scope",
    "effective_different",
    "effective_same",
    "metrics",
    "shuffled_control",
    "validated",
]
