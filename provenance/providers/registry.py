"""Provider names and where each one lives. A module is imported when its provider is created."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import cast

from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.providers.base import Provider

# Name in an endpoint string -> module and class. A constructor takes (endpoint, *, environment).
_LOADERS: dict[str, tuple[str, str]] = {
    "compatible": ("provenance.providers.compatible", "CompatibleProvider"),
    "transformers": ("provenance.providers.transformers", "TransformersProvider"),
    "gguf": ("provenance.providers.gguf", "GgufProvider"),
    "replay": ("provenance.providers.replay", "ReplayProvider"),
    "simulated": ("provenance.providers.simulated", "SimulatedProvider"),
}

# Named by the endpoint grammar, not spoken by this version.
_INSTEAD: dict[str, str] = {
    "openai": "compatible:{model}@https://api.openai.com/v1,key_env=OPENAI_API_KEY",
    "anthropic": "compatible:{model}@https://api.anthropic.com/v1,key_env=ANTHROPIC_API_KEY",
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
    if endpoint.provider in _INSTEAD:
        instead = _INSTEAD[endpoint.provider].format(model=endpoint.model)
        raise UsageError(
            f"the provider '{endpoint.provider}' (its official SDK) is not part of this version; "
            f"the same API answers raw HTTP: {instead}"
        )
    module, name = _LOADERS[endpoint.provider]
    provider = getattr(importlib.import_module(module), name)
    return cast(Provider, provider(endpoint, environment=environment))
