"""Recipes: readable files in, one value out, mistakes named by key and line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from calibstudio.domain.errors import FileProblemError, UsageError
from calibstudio.domain.recipe import (
    Combine,
    Coverage,
    DarkForm,
    DarkScaling,
    DarkSettings,
    DefectSettings,
    FlatSettings,
    LevelOf,
    Normalization,
    Recipe,
    Rejection,
    Selection,
    Smooth,
    Spread,
    StackSettings,
    Tolerances,
)
from calibstudio.store.assets import asset, assets
from calibstudio.store.recipes import (
    format_recipe,
    load_recipe,
    parse_recipe,
    read_recipe,
    recipe_document,
    shipped_recipes,
)


def test_the_shipped_default_says_what_the_program_does_without_a_recipe() -> None:
    recipe = load_recipe("default")

    assert replace(recipe, description="") == Recipe()


def test_every_shipped_recipe_reads_and_survives_being_written() -> None:
    names = shipped_recipes()

    assert "default" in names
    for name in names:
        recipe = load_recipe(name)
        assert recipe.name == name
        assert parse_recipe(format_recipe(recipe)) == recipe


def test_a_recipe_with_every_setting_changed_is_read_back_as_it_was() -> None:
    recipe = Recipe(
        name='my "own"\n',
        description="back\\slash",
        stack={
            "arc lamp": StackSettings(
                combine=Combine.MEDIAN,
                reject=Rejection.WINSORIZED,
                low=4.0,
                high=3.0,
                iterations=7,
                min_keep=5,
                cutoff=5.0,
                normalize=Normalization.ADDITIVE,
            ),
            **Recipe().stack,
            "bias": StackSettings(
                reject=Rejection.SIGMA, spread=Spread.PERCENTILES, unc_factor=1.24
            ),
        },
        min_frames=4,
        wanted_frames={**Recipe().wanted_frames, "flat": 100},
        tolerances=Tolerances(exposure_rel=0.02, set_temp_c=1.0),
        flat_dark_budget=0.001,
        leave_out_bad=False,
        flat=FlatSettings(
            LevelOf.MODE,
            region=1.0,
            per_channel=False,
            unity_below=0.1,
            low_light=5.01,
            keep_from=0.1,
            keep_to=2.5,
            per_second=True,
            mask="/masks/orders.fits",
            smooth=Smooth.GAUSSIAN,
            smooth_sigma=2.01,
        ),
        dark=DarkSettings(DarkForm.RATE, together=True, scaling=DarkScaling.OPTIMISED, most_up=2.0),
        defects=DefectSettings(build=False, sigmas=7.0, min_frames=20),
        select={
            "dark": Selection(
                keywords={"IMTYPE": "Dark", "OBJECT": 'a "b"'},
                gates={"NOTJUNK": "0"},
                ignore_names=("*-*", "test*"),
                min_exposure_s=300.0,
                max_frames=50,
            )
        },
        group_by={"dark flat": ("camera", "gain", "shape")},
        names={"bias": "{camera}/master_bias_{utctime}.fits"},
        coverage=Coverage(min_kept=5, share=0.02),
        master_name="kpf_{date}_master_{kind}.fits",
    )

    assert parse_recipe(format_recipe(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[stack.dark]\n\nreject = "sigmma"', "line 3: stack.dark.reject is 'sigmma'; it can be"),
        ("[stack.dark]\nlow = true", "line 2: stack.dark.low is True; it must be a number"),
        ('[stack."dark flat"]\nmin_keep = 0', "line 2: stack.dark flat.min_keep is refused"),
        ("[frames]\nmin_frames = 1", "line 2: frames.min_frames must be at least 2"),
        ("[frames]\nmin_frams = 3", "line 2: frames.min_frams is not known here"),
        ("surprise = 1", "line 1: surprise is not known here"),
        ("flat = 3", "line 1: flat must be a table"),
        ("[flat]\nregion = 7", "line 2: flat.region is refused: region must be between"),
        ("[flat]\ndark_budget = -1", "line 2: flat.dark_budget must not be negative"),
        (
            '[names]\nmaster = "{kind.__class__}.fits"',
            "line 2: names.master names {kind.__class__}",
        ),
        ('[names]\nbias = "{kind}.txt"', "line 2: names.bias must end with .fits"),
        ('[groups]\ndark = ["colour"]', "line 2: groups.dark names colour, which is no key"),
        ('[groups]\ndark = "gain"', "line 2: groups.dark is 'gain'; it must be a list of texts"),
        ("[dark]\ntogether = true", "line 2: dark.together is refused: together needs form = rate"),
        ('[dark]\nform = "ratio"', "line 2: dark.form is 'ratio'; it can be with-bias, rate"),
        ("[select.dark]\nkeywords = 3", "line 2: select.dark.keywords must be a table"),
        ("[defects]\npersistence = 2.0", "line 2: defects.persistence is refused"),
        ('[flat]\nsmooth = "box"', "line 2: flat.smooth is 'box'; it can be none, sliding"),
        ('[stack.dark]\nspread = "percentiles"', "spread belongs to reject = sigma"),
        ('[names]\nmaster = "{kind}.txt"', "line 2: names.master must end with .fits"),
        ("version = 99", "line 1: version is 99: written for a newer CalibStudio"),
        ("[flat\n", "is not valid TOML"),
    ],
)
def test_a_mistake_is_named_by_key_and_line(text: str, said: str) -> None:
    with pytest.raises(FileProblemError) as caught:
        parse_recipe(text, source="mine.toml")

    assert "mine.toml" in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.hint


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(FileProblemError) as caught:
        parse_recipe("a = 1\n[frames]\nmin_frames = 0\n[flat]\nlevel = 5\n")

    assert all(f"line {n}" in str(caught.value) for n in (1, 3, 5))


def test_a_recipe_is_found_by_name_or_by_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[frames]\nmin_frames = 9\n", encoding="utf-8")

    assert load_recipe(file).min_frames == 9
    assert load_recipe(str(file)).name == "mine"
    with pytest.raises(UsageError, match="no recipe called ours"):
        load_recipe("ours")


def test_a_file_that_is_not_text_is_refused_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(FileProblemError, match=r"bad\.toml cannot be read"):
        read_recipe(file)


def test_the_document_of_a_recipe_leaves_out_the_words_that_change_no_pixel() -> None:
    recipe = Recipe(description="one")

    assert recipe_document(recipe) == recipe_document(replace(recipe, description="two"))
    assert recipe_document(recipe) != recipe_document(replace(recipe, min_frames=3))


def test_assets_are_found_and_a_missing_one_says_so() -> None:
    assert asset("recipes/default.toml").is_file()
    assert [p.stem for p in assets("recipes", "default.*")] == ["default"]
    with pytest.raises(FileProblemError, match=r"no/such\.file"):
        asset("no/such.file")


def test_a_mask_lies_beside_its_recipe_and_its_folder_changes_no_name(tmp_path: Path) -> None:
    text = '[flat]\nmask = "orders.fits"\n'
    recipes = []
    for place in ("one", "two"):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "mine.toml").write_text(text, encoding="utf-8")
        recipes.append(load_recipe(folder / "mine.toml"))

    assert recipes[0].flat.mask == str(tmp_path / "one" / "orders.fits")
    assert recipe_document(recipes[0]) == recipe_document(recipes[1])


def test_all_systems_that_are_replaced_have_a_recipe() -> None:
    wanted = {"astroops", "default", "iris", "kpf", "ost", "pixinsight"}
    assert set(shipped_recipes()) == wanted
