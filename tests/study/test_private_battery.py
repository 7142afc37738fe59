"""A relay that knows the published questions, and does not know those made from a secret."""

import json
import random

from provenance import compare
from provenance.battery import Battery
from provenance.library.private import generate, load_templates, to_toml

SECRET = b"0123456789abcdef0123456789abcdef"


class Relay:
    """Sends the questions that are published to the real model, and the rest to a cheaper one."""

    def __init__(self, published, seed):
        self.published, self.rng = published, random.Random(seed)

    def __call__(self, number, body):
        question = body["messages"][-1]["content"]
        weights = (0.6, 0.3, 0.1) if question in self.published else (0.1, 0.2, 0.7)
        text = self.rng.choices(["61 Alder", "72 Birch", "83 Cedar"], weights)[0]
        message = {"role": "assistant", "content": text}
        payload = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
        return 200, {}, json.dumps(payload).encode()


class Everything:
    def __contains__(self, question):
        return True


def test_a_relay_that_special_cases_the_published_battery_is_caught(serve, tmp_path):
    published = {cell.messages[-1].content for cell in Battery.load("quick").cells}
    private = tmp_path / "private.toml"
    private.write_text(
        to_toml(generate(SECRET, probes=30, draws=8, templates=load_templates())), encoding="utf-8"
    )
    labels = {}
    for battery in ("quick", str(private)):
        real, _ = serve(Relay(Everything(), 1))
        relay, _ = serve(Relay(published, 2))
        study = compare(
            f"compatible:m@{real}",
            f"compatible:m@{relay}",
            battery=battery,
            formats=[],
            seed=1,
            store=tmp_path / ("quick" if battery == "quick" else "private-store"),
        )
        labels[battery] = study.verdict.label
    assert labels == {"quick": "inconclusive", str(private): "different"}
