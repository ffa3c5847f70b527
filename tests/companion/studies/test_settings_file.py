"""A study's settings.yml: what is wrong in it is one line that names file, entry and setting."""

import pytest
import yaml

from companion import studies
from companion.studies.settings import load
from cxrlib import InputError


def put(*path, value):
    """A change of the file's content: what stands at a place."""

    def change(content: dict) -> None:
        *above, last = path
        for key in above:
            content = content[key]
        content[last] = value

    return change


FOUR = ("experiments", "zhu-fourclass")
SEEDS = ("families", "zhu-fourclass-redraws")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put(*FOUR, "settings", "lrr", value={"value": 1, "assumed": "x"}), "zhu-fourclass: .*lrr"),
        (put(*FOUR, "settings", "lr", value=0.003), "zhu-fourclass: lr needs a value"),
        (put(*FOUR, "settings", "lr", value={"value": 1}), "zhu-fourclass: lr needs a value"),
        (put(*FOUR, "settings", "lr", value={"printed": "2"}), "zhu-fourclass: 'value' is missing"),
        (
            put(*FOUR, "settings", "epochs", value={"value": -1, "assumed": "x"}),
            "zhu-fourclass: epochs must",
        ),
        (put(*FOUR, "settings", value=None), "zhu-fourclass: .*items"),
        (put(*FOUR, "assumption", value=["x"]), "zhu-fourclass: unknown field assumption"),
        (put("experiments", "zhu-binary", "inherits", value="x"), "zhu-binary: 'x' is missing"),
        (put("experiments", value={"own": {"title": "x"}}), "own: 'settings' is missing"),
        (put(*SEEDS, "seed-1", value={"sed": 1}), "zhu-fourclass-redraws/seed-1: .*sed"),
        (put(*SEEDS, "seed-1", value={"seed": -1}), "zhu-fourclass-redraws/seed-1: seed must"),
        (put("phantom", value=1), "zhu2020: .*items"),
        (put("families", "x-redraws", value={}), "x-redraws: 'x' is missing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, said):
    content = yaml.safe_load((studies.folder() / "zhu2020" / "settings.yml").read_text("utf-8"))
    change(content)
    file = tmp_path / "zhu2020" / "settings.yml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    with pytest.raises(InputError, match=rf"zhu2020.settings\.yml: {said}") as caught:
        load(file)
    assert "\n" not in str(caught.value)


def test_a_file_that_lacks_its_experiments_or_families(tmp_path):
    for text, lost in (("families: {}", "experiments"), ("experiments: {}", "families")):
        (tmp_path / "settings.yml").write_text(text, encoding="utf-8")
        said = rf"settings\.yml: {tmp_path.name}: '{lost}' is missing"
        with pytest.raises(InputError, match=said):
            load(tmp_path / "settings.yml")


def test_optional_is_not_inherited(tmp_path):
    content = yaml.safe_load((studies.folder() / "zhu2020" / "settings.yml").read_text("utf-8"))
    put(*FOUR, "optional", value=True)(content)
    (tmp_path / "settings.yml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    made, _, _ = load(tmp_path / "settings.yml")
    assert made["zhu-fourclass"].optional and not made["zhu-binary"].optional
