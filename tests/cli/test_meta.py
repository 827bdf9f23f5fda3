# SPDX-License-Identifier: MIT
"""meta/septet: the definitions for editors name each C function that Lua can see, and no other."""
import json
import os
import re
import unittest

import harness

ROOT = harness.ROOT
META = os.path.join(ROOT, "meta", "septet")

# The classes of the definitions, by the name of their metatable in the registry.
CLASSES = {
    "septet.channel": "Channel", "septet.channel.sender": "Sender",
    "septet.completions": "Completions", "septet.event": "Event", "septet.future": "Future",
    "septet.csv.parser": "CsvParser", "septet.hash": "RawHash",
    "septet.html.document": "HtmlHandle", "septet.html.page": "HtmlPage",
    "septet.http.head": "Head", "septet.http.home": "Home",
    "septet.http.request_head": "RequestHead",
    "septet.http.session": "Pool", "septet.http.stream": "Stream", "septet.http.upload": "Upload",
    "septet.fs.tail": "TailHandle", "septet.fs.temp": "TempHandle",
    "septet.fs.walker": "Walker", "septet.fs.watch": "WatchHandle",
    "septet.io.reader": "Reader", "septet.io.stream_writer": "StreamWriter",
    "septet.io.writer": "Writer", "septet.load": "Load", "septet.process.handle": "ProcessHandle",
    "septet.recording": "Recording",
    "septet.lock": "Lock", "septet.net.connection": "Connection",
    "septet.redis.connection": "RedisConnection",
    "septet.net.server": "Server", "septet.scope": "Group", "septet.semaphore": "Semaphore",
    "septet.sqlite.database": "SqliteHandle",
    "septet.task": "Task",
}

# Prints a line for each member of septet.core, and for each method of a metatable in the registry.
# If __index is a C function, its methods are those of the tables among its upvalues.
LIST = """
require 'septet.task'
require 'septet.http'
require 'septet.net'
require 'septet.html'
local registry = debug.getregistry()
local core = registry['septet.core']
core.sqlite()
for name in pairs(core) do print('core', name) end
local function methods(label, t)
  for name, value in pairs(t) do
    if type(value) == 'function' and not name:find '^__' then print(label, name) end
  end
end
for label, meta in pairs(registry) do
  local index = type(label) == 'string' and label:find '^septet%.' and type(meta) == 'table'
    and rawget(meta, '__name') == label and rawget(meta, '__index')
  if type(index) == 'table' then methods(label, index) end
  for i = 1, type(index) == 'function' and debug.getinfo(index).what == 'C' and 9 or 0 do
    local _, value = debug.getupvalue(index, i)
    if type(value) == 'table' then methods(label, value) end
  end
end
"""


def read(name):
    with open(os.path.join(META, name)) as file:
        return file.read()


def defined():
    """{label: names} of the definitions, labels as LIST prints them."""
    fields, functions = read("core.lua").split("local core = {}\n")
    found = {"core": set(re.findall(r"^---@field (\w+)", fields, re.M)
                         + re.findall(r"^function core\.(\w+)", functions, re.M))}
    text = "".join(read(name) for name in sorted(os.listdir(META)) if name != "core.lua")
    for label, name in CLASSES.items():
        found[label] = set(re.findall(r"^function %s:(\w+)" % name, text, re.M))
    return found


class Meta(harness.Case):
    def test_it_names_what_is_registered(self):
        result = self.septet("-e", LIST)
        self.assertEqual((result.status, result.err), (0, ""))
        registered = {}
        for line in result.out.splitlines():
            label, name = line.split("\t")
            registered.setdefault(label, set()).add(name)
        registered["septet.scope"] -= {"start", "map"}  # which are written in Lua
        self.assertEqual(registered, defined())

    def test_it_is_lua(self):
        for name in sorted(os.listdir(META)):
            with self.subTest(name=name):
                self.check(self.septet("-e", "assert(loadfile(...))", os.path.join(META, name)))

    def test_an_editor_finds_the_folders(self):
        with open(os.path.join(ROOT, ".luarc.json")) as file:
            config = json.load(file)
        paths = [path.split("?")[0] for path in config["runtime.path"]]
        for folder in config["workspace.library"] + paths:
            self.assertTrue(os.path.isdir(os.path.join(ROOT, folder)), folder)


if __name__ == "__main__":
    unittest.main()
