# SPDX-License-Identifier: MIT
"""docs/api.md, the annotations and the code agree: on the names, the types and the options.

To write the types of the annotations into the page:
  build/debug/septet_lua tools/api/fill.lua . build/debug/made"""
import json
import os
import re
import unittest

import harness

ROOT = harness.ROOT
TOOLS = os.path.join(ROOT, "tools", "api")
MADE = os.path.join(os.path.dirname(harness.SEPTET), "made")

# Prints what is there: each function of a module, and each method of a metatable that the modules
# or the registry lead to. If __index is a function, the methods are in a table among its upvalues.
WALK = """
local registry, seen, metas = debug.getregistry(), {}, {}
local private = registry["septet.require"]
local function walk(value)
  if type(value) ~= "table" and type(value) ~= "function" or seen[value] then return end
  seen[value] = true
  if type(value) == "function" then
    for i = 1, 255 do
      local name, upvalue = debug.getupvalue(value, i)
      if not name then return end
      walk(upvalue)
    end
  else
    if type(rawget(value, "__name")) == "string" then metas[value] = true end
    walk(debug.getmetatable(value))
    for _, member in next, value do walk(member) end
  end
end
local function names(kind, label, members)
  for name, member in next, members do
    if type(member) == "function" and type(name) == "string" and name:sub(1, 1) ~= "_" then
      print(kind, label, name)
    end
  end
end
for name in ([[%s]]):gmatch "%%S+" do
  local module = require(name)
  names("module", name, module)
  walk(module)
end
for name in ([[%s]]):gmatch "%%S+" do walk(private(name)) end
for name, meta in pairs(registry) do
  if type(name) == "string" and name:find "^septet%%." and type(meta) == "table" then walk(meta) end
end
for meta in pairs(metas) do
  local index = rawget(meta, "__index")
  if type(index) == "table" then names("class", meta.__name, index) end
  for i = 1, type(index) == "function" and 9 or 0 do
    local name, upvalue = debug.getupvalue(index, i)
    if type(upvalue) == "table" and (name == "" or name == "class" or name:find "^%%u%%l" or
        name == "methods") then
      names("class", meta.__name, upvalue)
    end
  end
end
"""

# Classes by the names of their metatables, if these do not end as the class does.
CLASSES = {
    "septet.io.reader": "Reader", "septet.io.writer": "Writer", "septet.scope": "Group",
    "septet.io.stream_writer": "StreamWriter", "septet.channel.sender": "Sender",
    "septet.net.connection": "Connection", "septet.net.server": "Server", "task-local": "Var",
    "generator": "Generator", "septet.testing.server": "TestServer", "septet.testing.Server":
    "TestServer", "septet.testing.Request": "ServedRequest", "septet.otlp": "Otlp",
}

