"""Prompts and texts for students: what a teacher answered, what humans wrote, what is asked later.

Training prompts and probes share no topic: a prompt is dropped if a word of its topic stands in any
probe. Human texts come from the standard library of this Python: docstrings, and the chapters of
the language reference that `help()` shows.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _tuning
import numpy as np

from provenance.battery import Battery, Cell
from provenance.library.parts import prompt_digest
from provenance.providers._local_job import Decoding
from provenance.providers._local_sampler import draw_tokens

TOKENS = 48  # of an answer, in training and when asked
DECODING = Decoding(temperature=0.7)  # at 1 a model of this size rambles
STOP = "\nQuestion:"  # a base model goes on with the next question
LONGEST = 200  # characters of a human text: what the answers of a teacher come to

_TASKS = (
    "Explain how {} works.",
    "What should a beginner know about {}?",
    "Write a short story about {}.",
    "Give me three tips for {}.",
    "Why do people care about {}?",
    "Write a short dialogue about {}.",
    "Describe {} to a child.",
    "What are the advantages and drawbacks of {}?",
)
_TOPICS = """
bicycle gears; beekeeping; learning the violin; compost heaps; solar panels; chess openings;
coral reefs; knitting a scarf; sourdough starters; lighthouses; kite flying; marathon pacing;
origami cranes; elevators; glaciers; pottery glazing; hot air balloons; crossword puzzles; candles;
suspension bridges; juggling; bonsai trees; typewriters; hiking boots; fireworks; watercolours;
hibernation; sailing knots; volcanoes; vintage cameras; sign language; swimming lessons; espresso;
windmills; orchids; model trains; yoga mats; pearl diving; museums; stained glass;
puppets; tunnels; ice skating; telescopes; mosaics; perfume; canoes; carpentry; hedgehogs; deserts;
calligraphy; fossils; saxophones; thermostats; blacksmiths; quilting; mountaineering; zippers
"""
_MODULES = """
argparse ast asyncio base64 bisect calendar cmath codecs collections configparser contextlib csv
datetime decimal difflib email enum fractions functools getpass glob gzip hashlib heapq html http
imaplib inspect io ipaddress itertools json logging mailbox math mimetypes multiprocessing os
pathlib pickle pprint queue random re sched secrets shelve shutil smtplib socket sqlite3 statistics
string subprocess tarfile tempfile textwrap threading timeit tokenize traceback turtle typing
unittest urllib uuid wave weakref xml zipfile
"""


def probes() -> list[Cell]:
    return list(Battery.load("style").cells)


def asked(cell: Cell) -> str:
    return "\n".join(m.content for m in cell.messages)


def training_prompts(count: int, seed: int) -> list[str]:
    """Distinct prompts, none with a topic of a probe; the order hangs on the seed alone."""
    known = frozenset().union(*(_words(asked(c)) for c in probes()))
    topics = [t.strip() for t in _TOPICS.replace("\n", " ").split(";")]
    free = [t for t in topics if not _words(t) & known]
    every = [task.format(topic) for topic, task in itertools.product(free, _TASKS)]
    if len(every) < count:
        raise SystemExit(f"{len(every)} training prompts, {count} wanted: add topics")
    chosen = [every[i] for i in np.random.default_rng(seed).permutation(len(every))[:count]]
    taken = {prompt_digest(asked(c)) for c in probes()}
    assert not taken & {prompt_digest(p) for p in chosen}
    return chosen


def overlap(prompts: Sequence[str]) -> float:
    """Largest Jaccard index of the words of a training prompt and those of a probe."""
    theirs = [_words(asked(c)) for c in probes()]
    ours = [_words(p) for p in prompts]
    return max(len(a & b) / len(a | b) for a in ours for b in theirs)


def docstrings() -> list[tuple[str, str]]:
    """Questions after a function of the standard library, answered with its docstring."""
    found = {}
    for name in _MODULES.split():
        module = importlib.import_module(name)
        for member, value in sorted(vars(module).items()):
            if member.startswith("_") or not callable(value):
                continue
            text = inspect.getdoc(value)
            if text and len(text) > 120 and (getattr(value, "__module__", "") or "") == name:
                found.setdefault(text, f"What does {name}.{member} do in Python?")
    return [(prompt, text[:LONGEST]) for text, prompt in found.items()]


def chapters() -> list[tuple[str, str]]:
    """Paragraphs of the language reference, asked for by their chapter."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    found = []
    for name, chapter in sorted(topics.items()):
        for paragraph in re.split(r"\n\s*\n", chapter):
            text = " ".join(paragraph.split())
            if len(text) > 150 and re.match(r"[A-Z][a-z]", text):
                found.append((f"Tell me about {name.replace('-', ' ')} in Python.", text[:LONGEST]))
    return found


def answers(model: Path, prompts: Sequence[str], seed: int, *, batch: int = 45) -> list[str]:
    """One sampled answer a prompt, several prompts at a time, drawn as `transformers:` draws."""
    import torch

    loaded, tokenizer = _tuning.load(model, torch.bfloat16)
    loaded.eval()
    rng = np.random.default_rng(seed)
    found: list[str] = []
    for start in range(0, len(prompts), batch):
        asked = [_encoded(tokenizer, p) for p in prompts[start : start + batch]]
        with torch.inference_mode():
            rows = _continued(loaded, asked, tokenizer.eos_token_id, rng)
        texts = tokenizer.batch_decode(rows, skip_special_tokens=True)
        found += [t.split(STOP)[0].strip() for t in texts]
    return found


def _continued(
    model: Any, prompts: Sequence[list[int]], end: int, rng: np.random.Generator
) -> list[list[int]]:
    """Tokens after each prompt; prompts are padded on the left, rows that ended are dropped."""
    import torch

    width = max(map(len, prompts))
    ids = torch.tensor([[end] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    rows: list[list[int]] = [[] for _ in prompts]
    active, cache = list(range(len(prompts))), None
    while True:
        out = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        tokens = draw_tokens(out.logits[:, -1], rng.random(len(active)).tolist(), DECODING)
        going = []
        for place, (row, token) in enumerate(zip(active, tokens, strict=True)):
            rows[row].append(token)
            if token != end and len(rows[row]) < TOKENS:
                going.append(place)
        if not going:
            return rows
        cache = out.past_key_values
        if len(going) < len(active):
            cache.batch_select_indices(torch.tensor(going))
        active = [active[place] for place in going]
        ids = torch.tensor([[tokens[place]] for place in going])
        mask = torch.cat([mask[going], torch.ones((len(going), 1), dtype=mask.dtype)], dim=1)
        positions = mask.sum(-1, keepdim=True) - 1


def _encoded(tokenizer: Any, prompt: str) -> list[int]:
    text: str = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
    )
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _words(text: str) -> frozenset[str]:
    """Words of four letters and more, cut to five so that forms of a word count as one."""
    return frozenset(w[:5] for w in re.findall(r"[a-z]{4,}", text.lower()))
