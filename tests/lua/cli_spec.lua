-- SPDX-License-Identifier: MIT
-- septet.cli: the options of a script's command line.
local cli, process, task = require "septet.cli", require "septet.process", require "septet.task"
local command = require "command"

local SPEC = { file = "string", limit = { "integer", 64 }, rate = { "number", 0.5 }, json = "flag",
  per_host = "integer", tries = "count" }

local function refused(words, message)
  local ok, err = task.pcall(cli.parse, words, SPEC)
  equal(ok, false)
  equal(task.is(err, "Usage"), true)
  equal(err.message, message)
end

it("options take their value from the same word or the next, and the last one counts", function()
  local options, rest = cli.parse({ "a", "--limit", "3", "--file=x=y", "b", "--per-host=0x10",
    "--limit=4", "--rate", "-1.5", "--json" }, SPEC)
  equal(options, { limit = 4, file = "x=y", per_host = 16, rate = -1.5, json = true })
  equal(rest, { "a", "b" })
end)

it("what is not given has its default, and is nil without one", function()
  local options, rest = cli.parse({}, SPEC)
  equal(options, { limit = 64, rate = 0.5 })
  equal(rest, {})
end)

it("a dash is a word, and so is all behind two of them", function()
  local options, rest = cli.parse({ "-", "--", "--json", "-x", "--" }, SPEC)
  equal(options.json, nil)
  equal(rest, { "-", "--json", "-x", "--" })
end)

it("an empty value is a value, and a word may be empty", function()
  local options, rest = cli.parse({ "--file=", "" }, SPEC)
  equal(options.file, "")
  equal(rest, { "" })
end)

it("--help is known to all", function()
  equal(cli.parse({ "--help" }, {}).help, true)
end)

it("the table of the script's words may be given, with its name at 0", function()
  local _, rest = cli.parse({ [-1] = "septet", [0] = "x.lua", "a" }, SPEC)
  equal(rest, { "a" })
end)

it("what is wrong is told without a place in the script", function()
  refused({ "--limti", "3" }, "unknown option '--limti', did you mean '--limit'?")
  refused({ "-x" }, "unknown option '-x'")
  refused({ "--per_host=1" }, "unknown option '--per_host', did you mean '--per-host'?")
  refused({ "--limit" }, "--limit needs a value")
  refused({ "--limit", "x" }, "--limit: a whole number expected, got 'x'")
  refused({ "--limit=1.5" }, "--limit: a whole number expected, got '1.5'")
  refused({ "--limit=" }, "--limit: a whole number expected, got ''")
  refused({ "--tries=-1" }, "--tries: a whole number, not negative, expected, got '-1'")
  refused({ "--rate=nan" }, "--rate: a number expected, got 'nan'")
  refused({ "--json=yes" }, "--json takes no value, got 'yes'")
  refused({ "--\27[31m" }, "unknown option '--\\x1b[31m'")
  local ok, err = task.pcall(cli.fail, "no URL: '%s'", "\n")
  equal({ ok, err.kind, err.message }, { false, "Usage", "no URL: '\\n'" })
end)

it("a spec that is none is told at the script's line", function()
  misuse("bad argument #1 to 'parse'", function() cli.parse("x", SPEC) end)
  misuse("bad argument #2 to 'parse'", function() cli.parse({}, nil) end)
  misuse("bad argument #2 to 'parse'", function() cli.parse({}, { "file" }) end)
  misuse("bad option 'file' of 'parse'", function() cli.parse({}, { file = "path" }) end)
  misuse("bad option 'file' of 'parse'", function() cli.parse({}, { file = {} }) end)
end)

it("run() tells what the user can mend in one line, and raises the rest", function()
  local function ended(body)
    local line = { command.path, "-e", "require 'septet.cli'.run('x.lua', function() " .. body
      .. " end)" }
    local result = process.run(line)
    return { result.code, result.stderr:match "^[^\n]*", result.stderr:find "traceback" ~= nil }
  end
  equal(ended "require 'septet.cli'.fail('no \\27 URL')", { 2, "x.lua: no \\x1b URL", false })
  equal(ended "require 'septet.io'.open '/nope'",
    { 2, "x.lua: cannot open '/nope': no such file or directory", false })
  equal(ended "require 'septet.jobs'.open 'mysql://x'"[1], 2)
  equal(ended "error 'mine'"[1], 1)
  equal(ended "error 'mine'"[3], true)
  equal(ended "os.exit(7)"[1], 7)
  misuse("bad argument #2 to 'run'", function() cli.run("x", nil) end)
end)
