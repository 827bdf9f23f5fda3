-- SPDX-License-Identifier: MIT
-- The statements of a queue in a file: { flags, number of values, SQL }. States are numbers, as in
-- schema.lua, because SQLite uses a partial index only if it sees them.
local statements = {}

-- The history with one more failure, of the instant and the error that are given, and without the
-- first if there are ten.
local function history(at, err)
  return ([[json_insert(CASE WHEN json_array_length(history) >= 10 THEN json_remove(history, '$[0]')
    ELSE coalesce(history, '[]') END, '$[#]', json_object('at', %s, 'error', %s))]]):format(at, err)
end

local LOST = "the worker was lost"

-- --- put ---

-- ?1 number of turns, ?2 number of results, ?3 wall
statements.take_numbers = { "begins", 3, [[
UPDATE meta SET turn = turn + ?1, ended = ended + ?2, last = max(last, ?3)]] }
-- The last of each, which are the numbers of the request. RETURNING would make a table for them.
statements.numbers = { "numbers rows reads", 0, "SELECT turn, ended FROM meta" }

-- ?1 place before the last turn, ?2 key, ?3 data, ?4 priority, ?5 group, ?6 put_at, ?7 state,
-- ?8 rank, ?9 again
statements.put = { "from1", 9, [[
INSERT INTO jobs (key, data, priority, grp, put_at, state, rank, turn, attempts)
VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?1, 0)
ON CONFLICT (key) DO UPDATE SET data = ?3, priority = ?4, grp = ?5, put_at = ?6, state = ?7,
  rank = ?8, turn = ?1, attempts = 0, history = NULL, error = NULL, traceback = NULL
WHERE ?9 AND jobs.state IN (3, 4)]] }

-- Ten jobs at once are 40 % cheaper, as the indexes are opened once, and stay where they are.
-- ?1 place of the first one before the last turn, ?2 put_at, then six values for each.
local ten = {}
for i = 0, 9 do
  ten[#ten + 1] = ("(?%d, ?%d, ?%d, ?%d, ?2, ?%d, ?%d, ?1 + %d, 0)"):format(6 * i + 3, 6 * i + 4,
    6 * i + 5, 6 * i + 6, 6 * i + 7, 6 * i + 8, i)
end
statements.put_ten = { "from1", 62, [[
INSERT INTO jobs (key, data, priority, grp, put_at, state, rank, turn, attempts)
VALUES ]] .. table.concat(ten, ",\n  ") .. "\nON CONFLICT (key) DO NOTHING" }
-- ?1 key, ?2 turn: it has it
statements.has_turn = { "begins reads", 2, "SELECT 1 FROM jobs WHERE key = ?1 AND turn = ?2" }

-- --- take ---

-- ?1 token: nothing is leased under it
statements.is_unknown = { "begins fences reads", 1, [[
SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM leases WHERE token = ?1)]] }

local NEXT_TURN = "(SELECT turn + 1 FROM meta)"
-- A job that comes back has the next turn before all new ones.
local NEXT_BACK = "(SELECT back + 1 FROM meta)"

-- ?1 wall. Asked first, as a sort with a limit makes a table even if there is nothing to sort.
statements.is_due = { "reads", 1, "SELECT 1 FROM jobs WHERE state = 2 AND rank <= ?1 LIMIT 1" }
-- ?1 number, ?2 wall
statements.due = { "each reads then", 2, [[
SELECT id FROM jobs WHERE state = 2 AND rank <= ?2 ORDER BY rank, key LIMIT ?1]] }
statements.bring = { "inner uses", 0, "UPDATE jobs SET state = 0, rank = 0, turn = " .. NEXT_TURN ..
  " WHERE id = ?1" }
statements.count_turn = { "inner", 0, "UPDATE meta SET turn = turn + 1" }

-- Ends the leases of owners that have ended.
statements.end_dead = { "", 0, [[
UPDATE leases SET lease = -1e300 WHERE owner IN
  (SELECT id FROM owners WHERE NOT process_runs(process, start, space, boot))]] }
statements.end_owner = { "", 1, "UPDATE leases SET lease = -1e300 WHERE owner = ?1" }
statements.forget_dead = { "", 0, [[
DELETE FROM owners WHERE NOT process_runs(process, start, space, boot)
  AND NOT EXISTS (SELECT 1 FROM leases WHERE owner = owners.id)]] }

