-- SPDX-License-Identifier: MIT
-- The words of `septet jobs`.
return {
  usage = "URL [stats|results|dead|retry|remove|forget|clear|check]",
  text = [[
Shows the jobs of a queue, and mends it. URL is a file, rediss://…,
redis://HOST:PORT/DB?queue=NAME or unix:///SOCKET?queue=NAME. A queue that does
not exist is not made.]],
  words = {
    { "stats", "how many jobs are pending, waiting, delayed, leased, done and dead (the default)" },
    { "results", "the results, in the order of their ends, a line of JSON each: key, result, at" },
    { "dead", "the dead jobs, a line of JSON each: key, data, error, traceback, attempts, "
      .. "history" },
    { "retry KEY...", "dead jobs are pending again, with all their attempts before them" },
    { "remove KEY...", "jobs are forgotten, whatever their state; a result, too" },
    { "forget AGE", "results older than AGE are forgotten, with their keys: 90, 90s, 15m, 12h or "
      .. "7d" },
    { "clear", "all jobs and results are removed" },
    { "check", "the file is searched for damage, and the states for contradictions" },
  },
  options = {
    { "--json", "stats and check as lines of JSON, which results and dead are anyway" },
    { "--text", "dead as text, to be read" },
    { "--all", "retry: all dead jobs" },
    { "--yes", "clear: it is meant" },
    { "--", "end of the options: a KEY may begin with -" },
  },
  takes = { "file", "stats|results|dead|retry|remove|forget|clear|check" },
  notes = [[
Exit status: 0 done, 1 there is no such queue, no such key, or check has
findings, 2 bad usage.]],
}
