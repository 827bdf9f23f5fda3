-- SPDX-License-Identifier: MIT
-- septet jobs with queues on a Redis server.
local jobs, process = require "septet.jobs", require "septet.process"
local command = require "command"

before_all(require "jobs_engines".start)
require "jobs_command".on "redis"

describe("septet jobs on a server with a password", function()
  it("takes it from the URL, and never shows it", function()
    local server <close> = require "redis".start { requirepass = "hush" }
    local url = server:url("crawl", "hush")
    do
      local q <close> = jobs.open(url)
      q:put { key = "one" }
      equal(tostring(q):find("hush", 1, true), nil)
    end
    local function run(...)
      local result = process.run { check = false, command.path, "jobs", ... }
      return result.code, result.stdout, result.stderr
    end
    local code, out, err = run(url)
    equal({ code, err }, { 0, "" })
    equal(out:match "pending +1 " ~= nil, true, out)
    equal(out:find("hush", 1, true), nil)
    for _, wrong in ipairs { server:url "crawl", server:url("crawl", "hushed") } do
      code, out, err = run(wrong)
      equal({ code, out }, { 1, "" })
      equal(err:match "^septet: queue 'unix://[^\n]*\n$" ~= nil, true, err)
      equal(err:find("hush", 1, true), nil, err)
    end
  end)
end)

describe("the end", function()
  it("stops the server", function() require "jobs_engines".stop() end)
end)
