"""Provider names and where each one lives. A module is imported when its provider is created."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import cast

from provenance.endpoint import Endpoint
from provenance.providers.base import Provider

# Name in an endpoint string -> module and class. A constructor takes (endpoint, *, environment).
_LOADERS: dict[str, tuple[str, str]] = {
    "compatible": ("provenance.providers.compatible", "CompatibleProvider"),
    "openai": ("provenance.providers.openai", "OpenAIProvider"),
    "anthropic": ("provenance.providers.anthropic", "AnthropicProvider"),
    "transformers": ("provenance.providers.transformers", "TransformersProvider"),
    "gguf": ("provenance.providers.gguf", "GgufProvider"),
    "replay": ("provenance.providers.replay", "ReplayProvider"),
    "simulated": ("provenance.providers.simulated", "SimulatedProvider"),
}


def registered() -> tuple[str, ...]:
    """The names of the providers that `create` can make."""
    return tuple(_LOADERS)


def create(endpoint: Endpoint, *, environment: Mapping[str, str]) -> Provider:
    """The provider of an endpoint, not yet opened: no request is sent, no weights are loaded.

    Parameters
    ----------
    endpoint
        What is asked, and where.
    environment
        Usually ``os.environ``: where keys are looked up by the names that the endpoint gives, and
        proxies and certificates by their usual names.

    Raises
    ------
    UsageError
        If the endpoint's options cannot be used, a key is missing, or an extra is not installed.
    ProviderError
        If this version cannot speak what the endpoint asks for.
    """
    module, name = _LOADERS[endpoint.provider]
    provider = getattr(importlib.import_module(module), name)
    return cast(Provider, provider(endpoint, environment=environment))
