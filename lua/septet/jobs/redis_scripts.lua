-- SPDX-License-Identifier: MIT
-- The scripts that the server runs, in its Lua 5.1. Each is BASE and a part of its own, and begins
-- with the same arguments: the queue's id, the wall and the steady clock or "", the owner, and "1"
-- if it is asked again because its answer was lost.
--
-- jobs               hash of the records by the jobs' keys
-- data, notes        hashes by key: the data that is too large for a record, and the failures
-- ready:CLASS SIDE   streams of pending jobs; the side is 0 for jobs that come back, 1 for new ones
-- classes            hash by CLASS SIDE of the streams: the number from which on none was read
-- delayed, leases    sorted sets of keys by what is due, and by the ends of the leases
-- group:NAME         sorted sets of the jobs that wait in a group
-- waiting            sorted set of the groups with such jobs
-- groups             hash of the numbers of leased jobs
-- takes              hash by the tokens of leases: how many jobs are leased by it, and its owner
-- results, dead      streams of the jobs that are done or dropped, and of the dead ones
-- owners             sorted set of the owners by the queue's age at their last beat
-- meta               hash of the id, the format and the counters
--
-- A record is a list, of which the last fields are left out while they are nil: the state S, the
-- turn T, when it was put W, the data V (true: it lies in `data`), the token of its put U, the
-- token of its lease K, its place in that take N, the token that ended it E, the number of its
-- result R, when it is due or ended D, its attempts A, its class C, its group G, the number of its
-- failures H, and the numbers that it has among the dead X and the dropped ones L.

