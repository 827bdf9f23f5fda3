--- What the oracles know of scopes, from what the program did: not how the product keeps them. A scope here is a
--- table {kind=, parent=, owner=, children=, ...}; a task's root is one too.
---
--- Some causes of cancellation are known to the instant (`cancel` was called, a task of a group has failed), others only
--- within bounds (a deadline fires between two turns). So there are two questions: is a scope cancelled for certain,
--- so that a wait in it must raise; and may it be, so that a Cancelled there is explained.
local scopes = {}

--- Less than any two instants of a program lie apart.
scopes.TICK = 2 ^ -6

--- Opens one, in the scope that is open in its owner unless `parent` says otherwise.
function scopes.new(kind, owner, parent, now, seconds)
  local s = { kind = kind, owner = owner, parent = parent, opened = now, children = {}, generators = {}, late = 0 }
  s.group = kind == "group"
  s.shield = kind == "shield" or kind == "cleanup"
  if seconds then scopes.due(s, now + seconds, now) end
  return s
end

--- Sets its deadline. It has fired for certain once `fires` has passed: one that was due when it was armed fires in the
--- next turn.
function scopes.due(s, due, now)
  s.due = due
  s.fires = due > now and due or due + scopes.TICK
end

local function failed(s)
  if s.group and not s.failed then
    for _, child in ipairs(s.children) do
      if child.handle:status() == "failed" then s.failed = true end
    end
  end
  return s.failed
end

-- Was it, before `instant`, cancelled itself?
local function certain(s, instant)
  return s.cancel or s.fires and s.fires < instant or failed(s)
    -- Its body has ended, and it does not wait for its tasks; unless it closes generators first.
    or s.over and not s.group and #s.generators == 0
end

--- Was the scope, or one around it up to a shield, cancelled before `instant`? Returns the one that was.
function scopes.certain(s, instant)
  while s do
    if certain(s, instant) then return s end
    s = not s.shield and s.parent
  end
  return false
end

-- Has a combinator reason to end its members: one of them is not done (in a race: has ended), or the one who waits was
-- cancelled?
local function early(s, now)
  if scopes.may_be(s.parent, now) then return true end
  for _, member in ipairs(s.members) do
    local status = member.handle and member.handle:status()
    if status == "failed" or status == "cancelled" or s.kind == "race" and status == "done" then return true end
  end
  return false
end

-- The causes that `s` may have itself; each returns a true value.
local causes = {}

function causes.cancel(s, now, err)
  if s.cancel then
    return not err or err.reason == s.cancel.reason and err.by == s.cancel.by
  end
  local function ended_by(combinator)
    return (not err or not err.reason and err.by == combinator.owner.handle.id) and early(combinator, now)
  end
  if s.members and ended_by(s) then return true end
  if s.kind == "task" and s.parent and s.parent.members and ended_by(s.parent) then return true end
  for _, combinator in ipairs(s.gathered or {}) do
    if ended_by(combinator) then return true end
  end
  -- Left before its end; its closing value does so where the Lua has sound ones.
  return s.abandoned and (not err or err.reason == "as_completed")
end

function causes.deadline(s, now)
  return s.due and s.due <= now
end

function causes.sibling(s)
  return failed(s) or s.group and s.over and not s.outcome[1]
end

function causes.owner(s)
  return s.over and not s.group
end

--- May the scope have been cancelled itself by now?
function scopes.may_be_itself(s, now)
  return causes.cancel(s, now) or causes.deadline(s, now) or causes.sibling(s) or causes.owner(s)
end

--- May it, or one around it up to a shield, have been cancelled by now?
function scopes.may_be(s, now)
  while s do
    if scopes.may_be_itself(s, now) then return true end
    s = not s.shield and s.parent
  end
  return false
end

--- Is there a scope, from `s` up to a shield, that was cancelled as the Cancelled says?
function scopes.explain(s, now, err)
  local cause = causes[err.source]
  while s and cause do
    if cause(s, now, err) then return true end
    s = not s.shield and s.parent
  end
  return false
end

--- The instant from which it was cancelled itself, where that is known; else nil.
function scopes.since(s, now)
  local due = s.due and s.due <= now and s.due
  return s.cancel and due and math.min(s.cancel.at, due) or s.cancel and s.cancel.at or due or nil
end

--- Excuses the scopes from `s` up to a shield, where they were cancelled, for the time between two instants: something
--- in them was out of reach.
function scopes.excuse(s, from, to)
  while s do
    local since = scopes.since(s, to)
    if since and since < to then s.late = s.late + to - math.max(from, since) end
    s = not s.shield and s.parent
  end
end

--- For how long has it stood since it was cancelled, beyond what was shielded in it?
function scopes.overdue(s, now)
  local since = scopes.since(s, now)
  return since and now - since - s.late or 0
end

local function is_live(t)
  local status = t.handle:status()
  return status ~= "done" and status ~= "failed" and status ~= "cancelled"
end

--- A task that was spawned in it and lives.
function scopes.orphan(s)
  for _, child in ipairs(s.children) do
    if is_live(child) then return child end
  end
  for _, generator in ipairs(s.generators) do
    if generator.open then return generator end
  end
end

scopes.is_live = is_live

return scopes
