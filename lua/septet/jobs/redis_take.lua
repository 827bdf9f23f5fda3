-- SPDX-License-Identifier: MIT
-- The server's scripts that lease jobs, renew leases, and give jobs back. They follow the BASE of
-- redis_scripts.lua.
local scripts = {}

-- take(n, lease, attempts, limit, token, silence, judged, dead owners...): whether there are more
-- to bring back, whether anything is open, the seconds until something is due, a list of { key,
-- attempt, 1 if it died } of the jobs that have lost their worker, if any, and { key, data,
-- attempt, class, put_at, group, failures } of each job. An owner is dead after `silence`, or if
-- `judged` is "1" those are that the caller names.
scripts.take = [==[
local STEP = 1000
local MAX_BYTES = 8000000
local MOVED_MOST = 1000 -- jobs that one call moves into their groups
local n, lease, attempts = tonumber(arg()), tonumber(arg()), tonumber(arg())
local limit, token, silence, judged = tonumber(arg()), arg(), tonumber(arg()), arg() == '1'
local taken, more, lost = {}, 0, false
beat()

local function found_again()
  if rc('HEXISTS', P .. 'takes', token) == 0 then return false end
  local list = rc('ZRANGE', P .. 'leases', 0, -1)
  fetch(list)
  for i = 1, #list do
    if jobs[list[i]][K] == token then taken[#taken + 1] = list[i] end
  end
  table.sort(taken, function(a, b) return jobs[a][N] < jobs[b][N] end)
  return #taken > 0
end

local function dead_owners()
  local dead, any = {}, false
  local list
  if judged then
    list = {unpack(ARGV, at + 1)}
  else
    local least = '(' .. num(cnt.age - silence)
    list = rc('ZRANGEBYSCORE', P .. 'owners', '-inf', least, 'LIMIT', 0, 100)
  end
  for i = 1, #list do dead[list[i]], any = true, true end
  bulk('ZREM', 'owners', list)
  return any and dead
end

local function bring_back()
  local due = rc('ZRANGEBYSCORE', P .. 'delayed', '-inf', num(wall), 'LIMIT', 0, STEP)
  fetch(due)
  for i = 1, #due do
    delayed[due[i]] = false
    pending(due[i], jobs[due[i]])
  end
  local over = rc('ZRANGEBYSCORE', P .. 'leases', '-inf', num(steady), 'LIMIT', 0, STEP)
  if #due == STEP or #over == STEP then more = 1 end
  fetch(over)
  local dead = dead_owners()
  if dead then
    local all, ended = rc('ZRANGE', P .. 'leases', 0, -1), {}
    fetch(all)
    for i = 1, #over do ended[over[i]] = true end
    for i = 1, #all do
      if not ended[all[i]] and dead[jobs[all[i]][O]] then over[#over + 1] = all[i] end
    end
  end
  table.sort(over, function(a, b) return jobs[a][T] < jobs[b][T] end)
  for i = 1, #over do
    local key, job = over[i], jobs[over[i]]
    unlease(key, job)
    job[A] = job[A] + 1
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

local bytes, moved, full = 0, 0, false
local function take(key, job, text)
  job[S], job[K], job[O], job[N] = 'l', token, owner, #taken + 1
  leases[key], dirty[key] = steady + lease, true
  if job[G] then count_group(job[G], 1) end
  taken[#taken + 1] = key
  bytes = bytes + (text and #text or 0)
  data[key] = nil
end

local texts = {}
local function read_side(class, side)
  local stream = P .. 'ready:' .. class .. ':' .. side
  while #taken < n and not full do
    local want = n - #taken
    local list, keys, last = rc('XRANGE', stream, '-', '+', 'COUNT', want), {}, nil
    if #list == 0 then return end
    for i = 1, #list do keys[i] = list[i][2][2] end
    fetch(keys)
    local found = rc('HMGET', P .. 'data', unpack(keys))
    for i = 1, #list do
      local key, job = keys[i], jobs[keys[i]]
      if limit and job[G] and leased_in(job[G]) >= limit then
        make_waiting(key, job)
        moved = moved + 1
      else
        full = #taken > 0 and bytes + (found[i] and #found[i] or 0) > MAX_BYTES
        if full then break end
        texts[key] = found[i]
        take(key, job, found[i])
      end
      last = list[i][1]
    end
    if last then rc('XTRIM', stream, 'MINID', '=', string.sub(last, 1, -2) .. '1') end
    full = full or moved >= MOVED_MOST
    if #list < want then return end
  end
end
local function pick()
  for _, class in ipairs(rc('ZREVRANGE', P .. 'classes', 0, -1)) do
    if #taken >= n or full then return end
    read_side(class, '0')
    read_side(class, '1')
    if #taken < n and not full then
      rc('DEL', P .. 'ready:' .. class .. ':0', P .. 'ready:' .. class .. ':1')
      rc('ZREM', P .. 'classes', class)
      known_classes[class] = nil
    end
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
    if #taken > 0 then rc('HSET', P .. 'takes', token, #taken) end
  end
end
flush()

local function is_open()
  if #taken > 0 or cnt.waiting > 0 or rc('ZCARD', P .. 'delayed') > 0 then return 1 end
  if rc('ZCARD', P .. 'leases') > 0 then return 1 end
  for _, class in ipairs(rc('ZRANGE', P .. 'classes', 0, -1)) do
    for side = 0, 1 do
      if rc('XLEN', P .. 'ready:' .. class .. ':' .. side) > 0 then return 1 end
    end
  end
  return 0
end
local function due_in()
  local least
  local first = rc('ZRANGE', P .. 'delayed', 0, 0, 'WITHSCORES')
  if first[2] then least = first[2] - wall end
  first = rc('ZRANGE', P .. 'leases', 0, 0, 'WITHSCORES')
  if first[2] then
    local left = first[2] - steady
    if not judged and rc('ZCARD', P .. 'owners') > 1 then left = math.min(left, 1) end
    if not least or left < least then least = left end
  end
  return least and num(math.max(least, 0))
end
local reply = {more, is_open(), due_in() or '', lost}
for i = 1, #taken do
  local key = taken[i]
  local job = jobs[key]
  local text = texts[key]
  if text == nil then text = rc('HGET', P .. 'data', key) end
  local k = #reply
  reply[k + 1], reply[k + 2], reply[k + 3] = key, text, job[A] + 1
  reply[k + 4], reply[k + 5], reply[k + 6], reply[k + 7] = job[C], num(job[W]), job[G], job[H]
end
return reply
]==]

-- enter(limit, n, { key, token, group }...): 1, 0 if it waits in the group, or -1 if it was lost.
scripts.enter = [==[
local limit, n, answers = tonumber(arg()), tonumber(arg()), {}
for i = 1, n do
  local key, token, group = arg(), arg(), arg()
  local job = get(key)
  if not job or job[K] ~= token then
    answers[i] = job and again and job[O] == token and 0 or -1
  elseif job[G] == group then
    answers[i] = 1
  elseif leased_in(group) < limit then
    job[G], dirty[key] = group, true
    count_group(group, 1)
    answers[i] = 1
  else
    unlease(key, job)
    job[G], job[O] = group, token
    make_waiting(key, job)
    answers[i] = 0
  end
end
flush()
return answers
]==]

-- renew(lease, n, { key, token }...): 1 or 0 for each. With n = 0 it is a heart-beat alone.
scripts.renew = [==[
local lease, n, answers, keys = tonumber(arg()), tonumber(arg()), {}, {}
for i = 1, n do keys[i] = ARGV[at + i * 2 - 1] end
fetch(keys)
for i = 1, n do
  local key, token = arg(), arg()
  local job = jobs[key]
  answers[i] = job and job[K] == token and 1 or 0
  if answers[i] == 1 then leases[key] = steady + lease end
end
beat()
flush()
return answers
]==]

-- owners(): all that are known.
scripts.owners = [==[
return rc('ZRANGE', P .. 'owners', 0, -1)
]==]

-- close(): gives back what the owner has leased, and forgets it.
scripts.close = [==[
local all, mine = rc('ZRANGE', P .. 'leases', 0, -1), {}
fetch(all)
for i = 1, #all do
  if jobs[all[i]][O] == owner then mine[#mine + 1] = all[i] end
end
table.sort(mine, function(a, b) return jobs[a][T] < jobs[b][T] end)
for i = 1, #mine do
  local key, job = mine[i], jobs[mine[i]]
  job[E] = job[K]
  unlease(key, job)
  pending(key, job, true)
  leave(job)
end
rc('ZREM', P .. 'owners', owner)
flush()
return #mine
]==]

return scripts
