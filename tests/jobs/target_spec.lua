-- SPDX-License-Identifier: MIT
-- Where a queue lies: URLs and paths, taken apart, and those that are refused.
local jobs = require "septet.jobs"
local target = debug.getregistry()["septet.require"] "septet.jobs.target"

local function parsed(text, expected)
  local got = target.parse(text)
  for name, value in pairs(expected) do equal(got[name], value, text .. " " .. name) end
  return got
end

local function refused(words, text)
  local err = raises_error({ kind = "JobsError", code = "url" }, jobs.open, text)
  if not err.message:find(words, 1, true) then
    error(("%q: expected %q, got %q"):format(text, words, err.message), 2)
  end
  return err
end

describe("the URL of a queue", function()
  it("that has no scheme is the path of a file", function()
    for _, path in ipairs { "crawl.db", "./a:b.db", "a b", "memory", "redis", "C:\\x.db",
      "file:x.db", "redis//h" } do
      parsed(path, { engine = "sqlite", path = path })
    end
  end)

  it("names a queue in memory", function()
    equal(parsed("memory:", { engine = "memory" }).name, nil)
    parsed("memory:x:y", { engine = "memory", name = "x:y" })
    parsed("MEMORY:x", { engine = "memory", name = "x" })
  end)

  it("names a server, a database and a queue there", function()
    parsed("redis://h", { engine = "redis", host = "h", port = 6379, db = 0, queue = "jobs",
      tls = false })
    parsed("redis://h:6380/2?queue=q", { port = 6380, db = 2, queue = "q" })
    parsed("rediss://h/", { tls = true, db = 0 })
    parsed("REDIS://[::1]:1/3", { host = "::1", port = 1, db = 3, tls = false })
    parsed("redis://h?queue=a%20b%C3%A9", { queue = "a bé" })
    equal(parsed("redis://:@h", {}).password, nil)
  end)

  it("names a unix socket", function()
    parsed("unix:///tmp/s%20x?queue=a&db=3&user=u&password=geheim", { engine = "redis",
      path = "/tmp/s x", queue = "a", db = 3, user = "u", password = "geheim" })
    parsed("unix:/tmp/s", { path = "/tmp/s", queue = "jobs", db = 0 })
  end)

  it("has a user and a password, which no message shows", function()
    for _, text in ipairs { "redis://u:gehe%40im@h/0", "redis://:gehe%40im@h",
      "unix:///s?password=gehe%40im" } do
      local got = parsed(text, { password = "gehe@im" })
      equal(got.shown:find "gehe", nil, text)
    end
    for _, text in ipairs { "redis://u:geheim@h/x", "redis://:geheim@h?que=1",
      "redis://h?password=geheim", "unix://h/s?password=geheim", "unix:///?password=geheim",
      "redis://u:geheim@h:port" } do
      local err = raises_error({ code = "url" }, jobs.open, text)
      equal({ err.message:find "geheim", err.queue:find "geheim" }, {}, text)
    end
  end)

  it("is refused if it is none, with the reason", function()
    refused("the path is empty", "")
    refused("a NUL", "a\0b")
    refused("unknown scheme 'http'", "http://x/")
    refused("unknown scheme 'sqlite'", "sqlite:///x.db")
    refused("a path of a file, redis, rediss, unix or memory", "mysql://h/x")
    refused("no host", "redis:h")
    refused("no host", "redis:///0")
    refused("no host", "redis://u:p@/0")
    refused("a bad port", "redis://h:99999")
    refused("'0/1' is no number of a database", "redis://h/0/1")
    refused("'-1' is no number of a database", "redis://h/-1")
    refused("'x' is no number of a database", "unix:///s?db=x")
    refused("no number of a database", "redis://h/99999999999999999999")
    refused("a queue's name has", "redis://h?queue=")
    refused("a queue's name has", "redis://h?queue=a%7Bb")
    refused("a queue's name has", "redis://h?queue=%00")
    refused("a queue's name has", "redis://h?queue=" .. ("q"):rep(201))
    refused("occurs twice", "redis://h?queue=a&queue=b")
    refused("unknown parameter 'que' in the URL, did you mean 'queue'?", "redis://h?que=a")
    refused("unknown parameter 'db'", "redis://h?db=1")
    refused("a fragment", "redis://h#f")
    refused("three slashes", "unix://tmp/s")
    refused("no path of a socket", "unix:///")
  end)

  it("is a string, and the options are known ones", function()
    misuse("bad argument #1 to 'open' %(string expected, got nil%)", function() jobs.open() end)
    misuse("bad argument #1 to 'open' %(string expected, got table%)", function()
      jobs.open { "memory:" }
    end)
    misuse("unknown option 'patient' to 'open', did you mean 'patience'%?", function()
      jobs.open("memory:", { patient = 1 })
    end)
    misuse("bad option 'patience' to 'open' %(seconds", function()
      jobs.open("memory:", { patience = -1 })
    end)
    misuse("bad option 'sync' to 'open' %('full' or 'normal' expected, got 'off'%)", function()
      jobs.open("memory:", { sync = "off" })
    end)
  end)
end)
