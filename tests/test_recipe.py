"""Recipes: what is inherited, what is refused and how, and that those in `datasets/` and its README load."""

import re
from pathlib import Path

import pytest
import yaml

from curate import finders, findings, recipe, registry, sources
from curate.augment.pipeline import as_dict, from_dict
from curate.augment.upstream import albumentations
from curate.errors import UserError
from curate.ingest import split_rule
from curate.recipe import File, Gate, Recipe, Rule
from train.config import TrainConfig

A = albumentations()

DATASETS = Path(__file__).parents[1] / "datasets"


def write(folder: Path, text: str, name: str = "pets.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The annotated example of datasets/README.md."""
    block = re.search(r"```yaml\n(.*?)```", (DATASETS / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block
    return write(tmp_path, block[1])


@pytest.mark.parametrize("name", ["default", *recipe.names()])
def test_recipes_that_come_with_curate_load(name: str) -> None:
    loaded = recipe.load(name)
    assert loaded.name == name
    assert loaded.summary
    assert all(file.sha256 and file.size for file in loaded.download or [])


@pytest.mark.parametrize("name", ["default", *recipe.names()])
def test_dump_and_load_give_the_same_recipe(name: str, tmp_path: Path) -> None:
    loaded = recipe.load(name)
    assert recipe.load(write(tmp_path, recipe.dump(loaded))) == loaded


def test_example_of_the_readme_shows_every_key(example: Path) -> None:
    loaded = recipe.load(example)
    assert loaded.model_fields_set >= set(Recipe.model_fields)
    assert loaded.download
    assert loaded.download[0].model_fields_set == set(File.model_fields)
    assert set().union(*(rule.model_fields_set for rule in loaded.policy)) == set(Rule.model_fields)
    assert loaded.gate.model_fields_set == set(Gate.model_fields)
    assert recipe.load(write(example.parent, recipe.dump(loaded), "again.yaml")) == loaded


def check_names(loaded: Recipe) -> None:
    """Everything a recipe names exists, and has the settings that the recipe changes."""
    from train.config import TrainConfig

    assert loaded.layout is None or loaded.layout in sources.layouts()
    assert {*(rule.finder for rule in loaded.policy), *loaded.gate.findings} <= set(registry.functions(finders))
    findings.check_settings(loaded.scan)
    TrainConfig.from_mapping(loaded.train)
    if loaded.split:
        split_rule.parse(loaded.split)


@pytest.mark.parametrize("name", ["default", *recipe.names()])
def test_recipes_name_only_what_exists(name: str) -> None:
    check_names(recipe.load(name))


def test_example_of_the_readme_names_only_what_exists(example: Path) -> None:
    check_names(recipe.load(example))


def test_readme_lists_every_recipe() -> None:
    text = (DATASETS / "README.md").read_text(encoding="utf-8")
    assert [name for name in ["default", *recipe.names()] if f"`{name}.yaml`" not in text] == []


def test_names_are_training_sets_alone() -> None:
    assert {"digits", "cifar10", "cifar100", "imagenette"} <= set(recipe.names())
    assert "default" not in recipe.names()


def test_what_is_not_named_comes_from_the_default(tmp_path: Path) -> None:
    loaded = recipe.load(write(tmp_path, "summary: ours"))
    default = recipe.default()
    assert loaded.name == "pets"
    assert (loaded.train, loaded.scan, loaded.policy) == (default.train, default.scan, default.policy)
    assert (loaded.reviewers, loaded.gate) == (default.reviewers, default.gate)


def test_single_settings_are_replaced_and_the_policy_as_a_whole(tmp_path: Path) -> None:
    text = "train: {epochs: 3}\nscan: {outlier: {neighbours: 5}}\npolicy: [{finder: dark, action: drop}]"
    loaded = recipe.load(write(tmp_path, text))
    assert loaded.train == recipe.default().train | {"epochs": 3}
    assert loaded.scan["outlier"] == {"neighbours": 5}
    assert loaded.policy == [Rule(finder="dark", action="drop")]


def test_single_thresholds_are_replaced_finder_by_finder(tmp_path: Path) -> None:
    text = "gate: {images_per_class: 3, disputes: null, findings: {dark: 0.2, label_error: 0.5, corrupt: null}}"
    loaded, default = recipe.load(write(tmp_path, text)), recipe.default().gate
    changed = {"dark": 0.2, "label_error": 0.5, "corrupt": None}
    assert loaded.gate.findings == default.findings | changed
    assert (loaded.gate.images_per_class, loaded.gate.disputes) == (3, None)
    assert (loaded.gate.leaks, loaded.gate.required) == (default.leaks, default.required) == (0, ["leaks"])
    assert recipe.load(write(tmp_path, recipe.dump(loaded))) == loaded


def test_thresholds_are_changed_by_name() -> None:
    before = recipe.default().gate
    after = recipe.change_gate(before, {"leaks": 2, "findings.dark": 0.1, "required": []})
    assert (after.leaks, after.required, after.disputes) == (2, [], before.disputes)
    assert after.findings == before.findings | {"dark": 0.1}
    assert recipe.change_gate(before, {}) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lekas": 1}, r"^--set: unknown key 'gate.lekas' \(did you mean 'leaks'\?\); there are: findings, leaks, "),
        ({"leaks": 0.5}, r"^--set: gate.leaks should be a valid integer.*, not 0.5$"),
        ({"findings": 0.1}, r"^--set: gate.findings should be a valid dictionary, not 0.1$"),
        ({"findings.dark": 2}, r"^--set: gate.findings.dark should be less than or equal to 1, not 2$"),
        ({"findings.dark": "x"}, r"^--set: gate.findings.dark should be a valid number, not 'x'$"),
    ],
)
def test_changes_of_thresholds_that_cannot_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        recipe.change_gate(recipe.default().gate, changes)


def test_a_setting_may_be_a_mapping(tmp_path: Path) -> None:
    loaded = recipe.load(write(tmp_path, "train: {model: alexnet, model_options: {dropout: 1e-1}}"))
    assert loaded.train["model_options"] == {"dropout": 0.1}


@pytest.mark.parametrize(
    "augment",
    [
        ["HorizontalFlip"],
        [{"HorizontalFlip": {"p": 0.5}}, {"OneOf": {"transforms": ["Transpose", {"Rotate": {"limit": [-5, 5]}}]}}],
        A.to_dict(A.Compose([A.HorizontalFlip(), A.Affine(rotate=(-5, 5))])),
    ],
)
def test_a_recipe_holds_a_pipeline(augment: object, tmp_path: Path) -> None:
    loaded = recipe.load(write(tmp_path, yaml.safe_dump({"train": {"augment": augment}})))
    again = recipe.load(write(tmp_path, recipe.dump(loaded)))
    for each in (loaded, again):
        assert as_dict(from_dict(TrainConfig.from_mapping(each.train).augment)) == as_dict(from_dict(augment))
    assert recipe.load(write(tmp_path, recipe.dump(loaded))) == loaded


def test_empty_policy_stays_empty(tmp_path: Path) -> None:
    loaded = recipe.load(write(tmp_path, "policy: []"))
    assert loaded.policy == []
    assert recipe.load(write(tmp_path, recipe.dump(loaded))).policy == []


def test_default_policy_acts_on_train_and_pool_alone_and_drops_nothing_that_takes_judgement() -> None:
    policy = recipe.default().policy
    elsewhere = {rule.finder: rule.splits for rule in policy if rule.splits != ["train"]}
    assert elsewhere == {"pseudo_label": ["pool"], "worth_labelling": ["pool"]}
    dropped = {rule.finder for rule in policy if rule.action == "drop" and rule.below is None}
    assert dropped == {"corrupt", "exact_duplicate", "split_leak", "low_information"}


def test_default_policy_keeps_a_distance_to_where_relabelling_and_dropping_begin_to_pay() -> None:
    policy = [rule for rule in recipe.default().policy if rule.finder == "label_error"]
    assert [rule.action for rule in policy] == ["relabel", "drop", "review"]
    relabel, drop, review = policy
    assert relabel.sure is not None
    assert 2 / 3 < relabel.sure < 1
    assert drop.below is not None
    assert 0 < drop.below < 1 - 1 / 3
    assert (review.below, review.sure) == (None, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5e-4", 5e-4), ("1E3", 1000.0), ("0.5", 0.5), ("8", 8), ("true", True), ("'5e-4'", "5e-4"), ("null", None)],
)
def test_scalars_are_what_people_mean(tmp_path: Path, text: str, value: object) -> None:
    loaded = recipe.load(write(tmp_path, f"train: {{x: {text}}}"))
    assert loaded.train["x"] == value
    assert type(loaded.train["x"]) is type(value)
    assert recipe.load(write(tmp_path, recipe.dump(loaded))) == loaded


def test_text_that_looks_like_a_number_survives_dump_and_load(tmp_path: Path) -> None:
    loaded = recipe.load(write(tmp_path, "classes: {'1e5': '2e6', '07': 'no'}"))
    assert recipe.load(write(tmp_path, recipe.dump(loaded))) == loaded


SHA = "0" * 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "polcy: []",
            r"unknown key 'polcy' \(did you mean 'policy'\?\); there are: name, summary, .*policy, reviewers, gate$",
        ),
        ("policy: [{finder: dark, action: drop, belw: 1}]", r"unknown key 'policy\[0\].belw' \(did you mean 'below'"),
        ("download: [{url: 'https://x.org/a', md5: 1}]", r"unknown key 'download\[0\].md5'; there are: url, sha256"),
        ("policy: [{action: drop}]", r"policy\[0\].finder is missing$"),
        ("policy: [{finder: dark, action: delete}]", r"policy\[0\].action should be one of: drop, .*, not 'delete'$"),
        (
            "policy: [{finder: dark, action: drop, below: 2}]",
            r"policy\[0\].below should be less than or equal to 1, not 2",
        ),
        (
            "policy: [{finder: dark, action: drop, below: true}]",
            r"policy\[0\].below should be a valid number, not True",
        ),
        (
            "policy: [{finder: dark, action: drop, sure: -0.1}]",
            r"policy\[0\].sure should be greater than or equal to 0, not -0.1",
        ),
        (
            "policy: [{finder: dark, action: drop, sure: very}]",
            r"policy\[0\].sure should be a valid number, not 'very'",
        ),
        (
            "policy: [{finder: dark, action: drop, splits: [tst]}]",
            r"policy\[0\].splits\[0\] should be 'train', .*, not 'tst'",
        ),
        ('scan: {"a\\nb": {x: [1]}}', "scan.a\ufffdb.x should be"),
        ("policy: drop", r"policy should be a valid list, not 'drop'"),
        ("summary: 5", r"summary should be a valid string, not 5"),
        ("classes: {yes: cat}", r"classes.*string, not True"),
        ("gate: strict", r"gate should be a valid dictionary.*, not 'strict'$"),
        ("gate: {lekas: 0}", r"unknown key 'gate.lekas' \(did you mean 'leaks'\?\); there are: findings, leaks, "),
        ("gate: {leaks: -1}", r"gate.leaks should be greater than or equal to 0, not -1$"),
        ("gate: {leaks: true}", r"gate.leaks should be a valid integer, not True$"),
        ("gate: {findings: [dark]}", r"gate.findings should be a valid dictionary, not \['dark'\]$"),
        ("gate: {findings: {dark: 5 %}}", r"gate.findings.dark should be a valid number, not '5 %'$"),
        ("gate: {accuracy_at_least: 95}", r"gate.accuracy_at_least should be less than or equal to 1, not 95$"),
        ("gate: {accuracy_at_least: .nan}", r"gate.accuracy_at_least should be .*, not nan$"),
        ("gate: {required: [speed]}", r"gate.required\[0\] should be 'curated_current', .*, not 'speed'$"),
        ("name: a/b", r"name .*, not 'a/b'"),
        ("train: {epochs: [1, 2]}", r"train.epochs should be a number, a text, true or false, not \[1, 2\]"),
        ("train: {augment: [{HorizontalFlip: {p: .nan}}]}", r"train.augment should be a number"),
        ("train: {lr: .nan}", r"train.lr should be a number"),
        ("scan: {dark: 5}", r"scan.dark should be a valid dictionary, not 5"),
        ("download: [{url: 'file:///etc/passwd'}]", r"download\[0\].url should start with https://"),
        ("download: [{url: 'https://x.org/a', sha256: abc}]", r"sha256 should be 64 hexadecimal digits, not 'abc'"),
        ("download: [{url: 'https://x.org/a', filename: ../a}]", r"filename should be a plain file name"),
        ("download: [{url: 'https://x.org/a', size: 0}]", r"size should be greater than 0"),
        (
            "download: [{url: 'https://x.org/a/set.tar'}, {url: 'https://x.org/b/set.tar?v=2'}]",
            r"download: filename 'set.tar' stands twice; give one of them another 'filename'$",
        ),
        (
            "download: [{url: 'https://x.org/a', filename: Set.tar}, {url: 'https://x.org/set.tar'}]",
            r"download: filename 'set.tar' stands twice, as macOS reads it; give one of them another 'filename'$",
        ),
        ("name: a\nname: b", r"line 2: key 'name' stands twice"),
        ("train: {a: 1, a: 2}", r"line 1: key 'a' stands twice"),
        ("a: &a 1\nb: *a", r"line 2: aliases"),
        ("name: [", r"pets.yaml, line 1: "),
        ("name: !!python/name:os.system x", r"line 1: could not determine a constructor"),
        ("? [a]\n: b", r"line 1: found unhashable key"),
        ("just text", r"a recipe is a list of 'key: value' lines"),
        ("", r"a recipe is a list of 'key: value' lines"),
        ("[" * 5000, r"nested too deeply"),
        ("train: {x: 2026-13-45}", r"cannot be read as YAML"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        recipe.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at most 1,000,000"):
        recipe.load(write(tmp_path, "#" * 1_000_001))
    (tmp_path / "image.yaml").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UserError, match="not UTF-8"):
        recipe.load(tmp_path / "image.yaml")
    with pytest.raises(UserError, match=r"none\.yaml: No such file"):
        recipe.load(str(tmp_path / "none.yaml"))
    with pytest.raises(UserError, match="Is a directory"):
        recipe.load(tmp_path)


