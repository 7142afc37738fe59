"""Calibration: from scores of known pairs to likelihood ratios that carry their bounds.

``pairs.py`` known pairs and their effective numbers, ``fit.py`` the line, ``scope.py`` what is
covered, ``calibration.py`` grades and assessment, ``assessed.py`` what comes of it, ``metrics.py``
how good ratios are, ``curves.py`` what is drawn of them.
"""

from __future__ import annotations

from provenance.attribution.calibration import metrics
from provenance.attribution.calibration.assessed import Assessed
from provenance.attribution.calibration.calibration import (
    Calibration,
    Grade,
    shuffled_control,
    tested,
    validated,
)
from provenance.attribution.calibration.curves import Curves
from provenance.attribution.calibration.pairs import (
    Pairs,
    effective_different,
    effective_same,
)
from provenance.attribution.calibration.scope import Across, Case, Scope

__all__ = [
    "Across",
    "Assessed",
    "Calibration",
    "Case",
    "Curves",
    "Grade",
    "Pairs",
    "Scope",
    "effective_different",
    "effective_same",
    "metrics",
    "shuffled_control",
    "tested",
    "validated",
]
