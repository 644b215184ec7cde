"""`runbooks serve`: the HTTP API until it is stopped; running requests are finished first."""

import logging
import signal
import socket
import sys

import uvicorn

from app.api.application import create_app
from app.api.writing import load_flows
from app.console import say
from app.prefect_session import quiet_prefect
from runbooks.errors import SettingsError
from runbooks.settings import load_settings

GRACE_S = 30
KEEP_ALIVE_S = 15
BACKLOG = 2048


def run_serve(*, host: str, port: int) -> int:
    """Serve until SIGINT or SIGTERM; exit code 0 then."""
    settings = load_settings()
    quiet_prefect()
    listening = _listen(host, port)
    load_flows()  # beside requests it would hold them up for seconds; so they wait for it once
    _log_to_stderr()
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,  # our own line has the request id, and no query
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    for stop in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again when it is done, which would make a clean end look like a crash.
        signal.signal(stop, lambda _number, _frame: None)
    address = listening.getsockname()
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    say(f"Serving on http://{shown}:{address[1]}, documentation at /docs; Ctrl-C ends it.")
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything is said, so that a taken one is an error in one line."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)  # whoever comes before uvicorn is ready waits instead of being refused
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --host or --port"
        ) from error
    return listening


def _log_to_stderr() -> None:
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=form, force=True)
    for taken in ("uvicorn", "fastapi"):  # by Prefect, for a server of its own
        logger = logging.getLogger(taken)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.INFO)
    for quiet in ("uvicorn.access", "httpx", "httpcore", "openai"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
