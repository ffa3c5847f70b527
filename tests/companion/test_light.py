"""What no page uses of the theme is cut; what one uses, and what is not understood, stays."""

import importlib.util
import re
from pathlib import Path

from pydata_sphinx_theme import __file__ as theme

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("light", ROOT / "book/_ext/light.py")
light = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(light)
STATIC = Path(theme).parent / "theme" / "pydata_sphinx_theme" / "static"


def test_icons_that_are_named_stay():
    """By the name of the page or by an alias: fa-search is magnifying-glass."""
    script = (STATIC / light.ICONS).read_text(encoding="utf-8")
    left = light.used_icons(script, {"fa-search", "fa-rocket", "rocket-launch"})
    names = {icon[2] for icon in light.ICON.finditer(left)}
    assert names == {"magnifying-glass", "rocket"} and len(left) < len(script) / 10
    assert light.used_icons("const x = {};", set()) == "const x = {};"


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


def test_a_theme_that_changed_is_noted(tmp_path, caplog):
    (tmp_path / "a.js").write_text("x")
    light.replace(tmp_path / "a.js", lambda text: text, needed=True)
    light.replace(tmp_path / "none.js", lambda text: text, needed=True)
    assert (tmp_path / "a.js").read_text() == "x" and not (tmp_path / "none.js").exists()
    assert re.findall(r"(\S+) is not as expected", caplog.text) == ["a.js", "none.js"]
