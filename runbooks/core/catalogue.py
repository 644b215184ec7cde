"""The failure catalogue: what goes wrong at a service, how it looks, what to do.

Text of a service lies over that of its kind, and that over the kind it extends; a scenario takes over from below what
it does not say itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runbooks.core.catalogue_source import CatalogueFile
from runbooks.core.failure_classes import FailureClass
from runbooks.core.integration import IntegrationKind
from runbooks.core.scenario import REQUIRED, FileRejected, Layer, Scenario, check_texts, compile_scenario
from runbooks.core.templates import Template, compile_template
from runbooks.core.terms import INTEGRATION_PLACEHOLDERS, TERMS

WORKFLOW_FILE = "workflow"
TRIGGER_FILE = "trigger"
KEPT_FOR_TRIGGERS = frozenset({FailureClass.PERMISSION_DENIED, FailureClass.QUOTA_OR_BILLING})
"""Classes about which a service's own text holds for its triggers too."""


@dataclass(frozen=True)
class Knowledge:
    """What is known of one service, all files laid over each other."""

    scenarios: tuple[Scenario, ...]
    standard: frozenset[FailureClass]
    terms: Mapping[str, Template]
    """What the service calls things: `console`, `status_page`, …"""


@dataclass
class Catalogue:
    """All files. Look-ups are resolved once each; raise FileRejected for files that do not fit together."""

    files: Mapping[str, CatalogueFile]
    """By name without ending, which is the first part of the ids of its scenarios."""
    version: str
    """Short hash of the content of all files."""
    _known: dict[tuple[str | None, IntegrationKind | None], Knowledge] = field(default_factory=dict, repr=False)
    _of_triggers: dict[tuple[str | None, IntegrationKind], Knowledge] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._by_kind: dict[IntegrationKind, str] = {}
        self._by_service: dict[str, str] = {}
        for name, file in self.files.items():
            check_texts(name, file)
            if file.kind and not file.services:
                self._claim(self._by_kind, file.kind, name, ("kind",))
            for position, service in enumerate(file.services):
                self._claim(self._by_service, service, name, ("services", position))
        self._check_structure()

    def _claim(self, owners: dict[Any, str], key: str, name: str, where: tuple[str | int, ...]) -> None:
        if key in owners:
            raise FileRejected(name, where, f"{str(key)!r} has a file already, {owners[key]}.yaml")
        owners[key] = name

    def _check_structure(self) -> None:
        if not self.files.get(WORKFLOW_FILE) or not self.files[WORKFLOW_FILE].workflow:
            raise FileRejected(WORKFLOW_FILE, (), "the scenarios of workflows as such are missing (`workflow: true`)")
        if not self.files.get(TRIGGER_FILE) or not self.files[TRIGGER_FILE].trigger:
            raise FileRejected(TRIGGER_FILE, (), "the scenarios of triggers are missing (`trigger: true`)")
        missing = [kind for kind in IntegrationKind if kind not in self._by_kind]
        if missing:
            raise FileRejected(missing[0].value, (), f"there is no file for the kind {missing[0].value}")
        for name, file in self.files.items():
            if file.extends and not file.services and self.files[self._by_kind[file.extends]].extends:
                raise FileRejected(name, ("extends",), f"{file.extends} extends a kind itself; extend that one")

    @property
    def services(self) -> tuple[str, ...]:
        """Every service that has a file."""
        return tuple(self._by_service)

    def kind_of(self, service_id: str) -> IntegrationKind | None:
        """The kind that a service's file names, if it names one."""
        name = self._by_service.get(service_id)
        return self.files[name].kind if name else None

    def knowledge(self, service_id: str, kind: IntegrationKind) -> Knowledge:
        """What is known of a service; of its kind when the service has no file."""
        key = (self._file_of(service_id, kind), kind)
        if key not in self._known:
            self._known[key] = self._resolve(*self._chain(*key))
        return self._known[key]

    def trigger_knowledge(self, service_id: str, kind: IntegrationKind) -> Knowledge:
        """What is known of a trigger that waits for a service: it fails without a failed execution to look at."""
        key = (self._file_of(service_id, kind), kind)
        if key not in self._of_triggers:
            self._of_triggers[key] = self._resolve_trigger(self.knowledge(service_id, kind), self._chain(*key))
        return self._of_triggers[key]

    def _resolve_trigger(self, service: Knowledge, chain: list[str]) -> Knowledge:
        if any(self.files[name].reads for name in chain):
            return service
        trigger = self._resolve(TRIGGER_FILE)
        covered = {one.failure_class for one in trigger.scenarios}
        kept = [
            # What is not kept is still there for the case that history has such a failure.
            one if _holds_for_triggers(one) else replace(one, own=False)
            for one in service.scenarios
            if _holds_for_triggers(one) or one.failure_class not in covered
        ]
        return Knowledge((*trigger.scenarios, *kept), trigger.standard, service.terms)

    @property
    def workflow(self) -> Knowledge:
        """What goes wrong inside any workflow."""
        if (None, None) not in self._known:
            self._known[None, None] = self._resolve(WORKFLOW_FILE)
        return self._known[None, None]

    def check_complete(self) -> None:
        """Resolve everything once; raise FileRejected for a scenario that stays without a part."""
        _ = self.workflow
        self._resolve(TRIGGER_FILE)
        for kind in IntegrationKind:
            self.knowledge("", kind)
        for service in self.services:
            self._check_service(service)

    def _check_service(self, service: str) -> None:
        name = self._by_service[service]
        kind = self.files[name].kind
        found: set[str] = set()
        for one in [kind] if kind else IntegrationKind:
            found |= {scenario.id for scenario in self.knowledge(service, one).scenarios}
        for position, scenario in enumerate(self.files[name].scenarios):
            if f"{name}.{scenario.key}" not in found:
                raise FileRejected(
                    name, ("scenarios", position), f"scenario {scenario.key} is incomplete over every kind of service"
                )

    def _file_of(self, service_id: str, kind: IntegrationKind) -> str | None:
        """The service's file; that of the family for a member without one (`google_forms` → `google`)."""
        if service_id in self._by_service:
            return self._by_service[service_id]
        family = service_id
        while "_" in family:
            family = family.rpartition("_")[0]
            name = self._by_service.get(family)
            if name and self.files[name].kind in (None, kind):
                return name
        return None

    def _chain(self, service_file: str | None, kind: IntegrationKind) -> list[str]:
        below = (self.files[service_file].extends if service_file else None) or kind
        name = self._by_kind[below]
        extends = self.files[name].extends
        base = [self._by_kind[extends]] if extends else []
        return [*base, name, *([service_file] if service_file else [])]

    def _resolve(self, *names: str) -> Knowledge:
        layers: dict[str, Layer] = {}
        terms: dict[str, str] = {}
        standard: set[FailureClass] = set()
        for name in names:
            file = self.files[name]
            standard.update(file.standard)
            terms.update(file.terms)
            self._lay_over(layers, name, file)
        last = self.files[names[-1]]
        foreign = bool(last.services) and (last.extends or last.kind) is not self.files[names[-2]].kind
        scenarios = []
        for key, layer in layers.items():
            lacks = [part for part in REQUIRED if layer.fields.get(part) is None]
            if not lacks:
                scenarios.append(compile_scenario(key, layer, last))
            elif not foreign:
                # A service's file is written over its own kind, or over several; over another it hangs in the air.
                raise FileRejected(
                    layer.file, ("scenarios",), f"scenario {key} has no {', '.join(lacks)}, and nothing to take it from"
                )
        known = INTEGRATION_PLACEHOLDERS - TERMS
        return Knowledge(
            scenarios=tuple(scenarios),
            standard=frozenset(standard),
            terms={name: compile_template(text, known) for name, text in terms.items()},
        )

    def _lay_over(self, layers: dict[str, Layer], name: str, file: CatalogueFile) -> None:
        for key, prior in file.priors.items():
            if key in layers:
                layers[key] = replace(layers[key], fields={**layers[key].fields, "prior": prior})
            elif not any(scenario.key == key for scenario in file.scenarios):
                raise FileRejected(name, ("priors", key), f"there is no scenario {key!r} to give a prior to")
        for position, scenario in enumerate(file.scenarios):
            below = layers.get(scenario.key)
            if below and below.fields["failure_class"] is not scenario.failure_class:
                raise FileRejected(
                    name, ("scenarios", position), f"scenario {scenario.key} has another class in {below.file}.yaml"
                )
            said = {field: getattr(scenario, field) for field in scenario.model_fields_set}
            given: dict[str, Any] = {"docs": file.docs} if file.docs else {}
            if scenario.key in file.priors:
                given["prior"] = file.priors[scenario.key]
            fields = {**(below.fields if below else {}), **given, **said}
            layers[scenario.key] = Layer(fields, name, own=bool(file.services))


def _holds_for_triggers(scenario: Scenario) -> bool:
    return scenario.own and (scenario.failure_class in KEPT_FOR_TRIGGERS or "inbound" in scenario.when.needs)
