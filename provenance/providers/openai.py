"""``openai:``: OpenAI's own SDK, Chat Completions and Responses.

``api=chat`` (the default) posts to ``BASE_URL/chat/completions``, ``api=responses`` to
``BASE_URL/responses``. The SDK writes the request, with its own headers; `_sdk` sends it. The
base URL is ``https://api.openai.com/v1`` unless the endpoint names another; ``OPENAI_API_KEY`` is
used with that one only, any other takes ``key_env=NAME``. No other variable of the SDK's counts:
an organisation is ``header.OpenAI-Organization=ORG``.

Options mean what they mean for ``compatible:``. With ``api=responses`` a word as ``reasoning`` is
sent as ``reasoning.effort``, the budget as ``max_output_tokens``, and log-probabilities are asked
for by ``body.include=["message.output_text.logprobs"]`` and ``body.top_logprobs``. The API keeps
responses for a while unless ``body.store=false``. Where a server wants ``max_output_tokens`` to be
larger than a probe has it (OpenAI's own: 16), that is learnt and the completion's notes say so:
such answers are cut later than those of another dialect.

Tried against llama.cpp's server and LiteLLM's proxy in front of it: both dialects, streamed and
whole, and log-probabilities in Chat Completions. Tried against replies written for the tests
alone, after OpenAI's reference: reasoning items, refusals, ``incomplete`` and ``failed``
responses, log-probabilities in Responses, the parameters that reasoning models refuse. Nothing
has been tried against OpenAI's own servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from provenance.endpoint import Endpoint
from provenance.providers import _answer, _responses, _wire
from provenance.providers._body import BodyPlan
from provenance.providers._sdk import PLACEHOLDER, SdkProvider, without_environment
from provenance.transcript import Completion, Failure


class OpenAIProvider(SdkProvider):
    """An endpoint that OpenAI's SDK speaks to; parameters and errors as `SdkProvider`."""

    _extra = "openai"
    _paths: ClassVar = {"chat": "/chat/completions", "responses": "/responses"}

    def _plan(self, endpoint: Endpoint) -> BodyPlan:
        if self._api == "responses":
            return _responses.ResponsesPlan(endpoint, capabilities=self.capabilities)
        return super()._plan(endpoint)

    def _refusal(
        self, reply: _wire.Reply, status: int, text: str, learnable: Mapping[str, Any]
    ) -> Completion | Failure:
        outcome = super()._refusal(reply, status, text, learnable)
        plan = self._body
        if (
            status == 400
            and isinstance(outcome, Failure)
            and isinstance(plan, _responses.ResponsesPlan)
            and plan.too_few(outcome.message)
        ):
            return outcome.model_copy(update={"retryable": True})
        return outcome

    def _make_client(self) -> tuple[Any, type[Exception]]:
        import openai

        client = openai.AsyncOpenAI(
            api_key=PLACEHOLDER,
            admin_api_key=PLACEHOLDER,
            webhook_secret=PLACEHOLDER,
            base_url=self._base,
            timeout=self._timeout_s,
            max_retries=0,
            http_client=self._http_client(),
        )
        return without_environment(client), openai.APIError

    async def _create(self, body: dict[str, Any]) -> Any:
        model, stream = body.pop("model"), body.pop("stream", False)
        streamed = {"stream": True} if stream else {}
        if self._api == "responses":
            return await self._client.responses.create(
                model=model, input=body.pop("input"), extra_body=body, **streamed
            )
        return await self._client.chat.completions.create(
            model=model, messages=body.pop("messages"), extra_body=body, **streamed
        )

    def _assembled(self, text: str) -> tuple[dict[str, Any], bool]:
        if self._api == "responses":
            return _responses.assemble(text)
        return super()._assembled(text)

    def _read(self, payload: Any, status: int, notes: list[str]) -> Completion | Failure:
        if self._api == "responses":
            payload = _responses.as_chat(payload)
        return _answer.read(payload, status=status, chat=True, notes=notes)
