"""A real headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from itertools import pairwise

import numpy as np
import websocket
from PIL import Image

from tests.support.processes import ending_with_us
from tests.support.waiting import PATIENCE_S

#: Of the player's page: the frame that is shown.
POSITION = "Number(document.querySelector('canvas').dataset.position)"
KEYS = {
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "Home": 36,
    "End": 35,
    "PageUp": 33,
    "PageDown": 34,
    " ": 32,
    "Tab": 9,
}


@contextlib.contextmanager
def chromium(profile, *more):
    """A browser of its own, with a fresh profile; all its processes are gone afterwards."""
    program = shutil.which("chromium")
    assert program, "no chromium on PATH: run scripts/test, which installs it"
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-dev-shm-usage", "--force-device-scale-factor=1"]
    command += ["--remote-debugging-port=0", "--remote-allow-origins=*", "--hide-scrollbars"]
    child = subprocess.Popen(
        ending_with_us([*command, f"--user-data-dir={profile}", *more, "about:blank"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port = _port(profile / "DevToolsActivePort", child)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(PATIENCE_S)


def _port(file, child, patience_s=PATIENCE_S):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        assert child.poll() is None, f"chromium ended with {child.returncode}"
        with contextlib.suppress(OSError, IndexError):
            return int(file.read_text().splitlines()[0])
        time.sleep(0.05)
    raise AssertionError("chromium opened no port")


class Tab:
    """One page."""

    def __init__(self, port, width=400, height=400):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            address = json.load(answer)["webSocketDebuggerUrl"]
        self.socket = websocket.create_connection(address, timeout=PATIENCE_S)
        self.count = 0
        self.events = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def close(self):
        with contextlib.suppress(Exception):
            self.ask("Page.close")
        self.socket.close()

    def ask(self, method, **params):
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def media(self, **features):
        """``prefers_color_scheme="dark"``, ``prefers_reduced_motion="reduce"``."""
        given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.ask("Emulation.setEmulatedMedia", features=given)

    def open(self, path, fragment="", until="!!document.querySelector('canvas[data-position]')"):
        """A file, or an address; and wait for its first frame."""
        self.ask("Page.navigate", url="about:blank")
        self.events.clear()
        self.ask("Page.navigate", url=path if isinstance(path, str) else path.as_uri() + fragment)
        self.until(f"document.readyState === 'complete' && {until}")

    def js(self, code):
        answer = self.ask("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, code, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while not self.js(code):
            assert time.monotonic() < end, f"never: {code}; {self.problems()}"
            time.sleep(0.02)

    def press(self, key, shift=False):
        about = {
            "key": key,
            "code": "Space" if key == " " else key,
            "windowsVirtualKeyCode": KEYS[key],
            "modifiers": 8 if shift else 0,
        }
        text = {"text": " "} if key == " " else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **about, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, selector):
        box = self.js(
            f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def screenshot(self):
        data = self.ask("Page.captureScreenshot", format="png")["data"]
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            return np.asarray(image.convert("RGB"))

    def problems(self):
        """What the page complained of."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        found = [event for event in self.events if event["method"] in kinds]
        return [event for event in found if "willReadFrequently" not in str(event)]  # the tests do

    def requests(self):
        """Addresses that the page asked for, and was not refused."""
        kind, asked, refused = "Network.requestWillBeSent", {}, set()
        for event in self.events:
            about = event["params"]
            if event["method"] == kind:
                asked[about["requestId"]] = about["request"]["url"]
            if event["method"] == "Network.loadingFailed" and about.get("blockedReason") == "csp":
                refused.add(about["requestId"])
        return [address for request, address in asked.items() if request not in refused]


def at(tab, position):
    tab.until(f"{POSITION} === {position}")


def pixels_of(tab, selector="canvas"):
    """The canvas, read back."""
    code = """((selector) => {
      const canvas = document.querySelector(selector);
      const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      let text = ''; for (const each of data) text += String.fromCharCode(each);
      return [canvas.width, canvas.height, btoa(text)];
    })"""
    width, height, text = tab.js(f"{code}({selector!r})")
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


def on_screen(tab):
    """The canvas as it is shown, out of a screenshot."""
    x, y, width, height = tab.js(
        "(() => { const b = document.querySelector('canvas').getBoundingClientRect();"
        " return [Math.round(b.x), Math.round(b.y), b.width, b.height]; })()"
    )
    return tab.screenshot()[y : y + height, x : x + width]


def text(tab, selector):
    return tab.js(f"document.querySelector({selector!r}).textContent")


#: Chromium's rate of refreshes, and what one lasts.
REFRESH_MS = 1000 / 60


def by_refreshes(tab):
    """From the next page on, a refresh of the screen lasts a sixtieth of a second, however long the machine takes.

    What is due when is exact by this clock. By the machine's own, a busy one shows frames late.
    """
    clock = f"""(() => {{
      let now = 0;
      const refreshed = window.requestAnimationFrame.bind(window);
      const count = () => {{ now += {REFRESH_MS}; refreshed(count); }};
      refreshed(count);
      performance.now = () => now;
      window.requestAnimationFrame = (call) => refreshed(() => call(now));
    }})()"""
    tab.ask("Page.addScriptToEvaluateOnNewDocument", source=clock)


def rounds_ms(tab):
    """How long each round lasted of a movie that is watched."""
    starts_ms = [each[1] for each in tab.js("window.seen") if each[0] == 0]
    return [later - sooner for sooner, later in pairwise(starts_ms)]


def watch(tab):
    """From now on note when each frame is shown."""
    tab.js(
        """window.watcher?.disconnect(); window.seen = []; window.watcher = new MutationObserver(() =>
        window.seen.push([Number(document.querySelector('canvas').dataset.position), performance.now(),
        document.querySelector('#label').textContent]))
        ;
        window.watcher.observe(document.querySelector('canvas'), {attributeFilter: ['data-position']})"""
    )