local BASE = [==[
local MOST = 512 -- bytes of data that a record has; each step of a job writes them again
local ZERO = '8000000000000000' -- the class of priority 0
local P, rc = string.sub(KEYS[1], 1, -5), redis.call
local M = rc('HMGET', KEYS[1], 'id', 'turn', 'back', 'results', 'dead', 'waiting', 'age', 'beat',
  'at_max', 'disorder', 'pending', 'delayed')
if M[1] ~= ARGV[1] then return redis.error_reply('GONE the keys of the queue were removed') end
local time = rc('TIME')
local now = time[1] + time[2] / 1000000
local wall, steady = tonumber(ARGV[2]) or now, tonumber(ARGV[3]) or now
local owner, again = ARGV[4], ARGV[5] == '1'
local at = 5
local cnt, cnt_old = {}, {}
for i, name in ipairs({'turn', 'back', 'results', 'dead', 'waiting', 'age', 'beat', 'at_max',
    'disorder', 'pending', 'delayed'}) do
  cnt[name] = tonumber(M[i + 1]) or 0
  cnt_old[name] = cnt[name]
end
local function arg() at = at + 1 return ARGV[at] end
local function id(n) return string.format('%d-0', n) end
local shown = {}
local function num(x) -- most of a call are the same
  local text = shown[x]
  if not text then text = string.format('%.17g', x) shown[x] = text end
  return text
end

local jobs, dirty, ready = {}, {}, {}
-- to add to sorted sets, scores and keys, and to remove from them
local begun, ended, later, due_now = {}, {}, {}, {}
local data, notes, groups = {}, {}, {}
local changed_groups, released, known = {}, {}, {}

-- A table with room for all fields: one that grows is laid out anew.
local function record(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
  return {a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p}
end
local function fetch(keys)
  local need = {}
  for i = 1, #keys do
    local key = keys[i]
    if jobs[key] == nil then jobs[key] = false need[#need + 1] = key end
  end
  for i = 1, #need, 1000 do
    local got = rc('HMGET', P .. 'jobs', unpack(need, i, math.min(i + 999, #need)))
    for j = 1, #got do
      jobs[need[i + j - 1]] = got[j] and record(cmsgpack.unpack(got[j]))
    end
  end
end
local function get(key)
  if jobs[key] == nil then fetch({key}) end
  return jobs[key]
end
local function bulk(command, name, list)
  for i = 1, #list, 4000 do
    rc(command, P .. name, unpack(list, i, math.min(i + 3999, #list)))
  end
end
local function write_hash(name, map)
  local set, gone = {}, {}
  for field, value in pairs(map) do
    if value then set[#set + 1] = field set[#set + 1] = value else gone[#gone + 1] = field end
  end
  bulk('HSET', name, set)
  bulk('HDEL', name, gone)
end
-- Adds to the counts of jobs that are leased by tokens what was released since the last call.
local function count_takes()
  local tokens, left = {}, {}
  for token in pairs(released) do tokens[#tokens + 1] = token end
  for i = 1, #tokens, 1000 do
    local found = rc('HMGET', P .. 'takes', unpack(tokens, i, math.min(i + 999, #tokens)))
    for j = 1, #found do
      local token = tokens[i + j - 1]
      local n, by = string.match(found[j] or '0 ', '^(%d+) (.*)')
      n = n - released[token]
      left[token] = n > 0 and n .. ' ' .. by
    end
  end
  write_hash('takes', left)
  released = {}
end
local function write_run(name, run)
  if not known[name] then rc('HSETNX', P .. 'classes', name, 0) known[name] = true end
  if #run % 2 == 1 then run[#run + 1] = '' end
  rc('XADD', P .. 'ready:' .. name, id(run.first), unpack(run))
end
local function flush_ready()
  for name, run in pairs(ready) do write_run(name, run) end
  ready = {}
end
local function flush()
  local set, gone, counters = {}, {}, {}
  for key in pairs(dirty) do
    local job, k = jobs[key], #set
    if job then set[k + 1], set[k + 2] = key, cmsgpack.pack(unpack(job, 1, table.maxn(job)))
    else gone[#gone + 1] = key end
  end
  for name, n in pairs(cnt) do
    if n ~= cnt_old[name] then
      counters[#counters + 1] = name
      counters[#counters + 1] = num(n)
    end
  end
  bulk('HSET', 'meta', counters)
  flush_ready()
  bulk('HSET', 'jobs', set)
  bulk('HDEL', 'jobs', gone)
  write_hash('data', data)
  write_hash('notes', notes)
  bulk('ZREM', 'leases', ended)
  bulk('ZADD', 'leases', begun)
  bulk('ZREM', 'delayed', due_now)
  bulk('ZADD', 'delayed', later)
  local counts = {}
  for name in pairs(changed_groups) do counts[name] = groups[name] ~= 0 and groups[name] end
  write_hash('groups', counts)
  count_takes()
end

local function beat()
  local gap = now - cnt.beat
  cnt.age = cnt.age + math.max(0, math.min(gap, 1))
  cnt.beat = now
  rc('ZADD', P .. 'owners', num(cnt.age), owner)
end

local function set_text(key, job, text)
  if job[V] == true then data[key] = false end
  if #text > MOST then data[key], job[V] = text, true
  else job[V] = text ~= '' and text or nil end
end
local function text_of(key, job)
  if job[V] ~= true then return job[V] or false end
  return data[key] or rc('HGET', P .. 'data', key)
end

-- Turns of jobs that come back are less than 0. Pending jobs of consecutive turns share an entry of
-- their stream, and its number is the first turn. A record tells if its job still is where its turn
-- says: what is removed stays in the stream until a take reads over it, or no job is pending.
local BACK, RUN, ROOM = 4503599627370496, 32, 4000
local function pending(key, job, back)
  local side = back and 'back' or 'turn'
  local n, name = cnt[side] + 1, (job[C] or ZERO) .. (back and '0' or '1')
  cnt[side], cnt.pending = n, cnt.pending + 1
  job[S], job[T], job[D] = 'p', back and n - BACK or n, nil
  local run = ready[name]
  if run and (run.first + #run ~= n or #run == RUN or run.room < #key) then
    write_run(name, run)
    run = nil
  end
  if not run then
    run = {first = n, room = ROOM}
    ready[name] = run
  end
  run[#run + 1] = key
  run.room = run.room - #key
  dirty[key] = true
end
-- Returns the name of the stream of a pending job, and its number there.
local function place_of(job)
  if job[T] < 0 then return (job[C] or ZERO) .. '0', job[T] + BACK end
  return (job[C] or ZERO) .. '1', job[T]
end
local function delay(key, job, due)
  local k = #later
  later[k + 1], later[k + 2] = num(due), key
  job[S], job[D], cnt.delayed, dirty[key] = 'd', due, cnt.delayed + 1, true
end
local function leased_in(name)
  if not groups[name] then groups[name] = tonumber(rc('HGET', P .. 'groups', name) or 0) end
  return groups[name]
end
local function count_group(name, by)
  groups[name] = leased_in(name) + by
  changed_groups[name] = true
end
local INVERSE
local function place(key, job)
  if not INVERSE then -- made where there are groups: it costs as much as all other functions here
    INVERSE = {}
    for i = 0, 15 do INVERSE[string.format('%x', i)] = string.format('%x', 15 - i) end
  end
  return string.gsub(job[C] or ZERO, '.', INVERSE) .. string.format('%016.0f', job[T] + BACK) .. key
end
local function no_more_waiting(name)
  if rc('ZCARD', P .. 'group:' .. name) == 0 then rc('ZREM', P .. 'waiting', name) end
end
local function make_waiting(key, job)
  job[S] = 'w'
  rc('ZADD', P .. 'group:' .. job[G], 0, place(key, job))
  rc('ZADD', P .. 'waiting', 0, job[G])
  cnt.waiting, dirty[key] = cnt.waiting + 1, true
end
local function wake(name)
  local first = rc('ZRANGE', P .. 'group:' .. name, 0, 0)[1]
  if not first then return false end
  rc('ZREM', P .. 'group:' .. name, first)
  no_more_waiting(name)
  cnt.waiting = cnt.waiting - 1
  local key = string.sub(first, 33)
  pending(key, get(key), true)
  return true
end
local function is_leased(job, token) return job and job[S] == 'l' and job[K] == token end
-- Writes when a lease of so many seconds ends, in whole microseconds: a small sorted set is a list
-- that is walked, and reading fractions on the way took half of the time of a take.
local function lease_end(lease) return num(math.floor((steady + lease) * 1000000 + 0.5)) end
local function begin(key, ends)
  local k = #begun
  begun[k + 1], begun[k + 2] = ends, key
end
local function unlease(key, job)
  released[job[K]] = (released[job[K]] or 0) + 1
  job[K], job[N] = nil, nil
  ended[#ended + 1], dirty[key] = key, true
end
local function leave(job)
  if not job[G] then return end
  count_group(job[G], -1)
  wake(job[G])
end

-- Returns the keys of the leased jobs of the owners that a table has.
local function leased_by(owners)
  local takes, of, keys = rc('HGETALL', P .. 'takes'), {}, {}
  for i = 1, #takes, 2 do of[takes[i]] = string.match(takes[i + 1], ' (.*)') end
  local all = rc('ZRANGE', P .. 'leases', 0, -1)
  fetch(all)
  for i = 1, #all do
    local job = jobs[all[i]]
    if job[S] == 'l' and owners[of[job[K]]] then keys[#keys + 1] = all[i] end
  end
  return keys
end

local function read_notes(key)
  local found = notes[key]
  if found == nil then found = rc('HGET', P .. 'notes', key) end
  return found and cmsgpack.unpack(found) or {false, false}
end
local function note(key, job, err, traceback, buried)
  local list = read_notes(key)
  if buried then list[1], list[2] = err, traceback end
  list[#list + 1] = num(wall)
  list[#list + 1] = err
  if #list > 22 then table.remove(list, 3) table.remove(list, 3) end
  job[H] = (#list - 2) / 2
  notes[key] = cmsgpack.pack(list)
end
local function forget_notes(key, job)
  if job[H] then notes[key], job[H] = false, nil end
end
local function bury(key, job, err, traceback)
  note(key, job, err, traceback, true)
  cnt.dead = cnt.dead + 1
  job[S], job[D], job[X] = 'x', wall, cnt.dead
  rc('XADD', P .. 'dead', id(cnt.dead), 'k', key)
  dirty[key] = true
end

-- Jobs to put are { n, class, delay, again, group, n times { key, data } }..., of m jobs in all.
-- Adds their keys to a list.
local function keys_of_puts(m, keys)
  while m > 0 do
    local n = tonumber(arg())
    at = at + 4
    for _ = 1, n do keys[#keys + 1] = arg() at = at + 1 end
    m = m - n
  end
end
-- Calls put(key, data, class, delay, again, group) for each.
local function each_put(m, put)
  while m > 0 do
    local n, class, wait, anew, group = tonumber(arg()), arg(), tonumber(arg()), arg(), arg()
    class = class ~= ZERO and class or nil
    group = group ~= '' and string.sub(group, 2) or nil
    for _ = 1, n do put(arg(), arg(), class, wait, anew == '1', group) end
    m = m - n
  end
end
-- Returns true if the job is new.
local function put(key, text, class, wait, anew, group, token)
  local job = jobs[key]
  if job then
    if not anew or job[S] ~= 'o' and job[S] ~= 'x' then return false end
    if job[S] == 'x' then rc('XDEL', P .. 'dead', id(job[X])) job[X] = nil end
    forget_notes(key, job)
  else
    job = record('p', 0, wall)
    jobs[key] = job
  end
  set_text(key, job, text)
  job[W], job[U], job[A], job[C], job[G] = wall, token, nil, class, group
  if wait > 0 then delay(key, job, wall + wait) else pending(key, job) end
  return true
end
]==]

local scripts = {}

-- put(token, n, n jobs): the positions of the new ones, or n if all are.
scripts.put = [==[
local token, n, new, seen = arg(), tonumber(arg()), {}, {}
local keys, first, i = {}, at, 0
keys_of_puts(n, keys)
fetch(keys)
at = first
each_put(n, function(key, text, class, wait, anew, group)
  i = i + 1
  local job = jobs[key]
  if again and job and job[U] == token then
    if not seen[key] then new[#new + 1] = i end
    seen[key] = true
  elseif put(key, text, class, wait, anew, group, token) then
    new[#new + 1] = i
    seen[key] = again
  end
end)
flush()
return #new == n and n or new
]==]

return { base = BASE, scripts = scripts, fields = "STWVUKNERDACGHXL" }
