"""One wish for log probabilities, as every dialect spells it."""

import pytest

from provenance.endpoint import Endpoint
from provenance.providers._body import BodyPlan
from provenance.providers._messages import MessagesPlan
from provenance.providers._responses import ResponsesPlan
from provenance.sampling.plan import LOGPROBS
from provenance.transcript import Message, Request

ENDPOINT = Endpoint.parse("compatible:m@http://127.0.0.1:1/v1")


def _made(plan):
    request = Request(
        slot=0,
        role="reference",
        cell="c",
        draw=0,
        draws_planned=1,
        messages=(Message(role="user", content="Hello."),),
        max_visible_tokens=8,
        decoding=dict(LOGPROBS),
    )
    return plan.make(request)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (
            BodyPlan(ENDPOINT, chat=True, capabilities={}),
            {"logprobs": True, "top_logprobs": 5},
        ),
        (BodyPlan(ENDPOINT, chat=False, capabilities={}), {"logprobs": 5}),
        (
            ResponsesPlan(ENDPOINT, capabilities={}),
            {"include": ["message.output_text.logprobs"], "top_logprobs": 5},
        ),
        (MessagesPlan(ENDPOINT, capabilities={}), {}),
    ],
)
def test_every_dialect_spells_the_wish(plan, expected):
    body, learnable, notes = _made(plan)
    names = ("logprobs", "top_logprobs", "include")
    assert {k: body[k] for k in names if k in body} == expected
    # A server that refuses it by name is asked again without.
    assert expected.items() <= learnable.items()
    assert bool(notes) == (not expected)


def test_what_a_server_refused_is_not_sent_again():
    plan = BodyPlan(ENDPOINT, chat=True, capabilities={})
    plan.refused(["logprobs", "top_logprobs"])
    body, _, notes = _made(plan)
    assert "logprobs" not in body
    assert "top_logprobs" not in body
    assert len(notes) == 2
