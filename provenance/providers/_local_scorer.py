"""Teacher-forced likelihood: what a local model makes of texts that it did not have to write."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

# Tokens read of a text.
MOST_TOKENS = 256
# Numbers held of the next-token distributions of one batch (4 bytes each, a few copies).
_NUMBERS = 32_000_000
_ROWS = 32


def score(
    model: Any,
    prompt: Sequence[int],
    texts: Sequence[Sequence[int]],
    *,
    check: Callable[[], None] = lambda: None,
) -> list[float | None]:
    """Sum over the tokens of each text of log p + H, given the prompt, in nats.

    p is the probability of the token at temperature 1 without filters, H the entropy of that
    distribution: see the instrument ``likelihood``. The end of a text is not scored.

    Parameters
    ----------
    model
        A causal language model of transformers, in evaluation mode.
    prompt
        Token ids, at least one.
    texts
        Token ids, up to `MOST_TOKENS` of which are read.
    check
        Called before every batch; raises to give up.

    Returns
    -------
    list
        One a text, 0 for an empty one; None where the model's numbers are not finite.
    """
    import torch

    cut = [tuple(text[:MOST_TOKENS]) for text in texts]
    found: dict[tuple[int, ...], float | None] = {(): 0.0}
    # Texts of about one length together: little padding.
    waiting = sorted(set(cut) - {()}, key=lambda text: (len(text), text))
    vocabulary = int(model.config.get_text_config().vocab_size)
    with torch.inference_mode():
        while waiting:
            check()
            # The longest of a batch is its last, so rows are found from the back.
            longest = len(waiting[-1])
            rows = max(1, min(_ROWS, _NUMBERS // (vocabulary * (longest + 1))))
            batch, waiting = waiting[-rows:], waiting[:-rows]
            found |= zip(batch, _batch(model, prompt, batch, longest), strict=True)
    return [found[text] for text in cut]


def _batch(
    model: Any, prompt: Sequence[int], texts: Sequence[tuple[int, ...]], longest: int
) -> list[float | None]:
    import torch

    # All rows share the prompt, so the last positions are those of the texts; padding comes after
    # them and, attention being causal, changes nothing before it.
    rows = [[*prompt, *text, *[text[-1]] * (longest - len(text))] for text in texts]
    ids = torch.tensor(rows, device=model.device)
    takes_keep = "logits_to_keep" in inspect.signature(model.forward).parameters
    output = model(
        input_ids=ids, use_cache=False, **({"logits_to_keep": longest + 1} if takes_keep else {})
    )
    logits = output.logits[:, -(longest + 1) : -1]
    sums: list[float | None] = []
    for i, text in enumerate(texts):
        # Row by row: the working copies of one row are small.
        logs = logits[i, : len(text)].float().log_softmax(-1)
        entropy = -(logs.exp() * logs.clamp(min=-1e4)).sum(-1)
        given = logs.gather(1, ids[i, len(prompt) : len(prompt) + len(text)].unsqueeze(1))[:, 0]
        total = float((given + entropy).double().sum())
        sums.append(total if torch.isfinite(torch.tensor(total)) else None)
    return sums
