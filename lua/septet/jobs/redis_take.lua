-- SPDX-License-Identifier: MIT
-- The server's script that ends jobs and leases others. It follows the BASE of redis_scripts.lua.
local scripts = {}

-- exchange(e, e ends, n, lease, attempts, limit, token, silence, judged, dead owners...): ends
-- jobs, and leases others. Answers with
--   for each end 0 if its lease was lost, else 1 and the number of its puts that were new; or the
--   number of ends if all are 1,
--   and then, if n is not "", whether there are more to bring back, whether anything is open, the
--   seconds until something is due, a list of { key, attempt, 1 if it died } of the jobs that have
--   lost their worker, if any, and of each job { key, data, put_at, more }; `more` is nil or
--   { attempt, class, group, failures }, if these are not 1, that of priority 0, and none.
-- Ends are { token, m, m ends }..., and each is { key, '=' and the result, or '' without one }, or
-- { key, '+' and how, delay, error, traceback, result, p, p jobs to put }. An owner is dead after
-- `silence`, or if `judged` is "1" those are that the caller names.
scripts.exchange = [==[
local ends, answers, held = tonumber(arg()), {}, 0
local function log(key, job, text, dropped)
  cnt.results = cnt.results + 1
  if wall < cnt.at_max then cnt.disorder = cnt.results else cnt.at_max = wall end
  if job[L] then rc('XDEL', P .. 'results', id(job[L])) job[L] = nil end
  if dropped then
    job[L] = cnt.results
    rc('XADD', P .. 'results', id(cnt.results), 'k', key, 'a', num(wall), 'd', '1')
    return
  end
  if job[R] then rc('XDEL', P .. 'results', id(job[R])) end
  job[R] = cnt.results
  if text == '' then rc('XADD', P .. 'results', id(cnt.results), 'k', key, 'a', num(wall))
  else
    rc('XADD', P .. 'results', id(cnt.results), 'k', key, 'a', num(wall), 'r', string.sub(text, 2))
  end
end
local function apply(key, job, how, wait, err, traceback, result)
  job[E] = job[K]
  unlease(key, job)
  if how == 'back' then
    pending(key, job, true)
  else
    job[A] = (job[A] or 0) + 1
    if how == 'retry' then
      note(key, job, err, traceback)
      if wait > 0 then delay(key, job, wall + wait) else pending(key, job, true) end
    elseif how == 'dead' then
      bury(key, job, err, traceback)
    else
      log(key, job, result, how == 'dropped')
      job[S], job[D], job[A] = 'o', wall, nil
      set_text(key, job, '')
      forget_notes(key, job)
    end
  end
  leave(job)
end
local function fetch_ended()
  local keys, first, left = {}, at, ends
  while left > 0 do
    local m = tonumber(ARGV[at + 2])
    at = at + 2
    for _ = 1, m do
      keys[#keys + 1] = arg()
      if string.byte(arg()) == 43 then
        at = at + 4
        keys_of_puts(tonumber(arg()), keys)
      end
    end
    left = left - m
  end
  at = first
  fetch(keys)
end
local function put_new(key, text, class, wait, anew, group)
  local k = #answers
  if put(key, text, class, wait, anew, group) then answers[k] = answers[k] + 1 end
end
local function text_in(x) return x ~= '' and string.sub(x, 2) end
local function end_one(token)
  local key, how, m = arg(), 'done', 0
  local result, wait, err, traceback = arg(), 0, false, false
  if string.byte(result) == 43 then
    how, wait = string.sub(result, 2), tonumber(arg())
    err, traceback, result, m = text_in(arg()), text_in(arg()), arg(), tonumber(arg())
  end
  local job = jobs[key]
  if is_leased(job, token) then
    apply(key, job, how, wait, err, traceback, result)
    answers[#answers + 1] = 1
    each_put(m, put_new)
  else
    keys_of_puts(m, {})
    answers[#answers + 1] = job and job[E] == token and 1 or 0
  end
  if answers[#answers] == 1 then held = held + 1 end
end
if ends > 0 then fetch_ended() end
while #answers < ends do
  local token = arg()
  for _ = 1, tonumber(arg()) do end_one(token) end
end
beat()
if held == ends then answers = ends end

local STEP = 1000
local MAX_BYTES = 8000000
local MOVED_MOST = 1000 -- jobs that one call moves into their groups
local PASSED_MOST = 10000 -- jobs that were removed, which one call reads over
local n, lease, attempts = tonumber(arg()), tonumber(arg()), tonumber(arg())
if not n then
  flush()
  return {answers}
end
local limit, token, silence, judged = tonumber(arg()), arg(), tonumber(arg()), arg() == '1'
local taken, more, lost = {}, 0, false
local others = not judged and rc('ZCARD', P .. 'owners') > 1

-- What has ended above is still in `leases`, and in `takes` until it is counted there.
local function found_again()
  count_takes()
  if rc('HEXISTS', P .. 'takes', token) == 0 then return false end
  local list = rc('ZRANGE', P .. 'leases', 0, -1)
  fetch(list)
  for i = 1, #list do
    if is_leased(jobs[list[i]], token) then taken[#taken + 1] = list[i] end
  end
  table.sort(taken, function(a, b) return jobs[a][N] < jobs[b][N] end)
  return #taken > 0
end

-- Returns a table with true for each dead owner, or nil if there is none.
local function dead_owners()
  local dead, list = {}, {}
  if judged then
    list = {unpack(ARGV, at + 1)}
  elseif others then
    local least = '(' .. num(cnt.age - silence)
    list = rc('ZRANGEBYSCORE', P .. 'owners', '-inf', least, 'LIMIT', 0, 100)
  end
  for i = 1, #list do dead[list[i]] = true end
  bulk('ZREM', 'owners', list)
  return #list > 0 and dead
end

local function bring_back()
  local due = cnt.delayed == 0 and {} or
    rc('ZRANGEBYSCORE', P .. 'delayed', '-inf', num(wall), 'LIMIT', 0, STEP)
  fetch(due)
  cnt.delayed, due_now = cnt.delayed - #due, due
  for i = 1, #due do pending(due[i], jobs[due[i]]) end
  local ended = rc('ZRANGEBYSCORE', P .. 'leases', '-inf', lease_end(0), 'LIMIT', 0, STEP)
  if #due == STEP or #ended == STEP then more = 1 end
  fetch(ended)
  local over, has = {}, {}
  for i = 1, #ended do
    has[ended[i]] = true
    if jobs[ended[i]][S] == 'l' then over[#over + 1] = ended[i] end
  end
  local dead = dead_owners()
  for _, key in ipairs(dead and leased_by(dead) or {}) do
    if not has[key] then over[#over + 1] = key end
  end
  table.sort(over, function(a, b) return jobs[a][T] < jobs[b][T] end)
  for i = 1, #over do
    local key, job = over[i], jobs[over[i]]
    unlease(key, job)
    job[A] = (job[A] or 0) + 1
    local died = job[A] >= attempts
    lost = lost or {}
    local k = #lost
    lost[k + 1], lost[k + 2], lost[k + 3] = key, job[A], died and 1 or 0
    if died then
      bury(key, job, 'the worker was lost', false)
    else
      note(key, job, 'the worker was lost', false)
      pending(key, job, true)
    end
    leave(job)
  end
end

local bytes, moved, passed, full = 0, 0, 0, false
local texts, ends_at = {}, lease_end(lease)
-- Takes a pending job, or lets it wait. Returns false if it is too much for this call.
local function take(key, job)
  if limit and job[G] and leased_in(job[G]) >= limit then
    make_waiting(key, job)
    moved = moved + 1
    full = moved >= MOVED_MOST
    return true
  end
  local text = text_of(key, job)
  bytes = bytes + (text and #text or 0)
  full = #taken > 0 and bytes > MAX_BYTES
  if full then return false end
  if job[V] == true then texts[key] = text end
  taken[#taken + 1] = key
  job[S], job[K], job[N] = 'l', token, #taken
  dirty[key] = true
  begin(key, ends_at)
  if job[G] then count_group(job[G], 1) end
  return true
end
-- Returns how many jobs to read at once: those that are wanted, and more behind removed ones.
local function wanted() return math.max(n - #taken, math.min(passed, STEP)) end
-- Takes jobs of a stream, from a number on.
local function read_side(name, next_n)
  local stream, shift = P .. 'ready:' .. name, string.sub(name, 17) == '0' and BACK or 0
  local size = n -- of an entry
  while #taken < n and not full do
    local list = rc('XRANGE', stream, '-', '+', 'COUNT', math.ceil(wanted() / size))
    if #list == 0 then
      rc('DEL', stream)
      rc('HDEL', P .. 'classes', name)
      known[name] = nil
      return
    end
    local keys, numbers, keep = {}, {}, {}
    for _, entry in ipairs(list) do
      local first, fields = tonumber(string.match(entry[1], '^%d+')), entry[2]
      size = fields[#fields] == '' and #fields - 1 or #fields
      for j = math.max(1, next_n - first + 1), size do
        local k = #keys + 1
        keys[k], numbers[k], keep[k] = fields[j], first + j - 1, first
      end
    end
    local i, fetched = 0, 0
    while i < #keys and #taken < n and not full do
      if i == fetched then
        fetched = math.min(i + wanted(), #keys)
        fetch({unpack(keys, i + 1, fetched)})
      end
      local key, job = keys[i + 1], jobs[keys[i + 1]]
      if job and job[S] == 'p' and job[T] + shift == numbers[i + 1] then
        if not take(key, job) then break end
        cnt.pending = cnt.pending - 1
      else
        passed = passed + 1
        full = passed >= PASSED_MOST
      end
      i = i + 1
    end
    if i > 0 then next_n = numbers[i] + 1 end
    rc('XTRIM', stream, 'MINID', '=', id(keep[i + 1] or next_n))
  end
  rc('HSET', P .. 'classes', name, num(next_n))
end
local function pick()
  flush_ready()
  local all, names, from = rc('HGETALL', P .. 'classes'), {}, {}
  for i = 1, #all, 2 do names[#names + 1], from[all[i]] = all[i], tonumber(all[i + 1]) end
  table.sort(names, function(a, b)
    local x, y = string.sub(a, 1, 16), string.sub(b, 1, 16)
    if x == y then return a < b end
    return x > y
  end)
  for _, name in ipairs(names) do
    if #taken >= n or full then return end
    read_side(name, from[name])
  end
end
local function repair(left)
  for _, name in ipairs(rc('ZRANGE', P .. 'waiting', 0, STEP - 1)) do
    local free = limit and limit - leased_in(name) or left
    while left > 0 and free > 0 and wake(name) do left, free = left - 1, free - 1 end
  end
end

if not found_again() then
  bring_back()
  if more == 0 and n > 0 then
    n = math.min(n, STEP)
    pick()
    if #taken < n and not full and cnt.waiting > 0 then
      repair(n - #taken)
      pick()
    end
    if full and #taken == 0 then more = 1 end
    if #taken > 0 then rc('HSET', P .. 'takes', token, #taken .. ' ' .. owner) end
  end
end
flush()

local function is_open()
  if #taken > 0 or cnt.pending + cnt.waiting + cnt.delayed > 0 then return 1 end
  return rc('ZCARD', P .. 'leases') > 0 and 1 or 0
end
local function due_in()
  local least
  if cnt.delayed > 0 then
    least = (rc('ZRANGE', P .. 'delayed', 0, 0, 'WITHSCORES')[2] or wall) - wall
  end
  local first = rc('ZRANGE', P .. 'leases', 0, 0, 'WITHSCORES')
  if first[2] then
    local left = first[2] / 1000000 - steady
    if others then left = math.min(left, 1) end
    if not least or left < least then least = left end
  end
  return least and num(math.max(least, 0))
end
local reply = {answers, more, is_open(), due_in() or '', lost}
for i = 1, #taken do
  local key = taken[i]
  local job = jobs[key]
  local text, k = texts[key] or text_of(key, job), #reply
  reply[k + 1], reply[k + 2], reply[k + 3] = key, text, num(job[W])
  reply[k + 4] = (job[A] or job[C] or job[G] or job[H] or false) and
    {(job[A] or 0) + 1, job[C] or ZERO, job[G] or false, job[H] or 0}
end
return reply
]==]
-- A take may run while the server is out of memory.
scripts.take = scripts.exchange

return scripts
