"""Load a checkpoint for transformers: a folder, a GGUF file, or a model that the hub's cache holds.

Two endpoints with the same weights and dtype share them while either is open. A GGUF file is
dequantised; as that takes a quarter of a minute even for a small one, the outcome is kept as
safetensors in the user's cache folder, under the digest of the file (files up to 512 MiB only).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
import threading
import warnings
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenance.errors import ProviderError, UsageError
from provenance.providers._local_files import fingerprint

DTYPES = ("auto", "float32", "bfloat16", "float16")
_KEPT_BYTES = 512 * 2**20  # a GGUF file of this size is about 4 GiB as float32
_DEFAULTS = ("temperature", "top_p", "top_k", "min_p")
# Ends of a turn that llama.cpp recognises by name; GGUF files often name only one of them.
_ENDS = (
    *("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<eos>"),
    *("</s>", "<|end|>", "<|eom_id|>", "<|return|>"),
)
_LOADING = threading.Lock()


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Weights:
    """A loaded model and what is needed to ask it.

    Attributes
    ----------
    model, tokenizer
        Of transformers.
    sha256, short
        Of the file or files that were named.
    dtype, device
        How it computes.
    stop_tokens
        Ids that end an answer.
    defaults
        Sampling parameters that the checkpoint's own generation_config.json states.
    unused_defaults
        Others that it states and that are not applied (a repetition penalty).
    context
        Tokens that prompt and answer may have together.
    """

    model: Any
    tokenizer: Any
    sha256: str
    short: str
    dtype: str
    device: str
    stop_tokens: frozenset[int]
    defaults: dict[str, Any]
    unused_defaults: dict[str, Any]
    context: int | None


# By path as well as digest: folders with equal weights may differ in template or defaults.
_SHARED: weakref.WeakValueDictionary[tuple[str, ...], Weights] = weakref.WeakValueDictionary()


def load(name: str, *, dtype: str, revision: str | None, environment: Mapping[str, str]) -> Weights:
    """Load, or share what another endpoint has loaded.

    Raises
    ------
    ProviderError
        If there is no such checkpoint on this machine, or transformers cannot read it.
    """
    import torch

    path = _find(name, revision)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = _best_dtype(device) if dtype == "auto" else dtype
    with _LOADING:
        sha256, short = fingerprint(_weight_files(path))
        key = (str(path.resolve()), sha256, dtype, device)
        shared = _SHARED.get(key)
        if shared is None:
            try:
                with _quiet():
                    shared = _read(path, sha256, short, dtype, device, environment)
            except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
                reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                raise ProviderError(f"transformers cannot load {path}: {reason}") from error
            _SHARED[key] = shared
        return shared


def _find(name: str, revision: str | None) -> Path:
    path = Path(name).expanduser()
    if path.exists():
        if revision is not None:
            raise UsageError(f"option revision: {name} is on this machine and has no revisions")
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    with contextlib.suppress(LocalEntryNotFoundError, HFValidationError):
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    raise ProviderError(
        f"no checkpoint folder or .gguf file {name}, and no model of that name in the hub's cache "
        "on this machine: download it first (hf download NAME); nothing is fetched here"
    )


def _weight_files(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise ProviderError(f"{path}: expected a checkpoint folder or a .gguf file")
        return [path]
    for pattern in ("*.safetensors", "pytorch_model*.bin"):
        if files := sorted(path.glob(pattern)):
            return files
    raise ProviderError(
        f"{path} holds no weights: expected *.safetensors or pytorch_model*.bin beside config.json"
    )


def _best_dtype(device: str) -> str:
    """bfloat16 where the hardware multiplies its matrices; elsewhere it is slower than float32."""
    import torch

    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bfloat16" if capabilities.get("amx_bf16") else "float32"


def _read(
    path: Path, sha256: str, short: str, dtype: str, device: str, environment: Mapping[str, str]
) -> Weights:
    import torch
    from transformers import AutoTokenizer

    gguf = path.is_file()
    source: Path
    arguments: dict[str, Any]
    if gguf and path.stat().st_size <= _KEPT_BYTES:
        source, arguments = _dequantised(path, sha256, environment), {}
    else:
        source, arguments = _source(path)
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True, **arguments)
    model = _model(source, arguments, getattr(torch, dtype)).to(device).eval()
    stated = {} if gguf else _stated(path)
    return Weights(
        model=model,
        tokenizer=tokenizer,
        sha256=sha256,
        short=short,
        dtype=dtype,
        device=device,
        stop_tokens=_stop_tokens(model, tokenizer, by_name=not stated.get("eos_token_id")),
        defaults={k: stated[k] for k in _DEFAULTS if stated.get(k) is not None},
        unused_defaults={
            k: stated[k]
            for k in ("repetition_penalty", "no_repeat_ngram_size", "typical_p", "epsilon_cutoff")
            if stated.get(k) is not None
        },
        context=getattr(model.config.get_text_config(), "max_position_embeddings", None),
    )


def _source(path: Path) -> tuple[Path, dict[str, Any]]:
    return (path.parent, {"gguf_file": path.name}) if path.is_file() else (path, {})


def _model(source: Path, arguments: dict[str, Any], dtype: Any) -> Any:
    import transformers

    # Since 5.2x a GGUF stays packed unless told otherwise; before, it was always dequantised.
    config = getattr(transformers, "GgufConfig", None)
    if arguments and config is not None:
        arguments = {**arguments, "quantization_config": config(dequantize=True)}
    return transformers.AutoModelForCausalLM.from_pretrained(
        source, dtype=dtype, local_files_only=True, **arguments
    )


def _dequantised(path: Path, sha256: str, environment: Mapping[str, str]) -> Path:
    """The float32 checkpoint of a GGUF file, made at the first use."""
    import torch
    from transformers import AutoTokenizer

    folder = _cache(environment) / "dequantised"
    kept = folder / sha256[:32]
    if kept.is_dir():
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{sha256[:8]}-", dir=folder))
    try:
        source, arguments = _source(path)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True, **arguments)
        _model(source, arguments, torch.float32).save_pretrained(made)
        tokenizer.save_pretrained(made)
        with contextlib.suppress(OSError):  # another process was faster: its copy is as good
            os.rename(made, kept)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return kept


def _cache(environment: Mapping[str, str]) -> Path:
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        if environment.get(variable):
            return Path(environment[variable]) / "llm-provenance"
    return Path.home() / ".cache" / "llm-provenance"


def _stated(folder: Path) -> dict[str, Any]:
    """What generation_config.json says itself, without the library's own defaults."""
    file = folder / "generation_config.json"
    if not file.is_file():
        return {}
    stated = json.loads(file.read_text(encoding="utf-8"))
    return stated if isinstance(stated, dict) else {}


def _stop_tokens(model: Any, tokenizer: Any, *, by_name: bool) -> frozenset[int]:
    ids: set[int] = set()
    for value in (
        getattr(model.generation_config, "eos_token_id", None),
        getattr(model.config, "eos_token_id", None),
        tokenizer.eos_token_id,
    ):
        ids.update([value] if isinstance(value, int) else value or ())
    if by_name:
        added = tokenizer.get_added_vocab()
        ids.update(added[name] for name in _ENDS if name in added)
    return frozenset(ids)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's progress bars and advice on stderr."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # half of it is untyped
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        # One bar is made past the library's own switch, and writes to stderr.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
