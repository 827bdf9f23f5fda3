# SPDX-License-Identifier: MIT
"""A headless Chromium, driven through its DevTools protocol over two pipes. It has a profile of its
own, which is removed with it, and reaches no network but what a page asks of it."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

TIMEOUT = 60
ARGUMENTS = [
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--disable-gpu", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--hide-scrollbars",
    "--force-color-profile=srgb",
]


class BrowserError(Exception):
    """The browser, or a script in a page, failed."""


def find():
    """Returns the path of Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """The browser's process and its only page. `events` has what the page sent, as dictionaries."""

    def __init__(self, width=1280, height=900, scale=1, environment=None):
        self.profile = tempfile.TemporaryDirectory(prefix="septet-browser-")
        self.number, self.events, self.replies, self.unread = 0, [], {}, b""
        try:
            self.start(width, height, environment)
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
                "sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(domain + ".enable")
            self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=scale, mobile=False)
        except BaseException:
            self.close()
            raise

    def start(self, width, height, environment):
        self.session = None
        # The browser reads commands from its descriptor 3 and writes to 4.
        read_command, self.write_end = os.pipe()
        self.read_end, write_reply = os.pipe()
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        # The shell moves the pipes to where the browser looks for them.
        command = [
            "sh", "-c", f'exec 3<&{read_command} 4>&{write_reply}; exec "$@"', "sh", find(),
            f"--user-data-dir={self.profile.name}", f"--window-size={width},{height}",
            *ARGUMENTS, *sandbox,
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, pass_fds=(read_command, write_reply),
            env={**os.environ, "HOME": self.profile.name, **(environment or {})})
        os.close(read_command)
        os.close(write_reply)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        if hasattr(self, "process"):
            if self.process.poll() is None:
                with contextlib.suppress(BrowserError, OSError):
                    self.session = None
                    self.call("Browser.close")
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            os.close(self.write_end)
            os.close(self.read_end)
        # The browser's children may write to the profile until they have ended.
        for _ in range(50):
            try:
                self.profile.cleanup()
                return
            except OSError:
                time.sleep(0.1)

    # --- the protocol ---

    def read_message(self, deadline):
        while b"\0" not in self.unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.read_end], [], [], left)[0]:
                raise BrowserError(f"no answer within {TIMEOUT} s")
            piece = os.read(self.read_end, 1 << 20)
            if not piece:
                raise BrowserError("the browser ended")
            self.unread += piece
        message, _, self.unread = self.unread.partition(b"\0")
        message = json.loads(message)
        if "id" in message:
            self.replies[message["id"]] = message
        else:
            self.events.append(message)

    def call(self, method, **parameters):
        """Returns the result of a method of the protocol."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.write_end, text):]
        deadline = time.monotonic() + TIMEOUT
        while number not in self.replies:
            self.read_message(deadline)
        reply = self.replies.pop(number)
        if "error" in reply:
            raise BrowserError(f"{method}: {reply['error']['message']}")
        return reply["result"]

    def wait_for_event(self, method):
        """Returns the parameters of the first event of a kind, and forgets it."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            for i, event in enumerate(self.events):
                if event["method"] == method:
                    return self.events.pop(i)["params"]
            self.read_message(deadline)

    # --- the page ---

    def open(self, path):
        """Opens a file, and returns once it is loaded and drawn."""
        self.open_url("file://" + os.path.abspath(path))

    def open_url(self, url):
        """Likewise."""
        self.load(url)
        self.settle()

    def load(self, url):
        """Opens a page, and returns once it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for_event("Page.loadEventFired")

    def settle(self):
        """Returns once the page has drawn what it wanted to draw."""
        self.run("new Promise((f) => requestAnimationFrame(() => requestAnimationFrame(f)))")

    def run(self, expression):
        """Returns the value of an expression of JavaScript; waits for it if it is a promise."""
        reply = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                          returnByValue=True)
        if "exceptionDetails" in reply:
            details = reply["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return reply["result"].get("value")

    def key(self, key, text="", **more):
        """Presses and releases a key."""
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **extra, **more)
        self.settle()

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def prefer(self, scheme):
        """Emulates the user's preference: "light" or "dark"."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.settle()

    def complaints(self):
        """Returns what the page logged: errors, warnings, violations of its policy, exceptions."""
        found = []
        for event in self.events:
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(parameters["exceptionDetails"]["text"] + " " + parameters[
                    "exceptionDetails"].get("exception", {}).get("description", ""))
            elif event["method"] == "Runtime.consoleAPICalled":
                found.append(" ".join(str(a.get("value")) for a in parameters["args"]))
            elif event["method"] == "Log.entryAdded":
                found.append(parameters["entry"]["text"])
        return found

    def requested(self):
        """Returns the URLs that the page asked for."""
        return [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]

    def picture(self, path, clip=None):
        """Saves the page, or a rectangle of it, as PNG."""
        options = {"clip": {**clip, "scale": 1}} if clip else {}
        reply = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                          **options)
        with open(path, "wb") as file:
            file.write(base64.b64decode(reply["data"]))
