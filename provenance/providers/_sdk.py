"""What the providers by official SDK share: the SDK writes a request, this package sends it.

The SDK is given an HTTP client whose transport is `_Bridge`. It takes the body and the headers
that the SDK wrote, and sends them as `compatible` sends its own: the same connections, limits,
proxies and certificates, one attempt, no redirect. The bytes that come back are read by this
package's readers. The SDK itself is told the status and nothing else, so that nothing which a
stranger wrote is parsed or logged by it.

The SDK never holds a key: it works with a placeholder, and the key takes its place on the way out.
Of the SDK's headers only those go out that say which SDK it is. What it reads besides from the
environment of the process (organisation, project, custom headers, base URL) stays here: name it
by ``header.NAME`` in the endpoint instead.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import httpx

from provenance.endpoint import DEFAULT_BASE_URLS, Endpoint
from provenance.errors import MissingExtra, ProviderError
from provenance.providers import _answer, _keys, _stream, _wire
from provenance.providers._body import encode
from provenance.providers.compatible import CompatibleProvider

if TYPE_CHECKING:
    import httpx2

PLACEHOLDER = "not-a-key-the-transport-puts-it-here"
_SDK_HEADERS = ("accept", "content-type", "connection", "user-agent", "anthropic-version")
_OWN_HEADERS = {"accept-encoding": "gzip, deflate"}  # what `_wire` can unpack with a limit
_KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


@dataclass(slots=True)
class _Errand:
    """One request on its way through the SDK."""

    post: Callable[[Mapping[str, str], bytes], Awaitable[_wire.Reply]]
    sent: bytes = b""
    reply: _wire.Reply | None = None


_errand: ContextVar[_Errand] = ContextVar("_errand")


class SdkProvider(CompatibleProvider, ABC):
    """Base of the providers whose requests an official SDK writes.

    Parameters
    ----------
    endpoint
        Without a base URL the provider's own is used, and with that one its usual key variable.
    environment
        Where keys, proxies and certificates are looked up.

    Raises
    ------
    MissingExtra
        If the SDK is not installed.
    UsageError, ProviderError
        As `CompatibleProvider` does.
    """

    _extra: ClassVar[str]

    def __init__(self, endpoint: Endpoint, *, environment: Mapping[str, str]) -> None:
        if any(importlib.util.find_spec(name) is None for name in (self._extra, "httpx2")):
            raise MissingExtra(f"the provider '{endpoint.provider}'", self._extra)
        super().__init__(endpoint, environment=environment)
        bearer = self._headers.pop("authorization", None) if self._keyed else None
        self._key = bearer.removeprefix("Bearer ") if bearer else None
        self._client: Any = None
        self._errors: type[Exception] = Exception

    async def open(self) -> None:
        """Import the SDK and prepare the connections. Nothing is sent."""
        await super().open()
        if self._client is None:
            self._client, self._errors = self._make_client()

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        try:
            if client is not None:
                await client.close()
        finally:
            await super().aclose()

    @abstractmethod
    def _make_client(self) -> tuple[Any, type[Exception]]:
        """The SDK's client, and the base class of its errors."""

    @abstractmethod
    async def _create(self, body: dict[str, Any]) -> Any:
        """Have the SDK post the body; it returns a stream if the body asks for one."""

    def _completed(self, endpoint: Endpoint) -> Endpoint:
        options = endpoint.options
        named = any(name == "key_env" or _keys.is_credential(name) for name, _ in options)
        if not named and _bare(endpoint.url) == _bare(DEFAULT_BASE_URLS[endpoint.provider]):
            options = (*options, ("key_env", _KEY_VARIABLES[endpoint.provider]))
        self._keyed = any(name == "key_env" for name, _ in options)
        return replace(endpoint, base_url=endpoint.url, options=options)

    def _http_client(self) -> httpx2.AsyncClient:
        import httpx2

        return httpx2.AsyncClient(
            transport=_bridge(), trust_env=False, follow_redirects=False, timeout=self._timeout_s
        )

    async def _send(
        self, transport: httpx.AsyncBaseTransport, body: dict[str, Any], tokens: int
    ) -> tuple[bytes, _wire.Reply]:
        async def post(headers: Mapping[str, str], sent: bytes) -> _wire.Reply:
            return await self._post(transport, self._outgoing(headers), sent, tokens)

        errand = _Errand(post)
        token = _errand.set(errand)
        try:
            # Encoded and read back, so that the SDK meets no text that UTF-8 cannot hold.
            made = await self._create(json.loads(encode(body)))
            if hasattr(made, "close"):
                await made.close()
        except self._errors:
            # Its view of the status that it was told; what came back is in the errand.
            if errand.reply is None:
                raise
        finally:
            _errand.reset(token)
        if errand.reply is None:
            raise ProviderError(f"{self.endpoint.label}: the SDK sent nothing")
        return errand.sent, errand.reply

    def _outgoing(self, written: Mapping[str, str]) -> dict[str, str]:
        """The headers that go out, of those that the SDK wrote."""
        headers = {}
        for name, value in written.items():
            if PLACEHOLDER in value:
                if self._key is not None:
                    headers[name] = value.replace(PLACEHOLDER, self._key)
            elif name in _SDK_HEADERS or name.startswith("x-stainless-"):
                headers[name] = value
        return {**headers, **_OWN_HEADERS, **self._headers}

    def _spelled(self, text: str) -> str:
        return super()._spelled(text) + "\n" + _spelled_deltas(text)


def without_environment(client: Any) -> Any:
    """The SDK's client without the headers that it took from the process's environment."""
    if getattr(client, "_custom_headers", None):
        client._custom_headers = {}
    return client


def _bare(url: str | None) -> str:
    return (url or "").rstrip("/").removesuffix("/v1")


def _bridge() -> httpx2.AsyncBaseTransport:
    """The transport under the SDK. Defined here because its base class is in an extra."""
    import httpx2

    class _Bridge(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            errand = _errand.get()
            if errand.reply is not None:
                raise httpx2.UnsupportedProtocol("one attempt, one request", request=request)
            errand.sent = await request.aread()
            errand.reply = await errand.post(dict(request.headers), errand.sent)
            if errand.reply.status is None:
                raise httpx2.NetworkError("no answer", request=request)
            headers = {"content-type": "application/json"}
            status = errand.reply.status
            return httpx2.Response(status, headers=headers, content=b"{}", request=request)

    return _Bridge()


def _spelled_deltas(text: str) -> str:
    """What the deltas of a stream spell, by the name that they go by."""
    pieces: dict[str, list[str]] = {}
    for data in _stream.events(text):
        with contextlib.suppress(_answer.NotTheDialect):
            event = _answer.parse_json(data)
            delta = event.get("delta") if isinstance(event, dict) else None
            named = delta if isinstance(delta, dict) else {"": delta}
            for name, value in named.items():
                if isinstance(value, str):
                    pieces.setdefault(name, []).append(value)
    return "\n".join("".join(parts) for parts in pieces.values())
