-- SPDX-License-Identifier: MIT
-- Requests of several kinds, 24 at a time, until enough signals have come.
-- check: globals origin, signals, enough
local task, http = require "septet.task", require "septet.http"
local session <close> = http.session { limit = 40, limit_per_host = 20 }
local port = origin:match ":(%d+)$"
local kinds = {
  function()
    return #session:get(origin .. "/bytes/200000").body == 200000
  end,
  function()
    return #session:get(origin .. "/chunked?chunks=50").body == 12800
  end,
  function()
    return session:get("http://localhost:" .. port .. "/close").status == 200
  end,
  function()
    return session:post(origin .. "/echo", { body = ("x"):rep(300000) }).status == 200
  end,
  function()
    return session:get(origin .. "/delay/0.01").status == 200
  end,
  function()
    local ok, e = pcall(session.get, session, "http://127.0.0.1:1/")
    return not ok and e.code == "connect" and e.reason == "refused"
  end,
  function()
    local t0 = task.now()
    local ok, e = pcall(session.get, session, origin .. "/stall", { timeout = 0.03 })
    return not ok and e.code == "timeout" and task.now() - t0 >= 0.03
  end,
  function()
    local t0 = task.now()
    task.sleep(0.02)
    return task.now() - t0 >= 0.02
  end,
}
rounds = 0
while signals() < enough do
  local list = {}
  for i = 1, 24 do
    list[i] = kinds[i % #kinds + 1]
  end
  for i, good in ipairs(task.gather(list)) do
    assert(good, i % #kinds + 1)
  end
  rounds = rounds + 1
end
