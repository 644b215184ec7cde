"""The files of the failure catalogue, read from the package `prompts`; a bad one is named with line and reason."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runbooks.core.catalogue import Catalogue
from runbooks.core.catalogue_source import CatalogueFile
from runbooks.core.classifier import Classifier, Rule
from runbooks.core.failure_classes import FailureClass
from runbooks.core.phrases import compile_code, compile_phrase
from runbooks.core.scenario import FileRejected
from runbooks.errors import CatalogueError

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # pragma: no cover - PyYAML without libyaml is several times slower, and right as well
    from yaml import SafeLoader as Loader  # type: ignore[assignment] # same interface

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


def load_catalogue(folder: Traversable | None = None) -> Catalogue:
    """Read all scenario files; raise CatalogueError with file, line and reason for a bad one."""
    folder = folder or files("prompts") / "scenarios"
    documents = {entry.name.removesuffix(".yaml"): Document(entry) for entry in _yaml_files(folder)}
    try:
        read = {name: document.validate(CatalogueFile) for name, document in documents.items()}
        catalogue = Catalogue(read, version_of(documents))
        catalogue.check_complete()
    except FileRejected as rejected:
        document = documents.get(rejected.file)
        if document is None:
            raise CatalogueError(f"{rejected.file}.yaml: {rejected.reason}") from None
        raise document.error(rejected.where, rejected.reason) from None
    return catalogue


class Document:
    """One YAML file: its content as plain data, and the line of each part."""

    def __init__(self, entry: Traversable) -> None:
        self.name = entry.name
        self.raw = entry.read_bytes()
        self._lines: dict[Path, int] = {}
        try:
            loader = Loader(self.raw)
            node = loader.get_single_node()
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            reason = getattr(error, "problem", None) or str(error).splitlines()[0]
            raise CatalogueError(f"{self.name}{line}: no readable YAML: {reason}") from None
        if node is None:
            raise CatalogueError(f"{self.name}: the file is empty")
        self._construct_scalar = loader.construct_object
        self.content = self._read(node, ())

    def validate(self, model: type[Model]) -> Model:
        """The content as a model, or a CatalogueError that names the line."""
        try:
            return model.model_validate(self.content)
        except ValidationError as error:
            first = error.errors()[0]
            raise self.error(first["loc"], _reason(first)) from None

    def error(self, where: Path, reason: str) -> CatalogueError:
        """An error at the innermost part of a path that has a line."""
        path = tuple(where)
        while path and path not in self._lines:
            path = path[:-1]
        place = ".".join(str(part) for part in where)
        return CatalogueError(f"{self.name}:{self._lines.get(path, 1)}: {f'{place}: ' if place else ''}{reason}")

    def _read(self, node: yaml.Node, path: Path) -> Any:
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path))
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._read(child, (*path, number)) for number, child in enumerate(node.value))
        return self._construct_scalar(node)

    def _pairs(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[Any, Any]]:
        seen = set()
        for key_node, value_node in node.value:
            key = self._construct_scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise CatalogueError(f"{self.name}:{key_node.start_mark.line + 1}: a key must be a word")
            if key in seen:
                raise CatalogueError(f"{self.name}:{key_node.start_mark.line + 1}: {key!r} stands twice")
            seen.add(key)
            value = self._read(value_node, (*path, key))
            self._lines[*path, key] = key_node.start_mark.line + 1
            yield key, value


def _yaml_files(folder: Traversable) -> list[Traversable]:
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    if not found:
        raise CatalogueError(f"{folder}: there is no scenario file")
    return sorted(found, key=lambda entry: entry.name)


def version_of(documents: Mapping[str, Document]) -> str:
    """Short hash of names and contents."""
    digest = hashlib.sha256()
    for name in sorted(documents):
        digest.update(f"{name}\0{len(documents[name].raw)}\0".encode())
        digest.update(documents[name].raw)
    return digest.hexdigest()[:12]


def _reason(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    return f"{message} (it is {given!r})" if isinstance(given, str | int | float) and len(str(given)) < 60 else message


class RuleSource(BaseModel):
    """One rule as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    failure_class: FailureClass = Field(alias="class")
    source: str = Field(min_length=1)
    phrases: tuple[str, ...] = ()
    codes: tuple[str | int, ...] = ()
    services: tuple[str, ...] = ()
    status_codes: tuple[int, ...] = ()
    unless_status_codes: tuple[int, ...] = ()
    statuses: tuple[str, ...] = ()


class RuleFile(BaseModel):
    """The file of rules; `services` are the names that rules use, each with the words that betray it.

    `fallback_rules` are tried after all `rules`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: dict[str, tuple[str, ...]]
    rules: tuple[RuleSource, ...] = Field(min_length=1)
    fallback_rules: tuple[RuleSource, ...] = ()


@cache
def load_classifier() -> Classifier:
    """The classifier with the rules of the package; raise CatalogueError for a bad rule."""
    return read_classifier(files("prompts") / "failure_rules.yaml")


def read_classifier(entry: Traversable) -> Classifier:
    """A classifier from a file of rules; raise CatalogueError with file, line and reason for a bad one."""
    document = Document(entry)
    file = document.validate(RuleFile)
    seen: set[str] = set()
    rules: list[Rule] = []
    lists = {"rules": file.rules, "fallback_rules": file.fallback_rules}
    for part, number, rule in ((part, *item) for part, of_part in lists.items() for item in enumerate(of_part)):
        if rule.id in seen:
            raise document.error((part, number, "id"), f"{rule.id!r} stands twice")
        seen.add(rule.id)
        try:
            rules.append(_compile_rule(rule, file.services, fallback=part == "fallback_rules"))
        except ValueError as error:
            raise document.error((part, number), f"rule {rule.id}: {error}") from None
    return Classifier(rules)


def _compile_rule(rule: RuleSource, services: Mapping[str, Iterable[str]], *, fallback: bool) -> Rule:
    unknown = [name for name in rule.services if name not in services]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not among the services at the head of the file")
    phrases = [compile_phrase(text) for text in rule.phrases] + [compile_code(str(code)) for code in rule.codes]
    if not (phrases or rule.status_codes or rule.statuses):
        raise ValueError("it has neither phrases, codes, status codes nor statuses, so it would always fire")
    return Rule(
        id=rule.id,
        failure_class=rule.failure_class,
        source=rule.source,
        phrases=tuple(phrases),
        services=frozenset(word for name in rule.services for word in services[name]),
        status_codes=frozenset(rule.status_codes),
        unless_status_codes=frozenset(rule.unless_status_codes),
        statuses=frozenset(rule.statuses),
        fallback=fallback,
    )
