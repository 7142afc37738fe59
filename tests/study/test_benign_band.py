"""The benign band over the whole way: rejected, not rejected, and cannot tell."""

import numpy as np
import pytest

from provenance import compare, verify
from provenance.attribution.benign import _plain
from provenance.battery import Battery
from provenance.errors import ReferenceStale, SettingsError
from provenance.library.band import Band, BenignPair

MODELS = """
[models.a.cells]
"*" = {"7" = 0.6, "42" = 0.3, "13" = 0.1}
[models.served.cells]
"*" = {"7" = 0.25, "42" = 0.3, "13" = 0.45}
[models.other.cells]
"*" = {"7" = 0.05, "3" = 0.15, "8" = 0.8}
"""
ALPHA = 0.05
A, SERVED = [0.6, 0.3, 0.1], [0.25, 0.3, 0.45]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, number_battery):
    path = tmp_path_factory.mktemp("band")
    (path / "models.toml").write_text(MODELS, encoding="utf-8")
    number_battery(path / "numbers.toml", ["one_token"] * 8, 12)
    return path


def pair(rng, folder, weights, kind="engine", suspect=SERVED, n=15, digest=None):
    cells = {
        f"number-{i}": (
            tuple(map(int, rng.multinomial(n, A))),
            tuple(map(int, rng.multinomial(n, suspect))),
        )
        for i in range(8)
    }
    return BenignPair(
        weights=weights,
        kind=kind,
        reference="one host",
        suspect="another",
        recorded_utc="2026-11-01T00:00:00+00:00",
        battery_digest=digest or Battery.load(str(folder / "numbers.toml")).digest,
        root=f"{rng.integers(2**60):x}",
        cells=cells,
    )


@pytest.fixture
def study(folder, tmp_path):
    def run(suspect, pairs, **options):
        band = Band(name="made", measured_utc="2026-11-01T00:00:00+00:00", pairs=tuple(pairs))
        (tmp_path / "band.json").write_text(band.model_dump_json(), encoding="utf-8")
        return compare(
            f"simulated:{folder}/models.toml,model=a",
            f"simulated:{folder}/models.toml,model={suspect}",
            band=str(tmp_path / "band.json"),
            **(
                {"battery": str(folder / "numbers.toml"), "seed": 2, "alpha": ALPHA, "formats": []}
                | options
            ),
            store=tmp_path / "s",
        )

    return run


def codes(found):
    return [reason.code for reason in found.verdict.reasons]


def finding(found):
    return next(f for f in found.findings if f.name == "benign_band")


def groups(folder, n, **options):
    rng = np.random.default_rng(n)
    return [pair(rng, folder, f"w{i}", **options) for i in range(n)]


def test_a_difference_within_the_band_rejects_same_deployment_alone(study, folder, tmp_path):
    found = study("served", groups(folder, 19))
    assert found.verdict.label == "different"
    assert codes(found)[:2] == ["rejects_same_deployment", "not_beyond_benign_band"]
    assert "Only same deployment is rejected" in found.verdict.reasons[1].text
    assert (finding(found).exactness, finding(found).null) == ("calibrated", "within_benign_band")
    assert finding(found).p_value > ALPHA
    assert found.document.band.decidable
    assert verify(tmp_path / "s").ok


def test_a_difference_beyond_the_band_names_both_nulls(study, folder):
    found = study("other", groups(folder, 19), formats=["md"])
    assert found.verdict.label == "different"
    assert codes(found)[:2] == ["rejects_same_deployment", "beyond_benign_band"]
    assert finding(found).p_value == 1 / 20
    text = found.written["md"].read_text(encoding="utf-8")
    assert "Rejects same deployment and the benign band made" in text
    assert "## The benign band made" in text


def test_with_too_few_groups_it_cannot_be_told(study, folder):
    """Eighteen groups, though with forty pairs: at α = .05 the smallest p is 1/19."""
    many = [*groups(folder, 18), *groups(folder, 18), *groups(folder, 4)]
    found = study("other", many)
    assert found.verdict.label == "different"
    assert "band_cannot_tell" in codes(found)
    assert (finding(found).p_value, finding(found).exactness) == (None, "descriptive")
    assert finding(found).values["groups"] == 18
    assert not found.document.band.decidable
    assert "19 would be needed" in next(
        r.text for r in found.verdict.reasons if r.code == "band_cannot_tell"
    )


def test_quantisation_is_benign_only_where_it_is_allowed(study, folder):
    coarse = groups(folder, 19, kind="quantisation")
    found = study("served", coarse)
    assert "band_unusable" in codes(found)
    assert found.document.band.left_out == {"quantisation_not_allowed": 19}
    allowed = study("served", coarse, allow=["quantisation"], new=True)
    assert "not_beyond_benign_band" in codes(allowed)
    assert "quantisation" in allowed.document.band.allowed


def test_pairs_that_do_not_compare_are_left_out_by_name(study, folder):
    rng = np.random.default_rng(1)
    thin = pair(rng, folder, "thin", n=1)
    own = pair(rng, folder, f"{folder}/models.toml")
    alias = pair(rng, folder, "Owner/A")  # as the reference's answers are signed: "a"
    foreign = pair(rng, folder, "foreign", digest="0" * 64)
    found = study("served", [*groups(folder, 2), thin, own, alias, foreign])
    assert found.document.band.left_out == {
        "other_battery": 1,
        "same_weights_as_reference": 2,
        "too_few_draws": 1,
    }
    assert [g.weights for g in found.document.band.groups] == ["w0", "w1"]


def test_without_a_rejection_the_band_adds_no_reason(study, folder):
    found = study("a", groups(folder, 19))
    assert found.verdict.label == "inconclusive"
    assert not [c for c in codes(found) if "band" in c]
    assert finding(found).p_value is not None


def test_a_band_of_another_battery_is_refused(study, folder):
    with pytest.raises(ReferenceStale, match="was asked the battery"):
        study("served", groups(folder, 2, digest="0" * 64))


def test_a_study_that_stopped_early_gets_no_p_value(study, folder):
    found = study("other", groups(folder, 19), sequential=True, draws=60)
    assert "rejects_sequentially" in codes(found)
    assert finding(found).p_value is None
    assert finding(found).exploratory
    assert "band_cannot_tell" in codes(found)


def test_an_unknown_band_names_what_is_there(study, folder, tmp_path):
    with pytest.raises(SettingsError, match="no band 'nope'"):
        compare("simulated:x,model=a", "simulated:x,model=b", band="nope")


def test_the_band_is_read_from_the_evidence(study, folder, tmp_path):
    """Verifying needs the copy alone: the file may be gone, or be another."""
    found = study("served", groups(folder, 19))
    (tmp_path / "band.json").unlink()
    assert verify(tmp_path / "s").ok
    copy = tmp_path / "s" / "copies" / "band.json"
    copy.write_bytes(copy.read_bytes().replace(b"w3", b"w4"))
    assert not verify(tmp_path / "s").ok
    assert found.document.band.name == "made"


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("Qwen/Qwen3-8B", True),
        ("qwen3 8b", True),
        ("qwen3-8b:free", True),
        ("/models/Qwen3_8B.gguf", True),
        ("Qwen3-8B-Q4_0", False),
        ("qwen3-80b", False),
        ("通义千问", False),
    ],
)
def test_names_of_one_model(written, same):
    assert (_plain(written) == _plain("qwen3-8b")) is same
