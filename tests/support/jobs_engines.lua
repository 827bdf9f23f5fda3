-- SPDX-License-Identifier: MIT
--- The engines of queues, as their tests open them: with a clock and owners that the test controls.
local engines = {}

local fs = require "septet.fs"

local private = debug.getregistry()["septet.require"] -- of private modules

local Place = {}
Place.__index = Place

local number = 0

local function unique()
  number = number + 1
  return ("test-%d"):format(number)
end

-- For each engine, a function that makes an empty place: returns the URL of its queue, and what
-- removes it.
local makers = {}

function makers.memory()
  return "memory:" .. unique(), function() end
end

local server -- of all tests of a file

--- Starts the server that all places on Redis share, if it does not run.
---@async
function engines.start()
  server = server or require "redis".start { appendonly = "yes", appendfsync = "no" }
end

function makers.redis()
  engines.start()
  local name = unique()
  return server:url(name), function() end
end

--- Ends the servers that the places have started.
---@async
function engines.stop()
  if server then server:close() end
  server = nil
end

function makers.sqlite()
  local dir = fs.temp_dir()
  return dir.path .. "/" .. unique(), function() dir:close() end
end

--- Returns an empty place for a queue, which `close` removes. `clock` has the seconds of its two
--- clocks. With `real`, they are those of the engine, and so are the signs of life of its owners.
---@param engine string
---@param real boolean|nil
function engines.place(engine, real)
  local url, remove = makers[engine]()
  return setmetatable({ engine = engine, url = url, remove = remove, real = real or false,
    clock = { wall = 1e9, steady = 100.0 }, dead = {}, owners = 0, drivers = {} }, Place)
end

--- Returns the options with which a driver of the place is opened.
function Place:options(options)
  local given = { patience = 5, sync = "normal" }
  if not self.real then
    local clock, dead = self.clock, self.dead
    given.clock = { wall = function() return clock.wall end,
      steady = function() return clock.steady end }
    given.alive = function(owner) return not dead[owner] end
  end
  for name, value in pairs(options or {}) do given[name] = value end
  return given
end

--- Opens a driver, with an owner of its own.
function Place:driver(options)
  self.owners = self.owners + 1
  local owner = ("%s-owner-%d"):format(self.url:match "[^/=]*$", self.owners)
  local target = private "septet.jobs.target".parse(self.url)
  options = self:options(options)
  options.owner = options.owner or owner
  local driver = private("septet.jobs." .. target.engine).open(target, options)
  self.drivers[driver] = options.owner
  if self.plant then self.plant(driver, getmetatable(driver).__index) end
  return driver
end

--- Drops a driver without a farewell, as the end of its process does. `seen` tells whether the
--- others see at once that its owner is dead.
function Place:crash(driver, seen)
  if seen then self.dead[self.drivers[driver]] = true end
  self.drivers[driver] = nil
  if driver.crash then driver:crash() end
end

--- Opens a queue as scripts see it, on the clock of the place.
function Place:queue(options)
  return private "septet.jobs.queue".open(self.url, self:options(options))
end

function Place:__close()
  for driver in pairs(self.drivers) do driver:close() end
  self.remove()
end

return engines
