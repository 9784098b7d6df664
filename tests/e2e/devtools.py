"""One Chromium for many pages, spoken to by its own protocol: widths of the window, what a page asks for, what it complains of."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

# what a browser that is started by a test leaves alone
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass
class Tab:
    """A tab: every address that it asked for and every complaint are kept until the next `open`."""

    socket: ClientConnection
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers. Raises `RuntimeError` for what it refuses."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            heard = json.loads(self.socket.recv(timeout=60))
            if heard.get("id") == number:
                if "error" in heard:
                    raise RuntimeError(f"{method}: {heard['error']}")
                return dict(heard["result"])
            self._hear(heard)

    def _hear(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(params)[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.complaints.append(json.dumps(params["args"])[:500])

    def open(self, address: str, width: int = 1366, script: bool = True) -> None:
        """Shows a page in a window of that width, once all that it loads is there."""
        self.asked.clear()
        self.complaints.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Page.navigate", url=address)
        deadline = time.monotonic() + 60
        while self.say("location.href === %s && document.readyState" % json.dumps(address)) != "complete" and time.monotonic() < deadline:  # noqa: UP031
            time.sleep(0.02)

    def say(self, expression: str) -> Any:
        """What a JavaScript expression gives, also where the page itself may run none. Raises `RuntimeError` for one that throws."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def picture(self, file: Path, whole: bool = True) -> None:
        """Keeps the page as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **({"clip": self._whole()} if whole else {}))
        file.write_bytes(base64.b64decode(shot["data"]))

    def _whole(self) -> dict[str, Any]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16_000), "scale": 1}


@contextlib.contextmanager
def tab(program: str, folder: Path) -> Iterator[Tab]:
    """A tab of a browser of its own, which ends with it."""
    command = [program, *QUIET, "--hide-scrollbars", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            said, deadline = folder / "DevToolsActivePort", time.monotonic() + 60
            while not (said.exists() and said.read_text().strip()) and time.monotonic() < deadline:
                time.sleep(0.05)
            port = said.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=30) as answer:
                found = next(each for each in json.load(answer) if each["type"] == "page")
            with connect(found["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
                opened = Tab(socket)
                for domain in ("Page", "Network", "Log", "Runtime"):
                    opened.call(f"{domain}.enable")
                yield opened
        finally:
            process.terminate()
