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

-- --- what follows from the end of a lease ---

-- The row that is kept: id, group, and what else the step says. A job that comes back has the next
-- turn before all new ones.
local NEXT_BACK = "(SELECT back + 1 FROM meta)"

-- Gives the place of the job in its group to the first one that waits.
statements.wake = { "uses needs2", 0, [[
UPDATE jobs SET state = 0, turn = ]] .. NEXT_BACK .. [[
 WHERE id = (
  SELECT id FROM jobs WHERE state = 1 AND grp = ?2 ORDER BY priority DESC, turn LIMIT 1)]] }
statements.count_back = { "", 0, "UPDATE meta SET back = back + 1" }
statements.count_woken = { "needs2", 0,
  "UPDATE meta SET back = back + changes() WHERE changes() > 0" }
statements.count_died = { "", 0, "UPDATE meta SET died = died + 1" }

-- Returns a statement that runs for each row of the one before.
local function inner(name)
  local text = statements[name]
  return { "inner " .. text[1], text[2], text[3] }
end
statements.wake_each = inner "wake"
statements.count_woken_each = inner "count_woken"

-- ?1 number, ?2 steady, ?3 attempts. Keeps id, group, 1 if it dies, 1 if it comes back.
statements.lost = { "each rows reads", 3, [[
SELECT id, grp, CASE WHEN attempts + 1 >= ?3 THEN 1 END, CASE WHEN attempts + 1 < ?3 THEN 1 END,
  key, attempts + 1 FROM jobs WHERE state = 3 AND lease <= ?2 ORDER BY turn LIMIT ?1]] }
-- ?1 wall
statements.lose = { "inner uses", 1, ([[
UPDATE jobs SET attempts = attempts + 1, lease = NULL, token = NULL, owner = NULL, history = %s,
  state = CASE WHEN ?4 THEN 5 ELSE 0 END, turn = CASE WHEN ?4 THEN turn ELSE %s END,
  died = CASE WHEN ?4 THEN (SELECT died + 1 FROM meta) ELSE died END,
  error = CASE WHEN ?4 THEN '%s' END, traceback = NULL,
  ended_at = CASE WHEN ?4 THEN ?1 ELSE ended_at END
WHERE id = ?2]]):format(history("?1", "'" .. LOST .. "'"), NEXT_BACK, LOST) }
statements.count_lost_died = { "inner needs3", 0, statements.count_died[3] }
statements.count_lost_back = { "inner needs4", 0, statements.count_back[3] }

-- --- take ---

local VIEW = [[key, data, attempts + 1, priority, put_at, coalesce(json_array_length(history), 0)]]

-- ?1 number
statements.pending = { "each rows reads", 1, "SELECT id, grp, " .. VIEW .. [[
 FROM jobs WHERE state = 0 ORDER BY priority DESC, turn LIMIT ?1]] }
-- ?1 owner, ?2 token, ?3 end of the lease, ?4 limit
statements.lease = { "inner uses", 4, [[
UPDATE jobs SET state = 3, woken = 0, owner = ?1, token = ?2, lease = ?3
WHERE id = ?5 AND (?6 IS NULL OR ?4 IS NULL
  OR (SELECT count(*) FROM jobs AS g WHERE g.state = 3 AND g.grp = ?6) < ?4)]] }
statements.wait = { "inner uses otherwise", 0, "UPDATE jobs SET state = 1 WHERE id = ?1" }

-- ?1 number, ?2 limit: the first waiting job of the first group that has a free place
statements.waiting = { "continues rows reads", 2, "SELECT id, grp, " .. VIEW .. [[
 FROM jobs WHERE state = 1 AND grp = (
  WITH RECURSIVE names (name) AS (
    SELECT min(grp) FROM jobs WHERE state = 1
    UNION ALL
    SELECT (SELECT min(grp) FROM jobs WHERE state = 1 AND grp > name) FROM names
    WHERE name IS NOT NULL)
  SELECT name FROM names WHERE name IS NOT NULL AND (?2 IS NULL OR
    (SELECT count(*) FROM jobs AS g WHERE g.state = 3 AND g.grp = name) < ?2) LIMIT 1)
ORDER BY priority DESC, turn LIMIT min(?1, 1)]] }
-- ?1 owner, ?2 token, ?3 end of the lease
statements.lease_waiting = { "inner uses", 3, [[
UPDATE jobs SET state = 3, woken = 1, turn = ]] .. NEXT_BACK .. [[
, owner = ?1, token = ?2, lease = ?3 WHERE id = ?4]] }
statements.count_back_each = { "inner", 0, statements.count_back[3] }

