-- SPDX-License-Identifier: MIT
--- `require` for modules with a top level that waits. Exported by `septet.task`.
local loader = {}

local core = require "septet.core"
local args = require "septet.internal.args"

-- A load is { name =, task =, outer =, state = core.load() }. `task` is the id of its task, `outer`
-- the load of that task in which it began.
local loading = {} -- loads by the module's name
local innermost = {} -- by the id of a task: its innermost load
local awaited = {} -- by the id of a task: the load it waits for

--- Returns the function that loads a module and its second argument, like the standard require().
---@param name string
---@return function load
---@return any extra
function loader.find(name)
  local tried = {}
  for _, search in ipairs(package.searchers) do
    local load, extra = search(name)
    if type(load) == "function" then return load, extra end
    if type(load) == "string" then tried[#tried + 1] = "\n\t" .. load end
  end
  error(("module '%s' not found:%s"):format(core.escape(name), table.concat(tried)), 0)
end

-- Stands in package.preload while a module loads: the standard require() must not run it again.
local function refuse(name)
  if loading[name] and loading[name].task == core.current().id then
    args.usage("module '%s' requires itself", core.escape(name))
  end
  args.usage("module '%s' is being loaded by a task that waits (task.require waits for it)",
    core.escape(name))
end

--- Returns true while a task loads the module.
---@param name string
---@return boolean
function loader.is_loading(name)
  return loading[name] ~= nil
end

local function load_now(this)
  local name = this.name
  local load, extra = loader.find(name)
  this.preload, package.preload[name] = package.preload[name], refuse
  local value = load(name, extra)
  if value ~= nil then
    package.loaded[name] = value
  elseif package.loaded[name] == nil then
    package.loaded[name] = true
  end
  return package.loaded[name], extra
end

local function after_load(this, ok, ...)
  local name = this.name
  if package.preload[name] == refuse then package.preload[name] = this.preload end
  loading[name], innermost[this.task] = nil, this.outer
  this.state:finish()
  if not ok then core.raise(...) end
  return ...
end

local function load(name)
  local current = core.current()
  local id = current.id
  local this = { name = name, task = id, outer = innermost[id], state = core.load(current) }
  loading[name], innermost[id] = this, this
  return after_load(this, core.try(load_now, this))
end

-- Adds the names of a task's loads, from the outermost or from `first` inwards.
local function add_names(names, id, first)
  local inner, this = {}, innermost[id]
  while this do
    inner[#inner + 1] = this.name
    if this == first then break end
    this = this.outer
  end
  for i = #inner, 1, -1 do names[#names + 1] = inner[i] end
end

-- Returns the names of the circle that the running task would close by waiting for a load. The
-- circle begins and ends with that load.
local function circle(busy)
  local names, first = {}, busy
  for _, id in ipairs(busy.state:path()) do
    add_names(names, id, first and first.task == id and first or nil)
    first = awaited[id]
  end
  names[#names + 1] = busy.name
  return table.concat(names, " -> ")
end

-- Waits for a load of another task. Returns true once it is over, false if that closes a circle.
local function await(busy, id)
  awaited[id] = busy
  local ok, over = core.try(busy.state.wait, busy.state)
  awaited[id] = nil
  if not ok then core.raise(over) end
  return over
end

local function wait_for(busy)
  local id = core.current().id
  if busy.task ~= id and await(busy, id) then return end
  error(("module '%s' requires itself (%s)"):format(core.escape(busy.name),
    core.escape(circle(busy))), 0)
end

--- Like the standard require(), but the module's top level may wait. Tasks that require a module
--- while another one loads it wait for that.
---@async
---@param name string
---@return any module
---@return any extra where it was found
function loader.require(name)
  args.string(name, 1, "require")
  if core.hides_library(name) then
    args.usage("task.require has no standard libraries: require '%s' without it", name)
  end
  while package.loaded[name] == nil do
    local busy = loading[name]
    if not busy then return load(name) end
    wait_for(busy)
  end
  return package.loaded[name]
end

return loader
