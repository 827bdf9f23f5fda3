# SPDX-License-Identifier: MIT
"""The HTML report in a browser: it logs nothing and asks for nothing, shows the numbers of its
trace, zooms, filters, obeys the keys, has names for all that has none on the screen, and runs
nothing that a trace says."""

import json
import math
import os
import re
import subprocess
import tempfile
import unittest

import browser

HERE = os.path.dirname(os.path.abspath(__file__))
PAGES = ("large", "sampled", "panels", "empty", "one", "open", "hostile")
THIN = "\u202f"
CONTRAST = """
(() => {
  const rgb = (text) => {
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = text;
    return [1, 3, 5].map((i) => parseInt(probe.fillStyle.slice(i, i + 2), 16) / 255);
  };
  const light = (text) => rgb(text).map((v) => v <= 0.04045 ? v / 12.92
    : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const style = getComputedStyle(document.documentElement);
  const of = (name) => light(style.getPropertyValue("--" + name).trim());
  const pairs = [];
  for (const ink of ["ink", "muted", "accent", "bad"]) {
    pairs.push([ink, "paper"], [ink, "sheet"]);
  }
  for (const bar of ["http", "sleep", "tasks", "channel", "sync", "io", "other", "span",
    "cancelled", "alive"]) pairs.push(["bar-ink", "k-" + bar]);
  return pairs.map(([a, b]) => {
    const [x, y] = [of(a), of(b)].sort((p, q) => q - p);
    return [a + " on " + b, (x + 0.05) / (y + 0.05)];
  });
})()
"""


def digits(value):
    if value >= 100 or value == 0:
        return str(math.floor(value + 0.5))
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def shown_time(us):
    """Returns a time as the page shows it."""
    if us < 999.5:
        return f"{us}{THIN}µs"
    if us < 999500:
        return f"{digits(us / 1e3)}{THIN}ms"
    return f"{digits(us / 1e6)}{THIN}s"


