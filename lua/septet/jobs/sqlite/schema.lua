-- SPDX-License-Identifier: MIT
-- The tables of a queue in a file, and the steps that bring an older file up to them.
local schema = {}

schema.APPLICATION = 0x53505451 -- "SPTQ": tells a queue from other databases
schema.VERSION = 2 -- 1 was never released

-- Columns of `jobs`: `state` is 0 pending, 1 waiting, 2 delayed, 3 done or 4 dead. A leased job is
-- a pending one that has a row in `leases`, so that a take changes no row of `jobs`. `rank` is the
-- place among the jobs of a state, before priority and turn: 0 if it is pending, the group in which
-- it waits, the instant at which it is due, or the number of its death. `ended` is the number of
-- its result. A job that is done has no rank, and so is in no index but that of keys: it ended at
-- the instant of its result. Only if it has none, or if another one has a later instant, its own is
-- the rank. `turn` is the place in the order. `ended_at` is when it died. `last` of `meta` is the
-- latest instant of an end.
local TABLES = [[
CREATE TABLE jobs (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, rank, priority INTEGER NOT NULL,
  turn INTEGER NOT NULL, put_at REAL NOT NULL, attempts INTEGER NOT NULL, ended INTEGER,
  ended_token TEXT, key TEXT NOT NULL UNIQUE, grp TEXT, data TEXT, ended_at REAL, error TEXT,
  traceback TEXT, history TEXT);
CREATE TABLE leases (job INTEGER PRIMARY KEY, lease REAL NOT NULL, token TEXT NOT NULL,
  owner INTEGER NOT NULL, woken INTEGER NOT NULL, grp TEXT);
CREATE TABLE results (ended INTEGER PRIMARY KEY, job INTEGER NOT NULL, at REAL NOT NULL,
  result TEXT);
CREATE INDEX jobs_order ON jobs (state, rank, priority DESC, turn, put_at) WHERE rank IS NOT NULL;
CREATE INDEX leases_grouped ON leases (grp) WHERE grp IS NOT NULL;
]]

--- The tables of an empty file.
schema.CREATE = [[
CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), turn INTEGER NOT NULL,
  back INTEGER NOT NULL, ended INTEGER NOT NULL, died INTEGER NOT NULL, last REAL NOT NULL);
INSERT INTO meta VALUES (1, 0, -4611686018427387904, 0, 0, 0);
CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, process INTEGER NOT NULL,
  start INTEGER NOT NULL, space TEXT NOT NULL, boot TEXT NOT NULL);
]] .. TABLES .. ([[
PRAGMA application_id = %d;
PRAGMA user_version = %d;
]]):format(schema.APPLICATION, schema.VERSION)

--- Removes all jobs and results.
schema.CLEAR = [[
UPDATE meta SET last = 0;
DROP TABLE jobs;
DROP TABLE leases;
DROP TABLE results;
]] .. TABLES

--- For each version, the script that makes the next one of it.
---@type table<integer, string>
schema.migrations = {}

return schema
