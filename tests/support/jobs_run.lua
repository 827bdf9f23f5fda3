-- SPDX-License-Identifier: MIT
--- What runs do on every engine, by the laws of docs/jobs.md: require "jobs_run" "memory".
local sync, task = require "septet.sync", require "septet.task"
local children = require "children"
local engines = require "jobs_engines"
local helpers = require "helpers"
local look = require "jobs_look"
local process = require "process"
local ticker = require "ticker"

local private = debug.getregistry()["septet.require"] -- of private modules
local driver_of = private "septet.jobs.queue".driver
local results_of, states_of = look.results_of, look.states_of

local function put_all(q, n)
  local list = {}
  for i = 1, n do list[i] = { key = ("k%04d"):format(i) } end
  equal(q:put_many(list), n)
end

local function test(engine)
  -- Like it(), with an empty place for a queue. Checks that no descriptor and no thread is left.
  local function on_place(title, fn, real)
    it(title, { leaks = true }, function() -- it counts the descriptors itself
      do -- what stays open, a server, is started before the count
        local _ <close> = engines.place(engine)
      end
      collectgarbage()
      local descriptors, threads = children.descriptors(), process.threads()
      do
        local place <close> = engines.place(engine, real)
        fn(place)
      end
      for _ = 1, 500 do -- what was dropped without a farewell ends a moment later
        collectgarbage()
        if children.descriptors() == descriptors then break end
        task.sleep(0.01)
      end
      equal(children.descriptors(), descriptors, "descriptors")
      equal(process.threads() <= threads + 4, true, "threads") -- the pool has four
    end)
  end

  describe("a run on " .. engine, function()
    on_place("law_2_runs_a_tree_of_jobs_each_with_one_result", function(place)
      local q <close> = place:queue()
      q:put { key = "0", data = { depth = 0 } }
      local got = q:run({ workers = 8 }, function(job)
        if job.data.depth < 4 then
          for i = 0, 2 do job:put { key = job.key .. i, data = { depth = job.data.depth + 1 } } end
          job:put { key = "0" }
        end
        return { key = job.key, list = { 1, "two" } }
      end)
      equal(got.done, 121)
      local results, n = results_of(q)
      equal(n, 121)
      for key, result in pairs(results) do equal(result, { key = key, list = { 1, "two" } }) end
      equal(states_of(q), { done = 121 })
    end)

    on_place("law_3_the_end_of_a_late_worker_is_refused", function(place)
      local q <close> = place:queue()
      local thief = place:driver()
      q:put { key = "a" }
      local got = q:run({ lease = 60, workers = 1 }, function(job)
        place.clock.steady = place.clock.steady + 61
        local stolen = thief:take(1, { lease = 60, attempts = 5, token = "thief" })
        equal({ #stolen, stolen[1].key, stolen[1].attempt }, { 1, "a", 2 })
        job:put { key = "child" }
        equal(thief:finish { { key = "a", token = "thief", how = "done", result = '"thief"' } },
          { true })
        return "late"
      end)
      equal({ got.done, got.lost }, { 0, 1 })
      equal({ (results_of(q)), states_of(q) }, { { a = "thief" }, { done = 1 } })
    end)

    on_place("law_3_keep_alive_renews_and_raises_once_the_lease_is_lost", function(place)
      local q <close> = place:queue()
      local thief = place:driver()
      local options = { lease = 60, attempts = 5, token = "thief" }
      q:put { key = "a" }
      local reason, after = nil, false
      local got = q:run({ lease = 60, workers = 1 }, function(job)
        for _ = 1, 3 do
          place.clock.steady = place.clock.steady + 40
          equal(#thief:take(1, options), 0)
          job:keep_alive()
        end
        place.clock.steady = place.clock.steady + 61
        equal(#thief:take(1, options), 1)
        local _, err = pcall(job.keep_alive, job)
        reason = err.reason
        after = pcall(task.checkpoint)
        task.shield(thief.finish, thief,
          { { key = "a", token = "thief", how = "done", result = "1" } })
      end)
      equal({ reason, after, got.lost, (results_of(q)) }, { "lease lost", false, 1, { a = 1 } })
    end)

    on_place("law_4_the_job_of_a_worker_seen_dead_is_run_at_once", function(place)
      local q <close> = place:queue()
      local dying = place:driver()
      put_all(q, 2)
      equal(#dying:take(1, { lease = 1000, attempts = 5, token = "t" }), 1)
      place:crash(dying, true)
      local attempts = {}
      q:run({ workers = 1 }, function(job) attempts[#attempts + 1] = { job.key, job.attempt } end)
      equal(attempts, { { "k0001", 2 }, { "k0002", 1 } })
    end)

    on_place("law_4_else_when_the_lease_ends", function(place)
      local q <close> = place:queue()
      local dying = place:driver()
      put_all(q, 1)
      equal(#dying:take(1, { lease = 1000, attempts = 5, token = "t" }), 1)
      place:crash(dying, false)
      local attempt
      task.group(function(g)
        g:spawn(q.run, q, {}, function(job) attempt = job.attempt end)
        task.sleep(0.1)
        equal(attempt, nil)
        place.clock.steady = place.clock.steady + 1001
      end)
      equal(attempt, 2)
    end)

    on_place("law_5_a_cancelled_run_gives_back_its_jobs_and_counts_no_attempt", function(place)
      local q <close> = place:queue()
      put_all(q, 5)
      local running = 0
      local t = task.spawn(q.run, q, { workers = 3 }, function()
        running = running + 1
        helpers.never()
      end)
      while running < 3 do task.sleep(0.001) end
      t:cancel "enough"
      helpers.ended_cancelled(t)
      equal(states_of(q), { pending = 5 })
      local attempts = {}
      q:run({}, function(job) attempts[job.key] = job.attempt end)
      equal(attempts, { k0001 = 1, k0002 = 1, k0003 = 1, k0004 = 1, k0005 = 1 })
    end)

    on_place("law_6_is_dead_after_its_attempts_and_blocks_no_other", function(place)
      local q <close> = place:queue()
      q:put { key = "poison", priority = 5, data = { 1 } }
      put_all(q, 6)
      local got = q:run({ workers = 2, attempts = 3, backoff = 0 }, function(job)
        if job.key == "poison" then error({ code = job.attempt }) end
      end)
      equal({ got.done, got.failed, got.dead }, { 6, 2, 1 })
      local rows = {}
      for row in q:dead() do rows[#rows + 1] = row end
      equal({ #rows, rows[1].key, rows[1].data, rows[1].error, rows[1].attempts },
        { 1, "poison", { 1 }, '{"code":3}', 3 })
      equal(type(rows[1].traceback), "string")
      equal({ rows[1].history[1].error, rows[1].history[2].error },
        { '{"code":1}', '{"code":2}' })
    end)

    on_place("law_6_or_after_as_many_crashes_of_its_worker", function(place)
      local q <close> = place:queue()
      put_all(q, 2)
      for i = 1, 3 do
        local dying = place:driver()
        equal(dying:take(1, { lease = 1000, attempts = 3, token = "t" .. i })[1].key, "k0001")
        place:crash(dying, true)
      end
      local ran = {}
      q:run({ attempts = 3 }, function(job) ran[#ran + 1] = job.key end)
      equal({ ran, states_of(q) }, { { "k0002" }, { done = 1, dead = 1 } })
    end)

    on_place("law_7_by_priority_then_first_in_first_out", function(place)
      local q <close> = place:queue()
      for i, priority in ipairs { 0, 5, -3, 5, 0, 9 } do
        q:put { key = i .. "", priority = priority }
      end
      local order = {}
      q:run({ workers = 1 }, function(job) order[#order + 1] = job.key end)
      equal(table.concat(order), "624153")
    end)

    on_place("law_7_delayed_jobs_when_they_are_due_whatever_the_clock_does", function(place)
      local q <close> = place:queue()
      for i, delay in ipairs { 3000, 0, 1000, 2000 } do q:put { key = i .. "", delay = delay } end
      local order = {}
      task.group(function(g)
        g:spawn(q.run, q, {}, function(job)
          order[#order + 1] = ("%s at %d"):format(job.key, place.clock.wall - 1e9)
        end)
        while #order < 1 do task.sleep(0.001) end
        for _, step in ipairs { { 999, 1 }, { -3600, 1 }, { 1001, 2 }, { 500, 2 }, { 2001, 3 },
          { 3600, 4 } } do
          local at, ran = table.unpack(step)
          place.clock.wall = 1e9 + at
          task.sleep(0.02) -- none is due too early
          while #order < ran do task.sleep(0.001) end
        end
      end)
      equal(order, { "2 at 0", "3 at 1001", "4 at 2001", "1 at 3600" })
    end)

    on_place("law_8_takes_no_more_than_it_has_workers_for", function(place)
      local q <close> = place:queue()
      put_all(q, 60)
      local driver, busy, most, full = driver_of(q), 0, 0, task.future()
      function driver:exchange(ends, n, options)
        equal(n <= 5 - busy, true)
        return getmetatable(self).__index.exchange(self, ends, n, options)
      end
      q:run({ workers = 5 }, function()
        busy = busy + 1
        if busy == 5 and most < 5 then full:set() end
        most = math.max(most, busy)
        full:await()
        task.sleep(0.001)
        busy = busy - 1
      end)
      equal({ most, states_of(q) }, { 5, { done = 60 } })
    end)

    on_place("law_9_leaves_the_loop_free", function(place)
      local q <close> = place:queue()
      ticker.laps(20, function()
        local n = 0
        for _ = 1, 20 do
          local list = {}
          for i = 1, 50 do list[i] = { key = ("%d-%d"):format(n, i) } end
          n = n + q:put_many(list)
          equal(q:run({ workers = 16 }, function(job) return job.key end).done, 50)
        end
        equal(select(2, results_of(q)), n)
      end)
    end, true)

    on_place("finds_what_another_process_puts_or_ends_without_being_woken", function(place)
      local q <close> = place:queue()
      local stranger = place:driver()
      put_all(q, 1)
      local held = stranger:take(1, { lease = 1000, attempts = 5, token = "s" })
      local ran
      task.group(function(g)
        local run = g:spawn(q.run, q, {}, function(job) ran = job.key end)
        task.sleep(0.02)
        stranger:put { { key = "put" } }
        while not ran do task.sleep(0.001) end
        equal(run:status(), "suspended")
        stranger:finish { { key = held[1].key, token = "s", how = "done", result = "1" } }
      end)
      equal(states_of(q), { done = 2 })
    end)

    on_place("shares_the_jobs_with_another_run_of_this_process", function(place)
      local one <close> = place:queue()
      local two <close> = place:queue()
      put_all(one, 30)
      local by, begun, left, all = {}, {}, 3, sync.event()
      local function run_of(q, name)
        return function()
          return q:run({ workers = 2 }, function(job)
            equal(by[job.key], nil)
            by[job.key] = name
            if not begun[name] then begun[name], left = true, left - 1 end
            if left == 0 then all:set() end
            all:wait() -- no run takes all jobs
            task.sleep(0.002)
          end).done
        end
      end
      local done = task.gather { run_of(one, 1), run_of(one, 2), run_of(two, 3) }
      equal(done[1] + done[2] + done[3], 30)
    end)

    on_place("counts_the_jobs_of_a_group_across_runs_and_those_put_without_one", function(place)
      local one <close> = place:queue()
      local two <close> = place:queue()
      put_all(one, 20)
      local now, most = {}, {}
      local full = { low = sync.event(), high = sync.event() }
      local function run_of(q)
        return function()
          local function group_of(job) return job.key:sub(-1) < "5" and "low" or "high" end
          q:run({ workers = 6, limit_per = group_of, limit_per_key = 2 }, function(job)
            local group = job.group
            equal(group, group_of(job))
            now[group] = (now[group] or 0) + 1
            most[group] = math.max(most[group] or 0, now[group])
            if now[group] == 2 then full[group]:set() end
            full[group]:wait()
            task.sleep(0.002)
            if #job.key == 5 then job:put { key = "child-" .. job.key } end
            now[group] = now[group] - 1
          end)
        end
      end
      task.gather { run_of(one), run_of(two) }
      equal({ most, states_of(one) }, { { low = 2, high = 2 }, { done = 40 } })
    end)

    on_place("a_job_that_is_removed_meanwhile_is_lost_and_leaves_nothing", function(place)
      local q <close> = place:queue()
      put_all(q, 2)
      local got = q:run({}, function(job)
        if job.key == "k0001" then
          q:remove(job.key)
          job:put { key = "child" }
        end
        return 1
      end)
      equal({ got.done, got.lost, (results_of(q)) }, { 1, 1, { k0002 = 1 } })
    end)

    on_place("a_job_that_puts_itself_again_runs_again_after_its_end", function(place)
      local q <close> = place:queue()
      q:put { key = "a", data = 1 }
      q:run({}, function(job)
        if job.data < 4 then job:put { key = "a", data = job.data + 1, again = true } end
        return job.data
      end)
      equal({ (results_of(q)), states_of(q) }, { { a = 4 }, { done = 1 } })
    end)

    on_place("a_put_in_a_cancelled_task_is_done_or_not_done", function(place)
      local q <close> = place:queue()
      for turn = 0, 6 do
        local t = task.spawn(function()
          q:put_many { { key = turn .. "a" }, { key = turn .. "b" } }
        end)
        turns(turn)
        t:cancel()
        task.wait { t }
        local new = q:put_many { { key = turn .. "a" }, { key = turn .. "b" } }
        equal(new == 0 or new == 2, true)
      end
      equal(q:run({}, function() end).done, 14)
    end)

    on_place("keep_removes_results_after_their_time", function(place)
      local q <close> = place:queue()
      put_all(q, 3)
      equal(q:run({ keep = 100 }, function() return 1 end).done, 3)
      equal(states_of(q), { done = 3 })
      place.clock.wall = place.clock.wall + 101
      q:put { key = "more" }
      q:run({ keep = 100 }, function() while states_of(q).done do task.sleep(0.001) end end)
      equal((results_of(q)).k0001, nil)
      equal(q:put { key = "k0001" }, true)
    end)

    on_place("may_put_many_children_at_once", function(place)
      local q <close> = place:queue()
      local n = many(3000)
      q:put { key = "parent" }
      local got = q:run({ workers = 64 }, function(job)
        if job.key == "parent" then
          for i = 1, n do job:put { key = i .. "" } end
        end
      end)
      equal({ got.done, states_of(q) }, { n + 1, { done = n + 1 } })
    end)

    it("leaves no server", engines.stop)
  end)
end

return test
