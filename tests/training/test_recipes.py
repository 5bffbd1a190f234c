"""Recipes are functions in files; what is no recipe is refused by name."""

import ntpath
import re
from pathlib import Path

import pytest

from recodec.errors import ConfigError
from recodec.training.recipes import load_recipe

RECIPE = "from recodec import presets\nfrom recodec.training.config import TrainConfig\n"
SHIPPED = Path(__file__).parents[2] / "recipes" / "debian_24khz" / "recipe.py"


def test_a_function_is_called_by_name(tmp_path: Path) -> None:
    file = tmp_path / "r.py"
    file.write_text(RECIPE + "def recipe(): return TrainConfig(presets.tiny(), 'a')\n"
                    "def other(): return TrainConfig(presets.tiny(), 'b')\nnumber = 3\n"
                    "def wrong(): return 3\n")  # fmt: skip
    assert load_recipe(str(file)).data == "a"
    assert load_recipe(f"{file}:other").data == "b"
    with pytest.raises(ConfigError, match="no function number"):
        load_recipe(f"{file}:number")
    with pytest.raises(ConfigError, match="must return a TrainConfig, not int"):
        load_recipe(f"{file}:wrong")
    with pytest.raises(ConfigError, match="no recipe file"):
        load_recipe("nowhere.py")


@pytest.mark.parametrize(
    "name",
    ["recipe", "starter", "longer", "decoder", "sharpen", "without_adversary", "first_level_commitment", "spectral",
     "spectral_decoder", "spectral_stored", "spectral_sharpen"],
)  # fmt: skip
def test_the_shipped_recipes_load(name: str) -> None:
    assert load_recipe(f"{SHIPPED}:{name}").model.sampling_rate == 24_000


def test_the_drive_of_windows_is_part_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.splitdrive", ntpath.splitdrive)
    for function in ("", ":function"):
        with pytest.raises(ConfigError, match=re.escape("there is no recipe file C:\\nowhere\\recipe.py")):
            load_recipe(f"C:\\nowhere\\recipe.py{function}")
