-- SPDX-License-Identifier: MIT
-- The words of `septet test`.
return {
  usage = "[options] [PATH...]",
  text = [[
Runs the tests in files *_spec.lua and *_test.lua: those that are named, and
those in folders that are named. Without a path, it looks into the folders
tests, spec and test, or into this folder if there is none of them. Each file
runs in a process of its own, and each test as a task on a virtual clock.]],
  options = {
    { "--filter=PATTERN", "run the tests whose titles match a Lua pattern", many = true },
    { "--exclude=PATTERN", "leave out the tests whose titles match", many = true },
    { "--tags=NAMES", "run tests with one of these tags, as in a,b; -c leaves out those with c",
      many = true },
    { "--list", "print the titles of the tests and end" },
    { "--jobs=N", "run N files at once; the number of processors, at most 8", kind = "number" },
    { "--timeout=SECONDS", "end a test that takes longer, by its clock and by the real one; 5 of "
      .. "the real clock", kind = "seconds" },
    { "--real-time", "use the real clock" },
    { "--shuffle[=SEED]", "draw the order of tests, and of tasks that are ready", kind = "number" },
    { "--repeat=N", "run each file N times", kind = "number" },
    { "--fail-fast", "stop at the first failure" },
    { "--helper=FILE", "run a Lua file before each file of tests", kind = "lua", many = true },
    { "--watch", "run files again when they, or Lua files that they loaded, change; Ctrl-C ends it "
      .. "with the status of the last run" },
    { "--in-process", "run one file in this process" },
    { "--tap", "print the results as TAP 14" },
    { "--junit=FILE", "write the results as JUnit's XML, too", kind = "file" },
    { "--coverage[=FILE]", "count the lines that run; write them to a FILE.info for lcov",
      kind = "file" },
    { "--slowest=N", "name the N tests that took longest; 3", kind = "number" },
  },
  takes = { "lua" },
  notes = [[
A line "-- test: real-time" at the beginning of a file is --real-time for it.
The coverage is that of files which tests have loaded, in and below this folder,
without the tests themselves. A file of tests that crashes or is ended counts
nothing.
Exit status: 0 all tests passed, 1 one failed, 2 bad usage, or there is none.]],
}
