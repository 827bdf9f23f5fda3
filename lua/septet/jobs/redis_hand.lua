-- SPDX-License-Identifier: MIT
-- The server's scripts that open a queue, look at it, and change it by hand. They follow the BASE
-- of redis_scripts.lua.
local scripts = {}

-- open(id, format, existing): the id of the queue. If there is none, it is made, but not if
-- `existing` is "1". Stands alone.
scripts.open = [==[
local P = string.sub(KEYS[1], 1, -5)
local TYPES = {meta = 'hash', jobs = 'hash', data = 'hash', notes = 'hash', groups = 'hash',
  takes = 'hash', classes = 'hash', delayed = 'zset', leases = 'zset', waiting = 'zset',
  owners = 'zset', results = 'stream', dead = 'stream'}
local any = false
for name, kind in pairs(TYPES) do
  local found = redis.call('TYPE', P .. name)['ok']
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('NOTAQUEUE the key ' .. P .. name .. ' is a ' .. found)
  end
  any = any or found ~= 'none'
end
local meta = redis.call('HMGET', KEYS[1], 'id', 'format')
if meta[2] and meta[2] ~= ARGV[2] then
  local newer = (tonumber(meta[2]) or 0) > tonumber(ARGV[2])
  return redis.error_reply((newer and 'NEWER ' or 'OLDER ') .. meta[2])
end
if meta[1] and meta[2] then return meta[1] end
if any then return redis.error_reply('NOTAQUEUE the key ' .. KEYS[1] .. ' has no id') end
if ARGV[3] == '1' then return redis.error_reply('NOQUEUE there is none') end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'format', ARGV[2])
return ARGV[1]
]==]

