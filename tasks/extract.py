"""Finding the integrations of each workflow."""

from prefect import task

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.adapters.platform import read_node_catalogue
from runbooks.bootstrap import open_database
from runbooks.core.batch import Batch, with_integrations
from runbooks.settings import load_settings
from tasks.options import OPTIONS


@task(task_run_name="extract integrations", **OPTIONS)
def extract_integrations(batch: Batch) -> Batch:
    """Find the nodes of each workflow that call something outside the platform."""
    with open_database(load_settings()).begin() as connection:
        node_catalogue = read_node_catalogue(connection)
    return with_integrations(batch, load_node_knowledge(), node_catalogue)