def test_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(
        UserError, match=r"no recipe is called 'cifar11' \(did you mean 'cifar10'\?\); there are: cifar10"
    ):
        recipe.load("cifar11")


def test_file_name_becomes_a_name(tmp_path: Path) -> None:
    assert recipe.load(write(tmp_path, "summary: x", "our pets (2).yaml")).name == "our-pets-2"


def test_download_is_called_like_the_end_of_its_url() -> None:
    assert File(url="https://x.org/a/b.zip?version=2").filename == "b.zip"
    assert File(url="https://x.org").filename == "download"


def test_downloads_of_the_same_name_are_told_apart_by_filename(tmp_path: Path) -> None:
    text = "download: [{url: 'https://x.org/a/set.tar'}, {url: 'https://x.org/b/set.tar', filename: b.tar}]"
    assert [file.filename for file in recipe.load(write(tmp_path, text)).download or []] == ["set.tar", "b.tar"]


def test_recipes_of_an_installed_curate_are_found_beside_a_package_called_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "curate" / "datasets", tmp_path / "datasets"):
        folder.mkdir(parents=True)
    write(tmp_path / "curate" / "datasets", "train: {epochs: 3}", "default.yaml")
    write(tmp_path / "curate" / "datasets", "", "ours.yaml")
    (tmp_path / "datasets" / "__init__.py").touch()
    monkeypatch.setattr(recipe, "__file__", str(tmp_path / "curate" / "recipe.py"))
    assert recipe.names() == ["ours"]
    assert recipe.default().train == {"epochs": 3}
