"""Headless Chromium over its own protocol: what a browser shows is what counts, and no driver has to be installed."""

import base64
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

START_S = 60
WAIT_S = 30
QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-domain-reliability",
    "--metrics-recording-only",
    "--disable-gpu",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def installed_chromium() -> str | None:
    """Path of the browser, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """One tab; elements are found by CSS selector, or by the text that a person reads."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self.errors: list[str] = []
        """What the page's own code complained about."""
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._ids)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(timeout=WAIT_S))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(message["params"]["exceptionDetails"].get("exception", {}))[:300])

    def open(self, url: str) -> None:
        """Go to an address."""
        self.send("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    @property
    def text(self) -> str:
        """All that can be read."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    @property
    def address(self) -> str:
        """Where the page is now."""
        return str(self.run("location.href"))

    def wait_for_text(self, *texts: str, within_s: float = WAIT_S) -> None:
        """Wait until all of these can be read."""
        deadline = time.monotonic() + within_s
        while missing := [text for text in texts if text not in self.text]:
            assert time.monotonic() < deadline, f"{missing} not on {self.address}:\n{self.text[:2000]}"
            time.sleep(0.2)

    def click(self, text: str, *, among: str = "button, a, [role=menuitem], [role=option], label, summary") -> None:
        """Click what carries exactly this text, the last of several: what was opened last lies on top."""
        self._click(f"[...document.querySelectorAll({among!r})].filter(e => e.innerText.trim() === {text!r}).at(-1)")

    def link(self, text: str) -> str:
        """Where the first link with exactly this text leads."""
        script = f"[...document.querySelectorAll('a')].find(e => e.innerText.trim() === {text!r})?.href"
        return str(self.run(script))

    def click_field(self, name: str, control: str) -> None:
        """Click a control of the form's field with this name."""
        self._click(
            f"[...document.querySelectorAll('.schema-form-property')]"
            f".find(e => e.querySelector('label').innerText.startsWith({name!r}))?.querySelector({control!r})"
        )

    def fill(self, name: str, text: str) -> None:
        """Type into the form's field with this name."""
        self.click_field(name, "textarea, input")
        self.send("Input.insertText", text=text)

    def screenshot(self, path: Path, *, width: int = 1280, height: int = 800) -> None:
        """Keep what can be seen as a PNG."""
        self.size(width, height)
        time.sleep(0.5)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def size(self, width: int, height: int) -> None:
        """Size of the window."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def _click(self, element: str) -> None:
        script = f"""(() => {{ const e = {element}; if (!e) return null; e.scrollIntoView({{block: 'center'}});
            const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] }})()"""
        deadline = time.monotonic() + WAIT_S
        while not (place := self.run(script)):
            assert time.monotonic() < deadline, f"nothing to click: {element} on {self.address}:\n{self.text[:1500]}"
            time.sleep(0.2)
        time.sleep(0.1)
        place = self.run(script) or place  # after scrolling
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)


@contextmanager
def browser(folder: Path, chromium: str) -> Iterator[Page]:
    """A browser with an empty profile in this folder."""
    log = (folder / "chromium.log").open("wb")
    command = [chromium, *QUIET, f"--user-data-dir={folder / 'profile'}", "--window-size=1280,900", "about:blank"]
    with log, subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL) as process:
        try:
            with connect(_debugger(folder, process), max_size=None) as connection:
                page = Page(connection)
                page.size(1280, 900)
                yield page
        finally:
            process.terminate()
            process.wait(timeout=20)


def _debugger(folder: Path, process: "subprocess.Popen[bytes]") -> str:
    """Address of the first tab, once the browser tells its port."""
    told = folder / "profile" / "DevToolsActivePort"
    deadline = time.monotonic() + START_S
    while not (told.exists() and told.read_text().strip()):
        assert process.poll() is None, (folder / "chromium.log").read_text()
        assert time.monotonic() < deadline, "Chromium does not start"
        time.sleep(0.1)
    port = told.read_text().splitlines()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
        tabs = json.load(answer)
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