-- stats(): pending, waiting, delayed, leased, all, dead, the oldest one's age or "", and the rate.
scripts.stats = [==[
local PAGES = 100 -- that are read of a stream in search of a job that was not removed
local function oldest_in(name)
  local from, first = '-', nil
  for _ = 1, PAGES do
    local keys, numbers, last = {}, {}, nil
    for _, entry in ipairs(rc('XRANGE', P .. 'ready:' .. name, from, '+', 'COUNT', 100)) do
      last = entry[1]
      local number = tonumber(string.match(last, '^%d+'))
      for i, key in ipairs(entry[2]) do
        keys[#keys + 1] = key
        numbers[#keys] = number + i - 1
      end
      if #keys > 100 then break end
    end
    fetch(keys)
    for i, key in ipairs(keys) do
      local job = jobs[key]
      if job and job[S] == 'p' and (not first or job[W] < first) then
        local where, number = place_of(job)
        if where == name and number == numbers[i] then first = job[W] end
      end
    end
    if first or not last then return first end
    from = '(' .. last
  end
end
local first
for _, name in ipairs(rc('HKEYS', P .. 'classes')) do
  local found = oldest_in(name)
  if found and (not first or found < first) then first = found end
end
local done, oldest = 0, wall
for _, entry in ipairs(rc('XREVRANGE', P .. 'results', '+', '-', 'COUNT', 1000)) do
  local ended = tonumber(entry[2][4])
  if ended < wall - 60 then break end
  done, oldest = done + 1, ended
end
return {cnt.pending, cnt.waiting, cnt.delayed, rc('ZCARD', P .. 'leases'),
  rc('HLEN', P .. 'jobs'), rc('XLEN', P .. 'dead'), first and num(math.max(0, wall - first)) or '',
  num(done / math.max(done < 1000 and 1 or 0.001, wall - oldest))}
]==]

-- results(after, n): the number of the last one read or "", and { key, result, at } of each.
scripts.results = [==[
local after, n, reply, bytes = tonumber(arg()), tonumber(arg()), {''}, 0
while n > 0 and bytes < 4000000 do
  local list = rc('XRANGE', P .. 'results', id(after + 1), '+', 'COUNT', 16)
  for _, entry in ipairs(list) do
    after = tonumber(string.match(entry[1], '^%d+'))
    local fields = entry[2]
    if fields[5] ~= 'd' then
      local k = #reply
      reply[k + 1], reply[k + 2], reply[k + 3] = fields[2], fields[6] or false, fields[4]
      bytes, n = bytes + #(fields[6] or ''), n - 1
      if n == 0 then break end
    end
  end
  if #list < 16 and n > 0 then return reply end
end
reply[1] = string.format('%.0f', after)
return reply
]==]

-- dead(after, n): the number of the last one read or "", and { key, data, attempts, at, notes }.
scripts.dead = [==[
local after, n, reply, bytes = tonumber(arg()), tonumber(arg()), {''}, 0
while n > 0 and bytes < 4000000 do
  local list = rc('XRANGE', P .. 'dead', id(after + 1), '+', 'COUNT', math.min(n, 16))
  for _, entry in ipairs(list) do
    after = tonumber(string.match(entry[1], '^%d+'))
    local key = entry[2][2]
    local job, k = get(key), #reply
    local text = text_of(key, job)
    reply[k + 1], reply[k + 2], reply[k + 3] = key, text, job[A] or 0
    reply[k + 4], reply[k + 5] = num(job[D]), read_notes(key)
    bytes, n = bytes + #(text or ''), n - 1
  end
  if #list < 16 and n > 0 then return reply end
end
reply[1] = string.format('%.0f', after)
return reply
]==]

-- retry(token, key): 1 if it was dead. retry_all(last, n): the number made pending, and the last
-- dead one.
scripts.retry = [==[
local token, key = arg(), arg()
if again and rc('HGET', KEYS[1], 'retried') == token then return 1 end
local job = get(key)
if not job or job[S] ~= 'x' then return 0 end
rc('XDEL', P .. 'dead', id(job[X]))
job[X], job[A] = nil, nil
pending(key, job)
rc('HSET', KEYS[1], 'retried', token)
flush()
return 1
]==]
scripts.retry_all = [==[
local last, n = tonumber(arg()), tonumber(arg())
if last < 0 then last = cnt.dead end
local list, keys, ids = rc('XRANGE', P .. 'dead', '-', id(last), 'COUNT', n), {}, {}
for i, entry in ipairs(list) do keys[i], ids[i] = entry[2][2], entry[1] end
fetch(keys)
for _, key in ipairs(keys) do
  local job = jobs[key]
  job[X], job[A] = nil, nil
  pending(key, job)
end
bulk('XDEL', 'dead', ids)
flush()
return {#keys, last}
]==]

-- The common end of a job that is removed. With the last pending one its stream goes, and all
-- others: what was removed would stay there, if nothing is taken.
local REMOVE = [==[
local function forget_streams()
  for _, name in ipairs(rc('HKEYS', P .. 'classes')) do rc('UNLINK', P .. 'ready:' .. name) end
  rc('DEL', P .. 'classes')
  ready, known = {}, {}
end
local function remove(key, job)
  local leased = job[S] == 'l'
  if job[S] == 'p' then
    cnt.pending = cnt.pending - 1
    if cnt.pending == 0 then forget_streams() end
  elseif job[S] == 'w' then
    rc('ZREM', P .. 'group:' .. job[G], place(key, job))
    no_more_waiting(job[G])
    cnt.waiting = cnt.waiting - 1
  elseif job[S] == 'd' then
    due_now[#due_now + 1], cnt.delayed = key, cnt.delayed - 1
  elseif job[S] == 'x' then
    rc('XDEL', P .. 'dead', id(job[X]))
  end
  if job[R] then rc('XDEL', P .. 'results', id(job[R])) end
  if job[L] then rc('XDEL', P .. 'results', id(job[L])) end
  if leased then unlease(key, job) end
  set_text(key, job, '')
  forget_notes(key, job)
  jobs[key], dirty[key] = false, true
  if leased then leave(job) end
end
]==]

-- remove(token, key): 1 if there was one.
scripts.remove = REMOVE .. [==[
local token, key = arg(), arg()
if again and rc('HGET', KEYS[1], 'removed') == token then return 1 end
local job = get(key)
if not job then return 0 end
remove(key, job)
rc('HSET', KEYS[1], 'removed', token)
flush()
return 1
]==]

-- forget(before, after, n): the number removed, and where to go on, or "".
scripts.forget = REMOVE .. [==[
local before, after, n, removed = tonumber(arg()), tonumber(arg()), tonumber(arg()), 0
local list, keys = rc('XRANGE', P .. 'results', id(after + 1), '+', 'COUNT', n), {}
for i, entry in ipairs(list) do keys[i] = entry[2][2] end
fetch(keys)
local go_on = #list == n
for _, entry in ipairs(list) do
  local key = entry[2][2]
  local job = jobs[key]
  after = tonumber(string.match(entry[1], '^%d+'))
  if tonumber(entry[2][4]) > before then
    if after > cnt.disorder then go_on = false break end
  elseif job and job[S] == 'o' and job[D] <= before then
    remove(key, job)
    removed = removed + 1
  end
end
flush()
return {removed, go_on and string.format('%.0f', after) or ''}
]==]

-- clear(token): 1. What was put since stays, if it is asked again.
scripts.clear = [==[
local token = arg()
if again and rc('HGET', KEYS[1], 'cleared') == token then return 1 end
local gone = {}
for _, name in ipairs(rc('HKEYS', P .. 'classes')) do
  gone[#gone + 1] = P .. 'ready:' .. name
end
for _, name in ipairs(rc('ZRANGE', P .. 'waiting', 0, -1)) do
  gone[#gone + 1] = P .. 'group:' .. name
end
for _, name in ipairs({'jobs', 'data', 'notes', 'groups', 'classes', 'delayed', 'leases', 'waiting',
    'takes', 'results', 'dead'}) do gone[#gone + 1] = P .. name end
for i = 1, #gone, 4000 do rc('UNLINK', unpack(gone, i, math.min(i + 3999, #gone))) end
for _, name in ipairs({'turn', 'back', 'pending', 'waiting', 'delayed', 'at_max', 'disorder'}) do
  cnt[name] = 0
end
rc('HSET', KEYS[1], 'cleared', token)
flush()
return 1
]==]

scripts.now = [==[
return num(wall)
]==]

-- check(cursor, n): the next cursor, and what is wrong with the records on the way: pairs of a key
-- and of where it should be.
scripts.check = [==[
local page, found = rc('HSCAN', P .. 'jobs', arg(), 'COUNT', arg()), {}
local key
local function expect(where, fine)
  if not fine then found[#found + 1] = key found[#found + 1] = where end
end
local function score(where, member) return tonumber(rc('ZSCORE', P .. where, member) or nil) end
local function entry(where, n)
  expect(where, rc('XRANGE', P .. where, id(n), id(n))[1])
end
for i = 1, #page[2], 2 do
  key = page[2][i]
  local job = {cmsgpack.unpack(page[2][i + 1])}
  local state = job[S]
  if state == 'p' then
    local name, n = place_of(job)
    local found = rc('XREVRANGE', P .. 'ready:' .. name, id(n), '-', 'COUNT', 1)[1]
    local first = found and tonumber(string.match(found[1], '^%d+'))
    expect('ready:' .. name, first and found[2][n - first + 1] == key)
    local from = rc('HGET', P .. 'classes', name)
    expect('classes', from and n >= tonumber(from))
  elseif state == 'd' then expect('delayed', score('delayed', key) == job[D])
  elseif state == 'l' then
    expect('leases', score('leases', key))
    expect('takes', rc('HEXISTS', P .. 'takes', job[K]) == 1)
  elseif state == 'w' then
    local where = 'group:' .. job[G]
    expect(where, score(where, place(key, job)))
  elseif state == 'x' then entry('dead', job[X]) end
  if job[V] == true then expect('data', rc('HEXISTS', P .. 'data', key) == 1) end
  if job[H] then expect('notes', rc('HEXISTS', P .. 'notes', key) == 1) end
  if job[R] then entry('results', job[R]) end
end
return {page[1], found}
]==]

return scripts
