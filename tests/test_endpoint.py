import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.endpoint import OPTIONS, PROVIDERS, Endpoint
from provenance.errors import EndpointError

AWKWARD = [
    "compatible:gpt-4o@https://api.openai.com/v1,key_env=OPENAI_API_KEY",
    "anthropic:claude-3-5@20240620",
    "compatible:claude-3-5@20240620@https://relay.example/v1",
    "compatible:meta-llama/llama-3.3-70b:free@https://openrouter.ai/api/v1",
    "gguf:C:\\models\\smol.gguf",
    "replay:C:\\data\\a.jsonl,b.jsonl,model=Qwen/Qwen2.5-7B",
    "compatible:m@http://[::1]:8000/v1",
    "compatible:gpt-4o@https://x.openai.azure.com/openai,query.api-version=2024-06-01",
    'compatible:m@http://h/v1,body.stop=["a,x=",",seed=1"],temperature=0.5',
    "compatible:m@http://h/v1,header.X-Trace=a@http://b,seed=3",
    "simulated:study.toml,model=a",
    "compatible:qwen2.5:7b@http://localhost:11434/v1",
    "compatible:ünï-模型@http://h",
]


@pytest.mark.parametrize("text", AWKWARD)
def test_an_awkward_string_comes_back_as_it_was(text):
    assert str(Endpoint.parse(text)) == text


models = st.text(
    st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters=","), min_size=1
).filter(lambda s: "@http://" not in s and "@https://" not in s)
urls = st.sampled_from(
    [None, "http://h", "https://api.example.com:8443/a/b", "http://[::1]:8000/v1", "http://1.2.3.4"]
)
options = st.dictionaries(
    st.sampled_from(["key_env", "model", "header.X-A", "body.a.b", "query.api-version"]),
    st.text(
        st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters=",\"'[{"), min_size=1
    ),
)


@given(st.sampled_from(PROVIDERS), models, urls, options)
def test_parse_and_str_are_inverse(provider, model, url, extra):
    text = f"{provider}:{model}" + (f"@{url}" if url else "")
    text += "".join(f",{k}={v}" for k, v in extra.items())
    endpoint = Endpoint.parse(text)
    assert str(endpoint) == text
    assert (endpoint.provider, endpoint.model, endpoint.base_url) == (provider, model, url)
    assert Endpoint.parse(str(endpoint)) == endpoint


def test_values_are_toml_scalars_or_arrays_else_strings():
    endpoint = Endpoint.parse(
        "compatible:m@http://h,temperature=0,stream=true,body.stop=[\"a\", 'b'],body.x=hello,"
        'model="1.50",key_env=A_KEY'
    )
    assert endpoint.option("temperature") == 0
    assert endpoint.option("stream") is True
    assert endpoint.family("body") == {"stop": ["a", "b"], "x": "hello"}
    assert endpoint.option("model") == "1.50"
    assert Endpoint.parse("replay:f,model=1.50").option("model") == "1.50"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpt-4o", "names no provider"),
        ("https://api.openai.com/v1", "is a URL, and an endpoint is more"),
        ("compatible:", "names no model"),
        ("compatible:m@http://h,tmperature=1", "known options: key_env"),
        ("compatible:m@http://h,temperature=hot", "expected a number"),
        ("compatible:m@http://h,seed=1.5", "expected a whole number"),
        ("compatible:m@http://h,stream=yes", "expected true or false"),
        ("compatible:m@http://h,seed=1,seed=2", "given twice"),
        ("compatible:m@http://h,api=grpc", "expected one of chat"),
        ("compatible:m@http://user:secret@h/v1", "no user name or password"),
        ("compatible:m@http://h/v1?key=1", "query.NAME"),
        ("compatible:m@http://h:99999/v1", "Port out of range"),
        ("compatible:m\n@http://h", "control characters"),
    ],
)
def test_a_mistake_is_explained(text, says):
    with pytest.raises(EndpointError, match=says) as caught:
        Endpoint.parse(text)
    assert "secret" not in str(caught.value)


def test_every_option_kind_is_known():
    assert set(OPTIONS.values()) == {"string", "number", "integer", "boolean", "any"}


def test_slugs_are_safe_folder_names():
    for text in AWKWARD:
        slug = Endpoint.parse(text).slug
        assert slug
        assert all(c.isascii() and (c.isalnum() or c == "-") for c in slug)
        assert len(slug) <= 48


def test_loopback_is_recognised():
    assert Endpoint.parse("compatible:m@http://127.0.0.1:80/v1").is_loopback
    assert Endpoint.parse("compatible:m@http://[::1]:80/v1").is_loopback
    assert Endpoint.parse("gguf:m.gguf").is_loopback
    assert not Endpoint.parse("compatible:m@http://127.0.0.1.evil.example/v1").is_loopback
    assert not Endpoint.parse("openai:m").is_loopback
    assert not Endpoint.parse("anthropic:m").is_loopback


def test_a_provider_with_a_home_is_there_unless_told_otherwise():
    assert Endpoint.parse("openai:m").url == "https://api.openai.com/v1"
    assert Endpoint.parse("anthropic:m,stream=true").url == "https://api.anthropic.com"
    assert Endpoint.parse("openai:m@http://h/v1").url == "http://h/v1"
    assert Endpoint.parse("gguf:m.gguf").url is None
    assert str(Endpoint.parse("openai:m")) == "openai:m"


def test_labels_that_coincide_are_told_apart_by_what_differs():
    plain = Endpoint.parse("compatible:m@https://h/v1,top_p=1.0")
    hot = Endpoint.parse("compatible:m@https://h/v1,top_p=1.0,temperature=1.6")
    other = Endpoint.parse("compatible:n@https://h/v1")
    assert (plain.label_beside(hot), hot.label_beside(plain)) == ("h/m", "h/m (temperature=1.6)")
    assert hot.label_beside(other) == "h/m"
    assert hot.label_beside(hot) == "h/m"


def test_a_mere_url_is_told_how_to_become_an_endpoint():
    with pytest.raises(EndpointError, match=r"compatible:MODEL@https://h\.example/v1,key_env=NAME"):
        Endpoint.parse("https://h.example/v1")