-- ?1 token: what it has leased already
statements.leased_by = { "begins rows reads", 1, "SELECT id, grp, " .. VIEW .. [[
 FROM jobs WHERE state = 3 AND token = ?1 ORDER BY woken, priority DESC, turn]] }

statements.outlook = { "rows reads", 0, [[
SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 0) OR EXISTS (SELECT 1 FROM jobs WHERE state = 1)
  OR EXISTS (SELECT 1 FROM jobs WHERE state = 2) OR EXISTS (SELECT 1 FROM jobs WHERE state = 3),
  (SELECT min(due) FROM jobs WHERE state = 2), (SELECT min(lease) FROM jobs WHERE state = 3)]] }

-- --- groups ---

-- ?1 key, ?2 token. Keeps id, group and the number of its result.
local HELD = "SELECT id, grp, ended FROM jobs WHERE key = ?1 AND token = ?2 AND state = 3"
statements.held = { "begins fences keeps reads", 2, HELD }

-- ?1 group, ?2 limit
statements.enter = { "uses", 2, [[
UPDATE jobs SET grp = coalesce(grp, ?1) WHERE id = ?3 AND (?4 IS NOT NULL
  OR (SELECT count(*) FROM jobs AS g WHERE g.state = 3 AND g.grp = ?1) < ?2)]] }
-- ?1 group
statements.wait_in = { "uses otherwise", 1, [[
UPDATE jobs SET grp = ?1, state = 1, token = NULL, owner = NULL, lease = NULL WHERE id = ?2]] }

-- --- the end of a job ---

-- Returns a statement for the end of the job that is held. ?1 token, and so on; then its id.
local function ending(values, set)
  return { "uses", values, ([[
UPDATE jobs SET token = NULL, owner = NULL, lease = NULL, ended_token = ?1, %s WHERE id = ?%d]])
    :format(set, values + 1) }
end

-- ?1: number of results
statements.take_results = { "begins", 1, "UPDATE meta SET ended = ended + ?1" }
-- ?2 wall, ?3 place before the last result that was taken
statements.done = ending(3, [[state = 4, attempts = attempts + 1, ended_at = ?2, data = NULL,
  history = NULL, ended = (SELECT ended FROM meta) - ?3]])
-- ?1 place before the last result, ?2 wall, ?3 result
statements.result = { "uses", 3, [[
INSERT INTO results (ended, job, at, result)
VALUES ((SELECT ended FROM meta) - ?1, ?4, ?2, ?3)]] }
-- the result that was there before
statements.replace = { "uses needs3", 0, "DELETE FROM results WHERE ended = ?3" }
statements.dropped = ending(2, [[state = 4, attempts = attempts + 1, ended_at = ?2, data = NULL,
  history = NULL]])
statements.back = ending(1, "state = 0, turn = " .. NEXT_BACK)
-- ?2 wall, ?3 error
statements.retry = ending(3, "state = 0, turn = " .. NEXT_BACK ..
  ", attempts = attempts + 1, history = " .. history("?2", "?3"))
-- ?4 due
statements.retry_later = ending(4, "state = 2, due = ?4, attempts = attempts + 1, history = " ..
  history("?2", "?3"))
-- ?4 traceback
statements.dead = ending(4, [[state = 5, attempts = attempts + 1, ended_at = ?2, error = ?3,
  traceback = ?4, died = (SELECT died + 1 FROM meta), history = ]] .. history("?2", "?3"))

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
-- Keeps id, group if it is leased, and the number of its result.
statements.find = { "begins fences keeps reads", 1, [[
SELECT id, CASE WHEN state = 3 THEN grp END, ended FROM jobs WHERE key = ?1]] }
statements.remove = { "uses", 0, "DELETE FROM jobs WHERE id = ?1" }
-- ?1 instant, ?2 number: at most so many at a time that others are not held up
statements.forget_results = { "begins", 2, [[
DELETE FROM results WHERE ended IN
  (SELECT ended FROM jobs WHERE state = 4 AND ended_at <= ?1 ORDER BY ended_at, id LIMIT ?2)]] }
statements.forget = { "", 2, [[
DELETE FROM jobs WHERE id IN
  (SELECT id FROM jobs WHERE state = 4 AND ended_at <= ?1 ORDER BY ended_at, id LIMIT ?2)]] }

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
SELECT id, grp FROM jobs WHERE state = 3 AND owner = ?2 ORDER BY turn LIMIT ?1]] }
statements.give_back = { "inner uses", 0, [[
UPDATE jobs SET state = 0, turn = ]] .. NEXT_BACK .. [[
, ended_token = token, token = NULL, owner = NULL, lease = NULL WHERE id = ?1]] }
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
