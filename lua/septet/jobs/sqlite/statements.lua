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

-- ?1: number of turns
statements.take_turns = { "begins", 1, "UPDATE meta SET turn = turn + ?1" }

-- ?1 key, ?2 data, ?3 priority, ?4 group, ?5 put_at, ?6 state, ?7 due, ?8 place before the last
-- turn that was taken, ?9 again
statements.put = { "", 9, [[
INSERT INTO jobs (key, data, priority, grp, put_at, state, due, turn, attempts)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT turn FROM meta) - ?8, 0)
ON CONFLICT (key) DO UPDATE SET data = ?2, priority = ?3, grp = ?4, put_at = ?5, state = ?6,
  due = ?7, turn = excluded.turn, attempts = 0, history = NULL, error = NULL, traceback = NULL
WHERE ?9 AND jobs.state IN (4, 5)]] }

-- --- take ---

-- ?1 token: nothing is leased under it
statements.is_unknown = { "begins fences reads", 1, [[
SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE state = 3 AND token = ?1)]] }

-- ?1 wall
statements.bring_due = { "", 1, [[
UPDATE jobs SET state = 0, turn = (SELECT turn FROM meta) + ready.place
FROM (SELECT id, row_number() OVER (ORDER BY due, key) AS place FROM jobs
  WHERE state = 2 AND due <= ?1 ORDER BY due, key LIMIT 10000) AS ready
WHERE jobs.id = ready.id]] }
statements.count_due = { "", 0, "UPDATE meta SET turn = turn + changes() WHERE changes() > 0" }

-- Ends the leases of owners that have ended.
statements.end_dead = { "", 0, [[
UPDATE jobs SET lease = -1e300 WHERE state = 3 AND owner IN
  (SELECT id FROM owners WHERE NOT process_runs(process, start, space, boot))]] }
statements.end_owner = { "", 1, [[
UPDATE jobs SET lease = -1e300 WHERE state = 3 AND owner = ?1]] }
statements.forget_dead = { "", 0, [[
DELETE FROM owners WHERE NOT process_runs(process, start, space, boot)
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE state = 3 AND owner = owners.id)]] }

-- ?1 steady, ?2 wall, ?3 attempts; one job at a time
statements.bring_lost = { "repeats", 3, ([[
UPDATE jobs SET attempts = attempts + 1, lease = NULL, token = NULL, owner = NULL,
  history = %s,
  state = CASE WHEN attempts + 1 >= ?3 THEN 5 ELSE 0 END,
  turn = CASE WHEN attempts + 1 >= ?3 THEN turn END,
  error = CASE WHEN attempts + 1 >= ?3 THEN '%s' END, traceback = NULL,
  ended_at = CASE WHEN attempts + 1 >= ?3 THEN ?2 ELSE ended_at END
WHERE id = (SELECT id FROM jobs WHERE state = 3 AND lease <= ?1 ORDER BY turn LIMIT 1)
RETURNING 1]]):format(history("?2", "'" .. LOST .. "'"), LOST) }

local VIEW = [[key, data, attempts + 1, priority, put_at, grp,
  coalesce(json_array_length(history), 0)]]

-- ?1 owner, ?2 token, ?3 end of the lease, ?4 limit; one job at a time, which waits if its group is
-- full
statements.lease = { "repeats rows", 4, [[
UPDATE jobs SET woken = 0, (state, owner, token, lease) =
  (SELECT CASE WHEN l.ok THEN 3 ELSE 1 END, CASE WHEN l.ok THEN ?1 END, CASE WHEN l.ok THEN ?2 END,
    CASE WHEN l.ok THEN ?3 END
   FROM (SELECT ?4 IS NULL OR jobs.grp IS NULL
     OR (SELECT count(*) FROM jobs AS g WHERE g.state = 3 AND g.grp = jobs.grp) < ?4 AS ok) AS l)
WHERE id = (SELECT id FROM jobs WHERE state = 0 ORDER BY priority DESC, turn LIMIT 1)
RETURNING state = 3, ]] .. VIEW }

