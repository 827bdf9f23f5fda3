-- SPDX-License-Identifier: MIT
-- Opens the file of a queue: makes its tables, brings older ones up to date, and refuses others.
local core = require "septet.core"
local failure = require "septet.jobs.failure"
local fs = require "septet.fs"
local schema = require "septet.jobs.sqlite.schema"
local texts = require "septet.jobs.sqlite.statements"

local opening = {}

local CACHE = 4096 -- KiB of the file that stay in memory

local functions -- those of op/sqlite/, once they are loaded

-- What each failure means to the script: the code of the JobsError, and the words.
local MEANINGS = {
  locked = { "locked", "the file is locked by another program" },
  full = { "full", "the disk is full" },
  corrupt = { "corrupt", "the file is damaged" },
  notadb = { "not_a_queue", "the file is no database" },
  foreign = { "not_a_queue", "the file is no queue" },
  readonly = { "readonly", "the file cannot be written" },
  gone = { "gone", "the file is gone" },
  open = { "open", "the file cannot be opened" },
  io = { "io", "the disk has failed" },
  sql = { "corrupt", "the tables are damaged" },
  too_big = { "data", "the job is too large" },
  ended = { "closed", "it is being closed" },
  closed = { "closed", "it is closed" },
}

--- Raises the JobsError for a failure of the database.
---@param shown string the queue's URL
---@param word string
---@param reason string
function opening.raise(shown, word, reason)
  local meaning = MEANINGS[word] or { "open", "the database has failed" }
  failure.raise(meaning[1], shown, meaning[2], reason ~= meaning[2] and reason or nil)
end

-- Runs a list of statements. Returns their rows, or closes the database and raises.
local function run(db, shown, list)
  local changed, a, b = db:run(list, #list, 0)
  if changed then return a, b end
  db:close()
  return opening.raise(shown, a, b)
end

local function add_statements(db, own)
  local ids = { migrations = {} }
  for name, text in pairs(texts) do ids[name] = db:statement(text[3], text[2], text[1]) end
  ids.create = db:statement(own.CREATE, 0, "script")
  ids.clear = db:statement(schema.CLEAR, 0, "begins script")
  for version, script in pairs(own.migrations) do
    ids.migrations[version] = db:statement(script, 0, "script")
  end
  return ids
end

-- Makes the tables, or one step from an older version. Another process may have done it meanwhile.
-- Returns true once the file has the version that is wanted.
local function step(db, shown, ids, own)
  local row = run(db, shown, { ids.version })
  local version, tables = row[1], row[3]
  if tables == 0 then
    run(db, shown, { ids.still, 0, false, ids.create })
    return false
  end
  if version == own.VERSION then return true end
  if version > own.VERSION then
    db:close()
    failure.raise("newer", shown, ("the file has version %d, and this Septet knows version %d")
      :format(version, own.VERSION))
  end
  if not ids.migrations[version] then
    db:close()
    failure.raise("not_a_queue", shown, ("the file has the unknown version %d"):format(version))
  end
  run(db, shown, { ids.still, version, true, ids.migrations[version] })
  return false
end

-- Raises if there is no file, or one with nothing in it, which would become a queue.
local function check_existing(path, shown)
  if not fs.exists(path) then failure.raise("open", shown, "there is no such file") end
  if fs.stat(path).size == 0 then failure.raise("not_a_queue", shown, "the file is empty") end
end

--- Opens the file. Returns the database and the numbers of the statements, by name. `own` replaces
--- the schema. With `options.existing`, no queue is made.
---@async
---@param path string
---@param shown string
---@param options table
---@param own table|nil
function opening.open(path, shown, options, own)
  functions = functions or core.sqlite()
  if options.existing then check_existing(path, shown) end
  local db, word, reason = functions.open(path, schema.APPLICATION, options.sync == "normal",
    options.patience or 60, CACHE)
  if not db then opening.raise(shown, word, reason) end
  local ids = add_statements(db, own or schema)
  while not step(db, shown, ids, own or schema) do end
  return db, ids
end

--- Makes the driver an owner of leases. Returns its number. Ends the leases of owners that have
--- died.
---@async
function opening.add_owner(db, shown, ids, name)
  local rows = run(db, shown, { ids.add_owner, name, ids.get_owner, name, ids.end_dead,
    ids.forget_dead })
  return rows[1]
end

return opening
