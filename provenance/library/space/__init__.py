"""Spaces: where bundles of free text are compared.

``numbers.py`` linear algebra, ``channels.py`` the steps from counts to coordinates, ``fitting.py``
fits them, ``space.py`` applies, saves and loads, ``summary.py`` is what is kept of a bundle.
"""

from __future__ import annotations

from provenance.library.space.fitting import Labelled, Sizes, Training, fit, read
from provenance.library.space.space import VIEWS, Space
from provenance.library.space.summary import Summary

__all__ = ["VIEWS", "Labelled", "Sizes", "Space", "Summary", "Training", "fit", "read"]
