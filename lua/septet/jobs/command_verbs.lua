-- SPDX-License-Identifier: MIT
-- What the verbs of `septet jobs` do with a queue.
local output = require "septet.jobs.command_output"
local queue = require "septet.jobs.queue"
local target = require "septet.jobs.target"
local words = require "septet.trace.words"

local verbs = {}

local run = {} -- functions (queue, words, options) by verb, each of which returns the exit status

local DONE, FAILED, USAGE = 0, 1, 2
local PATIENCE <const> = 10 -- seconds for which a fault of the engine is ridden out

local escape, object, write = output.escape, output.object, output.write

-- Returns { driver, shown, close } of a queue that exists.
local function open(where)
  local place = target.parse(where)
  if place.engine == "memory" then
    output.fail("queue '%s': only the process that has it sees what is in memory", place.shown)
  end
  return queue.open(where, { patience = PATIENCE, sync = "full", existing = true })
end

local function date(seconds)
  return os.date("!%Y-%m-%d %H:%M:%S", seconds // 1 | 0) .. " UTC"
end

-- --- stats ---

local states = { "pending", "waiting", "delayed", "leased", "done", "dead" }

local function stats_as_json(stats)
  local list = { n = 0 }
  for _, name in ipairs { "pending", "waiting", "delayed", "leased", "done", "dead", "oldest",
    "rate" } do
    list[list.n + 1], list[list.n + 2] = name, stats[name]
    list.n = list.n + 2
  end
  write(object(list), "\n")
end

local notes = {
  pending = function(stats)
    return stats.oldest and "the oldest for " .. words.duration(stats.oldest)
  end,
  waiting = function() return "for a place in their group" end,
  done = function(stats)
    local rate = stats.rate or 0
    if rate >= 9.95 then return words.count((rate + 0.5) // 1 | 0) .. " a second lately" end
    if rate > 0 then return ("%.2g a second lately"):format(rate) end
  end,
  dead = function(_, shown) return ("see septet jobs %s dead"):format(shown) end,
}

local function stats_as_text(stats, shown)
  local width = 1
  for _, name in ipairs(states) do width = math.max(width, #words.count(stats[name] or 0)) end
  write(escape(shown), "\n")
  for _, name in ipairs(states) do
    local n = stats[name] or 0
    local note = n > 0 and notes[name] and notes[name](stats, escape(shown))
    local line = ("  %-8s %" .. width .. "s"):format(name, words.count(n))
    write(line, note and "   " .. note or "", "\n")
  end
end

function run.stats(q, _, options)
  local stats = q.driver:stats()
  if options.json then stats_as_json(stats) else stats_as_text(stats, q.shown) end
  return DONE
end

-- --- results and the dead ---

-- Returns what is JSON already, for a line.
local function given(text) return { json = output.printable(text or "null") } end

-- Returns the failures of a dead job, the first one first.
local function history_of(row)
  local list = {}
  for i, failure in ipairs(row.history or {}) do
    list[i] = object { n = 4, "at", failure.at, "error", failure.error }
  end
  return { json = "[" .. table.concat(list, ",") .. "]" }
end

function run.results(q)
  for row in q.rows "results" do
    local key, bytes = output.key(row.key)
    write(object { n = 8, "key", key, "key_base64", bytes,
      "result", given(row.result), "at", row.at }, "\n")
  end
  return DONE
end

-- Those of a traceback are indented by tabs.
local function indented(text, spaces)
  return (text:gsub("(\t?)([^\n]+)", function(tab, line)
    return spaces .. (tab ~= "" and "  " or "") .. escape(line)
  end))
end

local function dead_as_text(row)
  write(escape(row.key), "\n")
  write(("  dead since %s, %s\n"):format(date(row.at),
    words.number(row.attempts or 0, "attempt")))
  write(indented(row.error or "?", "  "), "\n")
  if row.traceback then write(indented(row.traceback, "    "), "\n") end
end

local function dead_as_json(row)
  local key, bytes = output.key(row.key)
  write(object { n = 16, "key", key, "key_base64", bytes, "data", given(row.data),
    "error", row.error, "traceback", row.traceback, "attempts", row.attempts,
    "history", history_of(row), "at", row.at }, "\n")
end

function run.dead(q, _, options)
  local show = options.text and dead_as_text or dead_as_json
  for row in q.rows "dead" do show(row) end
  return DONE
end

-- --- changes ---

-- Calls fn(key) for each key, and tells for how many it returned a true value: they are `what` now.
-- Each of the others is named as a problem. Returns the exit status.
local function for_keys(keys, fn, what, problem)
  local n = 0
  for _, key in ipairs(keys) do
    if fn(key) then
      n = n + 1
    else
      output.complain("%s '%s'", problem, key)
    end
  end
  write(words.number(n, "job"), what, "\n")
  return n == #keys and DONE or FAILED
end

function run.retry(q, keys, options)
  if options.all then
    write(words.number(q.driver:retry(nil), "job"), " pending again\n")
    return DONE
  end
  return for_keys(keys, function(key) return q.driver:retry(key) > 0 end, " pending again",
    "no dead job")
end

function run.remove(q, keys)
  return for_keys(keys, function(key) return q.driver:remove(key) end, " removed", "no job")
end

function run.forget(q, ages)
  write(words.number(q.driver:forget(ages[1]), "result"), " forgotten\n")
  return DONE
end

function run.clear(q, _, options)
  local stats, n = q.driver:stats(), 0
  for _, name in ipairs(states) do n = n + (stats[name] or 0) end
  if not options.yes then
    output.complain("clear removes all %s of '%s'; if that is meant, add --yes",
      words.number(n, "job"), q.shown)
    return USAGE
  end
  q.driver:clear()
  write(words.number(n, "job"), " removed\n")
  return DONE
end

function run.check(q, _, options)
  local findings = q.driver:check()
  for _, finding in ipairs(findings) do
    write(options.json and object { n = 2, "finding", finding } or escape(finding), "\n")
  end
  if not findings[1] and not options.json then write(escape(q.shown), ": nothing is wrong\n") end
  return findings[1] and FAILED or DONE
end

--- Runs a verb on a queue. Returns the exit status.
---@async
---@param where string
---@param verb string
---@param arguments table
---@param options table<string, boolean>
---@return integer
function verbs.run(where, verb, arguments, options)
  local q <close> = open(where)
  return run[verb]({ driver = queue.driver(q), shown = q.url,
    rows = function(method) return queue.rows(q, method) end }, arguments, options)
end

return verbs
