"""``anthropic:``: Anthropic's own SDK, Messages; also any server that speaks Messages.

Posts to ``BASE_URL/v1/messages``; a base URL may be given with its ``/v1`` or without. The SDK
writes the request, with its own headers; `_sdk` sends it. The base URL is
``https://api.anthropic.com`` unless the endpoint names another; ``ANTHROPIC_API_KEY`` is used
with that one only, any other takes ``key_env=NAME``. The key goes where the installed SDK puts it;
a relay that wants another header gets ``header_env.x-api-key=NAME``. No other variable of the
SDK's counts.

Options mean what they mean for ``compatible:``, but ``reasoning`` asks for thinking with that
budget (at least 1,024 tokens, which this API asks for), on top of the visible tokens; a model with
adaptive thinking takes ``body.thinking.type=adaptive`` and ``body.output_config.effort`` instead.
Sampling parameters are sent as they are though the SDK has dropped them from its signature: a
model that refuses one is asked again without it, which the capabilities record.

Tried against llama.cpp's server and LiteLLM's proxy in front of it: answers streamed and whole,
system messages, sampling parameters. Tried against replies written for the tests alone, after
Anthropic's reference: thinking, encrypted thinking, refusals, errors within a stream, refused
parameters. Nothing has been tried against Anthropic's own servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from provenance.endpoint import Endpoint
from provenance.providers import _answer, _messages, _wire
from provenance.providers._body import BodyPlan
from provenance.providers._sdk import PLACEHOLDER, SdkProvider, without_environment
from provenance.transcript import Completion, Failure


class AnthropicProvider(SdkProvider):
    """An endpoint that Anthropic's SDK speaks to; parameters and errors as `SdkProvider`."""

    _extra = "anthropic"
    _paths: ClassVar = {"messages": "/v1/messages"}

    def _completed(self, endpoint: Endpoint) -> Endpoint:
        endpoint = super()._completed(endpoint)
        base = (endpoint.base_url or "").rstrip("/").removesuffix("/v1")
        return replace(endpoint, base_url=base)

    def _plan(self, endpoint: Endpoint) -> BodyPlan:
        return _messages.MessagesPlan(endpoint, capabilities=self.capabilities)

    def _make_client(self) -> tuple[Any, type[Exception]]:
        import anthropic

        client = anthropic.AsyncAnthropic(
            api_key=PLACEHOLDER,
            webhook_key=PLACEHOLDER,
            base_url=self._base,
            timeout=self._timeout_s,
            max_retries=0,
            http_client=self._http_client(),
            open_telemetry=False,
        )
        return without_environment(client), anthropic.APIError

    async def _create(self, body: dict[str, Any]) -> Any:
        # By extra_body the SDK sends what its signature no longer has, and does not warn that a
        # model is old: an audit may well be of an old one.
        streamed = {"stream": True} if body.pop("stream", False) else {}
        tokens, messages = body.pop("max_tokens"), body.pop("messages")
        return await self._client.messages.create(
            model="", max_tokens=tokens, messages=messages, extra_body=body, **streamed
        )

    def _assembled(self, text: str) -> tuple[dict[str, Any], bool]:
        return _messages.assemble(text)

    def _read(self, payload: Any, status: int, notes: list[str]) -> Completion | Failure:
        payload = _messages.as_chat(payload, notes)
        return _answer.read(payload, status=status, chat=True, notes=notes)

    def _refusal(
        self, reply: _wire.Reply, status: int, text: str, learnable: Mapping[str, Any]
    ) -> Completion | Failure:
        outcome = super()._refusal(reply, status, text, learnable)
        # An empty account is answered with 400.
        if status == 400 and isinstance(outcome, Failure) and "credit balance" in outcome.message:
            return outcome.model_copy(update={"kind": "payment", "retryable": False})
        return outcome
