# SPDX-License-Identifier: MIT
"""The site of docs/: its pages fit on a phone, its search finds, it asks for nothing outside its
folder, and it is not built with a link that leads nowhere."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import browser

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PHONE = 360
# The ids that more than one element has.
TWICE = """(() => {
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  return ids.filter((id, i) => ids.indexOf(id) !== i);
})()"""
UNSEEN = ("decisions", "internals", "repository")  # they are many, and all alike


def python():
    """Returns a Python that has the parser: Debian's package is only for Debian's own."""
    for path in (sys.executable, "/usr/bin/python3"):
        found = subprocess.run([path, "-c", "import markdown_it, pygments"],
                               stderr=subprocess.DEVNULL)
        if found.returncode == 0:
            return path
    raise RuntimeError("no python3-markdown-it or python3-pygments (run ./dev setup)")


# What users of other tools search for, and a section that they must find among the first results.
WORDS = {
    "concurrency": "guide.html#many-at-once",
    "parallel": "how-do-i.html#-run-n-at-once",
    "subprocess": "how-do-i.html#-run-a-program",
    "retry": "how-do-i.html#-try-again",
    "sleep": "api.html#tasksleepseconds",
    "await": "guide.html#tasks",
    "timeout": "api.html#tasktimeoutseconds-fn-",
    "thread": "api.html#taskthreadfn-",
    "async": "api.html#taskspawnfn-",
    "goroutine": "api.html#taskspawnfn-",
    "Promise.all": "api.html#taskgatherlist-options",
    "aiohttp": "api.html#septethttp",
    "semaphore": "api.html#syncsemaphoren",
    "cron": "how-do-i.html#-do-something-every-minute",
    "argparse": "api.html#cliparsewords-spec",
    "celery": "jobs.html#jobs-work-that-survives-a-crash",
    "pytest": "guide.html#testing-your-scripts",
    "TaskGroup": "api.html#taskgroupfn-",
    "how do I install it?": "readme.html#install",
    "quick start": "start.html#quick-start",
    "threads": "api.html#taskthreadfn-",
    "--workers": "man/septet.1.html#workers",
}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *unused):
        pass


def build(out, *more):
    return subprocess.run([python(), os.path.join(ROOT, "tools", "site.py"), *more, out],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Site(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if browser.find() is None:
            raise RuntimeError("there is no chromium (Debian package chromium)")
        folder = tempfile.TemporaryDirectory(prefix="septet-site-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = os.path.join(folder.name, "any", "where")
        result = build(cls.folder)
        if result.returncode != 0:
            raise AssertionError(result.stderr)
        cls.browser = browser.Browser(PHONE, 844)
        cls.addClassCleanup(cls.browser.close)

    def pages(self):
        found = []
        for folder, names, files in os.walk(self.folder):
            names[:] = [n for n in names if n not in UNSEEN]
            found += [os.path.join(folder, f) for f in files if f.endswith(".html")]
        return sorted(found)

    def test_each_page_fits_on_a_phone_and_asks_for_nothing_else(self):
        self.assertGreater(len(self.pages()), 10)
        for path in self.pages():
            with self.subTest(page=os.path.relpath(path, self.folder)):
                self.browser.open(path)
                width = self.browser.run("document.documentElement.scrollWidth")
                self.assertLessEqual(width, PHONE)
                self.assertEqual(self.browser.complaints(), [])
                self.assertEqual(self.browser.run(TWICE), [])
                for url in self.browser.requested():
                    self.assertTrue(url.startswith(("file://" + self.folder, "data:")), url)

    def search(self, words):
        self.browser.open(os.path.join(self.folder, "guide.html"))
        self.browser.run("""(async () => {
          document.getElementById("site-words").value = %r;
          await load();
          await show();
        })()""" % words)
        return self.browser.run("[...document.querySelectorAll('#site-found a')].map((a) => "
                                "[a.getAttribute('href'), a.textContent])")

    def test_the_search_finds_a_function_first_where_it_is_described(self):
        hits = self.search("as_completed")
        self.assertTrue(self.browser.run("""(() => {
          const box = document.getElementById("site-found").getBoundingClientRect();
          return box.left >= 0 && box.right <= innerWidth;
        })()"""), "a result is beyond the screen")
        self.assertEqual(hits[0][0], "./api.html#taskas_completedlist-options")
        self.browser.run("document.querySelector('#site-found a').click()")
        self.browser.wait_for_event("Page.loadEventFired")
        self.assertIn("task.as_completed", self.browser.run(
            "document.getElementById(location.hash.slice(1)).textContent"))

    def test_the_search_finds_pages_for_users_first(self):
        for words in "watch files", "order of results", "rate limit", "child process":
            self.assertNotRegex(self.search(words)[0][0], "internals/|conformance|faults", words)

    def test_the_search_knows_the_words_of_other_tools(self):
        for words, place in WORDS.items():
            self.assertIn("./" + place, [hit[0] for hit in self.search(words)[:8]], words)

    def test_the_search_finds_what_has_most_words_if_nothing_has_all(self):
        self.assertEqual(self.search("as_completed xyzzyxyzzy")[0][0],
                         "./api.html#taskas_completedlist-options")

    def test_below_a_path_of_a_server_links_and_the_search_work(self):
        root = os.path.dirname(os.path.dirname(self.folder))
        handler = functools.partial(Quiet, directory=root)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever).start()
            try:
                site = "http://127.0.0.1:%d/%s/" % (server.server_port,
                                                    os.path.relpath(self.folder, root))
                self.browser.open_url(site + "from/asyncio.html")
                self.browser.run("""(async () => {
                  document.getElementById("site-words").value = "gather";
                  await load();
                  await show();
                })()""")
                asked = self.browser.requested()
                self.browser.run("document.querySelector('#site-found a').click()")
                self.browser.wait_for_event("Page.loadEventFired")
                self.assertEqual(self.browser.run("location.href"),
                                 site + "api.html#taskgatherlist-options")
                asked += self.browser.requested()
                self.assertEqual([url for url in asked if not url.startswith((site, "data:"))], [])
            finally:
                server.shutdown()

    def test_the_man_page_is_text_with_headings(self):
        self.browser.open(os.path.join(self.folder, "man", "septet.1.html"))
        self.assertEqual(self.browser.run("""["main pre", "main h1"].map(
          (what) => document.querySelectorAll(what).length)"""), [0, 1])
        text = self.browser.run("document.querySelector('main').innerText")
        self.assertRegex(text, r"(?s)Exit status.*143\s+The script was terminated by SIGTERM\.")

    def test_without_scripts_a_phone_shows_the_text_and_then_the_pages(self):
        self.browser.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.browser.load("file://" + os.path.join(self.folder, "guide.html"))
            self.assertEqual(self.browser.run("""["site-search", "site-menu", "site-pages"].map(
              (id) => getComputedStyle(document.getElementById(id)).display)"""),
                             ["none", "none", "block"])
            self.assertTrue(self.browser.run("""
              document.getElementById("site-pages").getBoundingClientRect().top
              > document.querySelector("main").getBoundingClientRect().top"""))
        finally:
            self.browser.call("Emulation.setScriptExecutionDisabled", value=False)

    def test_the_focus_of_the_keyboard_is_seen(self):
        self.browser.open(os.path.join(self.folder, "guide.html"))
        for _ in range(6):
            self.browser.key("Tab", code="Tab", windowsVirtualKeyCode=9)
            self.assertEqual(self.browser.run(
                "getComputedStyle(document.activeElement).outlineStyle"), "solid")

    def test_the_search_says_that_it_finds_nothing(self):
        self.assertEqual(self.search("xyzzyxyzzy"), [])
        self.assertEqual(self.browser.run(
            "document.getElementById('site-found').textContent"), "Nothing found")

    def test_dark_and_light_follow_the_system_and_the_button(self):
        self.browser.prefer("dark")
        self.browser.open(os.path.join(self.folder, "guide.html"))
        scheme = "document.documentElement.dataset.theme"
        self.assertEqual(self.browser.run(scheme), "dark")
        self.browser.run("document.getElementById('site-theme').click()")
        self.assertEqual(self.browser.run(scheme), "light")
        self.browser.run("document.getElementById('site-theme').click()")

    def test_the_menu_of_a_phone_shows_the_pages(self):
        self.browser.open(os.path.join(self.folder, "guide.html"))
        shown = "getComputedStyle(document.getElementById('site-pages')).display"
        self.assertEqual(self.browser.run(shown), "none")
        self.browser.run("document.getElementById('site-menu').click()")
        self.assertEqual(self.browser.run(shown), "block")


class Links(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="septet-site-")
        self.addCleanup(shutil.rmtree, self.root)
        os.mkdir(os.path.join(self.root, "docs"))

    def build(self, text):
        with open(os.path.join(self.root, "docs", "README.md"), "w", encoding="utf-8") as file:
            file.write("# Index\n\n## One\n\n" + text)
        return build(os.path.join(self.root, "out"), "--root", self.root)

    def test_a_link_without_its_file_fails_the_build(self):
        result = self.build("[there](there.md)\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("docs/README.md: no file for the link 'there.md'", result.stderr)

    def test_a_link_without_its_heading_fails_the_build(self):
        result = self.build("[one](#one) [two](#two)\n")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.splitlines(),
                         ["site: docs/README.md: no heading for the link '#two'"])

    def test_a_link_to_a_source_leads_to_a_page_with_it_and_alone_shows_it(self):
        with open(os.path.join(self.root, "a.lua"), "w", encoding="utf-8") as file:
            file.write("print(1 < 2)\n")
        result = self.build("See [a](../a.lua).\n\n[a](../a.lua)\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        for name, count in ("index.html", 1), ("repository/a.lua.html", 1):
            with open(os.path.join(self.root, "out", name), encoding="utf-8") as file:
                self.assertEqual(file.read().count("&lt;"), count)


if __name__ == "__main__":
    unittest.main()
