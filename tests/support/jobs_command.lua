-- SPDX-License-Identifier: MIT
--- What `septet jobs` shows of a queue and does to it, on any engine that other processes see.
local specs = {}

local command = require "command"
local engines = require "jobs_engines"
local json, process = require "septet.json", require "septet.process"

-- Runs the command on a place. Returns its standard output, its status, and standard error.
local function run(place, ...)
  local result = process.run { check = false, command.path, "jobs", place.url, ... }
  return result.stdout, result.code, result.stderr
end

-- Checks that the command ends with the status 0 and says nothing on standard error. Returns what
-- it wrote.
local function output(place, ...)
  local out, status, err = run(place, ...)
  equal({ status, err }, { 0, "" })
  return out
end

local function objects(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = json.decode(line) end
  return list
end

-- Fills a queue: two jobs are done, one is dead, one is pending and one delayed.
local function fill(place)
  local q <close> = place:queue()
  q:put_many { { key = "one", data = { n = 1 } }, { key = "two" }, { key = "bad", data = { 7 } } }
  q:run({ attempts = 2, backoff = 0.001 }, function(job)
    if job.key == "bad" then error "no luck" end
    return { of = job.key, attempt = job.attempt }
  end)
  q:put { key = "three" }
  q:put { key = "later", delay = 3600 }
end

local function all_of(engine)
  local function on(title, fn)
    it(title, function()
      local place <close> = engines.place(engine, true)
      fn(place)
    end)
  end

  on("a queue that does not exist is not made", function(place)
    for _, verb in ipairs { "stats", "results", "dead", "check", "clear" } do
      for _ = 1, 2 do
        local out, status, err = run(place, verb)
        equal({ out, status }, { "", 1 })
        equal(err:match "^septet: queue '[^\n]*': there is no such %a+\n$" ~= nil, true, err)
      end
    end
  end)

  on("stats are a table, and with --json a line of JSON", function(place)
    fill(place)
    local text = output(place)
    for _, line in ipairs { "pending +1 ", "waiting +0\n", "delayed +1\n", "leased +0\n", "done +2",
      "dead +1   see septet jobs " } do
      equal(text:find("  " .. line) ~= nil, true, text)
    end
    local function without_times(shown)
      return (shown:gsub("for [^\n]*", ""):gsub("   [%d.]+ a second lately", ""))
    end
    equal(without_times(output(place, "stats")), without_times(text))
    local stats = objects(output(place, "stats", "--json"))[1]
    equal({ stats.pending, stats.waiting, stats.delayed, stats.leased, stats.done, stats.dead },
      { 1, 0, 1, 0, 2, 1 })
    equal(stats.oldest >= 0, true)
  end)

  on("results are lines of JSON", function(place)
    fill(place)
    local list = objects(output(place, "results", "--json"))
    table.sort(list, function(a, b) return a.key < b.key end)
    equal({ #list, list[1].key, list[1].result.of, list[2].key, list[2].result.attempt },
      { 2, "one", "one", "two", 1 })
    equal(math.abs(list[1].at - os.time()) < 100, true)
  end)

  on("dead jobs are lines of JSON, or text", function(place)
    fill(place)
    local list = objects(output(place, "dead"))
    local dead = list[1]
    equal({ #list, dead.key, dead.data[1], dead.attempts, #dead.history },
      { 1, "bad", 7, 2, 2 })
    equal(dead.error:find("no luck", 1, true) ~= nil, true, dead.error)
    equal(dead.traceback:find("traceback", 1, true) ~= nil, true, dead.traceback)
    equal(dead.history[1].error:find("no luck", 1, true) ~= nil, true)
    local text = output(place, "dead", "--text")
    equal(text:find("\\t", 1, true), nil, text)
    equal(text:match "^bad\n  dead since %d%d%d%d%-.- UTC, 2 attempts\n  [^\n]*no luck\n" ~= nil,
      true, text)
  end)

  on("retry makes dead jobs pending again, by key or all of them", function(place)
    fill(place)
    local out, status, err = run(place, "retry", "bad", "one", "none")
    equal({ out, status, err }, { "1 job pending again\n", 1, "septet: no dead job 'one'\n"
      .. "septet: no dead job 'none'\n" })
    equal(objects(output(place, "stats", "--json"))[1].pending, 2)
    equal(output(place, "retry", "--all"), "0 jobs pending again\n")
    local q <close> = place:queue()
    q:remove "later"
    q:run({ attempts = 1 }, function() error "again" end)
    equal(output(place, "retry", "--all"), "2 jobs pending again\n")
  end)

  on("remove forgets jobs in any state", function(place)
    fill(place)
    equal(output(place, "remove", "one", "bad", "later"), "3 jobs removed\n")
    local out, status, err = run(place, "remove", "one")
    equal({ out, status, err }, { "0 jobs removed\n", 1, "septet: no job 'one'\n" })
    local stats = objects(output(place, "--json"))[1]
    equal({ stats.pending, stats.delayed, stats.done, stats.dead }, { 1, 0, 1, 0 })
  end)

  on("clear wants to be told that it is meant", function(place)
    fill(place)
    local out, status, err = run(place, "clear")
    equal({ out, status }, { "", 2 })
    equal(err:find("clear removes all 5 jobs of", 1, true) ~= nil, true, err)
    equal(output(place, "clear", "--yes"), "5 jobs removed\n")
    local stats = objects(output(place, "--json"))[1]
    equal({ stats.pending, stats.delayed, stats.done, stats.dead }, { 0, 0, 0, 0 })
    equal(output(place, "results"), "")
  end)

  on("forget removes old results, and the keys may be put again", function(place)
    fill(place)
    equal(output(place, "forget", "1h"), "0 results forgotten\n")
    local q <close> = place:queue()
    equal(q:put { key = "one" }, false)
    equal(output(place, "forget", "0"), "2 results forgotten\n")
    equal(output(place, "results"), "")
    equal(q:put { key = "one" }, true)
  end)

  on("a job that is put again after it was done has one result, the new one", function(place)
    fill(place)
    do
      local q <close> = place:queue()
      q:remove "later"
      equal(q:put { key = "one", again = true }, true)
      equal(objects(output(place, "stats", "--json"))[1].pending, 2)
      equal(#objects(output(place, "results")), 2)
      q:run({}, function(job) return job.key == "one" and "new" or nil end)
    end
    local found = {}
    for _, row in ipairs(objects(output(place, "results"))) do
      equal(found[row.key], nil, row.key)
      found[row.key] = row.result
    end
    equal(found.one, "new")
  end)

  on("results that a run keeps for a time are gone afterwards", function(place)
    local q <close> = place:queue()
    q:put { key = "short" }
    q:run({}, function() return 1 end)
    equal(#objects(output(place, "results")), 1)
    q:put { key = "next" }
    q:run({ keep = 0 }, function() return 2 end)
    for _, row in ipairs(objects(output(place, "results"))) do equal(row.key, "next") end
  end)

  on("check finds nothing wrong with a sound queue", function(place)
    fill(place)
    equal(output(place, "check"):find ": nothing is wrong\n$" ~= nil, true)
    equal(output(place, "check", "--json"), "")
  end)

  on("keys and errors move no cursor, and keys of any bytes are told exactly", function(place)
    local bytes = "\xFF\0\x1b[2J"
    do
      local q <close> = place:queue()
      q:put_many { { key = bytes }, { key = "\u{9b}31m" } }
      q:run({ attempts = 1 }, function(job)
        if job.key == bytes then error("\x1b]0;title\7\u{85}", 0) end
        return { text = "\x7F\u{9b}" }
      end)
    end
    for _, verb in ipairs { "results", "dead" } do
      local text = output(place, verb)
      equal(text:find "[\0-\9\11-\31\x7F]" or text:find "\xC2[\x80-\x9F]", nil, text)
    end
    equal(output(place, "dead", "--text"):find "[\0-\9\11-\31\x7F]", nil)
    local dead = objects(output(place, "dead"))[1]
    equal(require "septet.hash".unbase64(dead.key_base64), bytes)
    equal(objects(output(place, "results"))[1].key, "\u{9b}31m")
    equal(objects(output(place, "results"))[1].result.text, "\x7F\u{9b}")
  end)

  on("what comes behind -- is a key", function(place)
    do
      local q <close> = place:queue()
      q:put { key = "--all" }
    end
    equal(output(place, "remove", "--", "--all"), "1 job removed\n")
  end)

  on("a reader that goes away ends it without a word", function(place)
    do
      local q <close> = place:queue()
      local list = {}
      for i = 1, 3000 do list[i] = { key = ("k"):rep(50) .. i } end
      q:put_many(list)
      q:run({ workers = 64 }, function() return ("x"):rep(100) end)
    end
    local printed, status = command.shell(("'%s' jobs '%s' results | head -n 1 | wc -l"):format(
      command.path, place.url))
    equal({ tonumber(printed), status }, { 1, 0 })
    equal(#objects(output(place, "results")), 3000)
  end)
end

--- Describes the command on an engine.
---@param engine string
function specs.on(engine)
  describe("septet jobs on " .. engine, function() all_of(engine) end)
end

return specs
