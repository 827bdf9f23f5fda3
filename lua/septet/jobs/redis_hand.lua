-- SPDX-License-Identifier: MIT
-- The server's scripts that open a queue, look at it, and change it by hand. They follow the BASE
-- of redis_scripts.lua.
local scripts = {}

-- open(id, format, existing): the id of the queue. If there is none, it is made, but not if
-- `existing` is "1". Stands alone.
scripts.open = [==[
local P = string.sub(KEYS[1], 1, -5)
local TYPES = {meta = 'hash', jobs = 'hash', data = 'hash', notes = 'hash', groups = 'hash',
  takes = 'hash', classes = 'zset', delayed = 'zset', leases = 'zset', waiting = 'zset',
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
if meta[2] and tonumber(meta[2]) ~= tonumber(ARGV[2]) then
  return redis.error_reply('NEWER ' .. meta[2])
end
if meta[1] and meta[2] then return meta[1] end
if any then return redis.error_reply('NOTAQUEUE the key ' .. KEYS[1] .. ' has no id') end
if ARGV[3] == '1' then return redis.error_reply('NOQUEUE there is none') end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'format', ARGV[2])
return ARGV[1]
]==]

-- stats(): pending, waiting, delayed, leased, all, dead, the oldest one's age or "", and the rate.
scripts.stats = [==[
local n, first = 0, nil
for _, class in ipairs(rc('ZRANGE', P .. 'classes', 0, -1)) do
  for side = 0, 1 do
    local stream = P .. 'ready:' .. class .. ':' .. side
    n = n + rc('XLEN', stream)
    local keys = {}
    for i, entry in ipairs(rc('XRANGE', stream, '-', '+', 'COUNT', 100)) do
      keys[i] = entry[2][2]
    end
    fetch(keys)
    for _, key in ipairs(keys) do
      if not first or jobs[key][W] < first then first = jobs[key][W] end
    end
  end
end
local done, oldest = 0, wall
for _, entry in ipairs(rc('XREVRANGE', P .. 'results', '+', '-', 'COUNT', 1000)) do
  local ended = tonumber(entry[2][4])
  if ended < wall - 60 then break end
  done, oldest = done + 1, ended
end
return {n, cnt.waiting, rc('ZCARD', P .. 'delayed'), rc('ZCARD', P .. 'leases'),
  rc('HLEN', P .. 'jobs'), rc('XLEN', P .. 'dead'), first and num(math.max(0, wall - first)) or '',
  num(done / math.max(done < 1000 and 1 or 0.001, wall - oldest))}
]==]

-- results(after, n): the number of the last one read or "", and { key, result, at } of each.
scripts.results = [==[
local after, n, reply, bytes, last = tonumber(arg()), tonumber(arg()), {''}, 0, nil
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
    local job, text, list = get(key), rc('HGET', P .. 'data', key), read_notes(key)
    local k = #reply
    reply[k + 1], reply[k + 2], reply[k + 3], reply[k + 4] = key, text, job[A], num(job[D])
    reply[k + 5] = list
    bytes, n = bytes + #(text or ''), n - 1
  end
  if #list < 16 and n > 0 then return reply end
end
reply[1] = string.format('%.0f', after)
return reply
]==]

-- retry(key): 1 if it was dead. retry_all(last, n): the number made pending, and the last dead one.
scripts.retry = [==[
local key = arg()
local job = get(key)
if not job or job[S] ~= 'x' then return 0 end
rc('XDEL', P .. 'dead', id(job[X]))
job[X], job[A] = 0, 0
pending(key, job)
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
  job[X], job[A] = 0, 0
  pending(key, job)
end
bulk('XDEL', 'dead', ids)
flush()
return {#keys, last}
]==]

-- The common end of a job that is removed.
local REMOVE = [==[
local function remove(key, job)
  local leased = job[S] == 'l'
  if job[S] == 'p' then
    local stream, entry = entry_of(job)
    rc('XDEL', P .. stream, entry)
  elseif job[S] == 'w' then
    rc('ZREM', P .. 'group:' .. job[G], place(key, job))
    no_more_waiting(job[G])
    cnt.waiting = cnt.waiting - 1
  elseif job[S] == 'd' then
    delayed[key] = false
  elseif job[S] == 'x' then
    rc('XDEL', P .. 'dead', id(job[X]))
  end
  if job[R] ~= 0 then rc('XDEL', P .. 'results', id(job[R])) end
  if job[L] ~= 0 then rc('XDEL', P .. 'results', id(job[L])) end
  if leased then unlease(key, job) end
  jobs[key], dirty[key], data[key], notes[key] = false, true, false, false
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

scripts.clear = [==[
local gone = {}
for _, class in ipairs(rc('ZRANGE', P .. 'classes', 0, -1)) do
  gone[#gone + 1] = P .. 'ready:' .. class .. ':0'
  gone[#gone + 1] = P .. 'ready:' .. class .. ':1'
end
for _, name in ipairs(rc('ZRANGE', P .. 'waiting', 0, -1)) do
  gone[#gone + 1] = P .. 'group:' .. name
end
for _, name in ipairs({'jobs', 'data', 'notes', 'groups', 'classes', 'delayed', 'leases', 'waiting',
    'takes', 'results', 'dead'}) do gone[#gone + 1] = P .. name end
for i = 1, #gone, 4000 do rc('UNLINK', unpack(gone, i, math.min(i + 3999, #gone))) end
for _, name in ipairs({'turn', 'back', 'waiting', 'at_max', 'disorder'}) do cnt[name] = 0 end
flush()
return 1
]==]

scripts.now = [==[
return num(wall)
]==]

-- check(cursor, n): the next cursor, and what is wrong with the records on the way.
scripts.check = [==[
local page, found = rc('HSCAN', P .. 'jobs', arg(), 'COUNT', arg()), {}
local function has(stream, entry)
  return rc('XRANGE', P .. stream, entry, entry)[1] ~= nil
end
for i = 1, #page[2], 2 do
  local key, job = page[2][i], {cmsgpack.unpack(page[2][i + 1])}
  local state, fine, where = job[S], true, ''
  if state == 'p' then
    local entry
    where, entry = entry_of(job)
    fine = has(where, entry)
  elseif state == 'd' then where = 'delayed' fine = rc('ZSCORE', P .. where, key)
  elseif state == 'l' then where = 'leases' fine = rc('ZSCORE', P .. where, key)
  elseif state == 'w' then
    where = 'group:' .. job[G]
    fine = rc('ZSCORE', P .. where, place(key, job))
  elseif state == 'x' then where = 'dead' fine = has(where, id(job[X])) end
  if fine and job[R] ~= 0 then where = 'results' fine = has(where, id(job[R])) end
  if not fine then found[#found + 1] = key found[#found + 1] = where end
end
return {page[1], found}
]==]

return scripts
