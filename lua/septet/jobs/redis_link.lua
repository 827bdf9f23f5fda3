-- SPDX-License-Identifier: MIT
-- The way to a queue's Redis server: a connection that is made anew when it breaks, and what passes
-- is ridden out.
local core = require "septet.core"
local failure = require "septet.jobs.failure"
local hash = require "septet.hash"
local redis_hand = require "septet.jobs.redis_hand"
local redis_lease = require "septet.jobs.redis_lease"
local redis_scripts = require "septet.jobs.redis_scripts"
local redis_take = require "septet.jobs.redis_take"
local sync = require "septet.sync"

local CONNECT = 5            -- seconds
local SILENCE = 5            -- seconds without an answer: the connection is broken
local WORK = 0.1              -- seconds that a script may take, besides
local REPLY_MAX = 256 << 20  -- bytes
local FIRST_PAUSE = 0.01     -- seconds
local LONGEST_PAUSE = 2      -- seconds
local REFUSED = "the server refused it"

---@class septet.jobs.Link
local Link = {}
Link.__index = Link

-- Scripts that may not run while the server is out of memory, and those that a replica may run. All
-- others may always run, so that a full queue can be emptied.
local FLAGS = { put = "", exchange = "", stats = "no-writes", results = "no-writes",
  dead = "no-writes", owners = "no-writes", check = "no-writes" }

-- The scripts have job[S] for job[1], and the server gets the numbers: each function, as it is
-- made, searches for the variables outside of it that it uses, which was an eighth of a take.
local function numbered(text)
  return (text:gsub("%[(%u)%]", function(name)
    return ("[%d]"):format(redis_scripts.fields:find(name))
  end))
end

-- Returns by the names of the scripts the commands that load them, and the hashes by which they are
-- called. A server gets those that are called: each makes a turn of its collector longer.
local function sources()
  local loads, hashes = {}, {}
  for _, part in ipairs { redis_scripts.scripts, redis_take, redis_lease, redis_hand } do
    for name, text in pairs(part) do
      local flags = FLAGS[name] or "allow-oom"
      local source = "#!lua" .. (flags ~= "" and " flags=" .. flags or "") .. "\n" ..
        numbered((name == "open" and "" or redis_scripts.base) .. text)
      loads[name] = { "SCRIPT", "LOAD", source }
      hashes[name] = hash.digest("sha1", source, "hex")
    end
  end
  return loads, hashes
end

local LOADS, HASHES = sources()
local OF_RUNS = { put = true, exchange = true, take = true, renew = true }

-- What an answer begins with, and the code of the error. The last ones pass.
local CODES = { GONE = "gone", NEWER = "newer", OLDER = "not_a_queue", NOTAQUEUE = "not_a_queue",
  WRONGTYPE = "not_a_queue", NOAUTH = "auth", WRONGPASS = "auth", NOPERM = "auth", OOM = "full" }
local PASSING = { LOADING = "unreachable", MASTERDOWN = "unreachable", READONLY = "readonly",
  NOSCRIPT = "open", BUSY = "timeout", MISCONF = "full", CLUSTERDOWN = "unreachable",
  TRYAGAIN = "unreachable",
  MOVED = "unreachable", NOREPLICAS = "unreachable", UNBLOCKED = "unreachable",
  EXECABORT = "unreachable" }
local BROKEN = { unreachable = "unreachable", dns = "unreachable", timeout = "timeout",
  cut = "unreachable", closed = "unreachable", memory = "full", tls = "tls" }

local function may_pass(code) return code ~= "tls" and BROKEN[code] ~= nil end

-- Returns the code of an error that the server answered, and whether it passes.
local function judge(text)
  text = text:match "^EXECABORT.-: (.*)" or text -- why a transaction did not happen
  local word = text:match "^(%u+)"
  if CODES[word] then return CODES[word], false end
  if PASSING[word] then return PASSING[word], true end
  if text:find "max number of clients" then return "unreachable", true end
  if text:find "AUTH" or text:find "invalid password" then return "auth", false end
  return "open", false
end

-- --- connecting ---

