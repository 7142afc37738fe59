"""How fast the local providers draw, beside the `generate` of transformers, in one run.

    python benchmarks/sampler_speed.py [--draws 20] [--tokens 48] [--prompts 3]

Same machine, same prompts, same number of draws, pure sampling. Prints a table and writes
``benchmarks/results/sampler_speed.json``. The rows with 1 row a batch are what asking a model draw
by draw costs. Other work on the machine spoils the figures: the load is printed beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import local_models

from provenance.endpoint import Endpoint
from provenance.providers.registry import create
from provenance.transcript import Completion, Message, Request

RESULTS = Path(__file__).parent / "results" / "sampler_speed.json"
PROMPTS = (
    "Tell me a story about a cat and a dog.",
    "Explain why the sky is blue to a child who likes to ask questions.",
    "Write a short letter to a friend whom you have not seen for ten years.",
    "Describe your favourite place in the world, and how one gets there.",
)


def ours(provider: Any, prompts: list[str], draws: int, tokens: int) -> tuple[int, float]:
    """Completion tokens and seconds for all draws of all prompts, through the provider."""

    async def everything() -> int:
        requests = [
            Request(
                0, "reference", text, i, draws, (Message(role="user", content=text),), tokens, {}, 1
            )
            for text in prompts
            for i in range(draws)
        ]
        exchanges = await asyncio.gather(*(provider.draw(r) for r in requests))
        outcomes = [e.outcome for e in exchanges]
        return sum(o.usage.completion_tokens or 0 for o in outcomes if isinstance(o, Completion))

    began = time.perf_counter()
    return asyncio.run(everything()), time.perf_counter() - began


def theirs(
    provider: Any, prompts: list[str], draws: int, tokens: int, rows: int
) -> tuple[int, float]:
    """The same through `generate`, ``rows`` at a time, on the weights of ``provider``."""
    import torch

    weights = provider._weights
    torch.manual_seed(1)
    made, began = 0, time.perf_counter()
    for text in prompts:
        ids = weights.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_tensors="pt"
        )["input_ids"]
        for _ in range(draws // rows):
            with torch.inference_mode():
                out = weights.model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=True,
                    temperature=1.0,
                    top_k=0,
                    top_p=1.0,
                    num_return_sequences=rows,
                    max_new_tokens=tokens,
                    eos_token_id=sorted(weights.stop_tokens),
                    pad_token_id=0,
                )
            new = out[:, ids.shape[1] :]
            stop = torch.isin(new, torch.tensor(sorted(weights.stop_tokens)))
            # Up to and including the first stop token of each row; what follows is padding.
            made += int(((stop.cumsum(-1) - stop.long()) == 0).sum())
    return made, time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--prompts", type=int, default=3, choices=range(1, len(PROMPTS) + 1))
    parser.add_argument("--repeats", type=int, default=2, help="the best of so many is printed")
    arguments = parser.parse_args()
    import torch
    import transformers
    import xllamacpp

    prompts, draws, tokens = list(PROMPTS[: arguments.prompts]), arguments.draws, arguments.tokens
    path = local_models.smollm2()
    rows: list[dict[str, Any]] = []

    def measure(name: str, run: Callable[[], tuple[int, float]]) -> None:
        best = max((run() for _ in range(arguments.repeats)), key=lambda r: r[0] / r[1])
        rows.append({"name": name, "tokens": best[0], "seconds": round(best[1], 2)})
        rows[-1]["tokens_per_s"] = round(best[0] / best[1], 1)
        print(f"  {name} …", file=sys.stderr, flush=True)

    for dtype in ("float32", "bfloat16"):
        provider = create(
            Endpoint.parse(f"transformers:{path},dtype={dtype}"), environment=os.environ
        )
        asyncio.run(provider.open())
        measure(f"transformers: {dtype}", lambda p=provider: ours(p, prompts, draws, tokens))
        measure(
            f"generate {dtype}, {draws} rows",
            lambda p=provider: theirs(p, prompts, draws, tokens, draws),
        )
        if dtype == "float32":
            measure(
                "generate float32, 1 row",
                lambda p=provider: theirs(p, prompts[:1], min(4, draws), tokens, 1),
            )
        asyncio.run(provider.aclose())
    provider = create(Endpoint.parse(f"gguf:{path}"), environment=os.environ)
    asyncio.run(provider.open())
    measure("gguf:", lambda: ours(provider, prompts, draws, tokens))
    measure("gguf:, 1 row", lambda: ours(provider, prompts[:1], 1, tokens))
    asyncio.run(provider.aclose())

    first = rows[0]["tokens_per_s"]
    print(f"\n{'':34}{'tokens':>8}{'s':>8}{'tokens/s':>10}{'ratio':>8}")
    for row in rows:
        row["ratio_to_first"] = round(row["tokens_per_s"] / first, 3)
        print(
            f"{row['name']:34}{row['tokens']:8}{row['seconds']:8.1f}{row['tokens_per_s']:10.1f}"
            f"{row['ratio_to_first']:8.2f}"
        )
    document = {
        "model": path.name,
        "sha256": local_models.SMOLLM2_SHA256,
        "prompts": len(prompts),
        "draws": draws,
        "max_tokens": tokens,
        "repeats": arguments.repeats,
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "torch_threads": torch.get_num_threads(),
            "load_1_min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        },
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "xllamacpp": xllamacpp.__version__,
        },
        "rows": rows,
    }
    load = document["machine"]["load_1_min"]
    print(f"\n{os.cpu_count()} cores, load {load:.1f}" if load is not None else "")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
