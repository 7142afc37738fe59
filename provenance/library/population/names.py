"""Names of models as names of folders, on every file system."""

from __future__ import annotations

import hashlib
import re

_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,47}")
_STRANGE = re.compile(r"[^a-z0-9._-]+")
_DEVICES = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?")
NONE = "none"


def safe(name: str) -> str:
    """A folder name for any string; different strings get different ones.

    A name of a-z, 0-9, ``.``, ``_`` and ``-`` stays; any other is reduced to those letters and
    gets 8 digits of its digest, so that names which differ in case alone do not collide where
    file names ignore case. No name is one that Windows reserves or trims.
    """
    if not name:
        return NONE
    plain = _PLAIN.fullmatch(name) and not name.endswith(".")
    if plain and name != NONE and not _DEVICES.fullmatch(name):
        return name
    slug = _STRANGE.sub("-", name.lower()).strip("-. ")[:36].rstrip("-. ") or "x"
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug}-{mark}"
