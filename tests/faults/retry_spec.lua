-- SPDX-License-Identifier: MIT
-- Retries: their delays, their number, and what is never retried.
-- check: allow blocks
local private = debug.getregistry()["septet.require"] -- of private modules
local task, http = require "septet.task", require "septet.http"
local retry = private "septet.http.retry"
local command, origin = require "command", require "origin"

local function http_date(seconds)
  return (os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + seconds):gsub(" ", "%%20"))
end

describe("fault.40 http.40 a Retry-After", function()
  it("a Retry-After in seconds is waited for", function()
    local session <close> = http.session { retries = { backoff = 100, max_backoff = 100 } }
    local t0 = task.now()
    local r = session:get(origin.failing(1, "&retry-after=1"))
    equal({ r.status, r.attempts }, { 200, 2 })
    equal(task.now() - t0 >= 1, true)
    equal(session:get(origin.failing(1, "&retry-after=0")).attempts, 2)
  end)

  it("a date in a Retry-After is waited for, and a past one is at once", function()
    local session <close> = http.session { retries = { backoff = 100, max_backoff = 100 } }
    equal(session:get(origin.failing(1, "&retry-after=" .. http_date(1))).attempts, 2)
    equal(session:get(origin.failing(1, "&retry-after=" .. http_date(-86400))).attempts, 2)
  end)

  it("a Retry-After that is too long ends the retries", function()
    local session <close> = http.session { retries = { backoff = 0.001, max_wait = 5 } }
    for _, value in ipairs { "6", "1000000000000", ("9"):rep(400), http_date(3600) } do
      local r = session:get(origin.failing(1, "&retry-after=" .. value))
      equal({ r.status, r.attempts }, { 503, 1 })
    end
    -- The delay would outlast the request.
    local r = session:get(origin.failing(1, "&retry-after=900"),
      { timeout = 60, retries = { backoff = 0.001, max_wait = 1000 } })
    equal({ r.status, r.attempts }, { 503, 1 })
  end)

  it("an invalid Retry-After is ignored", function()
    for _, value in ipairs {
      "-1", "soon", "1.5e3", "", "Mon,%2099%20Foo%202020%2000:00:00%20GMT", "0x10",
    } do
      local session <close> = http.session { retries = { backoff = 0.001 } }
      local r = session:get(origin.failing(2, "&retry-after=" .. value))
      equal({ r.status, r.attempts }, { 200, 3 }, value)
    end
  end)
end)

describe("http.40 what is tried again", function()
  it("a POST is not retried, unless a script says so", function()
    local session <close> = http.session { retries = { backoff = 0.001 } }
    equal(session:post(origin.failing(1), { body = "x" }).status, 503)
    equal(session:put(origin.failing(1), { body = "x" }).status, 200)
    local retries = { methods = { "POST" }, backoff = 0.001 }
    equal(session:post(origin.failing(1), { body = "x", retries = retries }).status, 200)
  end)

  it("the budget of an origin limits its retries", function()
    local session <close> = http.session { retries = { attempts = 2, backoff = 0, budget = 0.1 } }
    local tried_again = 0
    for _ = 1, 100 do tried_again = tried_again + session:get(origin.failing(9)).attempts - 1 end
    -- Ten to begin with, and one for each ten requests.
    equal(tried_again >= 10 and tried_again <= 20, true, tostring(tried_again))
    equal(session:get("http://localhost:" .. origin.port .. "/fail/1?key=faults-other").attempts, 2)
  end)
end)

describe("fault.41 a thousand that try again", function()
  it("the retries of a thousand requests are spread over the time", function()
    local policy = retry.policy({ attempts = 3, backoff = 1, max_backoff = 8 }, "session")
    math.randomseed(20240607)
    for attempts, window in ipairs { 1, 2 } do
      local first, last, early = math.huge, 0, 0
      for _ = 1, 1000 do
        local delay = retry.delay(policy, attempts)
        first, last = math.min(first, delay), math.max(last, delay)
        early = early + (delay < window / 2 and 1 or 0)
      end
      equal(last <= window, true)
      equal(last - first >= 0.8 * window, true)
      -- Each half of the window has about as many.
      equal(early > 400 and early < 600, true, tostring(early))
    end
  end)

  it("retries to a thousand origins are spread over the window", function()
    local script = [[
      local task, http = require "septet.task", require "septet.http"
      math.randomseed(41)
      local session <close> = http.session {
        limit = 50, retries = { attempts = 2, backoff = 100, max_backoff = 100 },
      }
      local t0, tenths, first, last = task.now(), {}, math.huge, 0
      local numbers = {}
      for i = 1, 1000 do numbers[i] = i end
      task.gather(task.map(function(i) -- each to an origin of its own, a closed port
        pcall(session.get, session, ("http://127.1.%d.%d:1/"):format(i // 250, i % 250 + 1))
        local waited = task.now() - t0
        first, last = math.min(first, waited), math.max(last, waited)
        local tenth = math.min(9, waited // 10)
        tenths[tenth] = (tenths[tenth] or 0) + 1
      end, numbers))
      local most, least = 0, 1000
      for i = 0, 9 do
        most, least = math.max(most, tenths[i] or 0), math.min(least, tenths[i] or 0)
      end
      print(session:stats().retries, last - first >= 80, most < 200, least > 50)
    ]]
    local line = ("'%s' --virtual-time -e '%s' 2>&1"):format(command.path, script)
    local pipe <close> = assert(io.popen(line))
    equal(pipe:read "a", "1000\ttrue\ttrue\ttrue\n")
  end)

  it("retries do not multiply the load", function()
    local session <close> = http.session { limit = 64, limit_per_host = 64,
      retries = { attempts = 5, backoff = 0.001, budget = 0.1 } }
    local mark = origin.mark()
    local urls = {}
    for i = 1, 1000 do urls[i] = origin.failing(99) end
    for _, r in ipairs(task.gather(task.map(function(url) return session:get(url) end, urls))) do
      equal(r.status, 503)
    end
    local seen = #origin.requests(mark)
    equal(seen >= 1010 and seen <= 1120, true, tostring(seen))
    equal(session:stats().retries, seen - 1000)
  end)
end)