# Prints the options that a call accepts: those that its complaint about an unknown one lists.
OPTIONS = """
local given = ...
local http, json, url = require "septet.http", require "septet.json", require "septet.url"
local fs, io, csv = require "septet.fs", require "septet.io", require "septet.csv"
local hash, html, net = require "septet.hash", require "septet.html", require "septet.net"
local task, jobs, process = require "septet.task", require "septet.jobs", require "septet.process"
local progress, testing = require "septet.progress", require "septet.testing"
local trace = require "septet.trace"
local session <close> = http.session { cookies = true }
local queue <close> = jobs.open "memory:"
local bad = { zzzzzzzzzzzzzzzzzzzz = 1 }
local function session_with(name) return function() http.session { [name] = bad } end end
local calls = {
  AppendOptions = function() fs.append("/x", "", bad) end,
  AsCompletedOptions = function() task.as_completed({}, bad) end,
  Auth = session_with "auth",
  ConnectOptions = function() net.connect(bad) end,
  Cookie = function() session:set_cookie(bad) end,
  CookieFilter = function() session:clear_cookies(bad) end,
  CopyOptions = function() fs.copy("/x", "/y", bad) end,
  CsvOptions = function() csv.parse("", bad) end,
  CsvWriterOptions = function() csv.writer(print, bad) end,
  DecodeOptions = function() json.decode("1", bad) end,
  EncodeOptions = function() json.encode(1, bad) end,
  EventsOptions = function() session:events("http://127.0.0.1:1/", bad) end,
  GatherOptions = function() task.gather({}, bad) end,
  HashOptions = function() hash.new("md5", bad) end,
  HtmlOptions = function() html.parse("", bad) end,
  JobOptions = function() queue:put(bad) end,
  JobsRunOptions = function() queue:run(bad, print) end,
  LinesOptions = function() trace.lines({ write = print }, bad) end,
  ListenOptions = function() net.listen(bad) end,
  MkdirOptions = function() fs.mkdir("/x", bad) end,
  OtlpClientOptions = function() trace.otlp(bad) end,
  Part = function() session:post("http://127.0.0.1:1/", { multipart = { bad } }) end,
  ProgressOptions = function() progress.new(bad) end,
  PrettyOptions = function() require "septet.pretty".format(1, bad) end,
  PsOptions = function() trace.ps(bad) end,
  QueryOptions = function() url.query({}, bad) end,
  QueueOptions = function() jobs.open("memory:", bad) end,
  ReaderOptions = function() io.open("/x", bad) end,
  ReadOptions = function() fs.read("/x", bad) end,
  RecordOptions = function() trace.record("/x", bad) end,
  RemoveOptions = function() fs.remove("/x", bad) end,
  RequestOptions = function() session:get("http://127.0.0.1:1/", bad) end,
  Retries = session_with "retries",
  RunOptions = function() process.run { "true", zzzzzzzzzzzzzzzzzzzz = 1 } end,
  SaveOptions = function() session:save("http://127.0.0.1:1/", "/x", bad) end,
  ServeOptions = function() testing.serve(print, bad) end,
  SessionOptions = function() http.session(bad) end,
  SpawnOptions = function() process.spawn { "true", zzzzzzzzzzzzzzzzzzzz = 1 } end,
  StatOptions = function() fs.stat("/x", bad) end,
  SubscribeOptions = function() trace.subscribe(print, bad) end,
  TailOptions = function() fs.tail("/x", bad) end,
  TempOptions = function() fs.temp_dir(bad) end,
  Timeouts = session_with "timeout",
  Tls = session_with "tls",
  WaitOptions = function() task.wait({}, bad) end,
  WalkOptions = function() fs.walk("/x", bad) end,
  WatchOptions = function() fs.watch("/x", bad) end,
  WriteOptions = function() fs.write("/x", "", bad) end,
  WriterOptions = function() io.create("/x", bad) end,
}
for name, call in pairs(calls) do
  local ok, err = pcall(call)
  local words = not ok and tostring(err):match "%%((one of .-) expected%%)"
  print(name, words or tostring(err))
end
"""
# What the code accepts and nobody needs to know, or accepts in other calls only.
OTHERS = {
    "RequestOptions": set(),
    "EventsOptions": {"body", "form", "json", "multipart", "retries"},
    "SaveOptions": {"body", "length", "form", "json", "multipart"},
}

# Where the code states a default, if that is not in the file of the options.
STATED = {
    "Answer.status": ("lua/septet/testing/answer.lua", "given.redirect and 302 or (.+)\\)"),
    "ConnectOptions.timeout": ("src/op/net/connect.c", r"\? (\d+) \* SPT_NS_PER_SECOND"),
    "CsvOptions.separator": ("lua/septet/csv/options.lua", r'given.separator or (".")'),
    "CsvWriterOptions.separator": ("lua/septet/csv/options.lua", r'given.separator or (".")'),
    "EventsOptions.max_event": ("lua/septet/http/stream.lua", r"MAX_EVENT = ([\d *]+)"),
    "EventsOptions.max_retries": ("lua/septet/http/events.lua",
                                  "value == nil then return ([A-Z_]+)"),
    "ExportOptions.spans": ("lua/septet/trace/html.lua", r"options.spans or (\d+)"),
    "OtlpClientOptions.interval": ("lua/septet/trace/otlp_environment.lua",
                                   r"OTEL_BSP_SCHEDULE_DELAY\", warnings\) or (\d+)"),
    "OtlpClientOptions.timeout": ("lua/septet/trace/otlp_environment.lua",
                                  r"timeout_name, warnings\) or (\d+)"),
    "ProcessOptions.grace": ("lua/septet/process/command.lua", r"named.grace or (\d+)"),
    "RecordOptions.level": ("lua/septet/trace.lua", r'level_of\(options, (\d), "record"'),
    "RunOptions.stderr": ("lua/septet/process/command.lua", 'value == nil or value == (".+") then'),
    "RunOptions.stdout": ("lua/septet/process/command.lua", 'value == nil or value == (".+") then'),
    "ServeOptions.host": ("lua/septet/net.lua", 'options.host or (".+?")'),
    "SessionOptions.max_body": ("src/op/http/options.c", r"MAX_BODY = ([\d *]+)"),
    "SessionOptions.redirects": ("lua/septet/http/session.lua",
                                r"limits.redirects\(.*?, ([A-Z_]+)"),
    "SpawnOptions.stderr": ("lua/septet/process/command.lua",
                            'value == nil or value == (".+") then'),
    "SpawnOptions.stdout": ("lua/septet/process/command.lua",
                            'value == nil or value == (".+") then'),
    "SubscribeOptions.level": ("lua/septet/trace.lua", r'level_of\(options, (\d), "subscribe"'),
    "TailOptions.from": ("lua/septet/fs/tail.lua", 'options.from or (".+")'),
    "TailOptions.max_line": ("lua/septet/fs/tail.lua", "options.max_line or ([A-Z_]+)"),
    "TailOptions.poll": ("lua/septet/fs/tail.lua", "options.poll or ([A-Z_]+)"),
    "TestOptions.timeout": ("lua/septet/test/execute.lua", r"LIMIT <const> = (\d+)"),
    "Timeouts.connect": ("lua/septet/http/session.lua", r"TIMEOUTS = .*connect = (\d+)"),
    "Timeouts.first_byte": ("lua/septet/http/session.lua", r"TIMEOUTS = .*first_byte = (\d+)"),
    "Timeouts.idle": ("lua/septet/http/session.lua", r"TIMEOUTS = .*idle = (\d+)"),
    "WaitOptions.return_when": ("lua/septet/task/combinators.lua",
                                r'options.return_when or (".+")\]'),
    "WalkOptions.errors": ("lua/septet/fs/walk.lua", 'errors == nil or errors == (".+") then'),
    "WatchOptions.queue": ("lua/septet/fs/watch.lua", "options.queue or ([A-Z_]+)"),
}
# Options without which nothing is done, and what libcurl is told for all connections.
ABSENT = {"Answer.delay", "ExportOptions.signal", "SessionOptions.retries",
          "SubscribeOptions.bodies", "Tls.min_version", "Cookie.path"}


