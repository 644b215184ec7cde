"""Where batches run when not in threads of this process: a Dask or Ray cluster that is there already."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

from prefect.settings import get_current_settings
from prefect.task_runners import TaskRunner

from runbooks.errors import SettingsError
from runbooks.settings import Settings

AnyRunner = TaskRunner[Any]

EXAMPLES = {"dask": "tcp://scheduler.example.com:8786", "ray": "ray://head.example.com:10001"}


def require_cluster(settings: Settings, *, server: bool) -> None:
    """Raise SettingsError when the settings name a cluster that cannot be used from here.

    Args:
        settings: Name the kind of cluster and its address.
        server: Whether a Prefect server runs; one that Prefect starts for a single run is not found by the cluster.
    """
    kind = settings.task_runner
    if kind == "local":
        return
    if find_spec(f"prefect_{kind}") is None:
        raise SettingsError(
            f"RUNBOOKS_TASK_RUNNER={kind} needs the extra `{kind}`: pip install 'workflow-runbooks[{kind}]'"
        )
    if settings.cluster_address is None:
        raise SettingsError(f"where is the {kind} cluster? set RUNBOOKS_CLUSTER_ADDRESS, like {EXAMPLES[kind]}")
    if not server:
        raise SettingsError(
            f"RUNBOOKS_TASK_RUNNER={kind} needs a Prefect server: set PREFECT_API_URL, or start `runbooks up`"
        )


@contextmanager
def open_cluster(settings: Settings) -> Iterator[AnyRunner | None]:
    """Connect to the settings' cluster; None when batches run in this process."""
    require_cluster(settings, server=bool(get_current_settings().api.url))
    if settings.task_runner == "local":
        yield None
        return
    connect = {"dask": _dask, "ray": _ray}[settings.task_runner]
    with ExitStack() as stack:
        try:
            runner = stack.enter_context(connect(settings.cluster_address))
        except (OSError, RuntimeError, ValueError) as error:
            raise SettingsError(
                f"no {settings.task_runner} cluster answers at {settings.cluster_address} ({type(error).__name__}); "
                "check RUNBOOKS_CLUSTER_ADDRESS"
            ) from error
        yield runner


@contextmanager
def _dask(address: str | None) -> Iterator[AnyRunner]:
    from prefect_dask import DaskTaskRunner

    with DaskTaskRunner(address=address) as runner:
        _ = runner.client  # connects now, where it can be told apart from a fault of a batch
        yield runner


@contextmanager
def _ray(address: str | None) -> Iterator[AnyRunner]:
    from prefect_ray import RayTaskRunner

    with RayTaskRunner(address=address) as runner:
        yield runner
