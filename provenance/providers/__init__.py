"""Everything that can be asked: one protocol, one module a provider.

`create` turns an `Endpoint` into its `Provider`; the module of a provider is imported only then.
"""

from __future__ import annotations

from provenance.providers.base import Provider
from provenance.providers.registry import create

__all__ = ["Provider", "create"]