-- --- what follows from the end of a lease ---

-- The row that is kept: id, group, and what else the step says.

-- Gives the place of the job in its group to the first one that waits.
statements.wake = { "uses needs2", 0, [[
UPDATE jobs SET state = 0, rank = 0, turn = ]] .. NEXT_BACK .. [[
 WHERE id = (
  SELECT id FROM jobs WHERE state = 1 AND rank = ?2 ORDER BY priority DESC, turn LIMIT 1)]] }
statements.count_back = { "", 0, "UPDATE meta SET back = back + 1" }
statements.count_woken = { "needs2", 0,
  "UPDATE meta SET back = back + changes() WHERE changes() > 0" }
statements.count_died = { "", 0, "UPDATE meta SET died = died + 1" }
statements.release = { "uses", 0, "DELETE FROM leases WHERE job = ?1" }

-- Returns a statement that runs for each row of the one before.
local function inner(name)
  local text = statements[name]
  return { "inner " .. text[1], text[2], text[3] }
end
statements.wake_each = inner "wake"
statements.count_woken_each = inner "count_woken"
statements.count_back_each = inner "count_back"
statements.release_each = inner "release"

-- ?1 number, ?2 steady, ?3 attempts. Keeps id, group, 1 if it dies, 1 if it comes back. It has no
-- limit, as a sort with a limit makes a table: as many rows as are wanted are read.
statements.lost = { "each rows reads", 3, [[
SELECT id, jobs.grp, CASE WHEN attempts + 1 >= ?3 THEN 1 END,
  CASE WHEN attempts + 1 < ?3 THEN 1 END, key, attempts + 1
FROM leases CROSS JOIN jobs ON id = job WHERE lease <= ?2 ORDER BY turn]] }
-- ?1 wall
statements.lose = { "inner uses", 1, ([[
UPDATE jobs SET attempts = attempts + 1, history = %s,
  state = CASE WHEN ?4 THEN 4 ELSE 0 END, turn = CASE WHEN ?4 THEN turn ELSE %s END,
  rank = CASE WHEN ?4 THEN (SELECT died + 1 FROM meta) ELSE 0 END,
  error = CASE WHEN ?4 THEN '%s' END, traceback = NULL,
  ended_at = CASE WHEN ?4 THEN ?1 ELSE ended_at END
WHERE id = ?2]]):format(history("?1", "'" .. LOST .. "'"), NEXT_BACK, LOST) }
statements.count_lost_died = { "inner needs3", 0, statements.count_died[3] }
statements.count_lost_back = { "inner needs4", 0, statements.count_back[3] }

-- --- take ---

local VIEW = [[ended, key, data, attempts + 1, priority, put_at,
  CASE WHEN history IS NULL THEN 0 ELSE json_array_length(history) END]]

-- ?1 number. Passes over those that are leased, which are few.
statements.pending = { "each rows reads", 1, "SELECT id, grp, " .. VIEW .. [[
 FROM jobs WHERE state = 0 AND rank = 0 AND id NOT IN (SELECT job FROM leases)
 ORDER BY priority DESC, turn LIMIT ?1]] }
-- ?1 limit: there is room in its group
statements.room = { "inner uses reads", 1, [[
SELECT 1 WHERE ?3 IS NULL OR (SELECT count(*) FROM leases WHERE grp = ?3) < ?1]] }
-- ?1 owner, ?2 token, ?3 end of the lease
statements.lease = { "inner uses", 3, [[
INSERT INTO leases (owner, token, lease, woken, job, grp) VALUES (?1, ?2, ?3, 0, ?4, ?5)]] }
statements.lease_then = { "inner uses then", 3, statements.lease[3] }
statements.wait = { "inner uses otherwise", 0,
  "UPDATE jobs SET state = 1, rank = grp WHERE id = ?1" }

