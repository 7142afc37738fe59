import subprocess
import sys

import provenance


def test_all_is_the_public_namespace_and_every_name_loads():
    assert sorted(provenance.__all__) == sorted(provenance._HOMES)
    for name in provenance.__all__:
        value = getattr(provenance, name)
        assert value.__module__.startswith("provenance."), name
    assert set(provenance.__all__) <= set(dir(provenance))
    assert len(provenance.__all__) <= 30


def _modules_after(statement):
    code = f"{statement}; import sys; print('\\n'.join(sys.modules))"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_importing_the_package_imports_nothing_heavy():
    loaded = _modules_after("import provenance")
    assert not loaded & {"numpy", "pydantic", "httpx", "typer"}


def test_the_core_starts_without_torch_an_sdk_scipy_or_pandas():
    loaded = _modules_after("from provenance import compare, Battery, verify")
    heavy = {"torch", "transformers", "openai", "anthropic", "scipy", "pandas", "pyarrow", "typst"}
    assert not loaded & heavy


def test_the_command_starts_light():
    loaded = _modules_after("from provenance.cli import main")
    assert not loaded & {"numpy", "scipy", "pandas", "httpx", "torch", "pydantic"}
