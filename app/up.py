"""`runbooks up`: everything on one machine, until Ctrl-C."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.console import say
from app.prefect_session import DEFAULTS
from app.processes import Child, answers
from app.up_state import Addresses, HomeLock, lock_home
from runbooks.adapters.schema import upgrade
from runbooks.bootstrap import embedded_postgres, open_database, prefect_database
from runbooks.errors import SettingsError
from runbooks.settings import Settings, load_settings

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound
PREFECT_DATABASE = {"PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL"}
QUERY_S = 2
"""How often the worker asks for runs; Prefect's default would let an event wait 15 s."""
WATCH_S = 1.0
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Kept in files, leases outlive a restart of the server; else their slots would stay taken for ever."""


@dataclass(frozen=True)
class Place:
    """Where to listen."""

    host: str
    prefect_port: int
    api_port: int

    def address(self, port: int) -> str:
        """How a browser on this machine reaches a port."""
        return f"http://{LOOPBACK if self.host in EVERYWHERE else self.host}:{port}"


def run_up(*, host: str, prefect_port: int | None, api_port: int) -> int:
    """Start everything in order, watch it, stop it in the opposite order."""
    settings = load_settings()
    place = Place(host, prefect_port or int(os.environ.get("PREFECT_SERVER_API_PORT", "4200")), api_port)
    with lock_home(settings.home) as lock, _termination_as_interrupt():
        if isinstance(lock, Addresses):
            _show(lock)
            say("It runs already; Ctrl-C where it was started stops it.")
        else:
            _run(settings, place, lock)
    return 0


def _run(settings: Settings, place: Place, lock: HomeLock) -> None:
    with ExitStack() as stack:
        machine = Machine(settings, place, stack)
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

    def __init__(self, settings: Settings, place: Place, stack: ExitStack) -> None:
        self.settings = settings
        self.place = place
        self.stack = stack
        self.env = {**DEFAULTS, "PREFECT_WORKER_QUERY_SECONDS": str(QUERY_S), **os.environ}
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
        """Start again what ends by itself; return never, raise when a part cannot be kept running."""
        while True:
            for child in self.children:
                if child.revive():
                    say(f"The {child.name} had ended and was started again; its log is {child.log}")
            if self.settings.database_url is None:
                embedded_postgres(self.settings).start()
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
        host, port = self.place.host, self.place.prefect_port
        _ensure_free(self.place, port, option="--prefect-port", otherwise="set PREFECT_API_URL")
        address = self.place.address(port)
        # The pages have the API's address written into them, and 4200 by default.
        env = {
            "PREFECT_SERVER_UI_API_URL": f"{address}/api",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
            **self.env,
        }
        if not PREFECT_DATABASE & env.keys():
            env["PREFECT_API_DATABASE_CONNECTION_URL"] = prefect_database(self.settings)
        command = (_installed("prefect"), "server", "start", "--host", host, "--port", str(port))
        self._keep("Prefect server", command, env).wait_until(lambda: answers(f"{address}/api/health"))
        return f"{address}/api"

    def _deploy(self) -> None:
        say("  deployments …")
        self._child("deployment", (_installed("runbooks"), "deploy"), self.env).finish()

    def _start_worker(self) -> None:
        say("  worker …")
        pool = ("--pool", self.settings.work_pool, "--work-queue", self.settings.work_queue, "--type", "process")
        command = (_installed("prefect"), "--no-prompt", "worker", "start", *pool, "--install-policy", "never")
        worker = self._keep("worker", command, self.env)
        worker.wait_until(lambda: "started!" in worker.log.read_text(errors="replace"))

    def _start_api(self) -> str:
        say("  API …")
        port = self.place.api_port
        _ensure_free(self.place, port, option="--api-port", otherwise="stop what runs there")
        address = self.place.address(port)
        command = (_installed("runbooks"), "serve", "--host", self.place.host, "--port", str(port))
        self._keep("API", command, self.env).wait_until(lambda: answers(f"{address}/healthz"))
        return address

    def _keep(self, name: str, command: tuple[str, ...], env: dict[str, str]) -> Child:
        child = self._child(name, command, env)
        self.children.append(child)
        return child

    def _child(self, name: str, command: tuple[str, ...], env: dict[str, str]) -> Child:
        child = Child(name, command, env=env, log=self.logs / f"{name.replace(' ', '-').lower()}.log")
        self.stack.callback(child.stop)
        return child


def _show(addresses: Addresses) -> None:
    print(f"Prefect UI  {addresses.prefect or 'is starting'}")
    if addresses.api:
        print(f"API         {addresses.api}/docs")
    sys.stdout.flush()


def _ensure_free(place: Place, port: int, *, option: str, otherwise: str) -> None:
    host = LOOPBACK if place.host in EVERYWHERE else place.host
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return
    raise SettingsError(f"something answers on port {port} already: choose another with {option}, or {otherwise}")


def _installed(command: str) -> str:
    """A command of the environment that this one is installed in, activated or not."""
    return str(Path(sys.executable).parent / command)


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Stop on SIGTERM, as service managers send it, and on a closed terminal as on Ctrl-C.

    A shell starts what it runs in the background with Ctrl-C's signal ignored; whoever sends it then means it.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
