"""Reference populations: libraries of models, their recorded outputs and shareable profiles.

from provenance.library.population import Library
library = Library.open(Path("models"))
library.models()                      # who is in it, and what is known about them
library.profiles(parts=True)          # counts, means and variances of all, as arrays
"""

from __future__ import annotations

from provenance.library.population.freshness import (
    require_battery,
    require_fingerprint,
    require_fresh,
)
from provenance.library.population.library import Library
from provenance.library.population.manifest import is_library
from provenance.library.population.profiles import Moments, Profile, Profiles, combined
from provenance.library.population.records import Bundle, Model, Output, Recorded

__all__ = [
    "Bundle",
    "Library",
    "Model",
    "Moments",
    "Output",
    "Profile",
    "Profiles",
    "Recorded",
    "combined",
    "is_library",
    "require_battery",
    "require_fingerprint",
    "require_fresh",
]
