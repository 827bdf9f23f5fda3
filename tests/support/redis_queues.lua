-- SPDX-License-Identifier: MIT
--- Drivers of queues on Redis, as the specs of their faults use them.
local queues = {}

local task = require "septet.task"

local private = debug.getregistry()["septet.require"] -- of private modules

local LEASE <const> = 60
local STILL <const> = 60 -- seconds that no machine stands still

-- Configurations of a server: one that is durable, and one that keeps what it has in a restart.
queues.DURABLE = { appendonly = "yes", appendfsync = "always" }
queues.KEPT = { appendonly = "yes", appendfsync = "no" }
queues.LEASE = LEASE

local owners = 0

--- Opens a driver, with an owner of its own.
function queues.open(url, options)
  owners = owners + 1
  local given = { owner = "owner-" .. owners, patience = 20, sync = "full",
    silence = STILL, dead_after = STILL }
  for name, value in pairs(options or {}) do given[name] = value end
  return private "septet.jobs.redis".open(private "septet.jobs.target".parse(url), given)
end

function queues.take(driver, n, mark)
  return driver:take(n, { lease = LEASE, attempts = 5, token = mark })
end

--- Checks that fn raises a JobsError with this code, and returns it.
function queues.fails(code, fn, ...)
  local ok, err = pcall(fn, ...)
  equal(ok, false, code)
  if not task.is(err, "JobsError") then error(err, 0) end
  equal(err.code, code, tostring(err))
  return err
end

--- Puts jobs by their keys, and returns the number of new ones.
function queues.put(driver, ...)
  local list = {}
  for i, key in ipairs { ... } do list[i] = { key = key, data = "1" } end
  return (driver:put(list))
end

--- Ends a job as done, and returns whether its lease held.
function queues.finish(driver, key, mark, result)
  return driver:finish({ { key = key, token = mark, how = "done", result = result or "1" } })[1]
end

--- Returns the results by key, and their number. Fails if a key has two.
function queues.results(driver)
  local found, cursor, n = {}, nil, 0
  repeat
    local rows
    rows, cursor = driver:results(cursor, 100)
    for _, row in ipairs(rows) do
      equal(found[row.key], nil, row.key)
      found[row.key], n = row.result, n + 1
    end
  until not cursor
  return found, n
end

return queues
