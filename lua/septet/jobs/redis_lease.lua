-- SPDX-License-Identifier: MIT
-- The server's scripts for what is leased. They follow the BASE of redis_scripts.lua.
local scripts = {}

-- enter(limit, n, { key, token, group }...): 1, 0 if it waits in the group, or -1 if it was lost.
scripts.enter = [==[
local limit, n, answers = tonumber(arg()), tonumber(arg()), {}
for i = 1, n do
  local key, token, group = arg(), arg(), arg()
  local job = get(key)
  if not is_leased(job, token) then
    answers[i] = job and again and job[K] == token and 0 or -1
  elseif job[G] == group then
    answers[i] = 1
  elseif leased_in(group) < limit then
    job[G], dirty[key] = group, true
    count_group(group, 1)
    answers[i] = 1
  else
    unlease(key, job)
    job[G], job[K] = group, token -- by which it is found again
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
  answers[i] = is_leased(jobs[key], token) and 1 or 0
  if answers[i] == 1 then begin(key, lease_end(lease)) end
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
local mine = leased_by({[owner] = true})
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
