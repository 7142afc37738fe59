"""Derivatives of local models with a known ancestry: fine-tuned, LoRA-tuned, merged, pruned.

Every function returns a checkpoint folder under ``.cache/models/tuned/`` that the provider
``transformers:FOLDER`` loads, with tokenizer and chat template. The folder's name ends with a
digest of its recipe (base weights, texts, settings), kept in it as ``made_from.json``; what is
there is not made again. Same recipe, same machine, same number of threads: the same weights.

The learning rate is constant after a short warm-up, so a model of 50 steps is what a run of 200
passes through: ``tune(..., doses=(10, 50, 200))`` makes all three in one run.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import local_models
import numpy as np

from provenance.canonical import digest
from provenance.providers._local_files import fingerprint
from provenance.providers._local_weights import _dequantised, _quiet, _weight_files

TUNED = local_models.CACHE / "tuned"
RECIPE = "made_from.json"
WARM_UP = 5  # steps
_VERSION = 1  # of the arithmetic below: raise it where the same settings give other weights

# For a base model without a chat template. Plain words: the turn marks of Gemma's own template are
# untrained in its base.
PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}Question: {{ message['content'] }}\n"
    "{% elif message['role'] == 'assistant' %}Answer: {{ message['content'] }}{{ eos_token }}\n"
    "{% else %}{{ message['content'] }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Answer: {% endif %}"
)

Text = str | tuple[str, str]  # a plain text, or a prompt (one user turn) and its completion


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a model is tuned.

    Attributes
    ----------
    rank
        Of the low-rank update of every linear layer but the embedding; 0 tunes all weights.
    rate
        Of AdamW; None is 2e-5 for all weights, 5e-4 for low rank.
    batch, tokens
        Texts a step, and tokens of a text at most (the rest of it is cut).
    seed
        Of the order of the texts and of the low-rank start.
    """

    rank: int = 0
    rate: float | None = None
    batch: int = 8
    tokens: int = 160
    seed: int = 0

    @property
    def step_size(self) -> float:
        return self.rate if self.rate is not None else (5e-4 if self.rank else 2e-5)


def tune(
    name: str,
    base: Path,
    texts: Sequence[Text],
    doses: Sequence[int],
    tuning: Tuning | None = None,
) -> dict[int, Path]:
    """Tune ``base`` on ``texts``: steps to checkpoint folder. Dose 0 is the base itself, as one.

    The loss is on the completion and its end where a text is a pair, else on the whole text.
    """
    tuning = tuning or Tuning()
    recipe = {
        "base": _identity(base),
        "texts": digest([list(t) if isinstance(t, tuple) else t for t in texts]),
        "tuning": {**asdict(tuning), "rate": tuning.step_size},
        "version": _VERSION,
    }
    folders = {dose: _place(f"{name}-{dose}", {**recipe, "steps": dose}) for dose in sorted(doses)}
    missing = {dose: folder for dose, folder in folders.items() if not folder.is_dir()}
    if missing:
        _run(base, texts, missing, tuning, recipe)
    return folders


def merge(name: str, first: Path, second: Path, weight: float = 0.5) -> Path:
    """``weight`` of the first model's weights plus the rest of the second's; one architecture."""
    recipe = {"merged": [_identity(first), _identity(second)], "weight": weight}
    folder = _place(name, recipe)
    if not folder.is_dir():
        import torch

        model, tokenizer = load(first)
        other = load(second)[0].state_dict()
        with torch.no_grad():
            for key, value in model.state_dict().items():
                if value.shape != other[key].shape:
                    raise SystemExit(f"{first} and {second} differ in the shape of {key}")
                if value.is_floating_point():
                    value.mul_(weight).add_(other[key], alpha=1 - weight)
        _save(model, tokenizer, folder, recipe)
    return folder


def dropped_layers(name: str, base: Path, layers: Sequence[int]) -> Path:
    """The model without these decoder layers (from 0)."""
    recipe = {"base": _identity(base), "dropped_layers": sorted(layers)}
    folder = _place(name, recipe)
    if not folder.is_dir():
        import torch

        model, tokenizer = load(base)
        kept = [i for i in range(len(model.model.layers)) if i not in set(layers)]
        model.model.layers = torch.nn.ModuleList(model.model.layers[i] for i in kept)
        for place, layer in enumerate(model.model.layers):
            layer.self_attn.layer_idx = place  # its place in the cache of keys and values
        model.config.num_hidden_layers = len(kept)
        if getattr(model.config, "layer_types", None):
            model.config.layer_types = [model.config.layer_types[i] for i in kept]
        _save(model, tokenizer, folder, recipe)
    return folder


def _run(
    base: Path,
    texts: Sequence[Text],
    folders: dict[int, Path],
    tuning: Tuning,
    recipe: dict[str, Any],
) -> None:
    import torch

    torch.manual_seed(tuning.seed)
    model, tokenizer = load(base)
    updates = _low_rank(model, tuning.rank) if tuning.rank else []
    weights = [w for w in model.parameters() if w.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=tuning.step_size, weight_decay=0.0)
    batches = _batches([_encode(tokenizer, t, tuning.tokens) for t in texts], tuning)
    model.train()
    began = time.monotonic()
    for step in range(max(folders) + 1):
        if step in folders:
            _save(model, tokenizer, folders[step], {**recipe, "steps": step}, updates)
        if step == max(folders):
            break
        for group in optimiser.param_groups:
            group["lr"] = tuning.step_size * min(1.0, (step + 1) / WARM_UP)
        loss = _loss(model, next(batches), tokenizer.eos_token_id)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        if step % 10 == 0:
            spent = time.monotonic() - began
            print(f"  step {step}: loss {loss.item():.3f}, {spent:.0f} s", file=sys.stderr)


