-- SPDX-License-Identifier: MIT
-- All that tasks share, used by many of them. What was sent and what was received is counted.
E, S, L, C, D =
  core.event(), core.semaphore(2), core.lock(), core.channel(), core.channel(math.huge)
sent, got = 0, 0

local function send(ch, v)
  if pcall(ch.send, ch, v) then
    sent = sent + 1
  end
end

local function recv(ch)
  local ok, v = pcall(ch.recv, ch)
  if ok and v then
    got = got + 1
  end
end

local function repeated(fn, ...)
  for _ = 1, 6 do
    fn(...)
  end
end

local function held()
  core.sleep(0)
  error {}
end

pcall(core.spawn, repeated, send, C, {})
pcall(core.spawn, repeated, recv, C)
pcall(core.spawn, repeated, send, D, "d")
pcall(core.spawn, repeated, recv, D)
for n = 1, 10 do
  -- arguments move the place where a stack grows
  pcall(core.spawn, pcall, S.with, S, held, table.unpack({}, 1, n * 10))
  pcall(core.spawn, pcall, L.with, L, held, table.unpack({}, 1, n * 10))
end

pcall(core.spawn, function()
  E:wait()
  local s = C:sender()
  send(s, "x")
  s:close()
end)
core.sleep(0)
core.sleep(0)
E:set()
core.sleep(9)
C:close()
core.sleep(1)
complete = true
