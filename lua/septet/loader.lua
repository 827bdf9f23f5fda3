--- `require` for modules whose top level waits. `septet.task` gives it out.
local loader = {}

local core = require "septet.core"
local args = require "septet.args"

-- A load: { name =, task =, outer = the load of the same task in which it began, ended = event }.
local loading = {} -- loads by the module's name
local innermost = setmetatable({}, { __mode = "k" }) -- by task: the load that it is in
local awaited = setmetatable({}, { __mode = "k" }) -- by task: the load that it waits for

-- The function that loads a module and its second argument, as the standard `require` finds them.
local function find(name)
  local tried = {}
  for _, search in ipairs(package.searchers) do
    local load, extra = search(name)
    if type(load) == "function" then return load, extra end
    if type(load) == "string" then tried[#tried + 1] = "\n\t" .. load end
  end
  error(("module '%s' not found:%s"):format(core.escape(name), table.concat(tried)), 0)
end

-- Stands in package.preload while a module loads, so that the standard `require` does not run its top level again.
local function refuse(name)
  if loading[name] and loading[name].task == core.current() then
    args.usage("module '%s' requires itself", core.escape(name))
  end
  args.usage("module '%s' is being loaded by a task that waits (task.require waits for it)", core.escape(name))
end

local function load_now(this)
  local name = this.name
  local load, extra = find(name)
  this.preload, package.preload[name] = package.preload[name], refuse
  local value = load(name, extra)
  if value ~= nil then
    package.loaded[name] = value
  elseif package.loaded[name] == nil then
    package.loaded[name] = true
  end
  return package.loaded[name], extra
end

local function finish(this, ok, ...)
  local name = this.name
  if package.preload[name] == refuse then package.preload[name] = this.preload end
  loading[name], innermost[this.task] = nil, this.outer
  this.ended:set()
  if not ok then core.raise(...) end
  return ...
end

local function load(name)
  local current = core.current()
  local this = { name = name, task = current, outer = innermost[current], ended = core.event() }
  loading[name], innermost[current] = this, this
  return finish(this, core.try(load_now, this))
end

-- Adds the names of the loads of a task from `first` inwards.
local function add_names(names, first)
  local inner, this = {}, innermost[first.task]
  while this and this ~= first do
    inner[#inner + 1] = this.name
    this = this.outer
  end
  names[#names + 1] = first.name
  for i = #inner, 1, -1 do names[#names + 1] = inner[i] end
end

-- The names of a circle that a wait of the current task for this load would close, from the load to itself; or nil.
local function circle(first)
  local names, this = {}, first
  while this do
    add_names(names, this)
    if this.task == core.current() then
      names[#names + 1] = first.name
      return table.concat(names, " -> ")
    end
    this = awaited[this.task]
  end
end

local function wait_for(busy)
  local current, chain = core.current(), circle(busy)
  if chain then
    error(("module '%s' requires itself (%s)"):format(core.escape(busy.name), core.escape(chain)), 0)
  end
  awaited[current] = busy
  local ok, err = core.try(busy.ended.wait, busy.ended)
  awaited[current] = nil
  if not ok then core.raise(err) end
end

--- As the standard `require`, but the module's top level may wait. Tasks that ask for a module while another one
--- loads it wait for that.
---@async
---@param name string
---@return any module
---@return any extra where it was found
function loader.require(name)
  args.string(name, 1, "require")
  while package.loaded[name] == nil do
    local busy = loading[name]
    if not busy then return load(name) end
    wait_for(busy)
  end
  return package.loaded[name]
end

return loader
