-- SPDX-License-Identifier: MIT
-- The words of `septet trace`.
return {
  usage = "FILE [--to FORMAT] [-o OUT]",
  text = "Writes a recording, made by septet --trace=FILE.trc, in another format.",
  options = {
    { "--to FORMAT", "chrome, har, html, lines, otlp, summary, or a Lua file that returns a "
      .. "function exporter(model, write, options); by default that of OUT's name, or lines",
      kind = "chrome|har|html|lines|otlp|summary|lua" },
    { "-o OUT", "write to a file instead of stdout", kind = "file" },
    { "--json", "the summary as one line of JSON" },
    { "--trace-filter=WORD", "only lines of this task, URL or kind, as for septet --trace",
      many = true },
    { "--trace-limit=N", "at most so many lines in a second of the trace", kind = "number" },
  },
  takes = { "*.trc" },
  notes = "What of the recording is damaged or cut off is left out.",
}
