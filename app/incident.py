"""`runbooks incident`: what to do about one failed execution."""

import json

from app.console import say
from app.coverage import show_markdown
from runbooks.adapters.reactive_store import EDITED
from runbooks.core.incident import Incident
from runbooks.core.incident_page import incident_markdown, incident_steps, incident_tags


def run_incident(execution_id: str, *, output: str) -> int:
    """Explain, store and print, as a flow run when a Prefect server is configured, else directly."""
    from app.prefect_session import quiet_prefect, server_is_configured

    quiet_prefect()
    from flows.execution_failed import execution_failed, meet_incident

    if server_is_configured():
        incident = execution_failed(execution_id)
    else:
        incident = meet_incident(execution_id, step=lambda task: task.fn)
    if incident.outcome == EDITED:
        say(f"A person edited runbook {incident.runbook_id} of this execution; it was left as it is.")
    if output == "json":
        print(json.dumps(as_json(incident), indent=2, ensure_ascii=False))
    else:
        show_markdown(incident_markdown(incident))
    return 0


def as_json(incident: Incident) -> dict[str, object]:
    """The incident as the stored row has it, with what it was told from beside it."""
    section = incident.section.model_dump(mode="json")
    return {
        **incident.model_dump(mode="json", exclude={"section"}),
        "type": "reactive",
        "ai_generated": incident.ai_generated,
        "sections": [section],
        "steps": incident_steps(incident),
        "tags": incident_tags(incident),
    }
