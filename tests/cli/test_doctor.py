import json

import pytest

from provenance.sampling import checkup


def test_the_machine_without_any_endpoint(run, monkeypatch, state):
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:hunter2@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "localhost,10.0.0.0/8")
    done = run("doctor")
    assert done.exit_code == 0, done.output
    assert "proxy.example:3128" in done.stdout
    assert "hunter2" not in done.output
    assert "ada" not in done.output
    for part in ("numpy", "extras", "report", "typst", str(state)):
        assert part in done.stdout


def test_extras_come_from_the_package_itself():
    found = checkup.extras()
    assert found["report"] == ["typst"]
    assert "torch" in found["local"]
    assert "all" not in found


def test_a_missing_extra_says_the_pip_line(run, monkeypatch):
    version = checkup._version
    monkeypatch.setattr(checkup, "_version", lambda n: None if n == "typst" else version(n))
    done = run("doctor")
    assert done.exit_code == 0
    assert "pip install 'llm-provenance[report]'" in done.stdout


def test_a_state_folder_that_cannot_be_written_is_a_problem(run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PROVENANCE_STATE_DIR", str(tmp_path / "file"))
    done = run("doctor")
    assert done.exit_code == 1
    assert "PROVENANCE_STATE_DIR" in done.stdout


def test_an_endpoint_is_asked_once(run, server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret-key")
    done = run("doctor", f"{server.local},key_env=MY_KEY")
    assert done.exit_code == 0, done.output
    assert len(server.seen) == 1
    assert "MY_KEY" in done.stdout
    assert "sk-very" not in done.output
    assert "served-⟨U+001B⟩[31mmodel" in done.stdout
    assert "\x1b" not in done.stdout
    assert "plain http, loopback" in done.stdout


def test_refused_parameters_are_named(run, server):
    def answer(body):
        if "max_tokens" in body:
            message = "Unsupported parameter: 'max_tokens' is not supported with this model."
            error = {"message": message, "param": "max_tokens", "code": "unsupported_parameter"}
            return 400, json.dumps({"error": error}).encode()
        return accept(body)

    accept, server.answer = server.answer, answer
    said = json.loads(run("doctor", server.local, "--json").stdout)
    assert said["endpoints"][0]["problem"] is None
    assert said["endpoints"][0]["parameters"] == {"max_tokens": "refused"}


def test_an_endpoint_that_cannot_be_reached_is_1(run, server):
    server.answer = lambda body: (401, b'{"error": {"message": "bad \\u001b[31mkey"}}')
    done = run("doctor", server.local)
    assert done.exit_code == 1
    assert "auth" in done.stdout
    assert "\x1b" not in done.stdout
    nobody = run("doctor", "compatible:m@http://127.0.0.1:9/v1", "--json")
    assert nobody.exit_code == 1
    assert json.loads(nobody.stdout)["endpoints"][0]["problem"].startswith("unreachable")


def test_a_missing_key_is_reported_beside_the_others(run, server, endpoint):
    done = run("doctor", f"{server.local},key_env=NOT_THERE", endpoint("a"))
    assert done.exit_code == 1
    assert "NOT SET" in done.stdout
    assert "models.toml" in done.stdout
    assert server.seen == []


def test_a_new_host_is_confirmed_first(process, server):
    done = process("doctor", server.remote)
    assert done.returncode == 2
    assert server.seen == []
    agreed = process("doctor", server.remote, "--yes")
    assert agreed.returncode == 0, agreed.stderr
    assert "NOT ENCRYPTED" in agreed.stdout
    assert process("doctor", server.remote).returncode == 0


def test_names_from_a_config(run, server, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(f"[endpoints.prod]\nendpoint = '{server.local}'\n")
    assert run("doctor", "prod", "--config", config).exit_code == 0
    assert run("doctor", "staging", "--config", config).exit_code == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:p@h:1", "h:1"),
        ("h:3128", "h:3128"),
        ("socks5://u:p@h", "h"),
        ("http://[::1", "set, but not a URL"),
        ("http://u:p@h:port", "set, but not a URL"),
    ],
)
def test_a_proxy_shows_its_host_alone(url, shown):
    checks = checkup._proxies({"HTTPS_PROXY": url})
    assert [c.detail for c in checks] == [shown]
