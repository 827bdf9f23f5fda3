-- spec.lua FILE: runs a file of specs. `it(name, fn)` runs fn in a task of its own, with a limit on its time, and
-- takes a census behind it: no task may be left. Prints a line a spec, and the count that closes every run.
local task = require "septet.task"

local LIMIT = tonumber(os.getenv "SPEC_LIMIT" or "60") -- seconds; a spec that needs them hangs
local passed, failed = 0, 0
local prefix = {}

local function count(tree)
  local n = 0
  for _, t in ipairs(tree) do n = n + 1 + count(t.children) end
  return n
end

local function census(before)
  collectgarbage()
  local left = count(task.tree()) - before
  if left ~= 0 then
    error(("census: %d tasks left behind"):format(left), 0)
  end
end

local function limited(fn)
  local t = task.spawn(fn)
  local done = task.wait({ t }, { timeout = LIMIT })
  if #done == 0 then
    local where = t:traceback()
    t:cancel "too slow"
    error("did not end in time\n" .. where, 0)
  end
  local ok, err = t:result()
  if not ok then error(("%s\n%s"):format(tostring(err), t:traceback()), 0) end
end

function _G.describe(name, fn)
  prefix[#prefix + 1] = name
  fn()
  prefix[#prefix] = nil
end

function _G.it(name, fn)
  local before = count(task.tree())
  local title = table.concat(prefix, " ") .. (#prefix > 0 and " " or "") .. name
  local ok, err = pcall(function()
    limited(fn)
    census(before)
  end)
  if ok then
    passed = passed + 1
    print("ok " .. title)
  else
    failed = failed + 1
    print("not ok " .. title)
    print("  " .. tostring(err):gsub("\n", "\n  "))
  end
end

local function show(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

--- Are two values the same, tables field by field?
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b or (a ~= a and b ~= b) end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

local function list(value)
  if type(value) ~= "table" or getmetatable(value) then return show(value) end
  local words = {}
  for k, v in pairs(value) do
    words[#words + 1] = (math.type(k) == "integer" and "" or tostring(k) .. "=") .. list(v)
  end
  return "{" .. table.concat(words, ", ") .. "}"
end

function _G.equal(got, expected, what)
  if not same(got, expected) then
    error(("%sexpected %s, got %s"):format(what and what .. ": " or "", list(expected), list(got)), 2)
  end
end

--- fn(...) must raise; returns what it raised, and checks that its words contain `pattern` if given.
function _G.raises(pattern, fn, ...)
  local result = table.pack(pcall(fn, ...))
  if result[1] then error("expected an error", 2) end
  local err = result[2]
  if pattern and not tostring(err):find(pattern) then
    error(("expected an error like %q, got %q"):format(pattern, tostring(err)), 2)
  end
  return err
end

local path = ...
local chunk = assert(loadfile(path))
chunk()
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0)
