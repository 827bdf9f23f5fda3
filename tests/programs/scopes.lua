-- SPDX-License-Identifier: MIT
--- The checks' model of scopes, which follows from the program and not from Septet's own records. A
--- scope here is a table {kind=, parent=, owner=, children=, ...}. A task's root is one too.
---
--- Some causes of cancellation are known to the instant (`cancel` was called, a task of a group has
--- failed), others within bounds (a deadline fires between two turns). So the model has two
--- predicates. A scope that is certainly cancelled must make a wait raise. A scope that may be
--- cancelled explains a Cancelled.
local scopes = {}

--- Less than the distance of any two instants of a program.
scopes.TICK = 2 ^ -6

--- Sets a scope's deadline. It has certainly fired if `fires` has passed: a deadline that is due
--- when it is armed fires in the next turn.
function scopes.due(s, due, now)
  s.due = due
  s.fires = due > now and due or due + scopes.TICK
end

--- Opens a scope in `parent`.
function scopes.new(kind, owner, parent, now, seconds)
  local s = {
    kind = kind, owner = owner, parent = parent, opened = now, children = {}, generators = {},
    late = 0,
  }
  s.group = kind == "group"
  s.shield = kind == "shield" or kind == "cleanup"
  if seconds then scopes.due(s, now + seconds, now) end
  return s
end

--- Returns a task's status, or nil if it has not run and has no handle.
function scopes.status(t)
  return t.handle and t.handle:status()
end

function scopes.is_live(t)
  local status = scopes.status(t)
  return status ~= "done" and status ~= "failed" and status ~= "cancelled"
end

local function failed(s)
  if s.group and not s.failed then
    for _, child in ipairs(s.children) do
      if scopes.status(child) == "failed" then s.failed = true end
    end
  end
  return s.failed
end

--- Returns true if the scope itself was certainly cancelled before `instant`.
function scopes.certain_itself(s, instant)
  return s.cancel or s.fires and s.fires < instant or failed(s)
end

--- Returns the scope that was certainly cancelled, of `s` and those around it up to a shield.
function scopes.certain(s, instant)
  while s do
    if scopes.certain_itself(s, instant) then return s end
    -- Returns true if the body has ended, without a generator or loop to close first. Then the
    -- tasks are cancelled, except those of a group whose body did not fail.
    if s.over and #s.generators == 0 and not (s.group and s.outcome[1]) then return s end
    s = not s.shield and s.parent
  end
  return false
end

-- Returns true if a combinator has to end its members: one of them failed (in a race: ended), or
-- the waiting task was cancelled.
local function ends_members(s, now)
  for _, member in ipairs(s.members) do
    local status = scopes.status(member)
    if status == "failed" or status == "cancelled" or s.kind == "race" and status == "done" then
      return true
    end
  end
  return scopes.may_be(s.parent, now)
end

-- For each cause, returns true if the scope may have been cancelled for it, as the error says if
-- there is one.
local causes = {}

function causes.cancel(s, now, err)
  if s.cancel and (not err or err.reason == s.cancel.reason and err.by == s.cancel.by) then
    return true
  end
  local function by(combinator)
    return (not err or not err.reason and err.by == combinator.owner.handle.id)
      and ends_members(combinator, now)
  end
  if s.members and by(s) or s.kind == "task" and s.parent and s.parent.members and by(s.parent) then
    return true
  end
  for _, combinator in ipairs(s.gathered or {}) do
    if by(combinator) then return true end
  end
  return s.loop and s.loop.left and (not err or err.reason == "as_completed")
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

--- Returns true if the scope itself may have been cancelled by now.
function scopes.may_be_itself(s, now)
  return causes.cancel(s, now) or causes.deadline(s, now) or causes.sibling(s) or causes.owner(s)
end

--- Returns true if the scope may have been cancelled, or one around it up to a shield.
function scopes.may_be(s, now)
  while s do
    if scopes.may_be_itself(s, now) then return true end
    s = not s.shield and s.parent
  end
  return false
end

--- Returns true if a scope from `s` up to a shield was cancelled as the Cancelled says.
function scopes.explain(s, now, err)
  local cause = causes[err.source]
  while s and cause do
    if cause(s, now, err) then return true end
    s = not s.shield and s.parent
  end
  return false
end

-- Returns the instant at which the scope itself was cancelled, if it is known.
local function since(s, now)
  local due = s.due and s.due <= now and s.due
  if s.cancel and due then return math.min(s.cancel.at, due) end
  return s.cancel and s.cancel.at or due
end

--- Excuses the scopes from `s` up to a shield for the time between two instants, in which something
--- in them was out of reach.
function scopes.excuse(s, from, to)
  while s do
    local cancelled = since(s, to)
    if cancelled and cancelled < to then s.late = s.late + to - math.max(from, cancelled) end
    if s.members then table.insert(s.excused, { from = from, to = to }) end
    s = not s.shield and s.parent
  end
end

--- Returns how long a combinator's members had had to end at an instant, without the excused time.
function scopes.members_overdue(s, at)
  local first = at
  for _, member in ipairs(s.members) do
    if member.ended_at and (s.kind == "race" or scopes.status(member) ~= "done") then
      first = math.min(first, member.ended_at)
    end
  end
  local overdue = at - math.max(first, s.opened)
  for _, time in ipairs(s.excused) do
    overdue = overdue - math.max(0, time.to - math.max(time.from, first))
  end
  return overdue
end

--- Returns how long a scope had been cancelled at an instant, without the excused time.
function scopes.overdue(s, at)
  local cancelled = since(s, at)
  return cancelled and at - cancelled - s.late or 0
end

--- Returns a task or generator that began in the scope and has not ended.
function scopes.orphan(s)
  for _, child in ipairs(s.children) do
    if scopes.is_live(child) then return child end
  end
  for _, generator in ipairs(s.generators) do
    if generator.open then return generator end
  end
end

return scopes
