# SPDX-License-Identifier: MIT
"""Libraries that the command loads when they are first used: which ones, when, and what a script
sees of one that cannot be loaded."""

import json
import os
import re
import resource
import subprocess
import tempfile
import unittest

import harness

# What uses a library first, and which one is named if it is absent.
USES = {
    "curl": "require 'septet.http'.session()",
    "cares": "require 'septet.net'.connect { host = 'localhost', port = 1 }",
    "idn2": "require 'septet.url'.parse('http://b\u00fccher.example/')",
    "z": "require 'septet.http'.session()",
    "brotlidec": "require 'septet.http'.session()",
    "zstd": "require 'septet.http'.session()",
    "jansson": "require 'septet.json'.decode '[1]'",
    "crypto": "require 'septet.hash'.sha256 'a'",
    "ssl": "require 'septet.jobs'.open 'rediss://localhost:1/0'",
    "gumbo": "require 'septet.html'.parse '<p>a'",
    "hiredis": "require 'septet.jobs'.open 'redis://localhost:1/0'",
    "sqlite3": "require 'septet.jobs'.open './a.db'",
}
TRY = """
local function try(f)
  local ok, e = pcall(f)
  if ok then print 'loaded' return end
  print(e.kind, e.library, (tostring(e):gsub('\\n.*', '')))
end
"""
MAPPED = """
local maps = io.open('/proc/self/maps'):read 'a'
local found = {}
for name in maps:gmatch '/(lib[%w_]+)[-.%w]*%.so' do found[name] = true end
"""


def notes():
    """Returns what the command says of the libraries that it loads: the file by the feature."""
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["objcopy", "-O", "binary", "--only-section=.note.dlopen", harness.SEPTET,
                        file.name], check=True)
        text = file.read().decode("latin-1")
    entries = [json.loads(entry)[0] for entry in re.findall(r"\[\{.*?\}\]", text)]
    return {entry["feature"]: entry["soname"][0] for entry in entries}


LOADED = notes()


@unittest.skipUnless(LOADED, "the command was linked with all its libraries")
class Libraries(harness.Case):
    def replace(self, name, *content):
        """Puts a file in the place of a library, for the environment that it returns."""
        self.write(LOADED[name], *(content or ["no library"]))
        return {"LD_LIBRARY_PATH": self.dir}

    def test_notes_name_what_is_not_linked(self):
        """H-21: .note.dlopen names each library once, and the loader is given none of them"""
        dynamic = subprocess.run(["readelf", "-d", harness.SEPTET], check=True,
                                 capture_output=True, text=True).stdout
        self.assertFalse(set(LOADED.values()) & set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)))
        self.assertEqual(set(LOADED), set(USES))
        self.assertRegex(LOADED["curl"], r"^libcurl.*\.so\.4$")

    def test_an_empty_script_loads_none(self):
        """H-21: a script that uses no library has none in memory, nor has its end"""
        source = MAPPED + "print(found.libcurl, found.libssl, found.libjansson, found.libsqlite3)"
        self.check(self.lua(source), out="nil\tnil\tnil\tnil\n")
        env = {}
        for name in LOADED:
            env = self.replace(name)
        modules = ("hash", "html", "io", "fs", "jobs", "json", "net", "process", "task", "url")
        requires = "".join("require 'septet.%s' " % name for name in modules)
        self.check(self.lua(requires + "print 'ended'", env=env), out="ended\n")

    def test_one_that_is_absent(self):
        """H-21: the first use of a library that cannot be loaded raises LibraryError with its
        name"""
        for name, use in USES.items():
            with self.subTest(name):
                env = self.replace(name)
                result = self.lua(TRY + "try(function() %s end)" % use, env=env)
                os.unlink(os.path.join(self.dir, LOADED[name]))
                kind, library, text = result.out.rstrip("\n").split("\t")
                # libcurl itself needs some of the others.
                self.assertIn(library, (LOADED[name], LOADED["curl"]), result)
                self.assertEqual((kind, result.status), ("LibraryError", 0), result)
                self.assertIn("cannot load the library %s: " % library, text)
                self.assertIn(LOADED[name], text)

    def test_one_that_lacks_a_function(self):
        """H-21: a library without a function that is needed cannot be loaded either"""
        with open("/proc/self/maps", encoding="utf-8") as maps:
            other = re.search(r"/\S*/libc\.so\.6", maps.read()).group()
        os.symlink(other, os.path.join(self.dir, LOADED["jansson"]))
        result = self.lua(TRY + "try(function() %s end)" % USES["jansson"],
                          env={"LD_LIBRARY_PATH": self.dir})
        self.assertIn("LibraryError", result.out)
        self.assertIn("json_", result.out)

    def test_the_place_and_the_kind_reach_the_user(self):
        """H-21: a script that does not catch the error ends with its line and the library's
        name"""
        result = self.lua("local json = require 'septet.json'\njson.decode '[1]'\n",
                          env=self.replace("jansson"))
        self.assertEqual(result.status, 1)
        self.assertIn("cannot load the library %s" % LOADED["jansson"], result.err)
        self.assertIn("s.lua:2", result.err)

    def test_the_version_without_libcurl(self):
        """H-21: --version says so if libcurl cannot be loaded"""
        result = self.septet("--version", env=self.replace("curl"))
        self.assertEqual(result.status, 0, result)
        self.assertIn("no libcurl", result.out)

    def test_a_failure_is_not_remembered(self):
        """H-21: a library that could not be loaded for want of a descriptor is loaded later"""
        source = TRY + """
            local files = {}
            for i = 1, 1000 do files[i] = io.open '/dev/null' if not files[i] then break end end
            local function use() require 'septet.json'.decode '[1]' end
            try(use)
            for _, f in ipairs(files) do f:close() end
            try(use)"""
        self.write("s.lua", source)
        done = subprocess.run(
            [harness.SEPTET, "s.lua"], cwd=self.dir, env=harness.environment({}), text=True,
            capture_output=True, check=False, timeout=harness.HANG,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)))
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2, done)
        self.assertRegex(lines[0], "^LibraryError\t%s\t" % re.escape(LOADED["jansson"]))
        self.assertEqual(lines[1], "loaded")

    def test_without_memory(self):
        """H-21: a library for which there is no memory raises LibraryError, and the script goes
        on"""
        if os.environ.get("SEPTET_SANITIZED"):
            self.skipTest("a sanitizer needs the address space")
        source = TRY + """
            local used = tonumber(io.open('/proc/self/statm'):read 'n') * 4
            os.execute(('prlimit --pid=%d --as=%d'):format(
              io.open('/proc/self/stat'):read 'n', used * 1024 + 65536))
            try(function() require 'septet.http'.session() end)
            try(function() require 'septet.json'.decode '1' end)
            print 'ended'"""
        result = self.lua(source)
        self.assertRegex(result.out, "^LibraryError\t.*\nLibraryError\t.*\nended\n$")

    def test_in_a_task_with_a_deadline(self):
        """H-21: the first use within a block with a deadline loads the library as anywhere"""
        source = """
            local task = require 'septet.task'
            local json = require 'septet.json'
            print(task.timeout(20, function() return json.decode '[7]'[1] end))"""
        self.check(self.lua(source), out="7\n")

    def test_each_alone_at_the_end(self):
        """H-21: a process that has loaded any one library ends as it should"""
        for name, use in USES.items():
            with self.subTest(name):
                self.check(self.lua("pcall(function() %s end) print 'ended'" % use), out="ended\n")


if __name__ == "__main__":
    unittest.main()