-- As `lease`, for waiting jobs of groups that have free places.
statements.lease_waiting = { "continues rows", 4, [[
UPDATE jobs SET state = 3, woken = 1, turn = NULL, owner = ?1, token = ?2, lease = ?3
WHERE id = (SELECT id FROM jobs WHERE state = 1 AND grp = (
  WITH RECURSIVE names (name) AS (
    SELECT min(grp) FROM jobs WHERE state = 1
    UNION ALL
    SELECT (SELECT min(grp) FROM jobs WHERE state = 1 AND grp > name) FROM names
    WHERE name IS NOT NULL)
  SELECT name FROM names WHERE name IS NOT NULL AND (?4 IS NULL OR
    (SELECT count(*) FROM jobs AS g WHERE g.state = 3 AND g.grp = name) < ?4) LIMIT 1)
  ORDER BY priority DESC, turn LIMIT 1)
RETURNING 1, ]] .. VIEW }

-- ?1 token: what it has leased already
statements.leased_by = { "begins rows reads", 1, "SELECT 1, " .. VIEW .. [[
 FROM jobs WHERE state = 3 AND token = ?1 ORDER BY woken, priority DESC, turn]] }

statements.outlook = { "rows reads", 0, [[
SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 0) OR EXISTS (SELECT 1 FROM jobs WHERE state = 1)
  OR EXISTS (SELECT 1 FROM jobs WHERE state = 2) OR EXISTS (SELECT 1 FROM jobs WHERE state = 3),
  (SELECT min(due) FROM jobs WHERE state = 2), (SELECT min(lease) FROM jobs WHERE state = 3)]] }

-- ?1 key, ?2 token, ?3 group, ?4 limit
statements.enter = { "begins rows", 4, [[
UPDATE jobs SET grp = coalesce(grp, ?3), (state, owner, token, lease) =
  (SELECT CASE WHEN l.ok THEN 3 ELSE 1 END, CASE WHEN l.ok THEN jobs.owner END,
    CASE WHEN l.ok THEN jobs.token END, CASE WHEN l.ok THEN jobs.lease END
   FROM (SELECT jobs.grp IS NOT NULL
     OR (SELECT count(*) FROM jobs AS g WHERE g.state = 3 AND g.grp = ?3) < ?4 AS ok) AS l)
WHERE key = ?1 AND token = ?2 AND state = 3
RETURNING state = 3]] }

-- --- the end of a job ---

-- Each: ?1 key, ?2 token
local function ending(values, set)
  return { "begins fences", values, [[
UPDATE jobs SET token = NULL, owner = NULL, lease = NULL, ended_token = ?2, ]] .. set .. [[

WHERE key = ?1 AND token = ?2 AND state = 3]] }
end

-- ?1: number of results
statements.take_results = { "begins", 1, "UPDATE meta SET ended = ended + ?1" }
-- ?3 wall, ?4 place before the last result that was taken
statements.done = ending(4, [[state = 4, attempts = attempts + 1, ended_at = ?3, data = NULL,
  history = NULL, ended = (SELECT ended FROM meta) - ?4]])
-- ?1 place before the last result, ?2 key, ?3 wall, ?4 result
statements.result = { "", 4, [[
INSERT INTO results (ended, job, at, result)
VALUES ((SELECT ended FROM meta) - ?1, (SELECT id FROM jobs WHERE key = ?2), ?3, ?4)]] }
statements.dropped = ending(3, [[state = 4, attempts = attempts + 1, ended_at = ?3, data = NULL,
  history = NULL]])
statements.back = ending(2, "state = 0, turn = NULL")
-- ?3 wall, ?4 error
statements.retry = ending(4, "state = 0, turn = NULL, attempts = attempts + 1, history = " ..
  history("?3", "?4"))
-- ?5 due
statements.retry_later = ending(5, "state = 2, due = ?5, attempts = attempts + 1, history = " ..
  history("?3", "?4"))
-- ?5 traceback
statements.dead = ending(5, [[state = 5, attempts = attempts + 1, ended_at = ?3, error = ?4,
  traceback = ?5, history = ]] .. history("?3", "?4"))

-- ?1 key, ?2 token
statements.has_ended = { "begins rows reads", 2, [[
SELECT count(*) FROM jobs WHERE key = ?1 AND ended_token = ?2]] }

-- ?3 end of the lease
statements.renew = { "begins", 3, [[
UPDATE jobs SET lease = ?3 WHERE key = ?1 AND token = ?2 AND state = 3]] }

-- --- what is there ---

