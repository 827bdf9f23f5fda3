-- SPDX-License-Identifier: MIT
-- What the random programs find: drivers with planted bugs.
local engines, program = require "jobs_engines", require "jobs_program"
local states = debug.getregistry()["septet.require"] "septet.jobs.store"

local SEEDS <const> = 300 -- in which each bug must be found
local LONG <const> = 12   -- steps of a program that shows it

-- Each makes a driver of a queue in memory wrong. `right` has its methods.
local plants = {}

plants["fencing is forgotten"] = function(driver, right)
  function driver:finish(ends)
    for _, ending in ipairs(ends) do
      local job = self.store.jobs[ending.key]
      if job and job.token then ending.token = job.token end
    end
    return right.finish(self, ends)
  end
end

plants["a late renewal is taken"] = function(driver, right)
  function driver:renew(list, seconds)
    right.renew(self, list, seconds)
    local answers = {}
    for i in ipairs(list) do answers[i] = true end
    return answers
  end
end

plants["a child is lost"] = function(driver, right)
  function driver:finish(ends)
    for _, ending in ipairs(ends) do
      if ending.puts and #ending.puts > 1 then ending.puts = { ending.puts[1] } end
    end
    return right.finish(self, ends)
  end
end

plants["the children come before the end"] = function(driver, right)
  function driver:finish(ends)
    local answers = {}
    for i, ending in ipairs(ends) do
      local job = self.store.jobs[ending.key]
      if job and job.token == ending.token then self:put(ending.puts or {}) end
      local rest = {}
      for name, value in pairs(ending) do rest[name] = name ~= "puts" and value or nil end
      answers[i] = right.finish(self, { rest })[1]
    end
    return answers
  end
end

plants["the priority has no effect"] = function(driver, right)
  function driver:put(jobs)
    local list = {}
    for i, job in ipairs(jobs) do
      list[i] = { key = job.key, data = job.data, delay = job.delay, again = job.again,
        group = job.group }
    end
    return right.put(self, list)
  end
end

plants["what comes back goes to the end"] = function(driver, right)
  function driver:finish(ends)
    self.store.back = 1 << 52
    return right.finish(self, ends)
  end
end

plants["a crash counts no attempt"] = function(driver, right)
  function driver:take(n, options)
    for _, job in pairs(self.store.jobs) do
      if job.owner and not self.alive(job.owner) then job.attempts = job.attempts - 1 end
    end
    return right.take(self, n, options)
  end
end

plants["leases go by the wall clock"] = function(driver)
  local clock = driver.clock
  driver.clock = { wall = clock.wall, steady = clock.wall }
end

plants["a delay goes by the steady clock"] = function(driver)
  local clock = driver.clock
  driver.clock = { wall = clock.steady, steady = clock.steady }
end

plants["a take that is asked again takes more"] = function(driver, right)
  function driver:take(n, options)
    local tokens = self.store.tokens
    local before = tokens[options.token]
    tokens[options.token] = nil
    local list, info = right.take(self, n, options)
    local now = tokens[options.token] or before
    if before and now ~= before then table.move(before, 1, #before, #now + 1, now) end
    tokens[options.token] = now
    return list, info
  end
end

plants["an end that is asked again is refused"] = function(driver, right)
  function driver:finish(ends)
    local answers = right.finish(self, ends)
    for _, job in pairs(self.store.jobs) do job.ended_token = nil end
    return answers
  end
end

plants["a place of a group is lost when a job is removed"] = function(driver, right)
  function driver:remove(key)
    local job = self.store.jobs[key]
    local group = job and job.state == "leased" and job.group
    local answer = right.remove(self, key)
    if group then
      states.enter(self.store, job, group)
    end
    return answer
  end
end

plants["a group has a place too many"] = function(driver, right)
  function driver:take(n, options)
    local other = {}
    for name, value in pairs(options) do other[name] = value end
    other.limit = options.limit and options.limit + 1
    return right.take(self, n, other)
  end
end

plants["a result is lost when its job is put again"] = function(driver, right)
  function driver:put(jobs)
    local n, new = right.put(self, jobs)
    for i in pairs(new) do
      local job = self.store.jobs[jobs[i].key]
      if job.ended then self.store.results[job.ended] = nil end
    end
    return n, new
  end
end

plants["a dead job forgets its history when it is tried again"] = function(driver, right)
  function driver:retry(key)
    for _, job in pairs(self.store.jobs) do
      if job.state == "dead" then job.history = nil end
    end
    return right.retry(self, key)
  end
end

plants["close counts an attempt"] = function(driver, right)
  function driver:close()
    for _, job in pairs(self.store.jobs) do
      if job.owner == self.owner then job.attempts = job.attempts + 1 end
    end
    return right.close(self)
  end
end

plants["forget takes what is younger"] = function(driver, right)
  function driver:forget(seconds) return right.forget(self, seconds / 2) end
end

plants["a page of results leaves one out"] = function(driver, right)
  function driver:results(after, n)
    local list, cursor = right.results(self, after, n)
    return list, cursor and cursor + 1
  end
end

plants["an error is raised now and then"] = function(driver, right)
  function driver:enter(list, limit)
    if #list == 3 then error "broken" end
    return right.enter(self, list, limit)
  end
end

local names = {}
for name in pairs(plants) do names[#names + 1] = name end
table.sort(names)

describe("a planted bug is found", function()
  for _, name in ipairs(names) do
    it(name, function()
      local place <close> = engines.place "memory"
      place.plant = plants[name]
      local err = raises("^seed %d+ on memory: ", program.check, place, 1, SEEDS)
      local _, lines = err:gsub("\n", "")
      if lines - 1 > LONG then error("a long program:\n" .. err, 0) end
      if os.getenv "SHOW" then print(err) end
    end)
  end
end)
