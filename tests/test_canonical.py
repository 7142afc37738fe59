import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.canonical import canonical_json, clean_text, digest, normalise


def test_rfc_8785_vectors():
    assert canonical_json({"b": 1.0, "a": [1e21, 1e-7, 0.1, True, None]}) == (
        b'{"a":[1e+21,1e-7,0.1,true,null],"b":1}'
    )
    # Keys are sorted by UTF-16 code units: U+1F600 (a surrogate pair) before U+FB33.
    text = '{"\U0001f600":2,"\ufb33":1}'
    assert canonical_json({"\ufb33": 1, "\U0001f600": 2}) == text.encode()
    assert digest({}) == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800"])
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(ValueError):
        canonical_json(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@given(anything)
def test_normalised_values_are_always_canonical(value):
    canonical_json(normalise(value))


def test_deep_nesting_is_cut():
    value = []
    for _ in range(500):
        value = [value]
    assert b"\xe2\x80\xa6" in canonical_json(normalise(value))


@given(st.text(st.characters()))
def test_clean_text_is_utf8_and_changes_nothing_else(text):
    clean = clean_text(text)
    clean.encode()
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert clean == text
