-- SPDX-License-Identifier: MIT
-- The tables of a queue in a file, and the steps that bring an older file up to them.
local schema = {}

schema.APPLICATION = 0x53505451 -- "SPTQ": tells a queue from other databases
schema.VERSION = 1

-- Columns of `jobs`: `state` is one of the numbers in `schema.states`. `turn` is the place in the
-- order. `ended` is the number of its result, and `died` the number of its death.
schema.states = { pending = 0, waiting = 1, delayed = 2, leased = 3, done = 4, dead = 5 }

local TABLES = [[
CREATE TABLE jobs (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, priority INTEGER NOT NULL,
  turn INTEGER, attempts INTEGER NOT NULL, put_at REAL NOT NULL, due REAL, lease REAL,
  owner INTEGER, woken INTEGER, token TEXT, ended_token TEXT, ended INTEGER, died INTEGER,
  ended_at REAL,
  key TEXT NOT NULL UNIQUE, grp TEXT, data TEXT, error TEXT, traceback TEXT, history TEXT);
CREATE TABLE results (ended INTEGER PRIMARY KEY, job INTEGER NOT NULL, at REAL NOT NULL,
  result TEXT);
CREATE INDEX jobs_pending ON jobs (priority DESC, turn, put_at) WHERE state = 0;
CREATE INDEX jobs_waiting ON jobs (grp, priority DESC, turn) WHERE state = 1;
CREATE INDEX jobs_delayed ON jobs (due) WHERE state = 2;
CREATE INDEX jobs_leased ON jobs (lease, token) WHERE state = 3;
CREATE INDEX jobs_grouped ON jobs (grp) WHERE state = 3 AND grp IS NOT NULL;
CREATE INDEX jobs_done ON jobs (ended_at) WHERE state = 4;
CREATE INDEX jobs_dead ON jobs (died) WHERE state = 5;
]]

--- The tables of an empty file.
schema.CREATE = [[
CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), turn INTEGER NOT NULL,
  back INTEGER NOT NULL, ended INTEGER NOT NULL, died INTEGER NOT NULL);
INSERT INTO meta VALUES (1, 0, -4611686018427387904, 0, 0);
CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, process INTEGER NOT NULL,
  start INTEGER NOT NULL, space TEXT NOT NULL, boot TEXT NOT NULL);
]] .. TABLES .. ([[
PRAGMA application_id = %d;
PRAGMA user_version = %d;
]]):format(schema.APPLICATION, schema.VERSION)

--- Removes all jobs and results.
schema.CLEAR = "DROP TABLE jobs;\nDROP TABLE results;\n" .. TABLES

--- For each version, the script that makes the next one of it.
---@type table<integer, string>
schema.migrations = {}

return schema
