--- `require` for modules whose top level waits. `septet.task` gives it out.
local loader = {}

local core = require "septet.core"
local args = require "septet.args"

local loading = {} -- by name: { task =, ended = event }

-- The function that loads a module and its second argument, as the standard `require` finds them.
local function find(name)
  local tried = {}
  for _, search in ipairs(package.searchers) do
    local load, extra = search(name)
    if type(load) == "function" then return load, extra end
    if type(load) == "string" then tried[#tried + 1] = load end
  end
  error(("module '%s' not found:%s"):format(core.escape(name), table.concat(tried)), 0)
end

local function load_now(name)
  local load, extra = find(name)
  local value = load(name, extra)
  if value ~= nil then
    package.loaded[name] = value
  elseif package.loaded[name] == nil then
    package.loaded[name] = true
  end
  return package.loaded[name], extra
end

local function finish(name, this, ok, ...)
  loading[name] = nil
  this.ended:set()
  if not ok then core.raise(...) end
  return ...
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
    if not busy then
      local this = { task = core.current(), ended = core.event() }
      loading[name] = this
      return finish(name, this, core.try(load_now, name))
    end
    if busy.task == core.current() then error(("module '%s' requires itself"):format(core.escape(name)), 0) end
    busy.ended:wait()
  end
  return package.loaded[name]
end

return loader