statements.counts = { "begins rows reads", 0, [[
SELECT (SELECT count(*) FROM jobs WHERE state = 0), (SELECT count(*) FROM jobs WHERE state = 1),
  (SELECT count(*) FROM jobs WHERE state = 2), (SELECT count(*) FROM jobs WHERE state = 3),
  (SELECT count(*) FROM jobs WHERE state = 4), (SELECT count(*) FROM jobs WHERE state = 5),
  (SELECT min(put_at) FROM jobs WHERE state = 0)]] }

-- ?1 wall
statements.rate = { "rows reads", 1, [[
SELECT count(*), coalesce(min(at), ?1) FROM results
WHERE ended > (SELECT ended FROM meta) - 1000 AND at >= ?1 - 60]] }

-- ?1 after, ?2 number
statements.results = { "begins rows reads", 2, [[
SELECT results.ended, key, result, at FROM results JOIN jobs ON jobs.id = job
WHERE results.ended > ?1 ORDER BY results.ended LIMIT ?2]] }
statements.dead_jobs = { "begins rows reads", 2, [[
SELECT died, key, data, error, traceback, attempts, history, ended_at FROM jobs
WHERE state = 5 AND died > ?1 ORDER BY died LIMIT ?2]] }

-- --- the hand ---

-- ?1 key
statements.revive = { "", 1, [[
UPDATE jobs SET state = 0, attempts = 0, turn = (SELECT turn FROM meta)
WHERE key = ?1 AND state = 5]] }
statements.revive_all = { "begins", 0, [[
UPDATE jobs SET state = 0, attempts = 0, turn = (SELECT turn FROM meta) + dead.place
FROM (SELECT id, row_number() OVER (ORDER BY died) AS place FROM jobs WHERE state = 5) AS dead
WHERE jobs.id = dead.id]] }
statements.remove = { "begins", 1, "DELETE FROM jobs WHERE key = ?1" }
-- ?1 instant; at most so many at a time that others are not held up
statements.forget = { "begins", 1, [[
DELETE FROM jobs WHERE id IN
  (SELECT id FROM jobs WHERE state = 4 AND ended_at <= ?1 LIMIT 5000)]] }

-- --- owners ---

-- ?1 name
statements.add_owner = { "begins", 1, [[
INSERT INTO owners (name, process, start, space, boot)
VALUES (?1, process_id(), process_start(), process_space(), boot_id())
ON CONFLICT (name) DO NOTHING]] }
statements.get_owner = { "rows reads", 1, "SELECT id FROM owners WHERE name = ?1" }
statements.owners = { "begins rows reads", 0, "SELECT id, name FROM owners" }
-- ?1 owner; one job at a time, in the order in which they were put
statements.give_back = { "repeats", 1, [[
UPDATE jobs SET state = 0, turn = NULL, ended_token = token, token = NULL, owner = NULL,
  lease = NULL
WHERE id = (SELECT id FROM jobs WHERE state = 3 AND owner = ?1 ORDER BY turn LIMIT 1)
RETURNING 1]] }
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
SELECT 'job ' || key || ' is in state ' || state FROM jobs WHERE state NOT BETWEEN 0 AND 5
UNION ALL SELECT 'job ' || key || ' is leased without a token' FROM jobs
  WHERE state = 3 AND (token IS NULL OR lease IS NULL)
UNION ALL SELECT 'job ' || key || ' has a token without a lease' FROM jobs
  WHERE state <> 3 AND token IS NOT NULL
UNION ALL SELECT 'job ' || key || ' has no turn' FROM jobs WHERE turn IS NULL
UNION ALL SELECT 'job ' || key || ' waits in no group' FROM jobs WHERE state = 1 AND grp IS NULL
UNION ALL SELECT 'job ' || key || ' is delayed until never' FROM jobs
  WHERE state = 2 AND due IS NULL
UNION ALL SELECT 'result ' || results.ended || ' is that of no job' FROM results
  LEFT JOIN jobs ON jobs.id = job WHERE jobs.id IS NULL OR jobs.ended IS NOT results.ended
UNION ALL SELECT 'job ' || key || ' has lost its result' FROM jobs
  LEFT JOIN results ON results.ended = jobs.ended
  WHERE jobs.ended IS NOT NULL AND results.job IS NULL
LIMIT 100]] }

return statements
