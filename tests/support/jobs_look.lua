-- SPDX-License-Identifier: MIT
--- What tests look up in a queue.
local look = {}

--- Returns the results of a queue by key, and their number. None may be there twice. One that is
--- nil is false.
function look.results_of(q)
  local results, n = {}, 0
  for key, result in q:results() do
    equal(results[key], nil, "a second result of " .. key)
    results[key], n = result or false, n + 1
  end
  return results, n
end

--- Returns how many jobs a queue has in each state, without those that have none.
function look.states_of(q)
  local states, stats = {}, q:stats()
  for _, name in ipairs { "pending", "waiting", "delayed", "leased", "done", "dead" } do
    if stats[name] > 0 then states[name] = stats[name] end
  end
  return states
end

return look
