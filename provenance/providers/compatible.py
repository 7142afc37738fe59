"""``compatible:``: any OpenAI-compatible server by raw HTTP.

``api=chat`` (the default) posts to ``BASE_URL/chat/completions``; ``api=completions`` to the older
``BASE_URL/completions``, where the prompt is the contents of the messages joined by a blank line
and nothing else: no role names, no template.

What is sent is what the probe states and the endpoint's options override, and no parameter
besides: ``model``, the messages, ``max_tokens``, and with ``stream=true`` a request for the
token counts. A server that refuses a parameter by name is asked again without it (``max_tokens``
becomes ``max_completion_tokens``), which `CompatibleProvider.capabilities` records; a parameter
that the user set is never dropped.

Options of its own meaning
    ``system_file``: a system message for probes that have none; a probe's own wins, and the
    completion's notes say so.
    ``max_tokens``: the visible tokens of every answer, instead of the probe's.
    ``reasoning``: a thinking budget on top of them. ``true`` adds 4,096 tokens, a number that
    many; ``"minimal"``, ``"low"``, ``"medium"``, ``"high"`` add 512 to 16,384 and are sent as
    ``reasoning_effort``. ``false`` adds and sends nothing.
    ``body.PATH``: any further field, by its dotted path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx

from provenance.canonical import clean_text
from provenance.endpoint import Endpoint
from provenance.errors import ProviderError, UsageError
from provenance.providers import _answer, _faults, _keys, _network, _stream, _wire
from provenance.providers._body import BodyPlan, encode
from provenance.transcript import RESENT, Completion, Exchange, Failure, Request

_TIMEOUT_S = 120.0
_BASE_LIMIT = 4 * 2**20
_LIMIT_PER_TOKEN = 4 * 2**10  # an event with 20 alternatives; without them a tenth of it
_ERROR_LIMIT = 2**18
_LEFT_OUT = b"[left out: the pieces of the answer spell the key]"
_UNUSED = ("revision", "dtype", "model")


class CompatibleProvider:
    """An OpenAI-compatible endpoint.

    Parameters
    ----------
    endpoint
        With a base URL.
    environment
        Where ``key_env`` and ``header_env`` look up values, and proxies and certificates are named.

    Attributes
    ----------
    capabilities
        Parameter -> "accepted" (no error came back, which is not to say that it was heeded),
        "refused" or "ignored" (the answer shows it).

    Raises
    ------
    UsageError
        If an option cannot be used, a key is missing, or a key would travel unencrypted.
    ProviderError
        If the endpoint asks for a dialect that is not spoken here.
    """

    ordered = True
    # Dialect -> what it adds to the base URL; the first one is the default.
    _paths: ClassVar[Mapping[str, str]] = {
        "chat": "/chat/completions",
        "completions": "/completions",
    }

    def __init__(self, endpoint: Endpoint, *, environment: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self.capabilities: dict[str, str] = {}
        api = endpoint.option("api", next(iter(self._paths)))
        if api not in self._paths:
            spoken = " and ".join(f"api={name}" for name in self._paths)
            raise ProviderError(f"api={api}: the provider '{endpoint.provider}' speaks {spoken}")
        self._api = str(api)
        endpoint = self._completed(endpoint)
        self._base = base = _base_url(endpoint, self._paths)
        self.host: str | None = None if endpoint.is_loopback else urlsplit(base).netloc
        self.concurrency = 8 if endpoint.is_loopback else 4
        self._url = base + self._paths[self._api]
        self._query = _query(endpoint)
        for option in _UNUSED:
            if endpoint.option(option) is not None:
                raise UsageError(f"the provider '{endpoint.provider}' takes no option {option}")
        self._timeout_s = float(endpoint.option("timeout", _TIMEOUT_S))
        if not 0 < self._timeout_s <= 86_400:
            raise UsageError("option timeout: expected seconds, more than 0, at most a day")
        self._headers, secret = _keys.headers(endpoint, environment)
        if secret and not endpoint.is_loopback and not base.startswith("https://"):
            raise UsageError(
                f"a key is not sent over plain http to {self.host}: use https, or a tunnel that "
                "ends on this machine"
            )
        self._body = self._plan(endpoint)
        self._proxy = _network.proxy_for(endpoint, environment)
        self._certificates = _network.certificates(endpoint, environment)
        self._secrets = _keys.Secrets([*secret, *_network.proxy_secrets(self._proxy)])
        self._guard = _keys.LogGuard(self._secrets)
        self._transport: httpx.AsyncHTTPTransport | None = None

    async def open(self) -> None:
        """Prepare the connections. Nothing is sent."""
        if self._transport is None:
            self._transport = _network.transport(self.endpoint, self._proxy, self._certificates)
            self._guard.install()

    async def aclose(self) -> None:
        """Close the connections."""
        transport, self._transport = self._transport, None
        if transport is not None:
            try:
                await transport.aclose()
            finally:
                self._guard.remove()

    async def draw(self, request: Request) -> Exchange:
        """Make one attempt."""
        if self._transport is None:
            raise ProviderError(f"{self.endpoint.label} is not open")
        body, learnable, notes = self._body.make(request)
        sent, reply = await self._send(self._transport, body, self._body.budget(request))
        return self._exchange(sent, reply, learnable, notes)

    def _completed(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint with what the provider itself knows about where it is and its key."""
        return endpoint

    def _plan(self, endpoint: Endpoint) -> BodyPlan:
        return BodyPlan(endpoint, chat=self._api == "chat", capabilities=self.capabilities)

    async def _send(
        self, transport: httpx.AsyncBaseTransport, body: dict[str, Any], tokens: int
    ) -> tuple[bytes, _wire.Reply]:
        """What was sent of a body, and what came back."""
        sent = encode(body)
        headers = {**_network.HEADERS, **self._headers}
        return sent, await self._post(transport, headers, sent, tokens)

    async def _post(
        self,
        transport: httpx.AsyncBaseTransport,
        headers: Mapping[str, str],
        sent: bytes,
        tokens: int,
    ) -> _wire.Reply:
        return await _wire.post(
            transport,
            httpx.Request(
                "POST",
                self._url,
                params=self._query or None,
                headers=headers,
                content=sent,
                extensions={"timeout": _network.TIMEOUTS},
            ),
            limit_bytes=_BASE_LIMIT + _LIMIT_PER_TOKEN * tokens,
            error_limit_bytes=_ERROR_LIMIT,
            timeout_s=self._timeout_s,
        )

    def _exchange(
        self, sent: bytes, reply: _wire.Reply, learnable: Mapping[str, Any], notes: list[str]
    ) -> Exchange:
        """The exchange without any key in it."""
        if reply.resent:
            notes.append(RESENT)
        response = self._secrets.redact(reply.body)
        if response != reply.body:
            notes.append("the answer held the key: redacted")
        outcome = self._outcome(reply, response, learnable, notes)
        if self._spells_key(response, outcome):
            # Which bytes are pieces of the key cannot be told, so none of them stays.
            response = _LEFT_OUT
            if isinstance(outcome, Completion):
                outcome = outcome.model_copy(
                    update={
                        "logprobs": None,
                        "notes": (*outcome.notes, "pieces of the answer spelled the key: left out"),
                    }
                )
        headers = {
            self._secrets.redact_text(name): self._secrets.redact_text(_faults.sentence(value))
            for name, value in reply.headers.items()
        }
        return Exchange(
            request=self._secrets.redact(sent),
            response=response,
            outcome=self._without_key(outcome),
            started_utc=reply.started_utc,
            elapsed_s=reply.elapsed_s,
            first_byte_s=reply.first_byte_s,
            status=reply.status,
            headers=headers,
        )

    def _outcome(
        self, reply: _wire.Reply, response: bytes, learnable: Mapping[str, Any], notes: list[str]
    ) -> Completion | Failure:
        text, decoding_notes = _answer.decode(response)
        notes = notes + decoding_notes
        status = reply.status
        if status is not None and status != 200:
            return self._refusal(reply, status, text, learnable)
        if reply.trouble is not None or status is None:
            trouble = reply.trouble or Failure(kind="reset", message="no answer", retryable=True)
            return trouble.model_copy(
                update={"status": status, "message": _faults.sentence(trouble.message)}
            )
        content_type = reply.headers.get("content-type", "")
        try:
            if _stream.looks_like_events(text, content_type):
                payload, whole = self._assembled(text)
                if not whole:
                    message = "the stream stopped before its end"
                    return Failure(kind="reset", message=message, status=status, retryable=True)
            else:
                self._body.not_streamed()
                payload = _answer.parse_json(text)
            outcome = self._read(payload, status, notes)
        except _answer.NotTheDialect as error:
            return Failure(kind="malformed", message=_faults.sentence(str(error)), status=status)
        if isinstance(outcome, Completion):
            self._body.accepted(learnable)
            self._body.answered(outcome)
        return outcome

    def _assembled(self, text: str) -> tuple[dict[str, Any], bool]:
        """The answer that a stream is pieces of, and whether it was whole."""
        return _stream.assemble(text, chat=self._api == "chat")

    def _read(self, payload: Any, status: int, notes: list[str]) -> Completion | Failure:
        return _answer.read(payload, status=status, chat=self._api == "chat", notes=notes)

    def _spelled(self, text: str) -> str:
        """The texts that the pieces of a stream spell."""
        return _stream.spelled(text)

    def _refusal(
        self, reply: _wire.Reply, status: int, text: str, learnable: Mapping[str, Any]
    ) -> Completion | Failure:
        """Any status but 200; a parameter that the server refuses by name is learnt."""
        try:
            payload = _answer.parse_json(text)
        except _answer.NotTheDialect:
            payload = None
        outcome = _faults.from_status(status, reply.headers, payload, text, reply.location)
        if isinstance(outcome, Failure) and status in (400, 422):
            refused = _faults.refused_parameters(payload, text, learnable)
            self._body.refused(refused)
            if refused:
                return outcome.model_copy(update={"kind": "refused_parameters", "retryable": True})
        return outcome

    def _spells_key(self, response: bytes, outcome: Completion | Failure) -> bool:
        """Whether events, parts of the content or log-probabilities hold the key in pieces."""
        if not self._secrets:
            return False
        text, _ = _answer.decode(response)
        pieces = self._spelled(text) if _stream.looks_like_events(text, "") else ""
        if isinstance(outcome, Completion):
            # The key as a whole is no longer in the bytes, so here it was joined from parts.
            pieces += f"\n{outcome.text}\n{outcome.reasoning}\n"
            pieces += "".join(entry.token for entry in outcome.logprobs or ())
        return self._secrets.redact_text(pieces) != pieces

    def _without_key(self, outcome: Completion | Failure) -> Completion | Failure:
        """The outcome with the key taken out of every text in it."""
        values = outcome.model_dump_json()
        clean = self._secrets.redact_text(values)
        return outcome if clean == values else type(outcome).model_validate_json(clean)


def _base_url(endpoint: Endpoint, paths: Mapping[str, str]) -> str:
    if endpoint.base_url is None:
        raise UsageError(
            f"{endpoint}: the provider 'compatible' needs a base URL: "
            f"compatible:{endpoint.model}@https://HOST/v1"
        )
    base = endpoint.base_url.rstrip("/")
    try:
        _ = httpx.URL(base).host  # decoding it finds what parsing does not
    except (httpx.InvalidURL, ValueError) as error:
        raise UsageError(f"base URL {base}: {error}") from None
    for ending in paths.values():
        if base.endswith(ending):
            raise UsageError(f"base URL {base}: leave {ending} out, it is added")
    return base


def _query(endpoint: Endpoint) -> dict[str, str]:
    query = endpoint.family("query")
    for name in query:
        if _keys.is_credential(name):
            raise UsageError(
                f"option query.{name}: an endpoint string is written into every plan and dossier, "
                "so it holds no key: use key_env=NAME or header_env.HEADER=NAME"
            )
    return {clean_text(name): clean_text(value) for name, value in query.items()}
