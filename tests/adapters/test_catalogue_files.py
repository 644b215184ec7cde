from importlib.resources import files
from pathlib import Path

import pytest

from runbooks.adapters.catalogue_files import load_catalogue, load_classifier, read_classifier
from runbooks.core.classifier import ErrorFacts
from runbooks.core.failure_classes import FailureClass
from runbooks.errors import CatalogueError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for entry in (files("prompts") / "scenarios").iterdir():
        if entry.name.endswith(".yaml"):
            (tmp_path / entry.name).write_bytes(entry.read_bytes())
    return tmp_path


def test_the_version_follows_the_content_of_all_files(folder: Path) -> None:
    before = load_catalogue(folder).version
    assert load_catalogue(folder).version == before == load_catalogue().version
    with (folder / "crm.yaml").open("a") as file:
        file.write("# a word more\n")
    assert load_catalogue(folder).version != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: crm\nscenarios:\n  - class: timeout\n    titel: x\n", "crm.yaml:4: scenarios.0.titel: Extra inputs"),
        ("kind: crm\nscenarios:\n  - class: tmeout\n", "crm.yaml:3: scenarios.0.class: Input should be"),
        ("kind: crn\n", "crm.yaml:1: kind: Input should be"),
        ("kind: crm\nkind: crm\n", "crm.yaml:2: 'kind' stands twice"),
        ("kind: crm\nscenarios:\n  - class: timeout: x\n", "crm.yaml:3: no readable YAML"),
        ("", "crm.yaml: the file is empty"),
        ("standard: [timeout]\n", "crm.yaml:1: a file needs `kind`, `services`, `trigger: true`"),
        (
            "kind: crm\nextends: http_api\nscenarios:\n  - class: timeout\n    symptoms:\n      - Fine so far\n"
            "      - text: Look at {nobody}\n",
            "crm.yaml:7: scenarios.0.symptoms.1: {nobody} is no placeholder",
        ),
        (
            "kind: crm\nextends: http_api\nscenarios:\n  - class: timeout\n    when: [read,\n      sunny]\n",
            "crm.yaml:5: scenarios.0.when: 'sunny' is no condition",
        ),
        (
            "kind: crm\nscenarios:\n  - class: timeout\n    title: Bare\n",
            "crm.yaml:2: scenarios: scenario timeout has no",
        ),
        ("kind: crm\nservices: [stripe]\n", "'stripe' has a file already"),
    ],
)
def test_a_bad_file_is_named_with_line_and_reason(folder: Path, text: str, message: str) -> None:
    (folder / "crm.yaml").write_text(text)
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "crm.yaml").unlink()
    with pytest.raises(CatalogueError, match=r"crm\.yaml: there is no file for the kind crm"):
        load_catalogue(folder)


def test_an_empty_folder_is_no_catalogue(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="there is no scenario file"):
        load_catalogue(tmp_path)


def test_the_classifier_reads_the_rules_of_the_package() -> None:
    found = load_classifier().explain(
        ErrorFacts(service="postgres", message="ERROR: deadlock detected (SQLSTATE 40P01)")
    )
    assert found.failure_class is FailureClass.RESOURCE_EXHAUSTED
    assert load_classifier() is load_classifier()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "class: timeout\n    source: x\n    phrases: ['(a']",
            "rules.yaml:4: rules.0: rule r: '(a' has a bracket",
        ),
        ("class: timeout\n    source: x\n    services: [acme]\n    codes: ['1']", "'acme' is not among the services"),
        ("class: timeout\n    source: x", "it would always fire"),
        ("class: late\n    source: x\n    phrases: [late]", "rules.yaml:5: rules.0.class: Input should be"),
        ("class: timeout\n    phrases: [late]", "rules.0.source: Field required"),
    ],
)
def test_a_bad_rule_is_named_with_line_and_reason(tmp_path: Path, rule: str, message: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"services:\n  slack: [slack]\nrules:\n  - id: r\n    {rule}\n")
    with pytest.raises(CatalogueError) as caught:
        read_classifier(path)
    assert message in str(caught.value)


def test_a_rule_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    rule = "  - {id: r, class: timeout, source: x, phrases: [late]}\n"
    path.write_text("services: {}\nrules:\n" + rule + rule)
    with pytest.raises(CatalogueError, match=r"rules\.yaml:4: rules\.1\.id: 'r' stands twice"):
        read_classifier(path)
