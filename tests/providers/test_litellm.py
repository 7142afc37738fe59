"""LiteLLM's proxy in front of llama.cpp's server: every dialect as somebody else speaks it.

It needs an environment of its own (its pins and the SDKs' exclude each other): install
``litellm[proxy]`` in one and put its ``litellm`` on the PATH.
"""

import os
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

pytestmark = [pytest.mark.local, pytest.mark.slow]
KEY = "sk-decoy-litellm-1234567890"
CONFIG = """
model_list:
  - model_name: m
    litellm_params: {{model: openai/smollm2, api_base: {url}, api_key: none}}
general_settings: {{master_key: {key}}}
litellm_settings: {{telemetry: false}}
"""


@pytest.fixture(scope="module")
def litellm(llama_server, tmp_path_factory):
    """The base URL of the proxy."""
    command = shutil.which("litellm")
    if command is None:
        pytest.skip("needs the command litellm (pip install 'litellm[proxy]' elsewhere)")
    folder = tmp_path_factory.mktemp("litellm")
    (folder / "config.yaml").write_text(CONFIG.format(url=llama_server, key=KEY), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--config", str(folder / "config.yaml"), "--host", "127.0.0.1"]
    environment = {
        **{n: v for n, v in os.environ.items() if not n.lower().endswith("_proxy")},
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the network for one
    }
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [command, *arguments, "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        ) as process,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/health/liveliness", process, folder / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def _wait(url, process, log):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        try:
            opener.open(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail("the proxy did not start: " + log.read_text(encoding="utf-8", errors="replace"))


@pytest.mark.parametrize("stream", ["", ",stream=true"])
@pytest.mark.parametrize("name", ["compatible", "openai", "openai-responses", "anthropic"])
def test_every_dialect_answers_whole_and_streamed(litellm, ask, dialect, name, stream):
    endpoint = f"{name.partition('-')[0]}:m@{litellm},key_env=KEY{dialect(name).option}{stream}"
    exchanges, provider = ask(endpoint, n=2, environment={"KEY": KEY}, system="Be brief.")
    for exchange in exchanges:
        outcome = exchange.outcome
        assert exchange.status == 200, outcome
        assert outcome.text.strip(), outcome
        assert outcome.finish_reason in ("stop", "length")
        assert outcome.usage.prompt_tokens > 0
        assert outcome.usage.completion_tokens > 0
        assert KEY.encode() not in exchange.request + exchange.response
    assert "ignored" not in provider.capabilities.values()


@pytest.mark.parametrize("name", ["openai", "openai-responses", "anthropic"])
def test_a_wrong_key_and_a_wrong_model_are_failures(litellm, ask, dialect, name):
    provider, option = name.partition("-")[0], dialect(name).option
    (refused,), _ = ask(
        f"{provider}:m@{litellm},key_env=KEY{option}", environment={"KEY": "sk-wrong-1234567"}
    )
    # Without a database of keys this proxy answers an unknown one with 400.
    assert refused.outcome.kind in ("auth", "refused_parameters"), refused.outcome
    assert not refused.outcome.retryable
    assert "sk-wrong" not in repr(refused)
    (unknown,), _ = ask(f"{provider}:other@{litellm},key_env=KEY{option}", environment={"KEY": KEY})
    assert str(unknown.status)[0] == "4"
    assert unknown.outcome.kind in ("refused_parameters", "not_found")
    assert not unknown.outcome.retryable
