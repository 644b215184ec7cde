"""`runbooks up`: everything on one machine, until Ctrl-C."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from app.console import say
from app.prefect_session import DEFAULTS
from app.processes import Child, answers
from app.up_state import Addresses, HomeLock, lock_home
from runbooks.adapters.schema import upgrade
from runbooks.bootstrap import open_database, prefect_database
from runbooks.errors import SettingsError
from runbooks.settings import Settings, load_settings

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound
WATCH_S = 0.5


def run_up() -> int:
    """Start everything in order, watch it, stop it in the opposite order."""
    settings = load_settings()
    with lock_home(settings.home) as lock, _termination_as_interrupt():
        if isinstance(lock, Addresses):
            _show(lock)
            say("It runs already; Ctrl-C where it was started stops it.")
            return 0
        _run(settings, lock)
    return 0


def _run(settings: Settings, lock: HomeLock) -> None:
    with ExitStack() as stack:
        machine = Machine(settings, stack)
        try:
            addresses = machine.start()
            lock.publish(addresses)
            _show(addresses)
            say("Ctrl-C stops all of it.")
            machine.watch()
        except KeyboardInterrupt:
            say("Stopping …")
        finally:
            # A second Ctrl-C would leave behind what has not been stopped yet.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    say("Stopped; the data is kept.")


class Machine:
    """The parts that run here; what was started is stopped by the stack, last first."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings = settings
        self.stack = stack
        self.env = {**DEFAULTS, "PREFECT_WORKER_QUERY_SECONDS": "2", **os.environ}
        self.env.pop("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", None)  # the consoles are log files here
        self.children: list[Child] = []

    def start(self) -> Addresses:
        """Start the parts one after the other."""
        say(f"Starting; logs are in {self.logs}")
        self._migrate()
        prefect_api = self.env.get("PREFECT_API_URL") or self._start_prefect()
        self.env["PREFECT_API_URL"] = prefect_api
        self._deploy()
        self._start_worker()
        return Addresses(prefect=prefect_api.removesuffix("/api"), prefect_api=prefect_api, api=self._start_api())

    def watch(self) -> None:
        """Return never; raise when one of the parts ends."""
        while True:
            for child in self.children:
                child.check()
            time.sleep(WATCH_S)

    @property
    def logs(self) -> Path:
        """Folder of the logs."""
        return self.settings.home / "logs"

    def _migrate(self) -> None:
        say(f"  database: {'the embedded PostgreSQL' if self.settings.database_url is None else 'yours'}")
        for line in upgrade(open_database(self.settings).url):
            say(f"    {line}")

    def _start_prefect(self) -> str:
        say("  Prefect server …")
        host, port = (
            self.env.get("PREFECT_SERVER_API_HOST", LOOPBACK),
            int(self.env.get("PREFECT_SERVER_API_PORT", "4200")),
        )
        _ensure_free(host, port, setting="PREFECT_SERVER_API_PORT")
        api = f"http://{_seen_at(host)}:{port}/api"
        own = {"PREFECT_SERVER_UI_API_URL": api, **self.env}
        if not {"PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL"} & self.env.keys():
            own["PREFECT_API_DATABASE_CONNECTION_URL"] = prefect_database(self.settings)
        command = (_installed("prefect"), "server", "start", "--host", host, "--port", str(port))
        self._keep("Prefect server", command, own).wait_until(lambda: answers(f"{api}/health"))
        return api

    def _deploy(self) -> None:
        say("  deployments …")
        deployment = self._child("deployment", (_installed("runbooks"), "deploy"), self.env)
        deployment.finish()

    def _start_worker(self) -> None:
        say("  worker …")
        pool = ("--pool", self.settings.work_pool, "--work-queue", self.settings.work_queue, "--type", "process")
        command = (_installed("prefect"), "--no-prompt", "worker", "start", *pool, "--install-policy", "never")
        worker = self._keep("worker", command, self.env)
        worker.wait_until(lambda: "started!" in worker.log.read_text(errors="replace"))

    def _start_api(self) -> str | None:
        if find_spec("app.serve") is None:
            return None
        say("  API …")
        return None

    def _keep(self, name: str, command: tuple[str, ...], env: dict[str, str]) -> Child:
        child = self._child(name, command, env)
        self.children.append(child)
        return child

    def _child(self, name: str, command: tuple[str, ...], env: dict[str, str]) -> Child:
        child = Child(name, command, env=env, log=self.logs / f"{name.replace(' ', '-').lower()}.log")
        self.stack.callback(child.stop)
        return child


def _show(addresses: Addresses) -> None:
    print(f"Prefect UI  {addresses.prefect or 'starting'}")
    if addresses.api:
        print(f"API         {addresses.api}")
    sys.stdout.flush()


def _seen_at(host: str) -> str:
    return LOOPBACK if host in EVERYWHERE else host


def _ensure_free(host: str, port: int, *, setting: str) -> None:
    try:
        with socket.create_connection((_seen_at(host), port), timeout=1):
            pass
    except OSError:
        return
    raise SettingsError(
        f"something answers on port {port} already: set {setting} to another one, "
        f"or PREFECT_API_URL when it is a Prefect server that you want to use"
    )


def _installed(command: str) -> str:
    """A command of the environment that this one is installed in, activated or not."""
    return str(Path(sys.executable).parent / command)


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Stop on SIGTERM, as service managers send it, as on Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before: dict[int, Callable[..., object] | int | None] = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