def value_of(words):
    """The number or the text that a default in words begins with, or None."""
    quoted = re.match(r'^"(.*)"$', words)
    if quoted:
        return quoted.group(1)
    found = re.match(r"([\d.]+)( [KM]iB)?(?![\d.]|, \d)", words)
    return found and float(found.group(1)) * {None: 1, " KiB": 2**10, " MiB": 2**20}[found.group(2)]


def constant(text, words):
    """The value of an expression of numbers, of a text, or of a constant of a file of Lua."""
    words = words.strip()
    if re.match(r"[A-Z_]+$", words):
        for names, values in re.findall(r"^local ([\w, ]+?)(?: <const>)? *= ([^-\n]+)", text, re.M):
            known = dict(zip(names.split(", "), values.strip().split(", ")))
            if words in known:
                return constant(text, known[words])
    if re.match(r"[\d.*< ]+$", words):
        return float(eval(words))  # digits and operators alone
    return words.strip('"')


class Api(harness.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.public = ["septet"] + ["septet." + name[:-4] for name in
                                   sorted(os.listdir(os.path.join(ROOT, "lua", "septet")))
                                   if name.endswith(".lua") and name != "init.lua"]

    def run_script(self, text):
        result = self.septet(self.write("script.lua", text))
        self.assertEqual((result.status, result.err), (0, ""), result)
        return result.out.splitlines()

    def entries(self):
        lines = self.run_script("""
local index = debug.getregistry()["septet.require"] "septet.doc.index"
local list = {}
for i, name in ipairs(index.names()) do
  local entry = index.find(name)
  list[i] = { name = name, kind = entry.kind, class = entry.class, fields = entry.fields }
end
print(require "septet.json".encode(list))""")
        return json.loads(lines[0])

    def test_the_page_says_what_the_annotations_say(self):
        """Names, types, options, and an example of each function."""
        result = self.septet(os.path.join(TOOLS, "fill.lua"), ROOT, MADE, "check",
                             env={"LUA_PATH": os.path.join(TOOLS, "?.lua")})
        self.check(result)

    def test_each_breach_of_the_page_is_found(self):
        """A breach by the words of the page that it changes, and what is said of it."""
        root = os.path.join(self.dir, "root")
        os.makedirs(os.path.join(root, "docs"))
        for name in "lua", "meta":
            os.symlink(os.path.join(ROOT, name), os.path.join(root, name))
        with open(os.path.join(ROOT, "docs", "api.md")) as file:
            page = file.read()
        for old, new, message in (
                ("(seconds: number)`", "(seconds: string)`",
                 "'Type: `(seconds: number)`' expected"),
                ("| `limit` | `integer` | 64 |", "| `limit` | `number` | 64 |",
                 "the type of `limit` is `integer`, and not `number`"),
                ("| `limit` | `integer` | 64 |", "| `limit` | `integer` | 65 |",
                 "the default of `limit` is 64, and not 65"),
                ("| `key` | `string` | required |", "| `key` | `string` | none |",
                 "the default of `key` is required, and not none"),
                ("| `limit_per_host` |", "| `limit_of_host` |",
                 "septet.SessionOptions has no 'limit_of_host'"),
                ("| `depth` | `integer` | 1 for what is in the folder itself |\n", "",
                 "the field 'depth' of 'septet.WalkEntry' is in no table"),
                ("### `fs.rename(from, to)`", "### `fs.move(from, to)`", "there is no 'fs.move'"),
                ("### `fs.rename(from, to)`", "### Names", "'fs.rename' has no entry"),
                ("fs.rename(b, ", "os.rename(b, ", "'fs.rename' has no example"),
                # Another class of the chapter has a method of that name.
                ("stream:close()\n", "", "'stream:close' has no example"),
                ("**Waits** until a file or a folder has another name", "A file has another name",
                 "'fs.rename' waits, and its entry does not say so"),
                ("Returns the seconds on the host's clock", "**Waits** for the clock",
                 "'task.now' does not wait, and its entry says so"),
                ("[`csv.writer`](#csvwritertarget-options)", "`csv.writer`",
                 "the options septet.CsvWriterOptions are neither listed nor linked to"),
        ):
            with self.subTest(message):
                self.assertIn(old, page)
                with open(os.path.join(root, "docs", "api.md"), "w") as file:
                    file.write(page.replace(old, new))
                result = self.septet(os.path.join(TOOLS, "fill.lua"), root, MADE, "check",
                                     env={"LUA_PATH": os.path.join(TOOLS, "?.lua")})
                self.check(result, status=1, err=re.compile(re.escape(message)))

    def test_the_definitions_are_of_what_is_there(self):
        folders = os.path.join(ROOT, "lua", "septet")
        private = ["septet.%s.%s" % (folder, name[:-4]) for folder in os.listdir(folders)
                   if "septet." + folder in self.public
                   for name in os.listdir(os.path.join(folders, folder)) if name.endswith(".lua")]
        entries, there = self.entries(), {}
        for line in self.run_script(WALK % (" ".join(self.public), " ".join(private))):
            kind, label, name = line.split("\t")
            if kind == "class":
                last = label.rpartition(".")[2]
                label = "septet." + CLASSES.get(label, last[0].upper() + last[1:])
            there.setdefault(label, set()).add(name)
        defined = {}
        for entry in entries:
            if entry["kind"] in ("function", "method"):
                last = re.split("[.:]", entry["name"])[-1]
                defined.setdefault(entry["class"], set()).add(last)
        for label in self.public:
            self.assertEqual(there[label], defined[label], label)
        classes = sorted(set(defined) - set(self.public))
        self.assertGreater(len(classes), 30)
        for label in classes:
            with self.subTest(label):
                if label not in there:
                    continue
                self.assertLessEqual(defined[label], there[label], label)

    def test_the_defaults_are_those_of_the_code(self):
        """Each that is a number or a text, as the sources state it in `options.NAME or VALUE`."""
        sources = {}
        for place, _, files in [*os.walk(os.path.join(ROOT, "lua", "septet")),
                                *os.walk(os.path.join(ROOT, "meta", "septet"))]:
            for name in files:
                if name.endswith(".lua"):
                    with open(os.path.join(place, name)) as file:
                        text = file.read()
                    for label in re.findall(r"^---@class (septet\.\w+)", text, re.M):
                        sources[label] = text
        compared = 0
        for entry in self.entries():
            label = entry["name"][len("septet."):]
            for field in entry["fields"] if entry["kind"] == "class" else ():
                key, default = "%s.%s" % (label, field["name"]), value_of(field.get("default", ""))
                text = sources.get(entry["name"], "")
                own = re.search(r"^---@class %s\b.*\n((?:---.*\n)*)" % re.escape(entry["name"]),
                                text, re.M)
                if default is None or key in ABSENT or not own \
                        or not re.search(r"^---@field %s\b" % field["name"], own.group(1), re.M):
                    continue
                with self.subTest(key):
                    path, pattern = STATED.get(key, (None, r"\.%s or ([^,)}\n]+)" % field["name"]))
                    if path:
                        with open(os.path.join(ROOT, path)) as file:
                            text = file.read()
                    found = {constant(text, words) for words in re.findall(pattern, text)}
                    self.assertIn(default, found)
                    compared += 1
        self.assertGreater(compared, 60)

    def test_the_options_are_those_that_the_code_accepts(self):
        fields = {e["name"][len("septet."):]: {f["name"] for f in e["fields"]}
                  for e in self.entries() if e["kind"] == "class" and e.get("fields")}
        accepted = {}
        for line in self.run_script(OPTIONS.replace("%%", "%")):
            name, words = line.split("\t")
            self.assertTrue(words.startswith("one of "), line)
            accepted[name] = set(words[len("one of "):].split(", "))
        self.assertGreater(len(accepted), 40)
        for name in sorted(accepted):
            with self.subTest(name):
                self.assertEqual(fields[name] - OTHERS.get(name, set()) - {"[integer]"},
                                 accepted[name])


if __name__ == "__main__":
    unittest.main()
