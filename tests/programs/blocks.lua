-- SPDX-License-Identifier: MIT
--- Operations with a body. When a block ends, none of its tasks is left, it ended in time, and it
--- returns the results of its body. It absorbs a Cancelled that was meant for the block alone.
local private = debug.getregistry()["septet.require"] -- of private modules
local w = require "world"
local probe = private "septet.internal.probe"
local scopes = require "scopes"
local task = require "septet.task"

local is, pack = task.is, table.pack
local exec, wrong, say = w.exec, w.wrong, w.say

local blocks = {}

-- --- scopes ---

--- Checks a scope that has been closed.
function blocks.closed(rec, op, s)
  local orphan, overdue = scopes.orphan(s), scopes.overdue(s, w.now)
  s.closed = true
  if orphan then
    wrong(rec, op, "its %s is left", orphan.body and "task " .. orphan.body.number or "generator")
  end
  if overdue > w.busy and not w.started_elsewhere then
    wrong(rec, op, "it ended %g after it was cancelled", overdue)
  end
end

local function swallowed(rec, op, s)
  local around = not s.shield and scopes.certain(s.parent, w.fired())
  if not scopes.may_be_itself(s, w.now) then
    wrong(rec, op, "it swallowed a Cancelled that was not its own")
  end
  if around then
    wrong(rec, op, "it swallowed Cancelled, and the %s around is cancelled", around.kind)
  end
end

local function passed_on(rec, op, s)
  if not scopes.may_be(s.parent, w.now) then
    wrong(rec, op, "it let out the Cancelled that was its own")
  end
end

