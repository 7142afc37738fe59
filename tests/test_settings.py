from pathlib import Path

import pytest

from provenance import settings
from provenance.errors import EndpointError, SettingsError


def test_flags_over_environment_over_file_over_defaults(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('alpha = 0.05\ndraws = 7\nbattery = "core"\n')
    environment = {"PROVENANCE_DRAWS": "8", "PROVENANCE_BATTERY": "deep"}
    merged = settings.load(
        {"battery": "quick", "rpm": None}, environment=environment, config=config
    )
    assert (merged.alpha, merged.draws, merged.battery, merged.rpm) == (0.05, 8, "quick", None)
    assert settings.load().alpha == 0.01
    assert settings.load().formats == ("md", "pdf", "json")


def test_comma_lists():
    merged = settings.load({"format": "md,json", "fail_on": "different, inconclusive"})
    assert merged.formats == ("md", "json")
    assert merged.fail_on == ("different", "inconclusive")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"alpah": 1}, "unknown setting 'alpah'"),
        ({"alpha": 2}, "setting 'alpha'"),
        ({"format": "docx"}, "setting 'format"),
        ({"draws": 0}, "setting 'draws'"),
    ],
)
def test_a_mistake_names_the_setting(flags, says):
    with pytest.raises(SettingsError, match=says):
        settings.load(flags)


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("alpha = = 1")
    with pytest.raises(SettingsError, match=r"c\.toml is not TOML"):
        settings.load(config=path)


def test_named_endpoints(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('[endpoints.prod]\nendpoint = "compatible:m@https://h/v1,key_env=K"\n')
    assert str(settings.find_endpoint("prod", path)) == "compatible:m@https://h/v1,key_env=K"
    with pytest.raises(EndpointError, match="it has: prod"):
        settings.find_endpoint("test", path)
    with pytest.raises(EndpointError, match="names no provider"):
        settings.find_endpoint("prod")


def test_speed_and_money_do_not_change_what_a_study_is():
    one = settings.load({"budget_usd": 1, "rpm": 3, "seed": 4, "max_requests": 9})
    assert one.analysis() == settings.load().analysis()
    assert settings.load({"alpha": 0.05}).analysis() != settings.load().analysis()


def test_a_shipped_recipe_has_a_bare_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nightly = Path("nightly")
    assert settings.load(config=nightly).fail_on == ("different",)
    for missing in (Path("nightlyy"), Path("nightly.toml"), Path("here/nightly")):
        with pytest.raises(SettingsError, match="shipped recipes, by their bare name: nightly, "):
            settings.load(config=missing)
    nightly.write_text("draws = 3\n")
    assert settings.load(config=nightly).draws == 3


def test_a_placeholder_is_no_endpoint():
    with pytest.raises(EndpointError, match=r"placeholder vendor\.example: write the endpoint on"):
        settings.find_endpoint("vendor", Path("relay-audit"))
    own = settings.find_endpoint("own", Path("self-hosted-vs-api"))
    assert own.is_loopback
