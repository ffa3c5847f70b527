"""What no page uses of the theme is cut; what one uses, and what is not understood, stays."""

import importlib.util
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydata_sphinx_theme import __file__ as theme

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("light", ROOT / "book/_ext/light.py")
light = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(light)
STATIC = Path(theme).parent / "theme" / "pydata_sphinx_theme" / "static"


def test_rules_stay_where_one_selector_can_be_met():
    sheet = (
        "/* .gone{} */a{b:c}.used,.gone{d:e}.gone .used{f:g}@media print{.gone{h:i}.used{j:k}}"
        ".used:not(.gone){l:m}"
    )
    left = light.used_rules(sheet, {"used"})
    assert left == "a{b:c}.used,.gone{d:e}@media print{.used{j:k}}.used:not(.gone){l:m}"
    assert light.used_rules(".gone{a:b", set()) == ".gone{a:b"


def test_a_font_keeps_its_signs():
    font = next(STATIC.rglob("fa-solid-900.ttf")).read_bytes()
    cut = light.used_signs(font, {0xF002})
    assert len(cut) < len(font) / 20
    signs = light.ttLib.TTFont(light.BytesIO(cut)).getBestCmap()
    assert [sign for sign in signs if sign > 255] == [0xF002]


@pytest.fixture
def site(tmp_path):
    """A page with the theme's files."""
    shutil.copytree(STATIC, tmp_path / "_static")
    script = '<script defer src="_static/scripts/fontawesome.js?digest=1"></script>'
    (tmp_path / "page.html").write_text(f'{script}<i class="fa-solid fa-rocket"></i>')
    builder = SimpleNamespace(name="html")
    return SimpleNamespace(outdir=tmp_path, builder=builder)


def test_icons_come_from_fonts_of_few_signs(site):
    light.lighten(site, None)
    assert "fontawesome" not in (site.outdir / "page.html").read_text()
    sheet = (site.outdir / "_static" / light.SHEET).read_text()
    assert ".fa-rocket:" in sheet and ".fa-car:" not in sheet and "woff2" not in sheet
    fonts = [light.ttLib.TTFont(file).getBestCmap() or () for file in site.outdir.rglob("fa-*.ttf")]
    assert any(0xF135 in signs for signs in fonts) and all(0xF1B9 not in signs for signs in fonts)


def test_a_theme_that_changed_keeps_its_icons(site, monkeypatch):
    said = []
    monkeypatch.setattr(light.logger, "warning", said.append)
    file = site.outdir / "_static" / light.SHEET
    file.write_text(file.read_text().replace(light.DRAWN, ""))
    light.lighten(site, None)
    assert "fontawesome" in (site.outdir / "page.html").read_text()
    assert len(said) == 1 and "icons are not as expected" in said[0]