-- Returns the function of a block.
local function body(rec, op, s)
  return function()
    rec.scope, s.handle = s, task.scope()
    w.blocks[#w.blocks + 1] = s
    return w.over(s, pcall(function()
      w.run(rec, op.body)
      s.must = s.group and #s.children == 0 and #s.generators == 0
        and scopes.certain(s.parent, w.fired())
      return op.id, nil, s
    end))
  end
end

local function ended(rec, op, s)
  w.resumed(rec)
  rec.scope = s.parent
  blocks.closed(rec, op, s)
  if s.shield then scopes.excuse(s.parent, s.opened, w.now) end
  if not s.outcome then wrong(rec, op, "its body never ended") end
end

-- Runs a block of Septet's, other than a group, with `...` before the body. Its values begin at the
-- result `first`. Returns the scope, the results, and whether it cut its body short.
local function block(rec, op, first, fn, ...)
  local s = scopes.new(op.kind, rec, rec.scope, w.now, op.seconds)
  local args = pack(...)
  args[args.n + 1] = body(rec, op, s)
  local result = pack(pcall(fn, table.unpack(args, 1, args.n + 1)))
  ended(rec, op, s)
  local out, err = s.outcome, s.outcome[2]
  if out[1] then
    if not result[1] or not w.same(result, first, out, 2) then
      wrong(rec, op, "its body returned, and it gave %s", say(result[2]))
    end
  elseif not is(err, "Cancelled") then
    if result[1] or result[2] ~= err then
      wrong(rec, op, "its body raised %s, and it gave %s", say(err), say(result[2]))
    end
  elseif not result[1] and result[2] == err then
    passed_on(rec, op, s)
  else
    swallowed(rec, op, s)
    return s, result, true
  end
  return s, result, false
end

function exec.timeout(rec, op)
  local s, result, cut = block(rec, op, 2, task.timeout, op.seconds)
  local late = not result[1] and is(result[2], "Timeout") and result[2].seconds == op.seconds
  if cut and s.cancel and result.n ~= 1 then
    wrong(rec, op, "it was cancelled, and gave %s", say(result[2]))
  end
  if cut and not s.cancel and not late then
    wrong(rec, op, "its time was over, and it gave %s", say(result[2]))
  end
  if cut and late and w.now < s.due then
    wrong(rec, op, "Timeout %g before its deadline", s.due - w.now)
  end
  w.unpacked(result)
end

local function moving_on(rec, op, fn)
  local _, result, cut = block(rec, op, 3, fn, op.seconds)
  if result[1] and result[2] ~= not cut or cut and result.n ~= 2 then
    wrong(rec, op, "it was %s, and gave %s", cut and "cut short" or "in time", say(result[2]))
  end
  w.unpacked(result)
end

function exec.move_on_after(rec, op) moving_on(rec, op, task.move_on_after) end
function exec.cleanup(rec, op) moving_on(rec, op, task.cleanup) end

function exec.shield(rec, op)
  local _, result, cut = block(rec, op, 2, task.shield)
  if cut and result.n ~= 1 then wrong(rec, op, "it was cancelled, and gave %s", say(result[2])) end
  w.unpacked(result)
end

-- Adds an error to a set, or the errors in an ErrorGroup.
local function add_leaves(set, err)
  if not is(err, "ErrorGroup") then
    set[err] = true
    return
  end
  for _, inner in ipairs(err.errors) do add_leaves(set, inner) end
end

-- Returns the errors that a group must raise, those of its tasks and its body, and their number. An
-- error that several of them raised is one error.
local function errors_of(s)
  local errors, n = {}, 0
  local function add(err)
    add_leaves(errors, err)
    n = n + 1
  end
  for _, child in ipairs(s.children) do
    if scopes.status(child) == "failed" then
      add(child.root.outcome[2])
      child.grouped = true
    end
  end
  if not s.outcome[1] and not is(s.outcome[2], "Cancelled") then add(s.outcome[2]) end
  return errors, n
end

local function check_errors(rec, op, s, err, errors, n)
  if not is(err, "ErrorGroup") or err == s.outcome[2] then
    return wrong(rec, op, "%d errors in a group, and it gave %s", n, say(err))
  end
  local raised, once = {}, {}
  add_leaves(raised, err)
  for one in pairs(raised) do
    if not errors[one] then
      wrong(rec, op, "its ErrorGroup has an error that is none of the group's")
    end
    errors[one] = nil
  end
  if next(errors) then wrong(rec, op, "its ErrorGroup lacks errors of the group") end
  for _, one in ipairs(err.errors) do
    if once[one] then wrong(rec, op, "its ErrorGroup has an error twice") end
    once[one] = true
  end
  table.insert(w.error_groups, { of = s, errors = err.errors })
end

local function check_group(rec, op, s, result)
  local out, errors, n = s.outcome, errors_of(s)
  local cancelled = not result[1] and is(result[2], "Cancelled")
  if n > 0 then
    check_errors(rec, op, s, result[2], errors, n)
  elseif out[1] then
    if cancelled then
      passed_on(rec, op, s) -- it waited for a task that was, or it was empty
    elseif s.must then
      wrong(rec, op, "it was empty in a cancelled scope, and no checkpoint")
    elseif not result[1] or not w.same(result, 2, out, 2) then
      wrong(rec, op, "its body returned, and it gave %s", say(result[2]))
    end
  elseif result[1] then
    swallowed(rec, op, s)
    if result.n ~= 1 then wrong(rec, op, "it was cancelled, and gave %s", say(result[2])) end
  elseif result[2] ~= out[2] then
    wrong(rec, op, "it was cancelled, and raised %s", say(result[2]))
  else
    passed_on(rec, op, s)
  end
end

function exec.group(rec, op)
  local s = scopes.new("group", rec, rec.scope, w.now)
  local fn = body(rec, op, s)
  s.tasks_only = op.form == "block"
  if not op.bounded then w.groups[#w.groups + 1] = s end
  local result = pack(pcall(op.form == "function" and task.group or function()
    local g <close> = task.group() -- luacheck: ignore
    return fn()
  end, fn))
  ended(rec, op, s)
  check_group(rec, op, s, result)
  w.unpacked(result)
end

--- Checks the order of the errors in all raised ErrorGroups, once the ends of the tasks are known.
--- The place of an error of several tasks, or of the body, which is not traced, is not known.
function blocks.check()
  for _, group in ipairs(w.error_groups) do
    local at, last = {}, 0
    for _, child in ipairs(group.of.children) do
      local err = child.root.outcome[2]
      if child.grouped then
        at[err] = at[err] == nil and err ~= group.of.outcome[2] and child.ended
      end
    end
    for _, err in ipairs(group.errors) do
      local ended_at = at[err] or last
      if ended_at < last then
        wrong(group.of.owner, nil, "the errors of a group are not in the order they came")
      end
      last = ended_at
    end
  end
end

-- --- generators ---

-- The body of a generator ended. If the scope that made it closes it, its error counts.
local function body_ended(s, gen, ok, err)
  gen.open = false
  if ok then return end
  if s.over and not is(err, "GeneratorClosed") then s.outcome = pack(false, err) end
  error(err, 0)
end

-- Emits in its body. Returns if the next value is requested, and raises if the generator is closed.
local function emitter(rec, op, gen, emit)
  return function()
    gen.n = gen.n + 1
    gen.wanted = false
    local result = pack(pcall(emit, gen.n))
    w.resumed(rec) -- the closing task may have waited
    if result[1] ~= gen.wanted then
      wrong(rec, op, "it %s, and emit gave %s", gen.wanted and "goes on" or "is closed",
        say(result[2]))
    end
    w.unpacked(result)
  end
end

local function consume(rec, op, gen, it, closer)
  local n = 0
  if op.take == 0 then return end
  for i in function()
    gen.wanted = true
    return it()
  end, nil, nil, closer do
    n = n + 1
    if i ~= n then wrong(rec, op, "emission %d was %s", n, i) end
    w.run(rec, op.each)
    if n == op.take then break end
  end
end

function exec.generator(rec, op)
  local s, gen = rec.scope, { n = 0 }
  table.insert(s.generators, gen)
  local it, _, _, closer = task.generator(function(emit)
    gen.open = true
    body_ended(s, gen, pcall(w.run, rec, op.body, emitter(rec, op, gen, emit)))
  end)
  if (closer ~= nil) ~= probe.closes_loops() then
    wrong(rec, op, "its closing value is %s", say(closer))
  end
  if op.form == "loop" then
    consume(rec, op, gen, it, closer)
  elseif op.form == "close" then
    local closing <close> = it
    consume(rec, op, gen, closing)
  else
    return consume(rec, op, gen, it)
  end
  if gen.open and (closer or op.form == "close") then wrong(rec, op, "its generator is left") end
end

function exec.emit(_, _, emit)
  emit()
end

-- --- what handles errors ---

function exec.fail(rec, op)
  error({ op = op, by = rec }, 0)
end

function exec.pcall(rec, op, emit)
  local call = ({ pcall = pcall, ["task.pcall"] = task.pcall, ["task.try"] = task.try })[op.form]
  local ok, err, traceback = call(w.run, rec, op.body, emit)
  if ok then return end
  if op.form ~= "pcall" and (is(err, "Cancelled") or is(err, "GeneratorClosed")) then
    wrong(rec, op, "it caught %s", say(err))
  end
  if op.form == "task.try" and type(traceback) ~= "string" then
    wrong(rec, op, "it gave no traceback")
  end
  w.run(rec, op.handler)
  if op.then_ == "rethrow" then error(err, 0) end
  if op.then_ == "raise" then exec.fail(rec, op) end
end

function exec.close(rec, op, emit)
  local closed = false
  local ok, err = pcall(function()
    local guard <close> = setmetatable({}, { __close = function() -- luacheck: ignore
      w.run(rec, op.handler)
      closed = true
    end })
    w.run(rec, op.body, emit)
  end)
  if ok and not closed then wrong(rec, op, "a variable was not closed") end
  if not ok then error(err, 0) end
end

function exec.coroutine(rec, op)
  local ended_at_once
  coroutine.wrap(function()
    w.run(rec, op.body)
    ended_at_once = true
  end)()
  if not ended_at_once then wrong(rec, op, "its coroutine yielded") end
end

return blocks