-- ?1 number, ?2 limit: the first waiting job of the first group that has a free place
statements.waiting = { "continues rows reads", 2, "SELECT id, grp, " .. VIEW .. [[
 FROM jobs WHERE state = 1 AND rank = (
  WITH RECURSIVE names (name) AS (
    SELECT min(rank) FROM jobs WHERE state = 1 AND rank IS NOT NULL
    UNION ALL
    SELECT (SELECT min(rank) FROM jobs WHERE state = 1 AND rank > name) FROM names
    WHERE name IS NOT NULL)
  SELECT name FROM names WHERE name IS NOT NULL AND (?2 IS NULL OR
    (SELECT count(*) FROM leases WHERE leases.grp = name) < ?2) LIMIT 1)
ORDER BY priority DESC, turn LIMIT min(?1, 1)]] }
statements.rise = { "inner uses", 0, "UPDATE jobs SET state = 0, rank = 0, turn = " .. NEXT_BACK ..
  " WHERE id = ?1" }
statements.lease_waiting = { "inner uses", 3, [[
INSERT INTO leases (owner, token, lease, woken, job, grp) VALUES (?1, ?2, ?3, 1, ?4, ?5)]] }

-- ?1 token: what it has leased already
statements.leased_by = { "begins rows reads", 1, "SELECT id, jobs.grp, " .. VIEW .. [[
 FROM leases CROSS JOIN jobs ON id = job WHERE token = ?1 ORDER BY woken, priority DESC, turn]] }

statements.outlook = { "rows reads", 0, [[
SELECT EXISTS (SELECT 1 FROM jobs WHERE state < 3 AND rank IS NOT NULL),
  (SELECT min(rank) FROM jobs WHERE state = 2 AND rank IS NOT NULL),
  (SELECT min(lease) FROM leases)]] }

-- --- groups ---

-- ?1 key, ?2 token. Keeps id, group and the number of its result.
statements.held = { "begins fences keeps reads", 2, [[
SELECT id, jobs.grp, ended FROM jobs CROSS JOIN leases ON job = id WHERE key = ?1 AND token = ?2]] }

-- ?1 group, ?2 limit
statements.enter = { "uses", 2, [[
UPDATE leases SET grp = coalesce(grp, ?1) WHERE job = ?3 AND (?4 IS NOT NULL
  OR (SELECT count(*) FROM leases AS g WHERE g.grp = ?1) < ?2)]] }
-- ?1 group
statements.name_group = { "uses then", 1, [[
UPDATE jobs SET grp = coalesce(grp, ?1) WHERE id = ?2]] }
statements.wait_in = { "uses otherwise", 1, [[
UPDATE jobs SET grp = ?1, state = 1, rank = ?1 WHERE id = ?2]] }
statements.release_waiting = { "uses", 0, [[
DELETE FROM leases WHERE job = ?1 AND EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND state = 1)]] }

-- --- the end of a job ---

-- ?1 id, ?2 NULL, ?3 NULL, ?4 token, ?5 key: ends the lease of a job that has neither a group nor a
-- result. It is found by its row, which may be another job's by now, and is kept as by `held`.
statements.release_it = { "begins fences gives", 5, [[
DELETE FROM leases WHERE job = ?1 AND token = ?4 AND ?5 = (SELECT key FROM jobs WHERE id = ?1)]] }

-- Returns a statement for the end of the job that is held. ?1 token, and so on; then its id.
local function ending(flags, values, set)
  return { "uses " .. flags, values, ("UPDATE jobs SET %s WHERE id = ?%d"):format(set, values + 1) }
end

-- ?1 place before the last result, ?2 token, ?3 wall
statements.done = ending("from2", 3, [[state = 3, ended_token = ?2, ended = ?1,
  rank = (SELECT ?3 FROM meta WHERE last > ?3), attempts = attempts + 1, data = NULL,
  history = NULL]])
-- ?1 place before the last result, ?2 wall, ?3 result
statements.result = { "uses from2", 3, [[
INSERT INTO results (ended, job, at, result) VALUES (?1, ?4, ?2, ?3)]] }
-- the result that was there before
statements.replace = { "uses needs3", 0, "DELETE FROM results WHERE ended = ?3" }
-- ?1 token, ?2 wall
statements.dropped = ending("", 2, [[state = 3, ended_token = ?1, rank = ?2,
  attempts = attempts + 1, data = NULL, history = NULL]])
