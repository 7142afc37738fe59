"""Spaces: where bundles of free text are compared.

``numbers.py`` linear algebra, ``channels.py`` the steps from counts to coordinates, ``fitting.py``
fits them, ``space.py`` applies, saves and loads, ``summary.py`` is what is kept of a bundle,
``formats.py`` tells whether two bundles are of like format.
"""

from __future__ import annotations

from provenance.library.space.fitting import Labelled, Sizes, Training, fit, read
from provenance.library.space.formats import CLASSES, Formats, mismatch
from provenance.library.space.space import UNUSUAL, Space
from provenance.library.space.summary import Summary
from provenance.library.space.views import VIEWS

__all__ = [
    "CLASSES",
    "UNUSUAL",
    "VIEWS",
    "Formats",
    "Labelled",
    "Sizes",
    "Space",
    "Summary",
    "Training",
    "fit",
    "mismatch",
    "read",
]