def shown_count(n):
    return f"{n:,}".replace(",", THIN)


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if browser.find() is None:
            raise RuntimeError("there is no chromium (Debian package chromium)")
        folder = tempfile.TemporaryDirectory(prefix="septet-report-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        subprocess.run([os.environ["SEPTET"], os.path.join(HERE, "pages.lua"), cls.folder],
                       check=True, stderr=subprocess.DEVNULL)
        with open(os.path.join(cls.folder, "numbers.json"), encoding="utf-8") as file:
            cls.numbers = json.load(file)
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def open(self, name):
        self.browser.prefer("light")
        self.browser.open(os.path.join(self.folder, name + ".html"))

    def run_js(self, expression):
        return self.browser.run(expression)

    def text(self, selector):
        return self.run_js(f"document.querySelector({json.dumps(selector)}).textContent")

    def cells(self, table):
        """Returns the rows of a table's body as lists of texts."""
        return self.run_js(f"[...document.querySelectorAll('#{table} tbody tr')].map((row) => "
                           "[...row.cells].map((cell) => cell.textContent))")

    def click(self, selector):
        self.run_js(f"document.querySelector({json.dumps(selector)}).click()")
        self.browser.settle()

    def figures(self):
        return dict(self.run_js("[...document.querySelectorAll('#figures div')].map((div) => "
                                "[div.children[0].textContent, div.children[1].textContent])"))

    def filter(self, text):
        self.run_js(f"filter.value = {json.dumps(text)}; "
                    "filter.dispatchEvent(new Event('input'));"
                    "new Promise((done) => setTimeout(done, 200))")

    def scroll_to_lanes(self):
        self.run_js("document.activeElement.blur();"
                    "lanes.scrollIntoView({ behavior: 'instant' })")
        self.browser.settle()

    def focus_lanes(self, panel=0):
        self.run_js(f"document.querySelectorAll('#panels canvas')[{panel}].focus()")

    def lanes_height(self, panel=0):
        return self.run_js(f"document.querySelectorAll('#panels .view > div')[{panel}]"
                           ".getBoundingClientRect().height")

    # --- what it may do ---

    def test_it_is_quiet_and_asks_for_nothing(self):
        for name in PAGES:
            for scheme in ("light", "dark"):
                with self.subTest(page=name, scheme=scheme):
                    self.browser.prefer(scheme)
                    path = os.path.join(self.folder, name + ".html")
                    self.browser.open(path)
                    self.assertEqual(self.run_js("document.documentElement.dataset.theme"), scheme)
                    self.assertEqual(self.browser.complaints(), [])
                    self.assertEqual(self.browser.requested(), ["file://" + path])

    def test_its_policy_stops_other_scripts_and_all_requests(self):
        self.open("one")
        self.run_js("""(() => {
          const script = document.createElement("script");
          script.textContent = "hacked = 3";
          document.body.append(script);
          const image = document.createElement("img");
          image.src = "http://127.0.0.1:9/x";
          document.body.append(image);
        })()""")
        fetched = self.run_js("fetch('http://127.0.0.1:9/').then(() => 'yes', () => 'no')")
        self.assertEqual(fetched, "no")
        self.assertEqual(self.run_js("typeof hacked"), "undefined")
        complaints = " ".join(self.browser.complaints())
        for directive in ("script-src", "img-src", "connect-src"):
            self.assertIn(directive, complaints)

    def test_what_a_trace_says_is_text(self):
        self.open("hostile")
        self.focus_lanes()
        for key in ("ArrowRight", "ArrowDown", "ArrowRight", "Enter"):
            self.browser.key(key)
        for button in ("#whole", "#tree button", "#slowest button"):
            self.click(button)
        self.assertEqual(self.run_js("[typeof hacked, document.images.length, "
                                     "document.scripts.length]"), ["undefined", 0, 2])
        shown = self.text("#about")
        self.assertIn("</script><script>hacked = 1</script><img", shown)
        self.assertIsNone(re.search("[\0-\x1f\u2028\u202e]", shown))
        self.assertIn("\u241b[31m\u2400", shown)
        self.assertEqual(self.browser.complaints(), [])

    # --- numbers ---

    def test_it_shows_the_numbers_of_the_trace(self):
        self.open("large")
        numbers, times = self.numbers, self.numbers["times"]

        def percentile(share):
            return shown_time(times[math.ceil(share * len(times)) - 1])

        answered = numbers["requests"] - numbers["failed"] - numbers["refused"]
        self.assertRegex(self.text("#verdict"), (
            f"^{shown_count(numbers['requests'])} requests in .*: {shown_count(answered)} "
            f"answered, {numbers['refused']} with an error status and {numbers['failed']} "
            "failed.$"))
        figures = self.figures()
        self.assertEqual(figures["median response"], percentile(0.5))
        self.assertEqual(figures["99th percentile"], percentile(0.99))
        self.assertEqual(figures["tasks"], shown_count(numbers["tasks"]))
        self.assertEqual(figures["tasks at once"], "49")
        response = self.cells("percentiles")[0]
        self.assertEqual(response, ["response", shown_count(len(times)), percentile(0.5),
                                    percentile(0.9), percentile(0.99), percentile(1)])
        self.assertEqual({row[0]: row[1] for row in self.cells("hosts")},
                         {name: shown_count(n) for name, n in numbers["hosts"].items()})
        errors = [(row[1], int(row[2])) for row in self.cells("errors")]
        of_requests = sum(n for of, n in errors if of == "attempt")
        self.assertEqual(of_requests, numbers["failed"] + numbers["refused"])

    def test_jobs_are_counted_by_queue(self):
        self.open("panels")
        half, two = f"250{THIN}ms", f"2.00{THIN}s"
        self.assertEqual(self.cells("jobs"), [
            ["crawl.db", "0", "0", "3", "2", "0", "1", "1", "0", "0", "0", two, half, half],
            ["other", "2", "1", "0", "0", "0", "0", "0", "0", "0", "0", "", "", ""]])
        self.open("large")
        self.assertTrue(self.run_js("document.getElementById('jobs-section').hidden"))

    def test_a_sampled_page_says_so_and_counts_all(self):
        self.open("sampled")
        self.assertRegex(self.text("#sampled"), f"^The trace has 20{THIN}\\d\\d\\d spans.*sample")
        self.assertEqual(self.figures()["tasks"], shown_count(self.numbers["tasks"]))
        self.open("large")
        self.assertTrue(self.run_js("sampled.hidden"))

    def test_the_slowest_are_first_and_lead_to_the_lanes(self):
        self.open("large")
        self.assertEqual(len(self.cells("slowest")), 12)
        self.click("#more")
        rows = self.cells("slowest")
        self.assertEqual(len(rows), 50)
        self.click("#slowest tbody button")
        url = rows[0][0]
        self.assertTrue(self.text("#spoken").startswith(url))
        self.assertIn("–", self.text("#range"))

    # --- the lanes ---

    def test_spans_of_the_script_are_panels(self):
        self.open("panels")
        titles = "[...document.querySelectorAll('#panels h3')].map((h) => h.textContent)"
        self.assertEqual(self.run_js(titles), ["one by one", "together", "after"])
        durations = self.run_js("[...document.querySelectorAll('figcaption span')]"
                                ".map((s) => s.textContent)")
        self.assertEqual(durations, [f"3.00{THIN}s, 1 task", f"1.00{THIN}s, 4 tasks",
                                     f"500{THIN}ms, 1 task"])
        self.assertEqual(self.text("#range"), f"3.00{THIN}s")
        self.click("#whole")
        self.assertEqual(self.run_js("document.querySelectorAll('#panels canvas').length"), 1)
        self.assertEqual(self.text("#range"), f"6.00{THIN}s")
        self.click("#whole")
        self.assertEqual(self.run_js("document.querySelectorAll('#panels canvas').length"), 3)

    def test_it_zooms_and_moves(self):
        self.open("panels")
        everything = self.text("#range")
        self.click("#in")
        self.assertEqual(self.text("#range"), f"750{THIN}ms – 2.25{THIN}s of 3.00{THIN}s")
        self.click("#out")
        self.assertEqual(self.text("#range"), everything)
        self.focus_lanes()
        self.browser.key("+", "+")
        self.browser.key("ArrowRight", modifiers=8)
        self.assertEqual(self.text("#range"), f"1.05{THIN}s – 2.55{THIN}s of 3.00{THIN}s")
        self.browser.key("0", "0")
        self.assertEqual(self.text("#range"), everything)
        self.scroll_to_lanes()
        x, y = self.run_js("(() => { const r = document.querySelector('canvas')"
                           ".getBoundingClientRect(); return [r.left + 300, r.top + 40]; })()")
        self.browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300, modifiers=2)
        self.browser.settle()
        zoomed = self.text("#range")
        self.assertIn("–", zoomed)
        self.browser.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.browser.mouse("mouseMoved", x - 100, y, button="left", buttons=1)
        self.browser.mouse("mouseReleased", x - 100, y, button="left", clickCount=1)
        self.browser.settle()
        self.assertNotEqual(self.text("#range"), zoomed)
        self.click("#reset")
        self.assertEqual(self.text("#range"), everything)

    def test_zooming_draws_something_else(self):
        for name in ("large", "panels"):
            self.open(name)
            self.scroll_to_lanes()
            pixels = "document.querySelector('canvas').toDataURL()"
            before = self.run_js(pixels)
            self.click("#in")
            self.assertTrue(self.run_js(pixels) != before)
            self.click("#reset")
            self.assertTrue(self.run_js(pixels) == before)

    def test_the_filter_narrows(self):
        self.open("large")
        tasks, height = self.numbers["tasks"], self.lanes_height()
        self.filter("#17")
        self.assertEqual(self.text("#found"), f"1 of {shown_count(tasks)} tasks")
        self.assertLess(self.lanes_height(), height)
        self.filter("failed")
        self.assertEqual(self.text("#found"),
                         f"{self.numbers['failed']} of {shown_count(tasks)} tasks")
        self.filter("nothing has this name")
        self.assertEqual(self.text("#found"), f"0 of {shown_count(tasks)} tasks")
        self.filter("")
        self.assertEqual(self.text("#found"), "")
        self.assertEqual(self.lanes_height(), height)
        self.scroll_to_lanes()
        pressed = "document.querySelector('.legend button').getAttribute('aria-pressed')"
        pixels = self.run_js("document.querySelector('canvas').toDataURL()")
        self.click(".legend button")
        self.assertEqual(self.run_js(pressed), "false")
        self.assertTrue(self.run_js("document.querySelector('canvas').toDataURL()") != pixels)

    def test_keys_step_from_span_to_span(self):
        self.open("panels")
        self.focus_lanes()
        spoken = []
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft"):
            self.browser.key(key)
            spoken.append(self.text("#spoken"))
        self.assertTrue(spoken[0].startswith("http GET http://a.example/1, start 1.00"), spoken[0])
        self.assertTrue(spoken[1].startswith("http GET http://a.example/2, start 2.00"), spoken[1])
        self.assertIn("result 200", spoken[2])
        self.assertEqual(spoken[4], spoken[0])
        self.assertFalse(self.run_js("tip.hidden"))
        self.browser.key("Enter")
        self.assertEqual(self.text("#range"), f"0{THIN}µs – 1.20{THIN}s of 3.00{THIN}s")
        self.browser.key("Escape")
        self.assertTrue(self.run_js("tip.hidden"))
        self.browser.key("/", "/")
        self.assertEqual(self.run_js("document.activeElement.id"), "filter")
        self.assertEqual(self.run_js("filter.value"), "")

    def test_the_pointer_shows_details(self):
        self.open("panels")
        self.scroll_to_lanes()
        x, y = self.run_js("""(() => {
          const r = document.querySelectorAll("canvas")[1].getBoundingClientRect();
          return [r.left + 118 + 20, r.top + 20 + 1.5 * 19];
        })()""")
        self.browser.mouse("mouseMoved", x, y)
        self.browser.settle()
        tip = self.text("#tip")
        self.assertIn("GET http://a.example/12", tip)
        self.assertIn(f"duration500{THIN}ms", tip)
        self.assertIn("task#2 m.lua:9", tip)
        width = self.run_js("document.querySelectorAll('canvas')[1].clientWidth - 118")
        self.browser.mouse("mouseMoved", x - 20 + width * 0.25 / 3, y)
        self.browser.settle()
        self.assertEqual(self.text("#tip b"), "half of it")
        self.assertIn("value1.0", self.text("#tip"))

    # --- how it looks, and to a screen reader ---

    def test_text_has_contrast_in_light_and_dark(self):
        self.open("one")
        for scheme in ("light", "dark"):
            self.browser.prefer(scheme)
            for pair, ratio in self.run_js(CONTRAST):
                with self.subTest(scheme=scheme, pair=pair):
                    self.assertGreaterEqual(round(ratio, 2), 4.5)

    def test_the_button_changes_the_theme(self):
        self.open("one")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = self.run_js(ground)
        self.click("#theme")
        self.assertEqual(self.text("#theme"), "Light")
        self.assertNotEqual(self.run_js(ground), light)
        self.click("#theme")
        self.assertEqual(self.run_js(ground), light)

    def test_a_screen_reader_finds_names_and_tables(self):
        self.open("large")
        self.browser.call("Accessibility.enable")
        nodes = self.browser.call("Accessibility.getFullAXTree")["nodes"]
        seen = {}
        for node in nodes:
            if node.get("ignored"):
                continue
            role = node.get("role", {}).get("value")
            name = node.get("name", {}).get("value", "")
            seen.setdefault(role, []).append(name)
            if role in ("button", "searchbox", "application", "table", "region", "toolbar"):
                self.assertNotEqual(name, "", f"a {role} without a name")
        self.assertEqual(len(seen["main"]), 1)
        self.assertIn("crawl.lua", seen["heading"][0])
        for title in ("Latency", "Hosts", "Errors", "Lanes", "Slowest requests", "Tasks"):
            self.assertIn(title, seen["heading"])
        self.assertGreaterEqual(len(seen["table"]), 4)
        self.assertIn("columnheader", seen)
        self.assertIn("rowheader", seen)
        self.browser.call("Accessibility.disable")

    def test_it_fits_a_narrow_window(self):
        for width in (360, 700, 1600):
            self.browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800,
                              deviceScaleFactor=1, mobile=False)
            for name in ("panels", "large"):
                self.open(name)
                self.assertLessEqual(
                    self.run_js("document.documentElement.scrollWidth"), width, name)
        self.browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=900,
                          deviceScaleFactor=1, mobile=False)

    # --- odd traces ---

    def test_an_empty_trace_is_a_page(self):
        self.open("empty")
        self.assertEqual(self.text("#verdict"), "The trace is empty.")

    def test_one_task_is_a_page(self):
        self.open("one")
        self.assertEqual(self.text("#verdict"), f"1 task in 1.00{THIN}s, ended well.")
        self.focus_lanes()
        self.browser.key("ArrowRight")
        self.assertTrue(self.text("#spoken").startswith("#1 one.lua:1"))

    def test_a_trace_that_was_cut_says_so(self):
        self.open("open")
        self.assertIn("not ended", self.text("#verdict"))
        self.assertIn("had not ended when the trace stopped", self.text("#findings"))

    def test_the_tree_opens(self):
        self.open("large")
        self.assertEqual(self.run_js("document.querySelectorAll('#tree li').length"), 2)
        self.run_js("document.querySelector('#tree details details').open = true")
        self.browser.settle()
        lines = self.run_js("document.querySelectorAll('#tree li').length")
        self.assertGreater(lines, 200)
        self.assertLess(lines, 220)


if __name__ == "__main__":
    unittest.main()