-- Raises a table { code, why, reason, passes }, which run() turns into a JobsError.
local function stop(code, why, reason, passes)
  error({ code = code, why = why, reason = reason, passes = passes }, 0)
end

local function is_fault(err)
  return type(err) == "table" and getmetatable(err) == nil and err.why ~= nil
end

local function check(answer, why)
  if type(answer) == "table" and answer.error then
    local code, passes = judge(answer.error)
    stop(code, why, answer.error, passes)
  end
  return answer
end

local function greeting(place)
  local list = {}
  if place.password then
    list[1] = { "AUTH", place.password }
    if place.user and place.user ~= "" then list[1] = { "AUTH", place.user, place.password } end
  end
  if place.db ~= 0 then list[#list + 1] = { "SELECT", tostring(place.db) } end
  list[#list + 1] = { "PING" }
  return list
end

-- Returns a new connection.
local function connect(self)
  local place = self.place
  local conn, code, words = core.redis_connect(place.host, place.host and place.port or nil,
    place.path, CONNECT, self.silence, REPLY_MAX, place.tls)
  if not conn then
    stop(BROKEN[code] or "unreachable", "cannot connect", words, may_pass(code))
  end
  local ok, err = core.try(function()
    local list = greeting(place)
    local replies, broken, why = conn:commands(list)
    if not replies then
      stop(BROKEN[broken] or "open", broken == "tls" and "the connection is not secure" or
        "the server does not answer as Redis does", why,
        may_pass(broken))
    end
    for _, reply in ipairs(replies) do check(reply, "the server refuses the connection") end
  end)
  if not ok then
    conn:close()
    error(err, 0)
  end
  return conn
end

-- Returns the connection, which one task makes while the others wait for it.
local function connection(self)
  if self.conn then return self.conn end
  self.lock:acquire()
  local ok, conn = core.try(function() return self.conn or connect(self) end)
  self.lock:release()
  if not ok then error(conn, 0) end
  self.conn = conn
  return conn
end

local function drop(self, conn)
  if self.conn == conn then self.conn = nil end
  conn:close()
end

-- --- asking ---

-- Sends commands, and returns their replies.
local function send(self, conn, commands)
  local replies, code, words = conn:commands(commands, #commands * WORK)
  if replies then return replies end
  drop(self, conn)
  stop(BROKEN[code] or "open", "the connection broke", words, may_pass(code))
end

local function check_all(replies, why)
  for _, reply in ipairs(replies) do check(reply, why) end
  return replies
end

local function begins(reply, word)
  return type(reply) == "table" and reply.error and reply.error:find("^" .. word) ~= nil
end

local function command_of(self, step)
  return table.move(step, 2, #step, 5, { "EVALSHA", HASHES[step[1]], "1", self.key })
end

-- Loads a script that the server lacks, or with one of a run all of these: a heart-beat that came
-- too late for that would count its owner dead.
local function load(self, conn, name)
  local list = { LOADS[name] }
  if OF_RUNS[name] then
    list = {}
    for other in pairs(OF_RUNS) do list[#list + 1] = LOADS[other] end
  end
  check_all(send(self, conn, list), "the server takes no scripts")
end

local function commands_of(self, steps)
  local commands = {}
  for i, step in ipairs(steps) do commands[i] = command_of(self, step) end
  return commands
end

-- Asks once. Returns the replies of the scripts, all of one name. A server that has forgotten it,
-- or was started anew, gets it.
local function ask(self, make, again)
  local conn, steps = connection(self), make(again)
  local replies = send(self, conn, commands_of(self, steps))
  if begins(replies[1], "NOSCRIPT") then
    load(self, conn, steps[1][1])
    replies = send(self, conn, commands_of(self, make(again)))
  end
  for _, reply in ipairs(replies) do
    if begins(reply, "READONLY") then drop(self, conn) end -- its name may be another server's now
  end
  return check_all(replies, REFUSED)
end

-- Asks once for n scripts in one transaction, on a connection of its own, as no other command may
-- come between. Each is made when the one before has arrived.
local function ask_whole(self, n, make, again)
  local conn <close> = connect(self)
  for i = 1, n do
    local step = make(again, i)
    if i == 1 then
      load(self, conn, step[1])
      check_all(send(self, conn, { { "MULTI" } }), REFUSED)
    end
    check_all(send(self, conn, { command_of(self, step) }), REFUSED)
  end
  local reply, code, words = conn:commands({ { "EXEC" } }, n * WORK)
  if not reply then stop(BROKEN[code] or "open", "the connection broke", words, may_pass(code)) end
  return check_all(check(reply[1], REFUSED), REFUSED)
end

-- Calls fn(self, ..., again) until nothing that passes is in the way, or the patience has ended.
-- `again` is true if an earlier answer was lost.
local function ride_out(self, patience, fn, ...)
  local args, pause, give_up = table.pack(...), self.pause, nil
  args.n = args.n + 1
  args[args.n] = false
  while true do
    if self.closed then failure.raise("closed", self.place.shown, "it is closed") end
    local ok, result = core.try(fn, self, table.unpack(args, 1, args.n))
    if ok then return result end
    if not is_fault(result) then error(result, 0) end
    local now = core.now()
    give_up = give_up or now + (patience or self.patience)
    if not result.passes or now >= give_up then
      failure.raise(result.code, self.place.shown, result.why, result.reason)
    end
    args[args.n] = true
    core.sleep(math.min(pause * math.random(), give_up - now))
    pause = math.min(pause * 2, LONGEST_PAUSE)
  end
end

--- Asks for scripts, of which `make(again)` returns the list { name, arguments... }, and returns
--- their replies. `again` is true if an earlier answer was lost. Faults that pass are ridden out
--- for the queue's patience. Raises JobsError.
---@async
function Link:run(make, patience) return ride_out(self, patience, ask, make) end

--- Like run(), but all n scripts happen, or none does. `make(again, i)` returns one of them.
---@async
function Link:run_whole(n, make) return ride_out(self, nil, ask_whole, n, make) end

--- Sends a command of its own, once. Returns its reply.
---@async
function Link:command(...)
  local conn = connection(self)
  local reply, code, words = conn:command(...)
  if reply == nil then
    drop(self, conn)
    stop(BROKEN[code] or "open", "the connection broke", words, false)
  end
  return reply
end

--- Connects at once. Raises JobsError.
---@async
function Link:open()
  local ok, err = core.try(connection, self)
  if ok then return end
  if not is_fault(err) then error(err, 0) end
  failure.raise(err.code, self.place.shown, err.why, err.reason)
end

-- Returns the fields of an INFO, or nil if the server does not say.
local function info(self)
  local reply = self:command("INFO")
  if type(reply) ~= "string" then return nil end
  local fields = {}
  for name, value in reply:gmatch "([%w_]+):([^\r\n]*)" do fields[name] = value end
  return fields
end

--- Raises if this server would lose jobs, and warns, unless `quiet`, if a crash of it may.
---@async
function Link:check_server(quiet)
  local place, fields = self.place, info(self)
  if not fields then return end
  local version = fields.redis_version or ""
  if (tonumber(version:match "^%d+") or 0) < 7 then
    failure.raise("open", place.shown, ("Redis 7.0 or later is needed, and this is %s")
      :format(core.escape(version)))
  end
  local policy = fields.maxmemory_policy or "noeviction"
  if policy:find "^allkeys" then
    failure.raise("evicts", place.shown, ("the server's maxmemory-policy is %s, by which it may " ..
      "throw jobs away (noeviction is needed)"):format(core.escape(policy)))
  end
  if fields.aof_enabled == "0" and not quiet then
    core.warn(("queue '%s': the server runs without appendonly, so a crash of it loses jobs")
      :format(place.shown))
  end
end

function Link:close()
  self.closed = true
  if self.conn then drop(self, self.conn) end
end

local link = { is_fault = is_fault }

--- Returns the way to a server, which is not connected yet.
function link.new(place, key, options)
  return setmetatable({ place = place, key = key, lock = sync.lock(),
    patience = options.patience or 60, silence = options.silence or SILENCE,
    pause = options.pause or FIRST_PAUSE }, Link)
end

return link
