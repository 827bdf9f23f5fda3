-- SPDX-License-Identifier: MIT
-- The scripts that the server runs, in its Lua 5.1. Each is BASE and a part of its own, and begins
-- with the same arguments: the queue's id, the wall and the steady clock or "", the owner, and "1"
-- if it is asked again because its answer was lost.
--
-- jobs, data, notes  hashes by a job's key: its record, its data, its failures
-- ready:CLASS:SIDE   streams of pending jobs; the side is 0 for jobs that come back, 1 for new ones
-- classes            the classes of priority that have streams
-- delayed, leases    sorted sets of keys by what is due, and by the ends of the leases
-- group:NAME         sorted sets of the jobs that wait in a group
-- waiting            sorted set of the groups with such jobs
-- groups             hash of the numbers of leased jobs
-- takes              hash of the numbers of jobs that are leased by each token
-- results, dead      streams of the jobs that are done or dropped, and of the dead ones
-- owners             sorted set of the owners by the queue's age at their last beat
-- meta               hash of the id, the format and the counters

local BASE = [==[
local S, C, A, T, W, G, K, E = 1, 2, 3, 4, 5, 6, 7, 8
local U, O, D, R, L, X, N, H = 9, 10, 11, 12, 13, 14, 15, 16
local P, rc = string.sub(KEYS[1], 1, -5), redis.call
local M = rc('HMGET', KEYS[1], 'id', 'turn', 'back', 'results', 'dead', 'waiting', 'age', 'beat',
  'at_max', 'disorder')
if M[1] ~= ARGV[1] then return redis.error_reply('GONE the keys of the queue were removed') end
local time = rc('TIME')
local now = time[1] + time[2] / 1000000
local wall, steady = tonumber(ARGV[2]) or now, tonumber(ARGV[3]) or now
local owner, again = ARGV[4], ARGV[5] == '1'
local at = 5
local cnt, cnt_old = {}, {}
for i, name in ipairs({'turn', 'back', 'results', 'dead', 'waiting', 'age', 'beat', 'at_max',
    'disorder'}) do
  cnt[name] = tonumber(M[i + 1]) or 0
  cnt_old[name] = cnt[name]
end
local function arg() at = at + 1 return ARGV[at] end
local function id(n) return n .. '-0' end
local shown = {}
local function num(x) -- most of a call are the same
  local text = shown[x]
  if not text then text = string.format('%.17g', x) shown[x] = text end
  return text
end

local jobs, dirty = {}, {}
local leases, delayed, data, notes, groups = {}, {}, {}, {}, {}
local changed_groups, known_classes, released = {}, {}, {}

local function fetch(keys)
  local need = {}
  for i = 1, #keys do
    local key = keys[i]
    if jobs[key] == nil then jobs[key] = false need[#need + 1] = key end
  end
  for i = 1, #need, 1000 do
    local got = rc('HMGET', P .. 'jobs', unpack(need, i, math.min(i + 999, #need)))
    for j = 1, #got do
      jobs[need[i + j - 1]] = got[j] and {cmsgpack.unpack(got[j])}
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
local function write_scores(name, map)
  local set, gone = {}, {}
  for member, score in pairs(map) do
    if score then set[#set + 1] = num(score) set[#set + 1] = member
    else gone[#gone + 1] = member end
  end
  bulk('ZADD', name, set)
  bulk('ZREM', name, gone)
end
local function count_takes()
  local tokens, left = {}, {}
  for token in pairs(released) do tokens[#tokens + 1] = token end
  for i = 1, #tokens, 1000 do
    local found = rc('HMGET', P .. 'takes', unpack(tokens, i, math.min(i + 999, #tokens)))
    for j = 1, #found do
      local token = tokens[i + j - 1]
      local n = (tonumber(found[j]) or 0) - released[token]
      left[token] = n > 0 and n
    end
  end
  write_hash('takes', left)
  released = {}
end
local function flush()
  local records, counters = {}, {}
  for key in pairs(dirty) do
    records[key] = jobs[key] and cmsgpack.pack(unpack(jobs[key], 1, H))
  end
  for name, n in pairs(cnt) do
    if n ~= cnt_old[name] then
      counters[#counters + 1] = name
      counters[#counters + 1] = num(n)
    end
  end
  bulk('HSET', 'meta', counters)
  write_hash('jobs', records)
  write_hash('data', data)
  write_hash('notes', notes)
  write_scores('leases', leases)
  write_scores('delayed', delayed)
  local counts = {}
  for name in pairs(changed_groups) do counts[name] = groups[name] ~= 0 and groups[name] end
  write_hash('groups', counts)
  count_takes()
  dirty, leases, delayed, data, notes, changed_groups = {}, {}, {}, {}, {}, {}
end

local function beat()
  local gap = now - cnt.beat
  cnt.age = cnt.age + math.max(0, math.min(gap, 1))
  cnt.beat = now
  rc('ZADD', P .. 'owners', num(cnt.age), owner)
end

-- Turns of jobs that come back are less than 0.
local BACK = 4503599627370496
local function pending(key, job, back)
  local side, n
  if back then
    cnt.back = cnt.back + 1
    side, n, job[T] = '0', cnt.back, cnt.back - BACK
  else
    cnt.turn = cnt.turn + 1
    side, n, job[T] = '1', cnt.turn, cnt.turn
  end
  job[S] = 'p'
  if not known_classes[job[C]] then
    known_classes[job[C]] = true
    rc('ZADD', P .. 'classes', 0, job[C])
  end
  rc('XADD', P .. 'ready:' .. job[C] .. ':' .. side, id(n), 'k', key)
  dirty[key] = true
end
local function delay(key, job, due)
  job[S], job[D] = 'd', due
  delayed[key], dirty[key] = due, true
end
local function leased_in(name)
  if not groups[name] then groups[name] = tonumber(rc('HGET', P .. 'groups', name) or 0) end
  return groups[name]
end
local function count_group(name, by)
  groups[name] = leased_in(name) + by
  changed_groups[name] = true
end
local INVERSE = {}
for i = 0, 15 do INVERSE[string.format('%x', i)] = string.format('%x', 15 - i) end
local function place(key, job)
  return string.gsub(job[C], '.', INVERSE) .. string.format('%016.0f', job[T] + BACK) .. key
end
-- Returns the stream of a pending job, and its id there.
local function entry_of(job)
  local stream = 'ready:' .. job[C] .. ':'
  if job[T] < 0 then return stream .. '0', id(job[T] + BACK) end
  return stream .. '1', id(job[T])
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
local function unlease(key, job)
  released[job[K]] = (released[job[K]] or 0) + 1
  job[K], job[O] = false, false
  leases[key], dirty[key] = false, true
end
local function leave(job)
  if not job[G] then return end
  count_group(job[G], -1)
  wake(job[G])
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
local function bury(key, job, err, traceback)
  note(key, job, err, traceback, true)
  cnt.dead = cnt.dead + 1
  job[S], job[D], job[X] = 'x', wall, cnt.dead
  rc('XADD', P .. 'dead', id(cnt.dead), 'k', key)
  dirty[key] = true
end

local function put(key, text, class, wait, anew, group, token)
  local job = get(key)
  if job then
    if anew ~= '1' or job[S] ~= 'o' and job[S] ~= 'x' then return false end
    if job[S] == 'x' then rc('XDEL', P .. 'dead', id(job[X])) job[X] = 0 end
  else
    job = {'', '', 0, 0, 0, false, false, false, '', false, 0, 0, 0, 0, 0, 0}
    jobs[key] = job
  end
  if text ~= '' then data[key] = text elseif job[S] ~= '' then data[key] = false end
  if job[H] > 0 then notes[key] = false end
  job[C], job[A], job[W], job[U], job[H] = class, 0, wall, token, 0
  job[G] = group ~= '' and string.sub(group, 2)
  if tonumber(wait) > 0 then delay(key, job, wall + wait) else pending(key, job) end
  return true
end
]==]

local scripts = {}

-- put(token, n, { key, data, class, delay, again, group }...): the positions of the new ones.
scripts.put = [==[
local token, n, new, seen = arg(), tonumber(arg()), {}, {}
local keys, first = {}, at
for i = 0, n - 1 do keys[i + 1] = ARGV[first + 1 + i * 6] end
fetch(keys)
for i = 1, n do
  local key, text, class, wait, anew, group = arg(), arg(), arg(), arg(), arg(), arg()
  local job = jobs[key]
  if again and job and job[U] == token then
    if not seen[key] then new[#new + 1] = i end
    seen[key] = true
  elseif put(key, text, class, wait, anew, group, token) then
    new[#new + 1] = i
    seen[key] = true
  end
end
flush()
return new
]==]

-- finish(n, { key, token, how, delay, error, traceback, result, m, m puts }...): for each 0 if its
-- lease was lost, else 1 and the number of its puts that were new.
scripts.finish = [==[
local n, answers = tonumber(arg()), {}
local function log(key, job, text, dropped)
  cnt.results = cnt.results + 1
  if wall < cnt.at_max then cnt.disorder = cnt.results else cnt.at_max = wall end
  if job[L] ~= 0 then rc('XDEL', P .. 'results', id(job[L])) job[L] = 0 end
  if dropped then
    job[L] = cnt.results
    rc('XADD', P .. 'results', id(cnt.results), 'k', key, 'a', num(wall), 'd', '1')
    return
  end
  if job[R] ~= 0 then rc('XDEL', P .. 'results', id(job[R])) end
  job[R] = cnt.results
  if text == '' then rc('XADD', P .. 'results', id(cnt.results), 'k', key, 'a', num(wall))
  else rc('XADD', P .. 'results', id(cnt.results), 'k', key, 'a', num(wall), 'r', text) end
end
local function apply(key, job, how, wait, err, traceback, result)
  job[E] = job[K]
  unlease(key, job)
  if how == 'back' then
    pending(key, job, true)
  else
    job[A] = job[A] + 1
    if how == 'retry' then
      note(key, job, err, traceback)
      if tonumber(wait) > 0 then delay(key, job, wall + wait) else pending(key, job, true) end
    elseif how == 'dead' then
      bury(key, job, err, traceback)
    else
      log(key, job, result, how == 'dropped')
      job[S], job[D] = 'o', wall
      data[key] = false
      if job[H] > 0 then notes[key], job[H] = false, 0 end
    end
  end
  leave(job)
end
local keys, first = {}, at
for i = 1, n do
  keys[#keys + 1] = ARGV[at + 1]
  local m = tonumber(ARGV[at + 8])
  for j = 0, m - 1 do keys[#keys + 1] = ARGV[at + 9 + j * 6] end
  at = at + 8 + m * 6
end
at = first
fetch(keys)
for i = 1, n do
  local key, token, how, wait, err, traceback = arg(), arg(), arg(), arg(), arg(), arg()
  local result, m = arg(), tonumber(arg())
  local job = jobs[key]
  if job and job[K] == token then
    apply(key, job, how, wait, err ~= '' and string.sub(err, 2), traceback ~= '' and
      string.sub(traceback, 2), result)
    answers[i] = 1
    for j = 1, m do
      if put(arg(), arg(), arg(), arg(), arg(), arg(), '') then answers[i] = answers[i] + 1 end
    end
  else
    at = at + m * 6
    answers[i] = job and job[E] == token and 1 or 0
  end
end
beat()
flush()
return answers
]==]

return { base = BASE, scripts = scripts }
