"""A sweep on a cluster: what is told when it cannot be used; tests/acceptance/test_clusters.py has real ones."""

import importlib.util
import socket
from importlib.machinery import ModuleSpec

import pytest

from flows.runners import open_cluster, require_cluster
from runbooks.errors import SettingsError
from runbooks.settings import Settings
from tests.support.prefect import PrefectServer, free_port

KINDS = ["dask", "ray"]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.runners.find_spec", lambda name: ModuleSpec(name, None))


def on(kind: str, address: str | None = "tcp://127.0.0.1:8786") -> Settings:
    return Settings.model_validate({"task_runner": kind, "cluster_address": address})


def test_batches_run_in_this_process_unless_settings_say_otherwise(prefect_server: PrefectServer) -> None:
    with open_cluster(Settings()) as cluster:
        assert cluster is None
    require_cluster(Settings(), server=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_extra_is_told_in_one_line_with_how_to_install_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.runners.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=rf"pip install 'workflow-runbooks\[{kind}\]'") as told:
        require_cluster(on(kind), server=True)
    assert "\n" not in str(told.value)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_without_an_address_or_without_a_server_is_refused(kind: str) -> None:
    with pytest.raises(SettingsError, match="RUNBOOKS_CLUSTER_ADDRESS"):
        require_cluster(on(kind, None), server=True)
    with pytest.raises(SettingsError, match="PREFECT_API_URL"):
        require_cluster(on(kind), server=False)
    require_cluster(on(kind), server=True)


@pytest.mark.skipif(
    importlib.util.find_spec("prefect_dask") is None, reason="pip install 'workflow-runbooks[dask]' to run it"
)
def test_an_address_where_nobody_answers_is_told_in_one_line(
    prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    port = free_port()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(SettingsError, match=f"no dask cluster answers at tcp://127.0.0.1:{port}"),
        open_cluster(on("dask", f"tcp://127.0.0.1:{port}")),
    ):
        raise AssertionError("there is no cluster")