statements.back = ending("", 1, "ended_token = ?1, turn = " .. NEXT_BACK)
-- ?2 wall, ?3 error
statements.retry = ending("", 3, "ended_token = ?1, turn = " .. NEXT_BACK ..
  ", attempts = attempts + 1, history = " .. history("?2", "?3"))
-- ?4 due
statements.retry_later = ending("", 4, [[state = 2, ended_token = ?1, rank = ?4,
  attempts = attempts + 1, history = ]] .. history("?2", "?3"))
-- ?4 traceback
statements.dead = ending("", 4, [[state = 4, ended_token = ?1, attempts = attempts + 1,
  ended_at = ?2, error = ?3, traceback = ?4, rank = (SELECT died + 1 FROM meta), history = ]] ..
  history("?2", "?3"))

-- ?1 key, ?2 token
statements.has_ended = { "begins rows reads", 2, [[
SELECT count(*) FROM jobs WHERE key = ?1 AND ended_token = ?2]] }

-- ?3 end of the lease
statements.renew = { "begins", 3, [[
UPDATE leases SET lease = ?3 WHERE job = (SELECT id FROM jobs WHERE key = ?1) AND token = ?2]] }

-- --- what is there ---

statements.counts = { "begins rows reads", 0, [[
SELECT
  (SELECT count(*) FROM jobs WHERE state = 0 AND rank = 0) - (SELECT count(*) FROM leases),
  (SELECT count(*) FROM jobs WHERE state = 1 AND rank IS NOT NULL),
  (SELECT count(*) FROM jobs WHERE state = 2 AND rank IS NOT NULL),
  (SELECT count(*) FROM leases),
  (SELECT count(*) FROM jobs) - (SELECT count(*) FROM jobs WHERE state <> 3 AND rank IS NOT NULL),
  (SELECT count(*) FROM jobs WHERE state = 4 AND rank IS NOT NULL),
  (SELECT min(put_at) FROM jobs WHERE state = 0 AND rank = 0
    AND id NOT IN (SELECT job FROM leases))]] }

-- ?1 wall
statements.rate = { "rows reads", 1, [[
SELECT count(*), coalesce(min(at), ?1) FROM results
WHERE ended > (SELECT ended FROM meta) - 1000 AND at >= ?1 - 60]] }

-- ?1 after, ?2 number
statements.results = { "begins rows reads", 2, [[
SELECT results.ended, key, result, at FROM results JOIN jobs ON jobs.id = job
WHERE results.ended > ?1 ORDER BY results.ended LIMIT ?2]] }
statements.dead_jobs = { "begins rows reads", 2, [[
SELECT rank, key, data, error, traceback, attempts, history, ended_at FROM jobs
WHERE state = 4 AND rank > ?1 ORDER BY rank LIMIT ?2]] }

-- --- the hand ---

-- ?1 key
statements.revive = { "", 1, [[
UPDATE jobs SET state = 0, rank = 0, attempts = 0, turn = (SELECT turn FROM meta)
WHERE key = ?1 AND state = 4]] }
-- ?1 number
statements.all_dead = { "begins each reads", 1, [[
SELECT id FROM jobs WHERE state = 4 AND rank IS NOT NULL ORDER BY rank LIMIT min(?1, 1000)]] }
statements.revive_each = { "inner uses", 0, [[
UPDATE jobs SET state = 0, rank = 0, attempts = 0, turn = ]] .. NEXT_TURN .. " WHERE id = ?1" }
-- Keeps id, group if it is leased, and the number of its result.
statements.find = { "begins fences keeps reads", 1, [[
SELECT id, CASE WHEN id IN (SELECT job FROM leases) THEN grp END, ended FROM jobs WHERE key = ?1]] }
statements.remove = { "uses", 0, "DELETE FROM jobs WHERE id = ?1" }

-- Jobs are forgotten in parts, so that others are not held up. Those without a rank are in the
-- order of their results. ?1 the result behind which to look, ?2 number, ?3 instant
local PART = "(SELECT ended, job, at FROM results WHERE ended > ?1 ORDER BY ended LIMIT ?2)"
statements.part = { "begins rows reads", 2, "SELECT max(ended), count(*), max(at) FROM " .. PART }
statements.forget = { "", 3, ([[
DELETE FROM jobs WHERE rank IS NULL AND state = 3
  AND id IN (SELECT job FROM %s WHERE at <= ?3)]]):format(PART) }
