"""Debian's chromium without a window, asked over its own protocol (CDP) by a WebSocket on the loopback."""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium")
START_SECONDS = 60.0  # on a machine with much to do; three else
ANSWER_SECONDS = 60.0
MOST_HEIGHT = 1500  # of a picture: what is below looks like what is above
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--metrics-recording-only",
    "--disable-dev-shm-usage", "--force-device-scale-factor=1", "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip

CHECKS = (Path(__file__).parent / "checks.js").read_text("utf-8")


@dataclass
class Browser:
    """One tab."""

    socket: aiohttp.ClientWebSocketResponse
    requests: list[str] = field(default_factory=list)
    """What a page wanted from elsewhere since it was opened."""
    _number: int = 0

    async def ask(self, method: str, **params: Any) -> Mapping[str, Any]:
        self._number += 1
        await self.socket.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                told = await self.socket.receive_json()
                self._note(told)
                if told.get("id") == self._number:
                    assert "error" not in told, told
                    result: Mapping[str, Any] = told["result"]
                    return result

    def _note(self, told: Mapping[str, Any]) -> None:
        if told.get("method") == "Network.requestWillBeSent":
            url = told["params"]["request"]["url"]
            if not url.startswith(("data:", "about:")):
                self.requests.append(url)

    async def open(self, html: str, *, width: int, is_dark: bool) -> None:
        """Show a page as a telephone of this width would, by day or by night."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        await self.ask("Emulation.setEmulatedMedia", features=[scheme])
        await self.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        self.requests.clear()
        frame = (await self.ask("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        await self.ask("Page.setDocumentContent", frameId=frame, html=html)

    async def faults(self) -> list[str]:
        """What is wrong with the page that is shown, in a phrase each."""
        told = await self.ask("Runtime.evaluate", expression=CHECKS, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        found: list[str] = told["result"]["value"]
        return [*found, *(f"asks for {url[:200]}" for url in self.requests)]

    async def picture(self, *, width: int) -> bytes:
        """A PNG of the page from its top."""
        told = await self.ask("Runtime.evaluate", expression="document.documentElement.scrollHeight")
        height = min(MOST_HEIGHT, int(told["result"]["value"]))
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = await self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Started for this, and ended after it."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            port = await _port(Path(folder) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    tab = next(one for one in await answer.json() if one["type"] == "page")
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    browser = Browser(socket)
                    await browser.ask("Network.enable")
                    await browser.ask("Page.enable")
                    yield browser
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _port(path: Path, process: asyncio.subprocess.Process) -> str:
    """Where it listens: the first line of a file that it writes when it does."""
    async with asyncio.timeout(START_SECONDS):
        while not (told := await asyncio.to_thread(_read, path)):
            assert process.returncode is None, "chromium ended at once"
            await asyncio.sleep(0.05)
    return told.split("\n")[0]


def _read(path: Path) -> str:
    return path.read_text("ascii") if path.exists() else ""
