"""The way of a study, on one page: prepare → record → analyse → write.

``sides.py`` reads what the caller names, ``recording.py`` asks, ``analysis.py`` concludes,
``finished.py`` is what comes back; ``comparison.py``, ``identification.py`` and
``attribution.py`` put them together; ``anchors.py`` holds what a comparison records beside its
sides. It runs forward only: `analyse` is a function of the store alone, which is what lets a
stranger recompute the verdict.
"""

from __future__ import annotations

from provenance.sampling.prepare import Prepared
from provenance.sampling.runner import Progress
from provenance.study.analysis import analyse, report
from provenance.study.anchors import Comparison
from provenance.study.attribution import (
    aattribute,
    attribute,
    conclude_attribution,
    prepare_attribution,
)
from provenance.study.comparison import (
    acompare,
    compare,
    conclude_comparison,
    prepare,
    prepare_comparison,
    sample,
)
from provenance.study.finished import Study
from provenance.study.identification import (
    aidentify,
    conclude_identification,
    identify,
    prepare_identification,
)
from provenance.study.recording import pilot, record
from provenance.study.sides import side_of

__all__ = [
    "Comparison",
    "Prepared",
    "Progress",
    "Study",
    "aattribute",
    "acompare",
    "aidentify",
    "analyse",
    "attribute",
    "compare",
    "conclude_attribution",
    "conclude_comparison",
    "conclude_identification",
    "identify",
    "pilot",
    "prepare",
    "prepare_attribution",
    "prepare_comparison",
    "prepare_identification",
    "record",
    "report",
    "sample",
    "side_of",
]