statements.forget_results = { "", 2, ([[
DELETE FROM results WHERE ended IN
  (SELECT ended FROM %s WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = job))]]):format(PART) }
-- ?1 instant, ?2 number
local RANKED = [[
FROM jobs WHERE state = 3 AND rank <= ?1 ORDER BY rank, priority DESC, turn LIMIT ?2]]
statements.forget_ranked_results = { "begins", 2,
  ("DELETE FROM results WHERE ended IN (SELECT ended %s)"):format(RANKED) }
statements.forget_ranked = { "", 2, ("DELETE FROM jobs WHERE id IN (SELECT id %s)"):format(RANKED) }

-- --- owners ---

-- ?1 name
statements.add_owner = { "begins", 1, [[
INSERT INTO owners (name, process, start, space, boot)
VALUES (?1, process_id(), process_start(), process_space(), boot_id())
ON CONFLICT (name) DO NOTHING]] }
statements.get_owner = { "rows reads", 1, "SELECT id FROM owners WHERE name = ?1" }
statements.owners = { "begins rows reads", 0, "SELECT id, name FROM owners" }
-- ?1 number, ?2 owner
statements.owned = { "each reads", 2, [[
SELECT id, jobs.grp, token FROM leases CROSS JOIN jobs ON id = job WHERE owner = ?2
ORDER BY turn LIMIT min(?1, 1000)]] }
statements.give_back = { "inner uses", 0, [[
UPDATE jobs SET ended_token = ?3, turn = ]] .. NEXT_BACK .. " WHERE id = ?1" }
statements.remove_owner = { "", 1, "DELETE FROM owners WHERE id = ?1" }

-- --- the file ---

statements.version = { "begins rows reads", 0, [[
SELECT (SELECT user_version FROM pragma_user_version),
  (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)]] }
-- ?1 version, ?2 number of tables and the like
statements.still = { "begins fences", 2, [[
SELECT 1 WHERE (SELECT user_version FROM pragma_user_version) = ?1
  AND (?2 OR (SELECT count(*) FROM sqlite_schema) = 0)]] }

statements.integrity = { "begins rows reads", 0, [[
SELECT integrity_check FROM pragma_integrity_check]] }
statements.invariants = { "rows reads", 0, [[
SELECT 'job ' || key || ' is in state ' || state FROM jobs WHERE state NOT BETWEEN 0 AND 4
UNION ALL SELECT 'job ' || key || ' is pending without its rank' FROM jobs
  WHERE state = 0 AND rank IS NOT 0
UNION ALL SELECT 'job ' || key || ' has no turn' FROM jobs WHERE turn IS NULL
UNION ALL SELECT 'job ' || key || ' waits in no group' FROM jobs
  WHERE state = 1 AND (grp IS NULL OR rank IS NOT grp)
UNION ALL SELECT 'job ' || key || ' is delayed until never' FROM jobs
  WHERE state = 2 AND rank IS NULL
UNION ALL SELECT 'job ' || key || ' is dead and has no number' FROM jobs
  WHERE state = 4 AND rank IS NULL
UNION ALL SELECT 'job ' || key || ' is done and would never be forgotten' FROM jobs
  WHERE state = 3 AND rank IS NULL AND ended IS NULL
UNION ALL SELECT 'job ' || key || ' is leased in another group' FROM leases JOIN jobs ON id = job
  WHERE leases.grp IS NOT jobs.grp
UNION ALL SELECT 'job ' || coalesce(key, job) || ' is leased and not pending' FROM leases
  LEFT JOIN jobs ON id = job WHERE state IS NOT 0
UNION ALL SELECT 'result ' || results.ended || ' is that of no job' FROM results
  LEFT JOIN jobs ON jobs.id = job WHERE jobs.id IS NULL OR jobs.ended IS NOT results.ended
UNION ALL SELECT 'job ' || key || ' has lost its result' FROM jobs
  LEFT JOIN results ON results.ended = jobs.ended
  WHERE jobs.ended IS NOT NULL AND results.job IS NULL
LIMIT 100]] }

return statements