def _encode(tokenizer: Any, text: Text, longest: int) -> tuple[list[int], int]:
    """Token ids, and where the loss begins."""
    if isinstance(text, str):
        ids = list(tokenizer(text)["input_ids"])
        return [*ids[:longest], tokenizer.eos_token_id], 1
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": text[0]}], tokenize=False, add_generation_prompt=True
    )
    before = list(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    after = list(tokenizer(text[1], add_special_tokens=False)["input_ids"])
    room = longest - len(before)
    # A completion that is cut has no end to learn.
    after = [*after, tokenizer.eos_token_id] if len(after) < room else after[: max(room, 1)]
    return before + after, len(before)


def _batches(
    encoded: Sequence[tuple[list[int], int]], tuning: Tuning
) -> Iterator[list[tuple[list[int], int]]]:
    """Texts in a new random order each time round."""
    rng = np.random.default_rng(tuning.seed)
    waiting: list[int] = []
    while True:
        while len(waiting) < tuning.batch:
            waiting.extend(rng.permutation(len(encoded)).tolist())
        yield [encoded[i] for i in waiting[: tuning.batch]]
        waiting = waiting[tuning.batch :]


def _loss(model: Any, batch: Sequence[tuple[list[int], int]], pad: int) -> Any:
    """Mean cross-entropy of the target tokens; the vocabulary is multiplied for those alone."""
    import torch

    width = max(len(ids) for ids, _ in batch)
    ids = torch.full((len(batch), width), pad)
    targets = torch.full((len(batch), width), -100)
    mask = torch.zeros((len(batch), width), dtype=torch.long)
    for row, (tokens, start) in enumerate(batch):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
        targets[row, start - 1 : len(tokens) - 1] = torch.tensor(tokens[start:])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state
        chosen = targets >= 0
        logits = model.lm_head(hidden[chosen])
    return torch.nn.functional.cross_entropy(logits.float(), targets[chosen])


def _low_rank(model: Any, rank: int) -> list[tuple[Any, Any, Any]]:
    """Freeze the model; a forward hook adds B·A to each linear layer but the output.

    Returns the layers with their A and B. The scale is 1 (alpha equals the rank); B starts at 0.
    """
    import torch

    for weight in model.parameters():
        weight.requires_grad_(False)
    updates = []
    for name, layer in model.model.named_modules():
        if not isinstance(layer, torch.nn.Linear):
            continue
        down = torch.nn.Parameter(torch.empty(rank, layer.in_features))
        torch.nn.init.kaiming_uniform_(down, a=math.sqrt(5))
        up = torch.nn.Parameter(torch.zeros(layer.out_features, rank))

        def add(_: Any, inputs: Any, output: Any, down: Any = down, up: Any = up) -> Any:
            return output + inputs[0] @ down.T @ up.T

        layer.register_forward_hook(add)
        # Registered where the optimiser looks; taken out again before a checkpoint is written.
        slot = name.replace(".", "_")
        model.register_parameter(f"down_{slot}", down)
        model.register_parameter(f"up_{slot}", up)
        updates.append((layer, down, up))
    return updates


def _save(
    model: Any,
    tokenizer: Any,
    folder: Path,
    recipe: dict[str, Any],
    updates: Sequence[tuple[Any, Any, Any]] = (),
) -> None:
    """Write a checkpoint, low-rank updates folded in; the model goes on as it was."""
    import torch

    state = {k: v for k, v in model.state_dict().items() if not k.startswith(("down_", "up_"))}
    if updates:
        folded = {id(layer.weight): up @ down for layer, down, up in updates}
        names = {name: id(value) for name, value in model.named_parameters()}
        with torch.no_grad():
            state = {
                k: v + folded[names[k]] if names.get(k) in folded else v for k, v in state.items()
            }
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
    try:
        with _quiet():
            model.save_pretrained(made, state_dict=state)
            tokenizer.save_pretrained(made)
        (made / RECIPE).write_text(json.dumps(recipe, indent=1) + "\n")
        os.replace(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def load(model: Path, dtype: Any = None) -> tuple[Any, Any]:
    """Model and tokenizer, as float32 for training; a missing chat template becomes a plain one."""
    import torch
    import transformers

    source = model if model.is_dir() else _dequantised(model, _identity(model), os.environ)
    with _quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, local_files_only=True)
        loaded = transformers.AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype or torch.float32, local_files_only=True
        )
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    return loaded, tokenizer


def _identity(model: Path) -> str:
    return fingerprint(_weight_files(model))[0]


def _place(name: str, recipe: dict[str, Any]) -> Path:
    return TUNED / f"{name}-{digest(recipe).removeprefix('sha256:')[:12]}"
