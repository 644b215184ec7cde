"""Rows of the company: people, credentials, workflows and their versions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runbooks.demo.company import Company, Credential, DemoWorkflow, NodeType, stable_id
from runbooks.demo.rows import Execution

Row = dict[str, Any]

AGE = timedelta(days=240)
"""How long ago the company began."""
DEFINITION = ("nodes", "edges", "viewport", "settings")
RELEASE = timedelta(days=19)
"""Between two versions of a workflow; the current one is older than the history."""


@dataclass(frozen=True)
class Counters:
    """What the platform counts of a workflow's executions."""

    executions: int = 0
    last: datetime | None = None
    success_rate: float = 0.0


def count(executions: Sequence[Execution]) -> dict[str, Counters]:
    """Counters by workflow; executions come earliest first."""
    by_workflow: dict[str, list[Execution]] = {}
    for execution in executions:
        by_workflow.setdefault(execution.workflow_id, []).append(execution)
    return {
        workflow_id: Counters(
            len(group),
            group[-1].started_at,
            round(100 * sum(one.status == "completed" for one in group) / len(group), 2),
        )
        for workflow_id, group in by_workflow.items()
    }


def company_rows(company: Company, counters: Mapping[str, Counters], now: datetime) -> Iterator[tuple[str, list[Row]]]:
    """Rows by table, in an order that the foreign keys allow."""
    born = {"created_at": now - AGE, "updated_at": now - AGE}
    yield "users", [user.model_dump() | {"id": user.id} | born for user in company.users]
    yield "workspaces", [_workspace(company) | born]
    yield "workspace_policies", [_policy(company) | born]
    yield "nodes", [_node_type(node) | born for node in company.node_types]
    yield "credentials", [_credential(one, company, now) | born for one in company.credentials]
    yield "workflows", [_workflow(one, company, counters.get(one.id, Counters()), now) for one in company.workflows]
    yield "workflow_versions", [row for one in company.workflows for row in _versions(one, now)]
    yield "workflow_credentials", [row | born for one in company.workflows for row in _used(one)]


def _workspace(company: Company) -> Row:
    workspace = company.workspace
    return {
        "id": workspace.id,
        "name": workspace.name,
        "slug": workspace.slug,
        "settings": json.dumps(workspace.settings),
        "owner_id": company.user_id(workspace.owner),
    }


def _policy(company: Company) -> Row:
    policy = company.policy
    lists = ("blocked_node_types", "allowed_ai_models", "redaction_rules")
    return {
        "id": stable_id("policy", company.workspace.id),
        "workspace_id": company.workspace.id,
        **policy.model_dump(exclude=set(lists)),
        **{name: json.dumps(getattr(policy, name)) for name in lists},
    }


def _node_type(node: NodeType) -> Row:
    return {
        "id": stable_id("node", node.type),
        "type": node.type,
        "name": node.name,
        "node_kind": node.kind,
        "credential_type": node.credential_type,
    }


def _credential(credential: Credential, company: Company, now: datetime) -> Row:
    days = credential.expires_in_days
    return {
        "id": credential.id,
        "workspace_id": company.workspace.id,
        "type": credential.type,
        "name": credential.name,
        "expires_at": None if days is None else now + timedelta(days=days),
    }


def _workflow(demo: DemoWorkflow, company: Company, counters: Counters, now: datetime) -> Row:
    document = demo.document
    changed = now - AGE + RELEASE * demo.version
    return {
        "id": demo.id,
        "workspace_id": company.workspace.id,
        "created_by": company.user_id(demo.owner),
        "name": document["name"],
        "description": document["description"],
        "is_active": demo.active,
        "trigger_type": document["trigger_type"],
        **{name: json.dumps(document[name]) for name in ("trigger_config", *DEFINITION)},
        "execution_count": counters.executions,
        "last_executed_at": counters.last,
        "success_rate": counters.success_rate,
        "created_at": now - AGE,
        "updated_at": counters.last or changed,
        "deleted_at": changed + RELEASE if demo.deleted else None,
    }


def _versions(demo: DemoWorkflow, now: datetime) -> Iterator[Row]:
    """The current version, which is what the workflow's row holds, and the one before, which lacked the last node."""
    document = demo.document
    last = document["nodes"][-1]["id"]
    before = document | {
        "nodes": document["nodes"][:-1],
        "edges": [edge for edge in document["edges"] if last not in (edge["source"], edge["target"])],
    }
    numbered = [(demo.version, document, "Now in use")]
    if demo.version > 1:
        numbered.insert(0, (demo.version - 1, before, "As it was before the last step was added"))
    for number, content, summary in numbered:
        published = now - AGE + RELEASE * number
        yield {
            "id": version_id(demo, number),
            "workflow_id": demo.id,
            "version_number": number,
            "name": content["name"],
            "description": content["description"],
            "trigger_type": content["trigger_type"],
            **{name: json.dumps(content[name]) for name in ("trigger_config", *DEFINITION)},
            "change_summary": summary,
            "is_published": True,
            "published_at": published,
            "created_at": published,
            "updated_at": published,
        }


def version_id(demo: DemoWorkflow, number: int) -> str:
    """Id of a version's row."""
    return stable_id("version", demo.file, str(number))


def _used(demo: DemoWorkflow) -> Iterator[Row]:
    for node_key, name in demo.credentials.items():
        yield {
            "id": stable_id("use", demo.file, node_key, name),
            "workflow_id": demo.id,
            "credential_id": stable_id("credential", name),
            "node_id": node_key,
        }
