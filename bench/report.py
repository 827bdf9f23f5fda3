# SPDX-License-Identifier: MIT
"""How long the HTML report of 100 000 spans takes to open, and its longest frame while it zooms.

The page is that of a trace made from a fixed seed (trace_events.lua), and the same for each run.
Chromium opens it without a window. All times are from the browser's own trace.
"""

import os
import statistics
import sys
import tempfile

import harness

sys.path.insert(0, os.path.join(harness.HERE, "..", "tests", "support"))
import browser  # noqa: E402 (of the tests)

SEED = 1
OPEN_LIMIT, FRAME_LIMIT = 3000, 100  # ms
CATEGORIES = ["devtools.timeline", "blink.user_timing", "loading", "toplevel",
              "disabled-by-default-devtools.timeline.frame"]

# Zooms in around one place and out again, then pans, a step a frame.
GESTURES = """
new Promise((done) => {
  const canvas = document.querySelector("#panels canvas");
  const { left, top, width } = canvas.getBoundingClientRect();
  const turn = (options) => canvas.dispatchEvent(new WheelEvent("wheel", { bubbles: true,
    cancelable: true, clientX: left + width * 0.4, clientY: top + 100, ...options }));
  const steps = [];
  for (let i = 0; i < 60; i++) steps.push({ deltaY: -120, ctrlKey: true });
  for (let i = 0; i < 60; i++) steps.push({ deltaY: 120, ctrlKey: true });
  for (let i = 0; i < 12; i++) steps.push({ deltaY: -120, ctrlKey: true });
  for (let i = 0; i < 40; i++) steps.push({ deltaX: 60 });
  for (let i = 0; i < 40; i++) steps.push({ deltaX: -60 });
  performance.mark("gestures");
  const next = () => {
    if (steps.length === 0) {
      performance.mark("rest");
      requestAnimationFrame(() => done(true));
      return;
    }
    turn(steps.shift());
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})
"""


def make_page(build, path, spans):
    command = harness.septet(build, "report.lua") + [str(spans), str(SEED), path]
    return harness.run_alone(command, None, "").strip()


class Trace:
    """The browser's own trace of one page."""

    def __init__(self, page):
        self.page = page
        page.call("Tracing.start", transferMode="ReportEvents",
                  traceConfig={"includedCategories": CATEGORIES, "excludedCategories": ["*"]})

    def stop(self):
        """Ends the trace, and keeps its events, by time."""
        self.page.call("Tracing.end")
        self.page.wait_for_event("Tracing.tracingComplete")
        self.events = [
            event for message in self.page.events if message["method"] == "Tracing.dataCollected"
            for event in message["params"]["value"]]
        self.events.sort(key=lambda event: event.get("ts", 0))
        marks = [event for event in self.events if event["name"] == "gestures"]
        # The process and the main thread of the page are those of its marks.
        self.thread = {(event["pid"], event["tid"]) for event in marks}

    def all(self, name):
        return [event for event in self.events if event["name"] == name]

    def time(self, name):
        """Returns when the last event of that name was, in us."""
        found = self.all(name)
        if not found:
            raise harness.CannotRun(f"the browser's trace has no '{name}'")
        return found[-1]["ts"]

    def tasks(self):
        """Returns the tasks of the page's main thread, as (start, CPU) in us."""
        return [(event["ts"], event["tdur"]) for event in self.events
                if event["name"] in ("RunTask", "ThreadControllerImpl::RunTask")
                and "tdur" in event and (event["pid"], event["tid"]) in self.thread]


def drawn(trace):
    """Returns the times at which a frame of the page was drawn, in us."""
    pids = {pid for pid, _ in trace.thread}
    return [event["ts"] for event in trace.all("FireAnimationFrame") if event["pid"] in pids]


def measure(path):
    """Opens the page and zooms. Returns a dictionary of ms."""
    with browser.Browser(width=1280, height=900) as page:
        page.call("Page.navigate", url="about:blank")
        trace = Trace(page)
        page.open(path)
        page.run("lanes.scrollIntoView({ behavior: 'instant' })")
        page.settle()
        page.run(GESTURES)
        trace.stop()
        complaints = page.complaints()
    if complaints:
        raise harness.CannotRun(f"the page complains: {complaints[0]}")
    begin, end = trace.time("gestures"), trace.time("rest")
    frames = [at for at in drawn(trace) if begin <= at <= end]
    intervals = [b - a for a, b in zip(frames, frames[1:])]
    work = [cpu for at, cpu in trace.tasks() if begin <= at <= end]
    if len(intervals) < 100 or not work:
        raise harness.CannotRun(f"the browser's trace has {len(intervals)} frames")
    return {
        "open": (trace.time("drawn") - trace.time("navigationStart")) / 1e3,
        "frame": max(intervals) / 1e3,
        "median frame": statistics.median(intervals) / 1e3,
        "work": max(work) / 1e3,
    }


def run(args):
    with tempfile.TemporaryDirectory(prefix="septet-bench-") as folder:
        path = os.path.join(folder, "report.html")
        print(f"page of {args.spans} spans: {make_page(args.build, path, args.spans)}")
        rounds = [measure(path) for _ in range(args.rounds)]
    figures = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    print(f"opens in {figures['open']:.0f} ms, from the navigation until the lanes are drawn")
    print(f"longest frame {figures['frame']:.0f} ms, median {figures['median frame']:.0f} ms; "
          f"most CPU that the page used for one {figures['work']:.0f} ms")
    found = []
    if args.check and figures["open"] >= OPEN_LIMIT:
        found.append(f"opens in {figures['open']:.0f} ms, not in less than {OPEN_LIMIT}")
    if args.check and figures["frame"] > FRAME_LIMIT:
        found.append(f"a frame of {figures['frame']:.0f} ms, above {FRAME_LIMIT}")
    return found


def main():
    parser = harness.new_parser(__doc__, 3)
    parser.add_argument("--spans", type=int, default=100000)
    return harness.run_main("report", run, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
