-- SPDX-License-Identifier: MIT
-- The words of `septet doc`.
return {
  usage = "[--json] [NAME]\n--names",
  text = [[
Prints what a name of the API means: its types, its options, and an example.
NAME is a function (task.gather), a method (session:get), a field
(response.status), a module (http), an error (HttpError) or its code
(timeout.connect). The last word alone is enough: gather. Without a name, it
lists the modules.]],
  options = {
    { "--json", "print the entry as JSON, or all names" },
    { "--names", "print all names, one a line" },
  },
  takes = { "name" },
  notes = "Exit status: 0 printed, 1 there is no such name, 2 bad usage.",
}
