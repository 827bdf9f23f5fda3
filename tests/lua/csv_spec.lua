-- SPDX-License-Identifier: MIT
-- septet.csv: what is read is what was written, in any pieces; what is wrong has its place.
local csv, http, json = require "septet.csv", require "septet.http", require "septet.json"
local fs, sio, task = require "septet.fs", require "septet.io", require "septet.task"
local files, origin, ticker = require "files", require "origin", require "ticker"
local refused = require("helpers").refused

local function misused(words, fn, ...)
  local given = table.pack(...)
  misuse(words, function() fn(table.unpack(given, 1, given.n)) end)
end

-- Returns a function that returns a text in pieces of n bytes.
local function pieces(text, n)
  local at = 1 - n
  return function()
    at = at + n
    return at <= #text and text:sub(at, at + n - 1) or nil
  end
end

local function collect(reader)
  local rows = {}
  for row in reader do rows[#rows + 1] = row end
  return rows
end

local function fails(code, place, text, options)
  local err = refused("CsvError", "bad CSV at line", csv.parse, text, options)
  equal({ err.code, err.line, err.column, err.position, err.row }, { code, table.unpack(place) },
    text:sub(1, 40))
  for n = 1, 3 do
    local piecewise = refused("CsvError", "bad CSV", collect, csv.reader(pieces(text, n), options))
    if #text < 100 then equal(piecewise, err) end
  end
  return err
end

local TEXTS = {
  { "", {} }, { "a", { { "a" } } }, { "a,b\n", { { "a", "b" } } },
  { "a,b\r\n1,2\r\n", { { "a", "b" }, { "1", "2" } } },
  { "a\rb\rc", { { "a" }, { "b" }, { "c" } } }, { "a\r\n\r\nb", { { "a" }, { "b" } } },
  { "\n\r\n\ra", { { "a" } } }, { ",", { { "", "" } } },
  { ",,\n,,", { { "", "", "" }, { "", "", "" } } },
  { '""', { { "" } } }, { '"",""', { { "", "" } } }, { '"a""b"', { { 'a"b' } } },
  { '""""', { { '"' } } }, { '"a,b","c\r\nd\n",e', { { "a,b", "c\r\nd\n", "e" } } },
  { "a\0b,\0", { { "a\0b", "\0" } } }, { '"\0"', { { "\0" } } },
  { "\xff\xc3,é", { { "\xff\xc3", "é" } } },
  { "\xef\xbb\xbfa,b", { { "a", "b" } } }, { '\xef\xbb\xbf"a"', { { "a" } } },
  { "\xef\xbb", { { "\xef\xbb" } } }, { "\xef\xbbx,y", { { "\xef\xbbx", "y" } } },
  { "\xef", { { "\xef" } } }, { "\xef\xbb\xbf", {} },
  { "a,\xef\xbb\xbfb", { { "a", "\xef\xbb\xbfb" } } },
  { " a , b ", { { " a ", " b " } } }, { "a,'b,c'", { { "a", "'b", "c'" } } },
  { '"a"\r\n"b"', { { "a" }, { "b" } } }, { '"a"\r"b"\n', { { "a" }, { "b" } } },
}

describe("reading", function()
  it("a text has the same rows in any pieces", function()
    for _, case in ipairs(TEXTS) do
      local text, rows = case[1], case[2]
      equal((csv.parse(text)), rows, text)
      for n = 1, 5 do equal(collect(csv.reader(pieces(text, n))), rows, text) end
    end
  end)

  it("rows may be tables by the names of the columns", function()
    local rows, names = csv.parse("id,name\n1,Ada\n2,\"B, b\"", { header = true })
    equal({ rows, names }, { { { id = "1", name = "Ada" }, { id = "2", name = "B, b" } },
      { "id", "name" } })
    equal({ csv.parse("1,2", { header = { "a", "b" } }) },
      { { { a = "1", b = "2" } }, { "a", "b" } })
    equal({ csv.parse("a,b", { header = true }) }, { {}, { "a", "b" } })
    equal({ csv.parse("", { header = true }) }, { {} })
    local reader = csv.reader(pieces("a,b\n1,2\n3,4", 2), { header = true })
    equal({ reader.header, reader:read_row(), reader.line, reader.rows_read }, { { "a", "b" },
      { a = "1", b = "2" }, 2, 2 })
    equal({ reader:read_row(), reader:read_row(), reader:read_row() }, { { a = "3", b = "4" } })
  end)

  it("separator and quote may be other bytes", function()
    equal(csv.parse("a;b\tc", { separator = ";" }), { { "a", "b\tc" } })
    equal(csv.parse("a\tb\"c", { separator = "\t", quote = false }), { { "a", 'b"c' } })
    equal(csv.parse("'a''b',\"c", { quote = "'" }), { { "a'b", '"c' } })
    equal(csv.parse('a"b,"c"d"e",', { lazy_quotes = true }), { { 'a"b', 'c"d"e', "" } })
    equal(csv.parse("a\xffb", { separator = "\xff", quote = false }), { { "a", "b" } })
  end)

  it("rows of different lengths are refused, or allowed", function()
    fails("ragged", { 2, 1, 5, 2 }, "a,b\n1\n2,3")
    fails("ragged", { 3, 1, 9, 3 }, "a,b\n1,2\n1,2,3")
    fails("ragged", { 1, 1, 1, 1 }, "a,b", { header = { "a" } })
    equal(csv.parse("a,b\n1\n1,2,3", { ragged = true }),
      { { "a", "b" }, { "1" }, { "1", "2", "3" } })
    equal((csv.parse("a,b\n1\n1,2,3", { ragged = true, header = true })),
      { { a = "1" }, { a = "1", b = "2", [3] = "3" } })
    local reader = csv.reader "a,b\n1\n2,3"
    reader:read_row()
    refused("CsvError", "the row has 1 fields, and those before it 2", reader.read_row, reader)
    equal(reader:read_row(), { "2", "3" })
  end)

  it("a wrong quote is told with its place", function()
    fails("quote", { 1, 2, 2, 1 }, 'a"b')
    fails("quote", { 1, 4, 4, 1 }, '"a"b"')
    fails("quote", { 3, 2, 10, 3 }, 'a,b\n1,2\nx"y')
    fails("quote", { 2, 3, 7, 2 }, 'a,b\n1,"x\n\ny')
    fails("quote", { 3, 6, 9, 1 }, '"\n\na""b" ' .. "c")
    fails("quote", { 1, 1, 4, 1 }, '\xef\xbb\xbf"')
    local reader = csv.reader 'a"b'
    for _ = 1, 2 do refused("CsvError", "a quote inside", reader.read_row, reader) end
  end)

  it("columns of one name, and other encodings, are refused", function()
    local err = refused("CsvError", "two columns are named 'a'", csv.parse, "a,b,a\n1,2,3",
      { header = true })
    equal({ err.code, err.name, err.line }, { "header", "a", 1 })
    for _, text in ipairs { "\xff\xfea\0", "\xfe\xff\0a" } do
      equal(refused("CsvError", "it is UTF-16", csv.parse, text).code, "encoding")
    end
  end)

  it("what is too long is refused before it is gathered", function()
    local given, long = 0, ("x"):rep(64 * 1024)
    local function endless()
      given = given + #long
      return long
    end
    local err = refused("CsvError", "longer than max_field", collect, csv.reader(endless))
    equal({ err.code, given < 2 << 20 }, { "field_too_long", true })
    given = 0
    err = refused("CsvError", "longer than max_row", collect,
      csv.reader(endless, { max_field = 1 << 30, max_row = 200000 }))
    equal({ err.code, given < 400000 }, { "row_too_long", true })
    fails("field_too_long", { 1, 3, 3, 1 }, "a,bcd", { max_field = 2 })
    fails("row_too_long", { 1, 1, 1, 1 }, '"ab",c', { max_row = 5 })
    fails("too_many_columns", { 1, 5, 5, 1 }, "a,b,c", { max_columns = 2 })
    long = (","):rep(64 * 1024)
    err = refused("CsvError", "more fields than max_columns", collect, csv.reader(endless))
    equal(err.code, "too_many_columns")
  end)

  it("a line of 100 MB is refused, and no more of its file is read than the limit", function()
    local folder <close> = fs.temp_dir()
    local path = folder.path .. "/a.csv"
    fs.write(path, "a,b\n")
    fs.truncate(path, 100000000) -- NULs, which the disk does not hold
    for code, options in pairs { field_too_long = {}, row_too_long = { max_field = 1 << 30 } } do
      local source <close> = sio.open(path)
      local reader = csv.reader(source, options)
      equal(reader:read_row(), { "a", "b" })
      collectgarbage()
      local before = collectgarbage "count"
      local err = refused("CsvError", "longer than max_", reader.read_row, reader)
      equal({ err.code, err.line }, { code, 2 })
      equal(collectgarbage "count" - before < 64 * 1024, true)
      equal(#source:read_exactly(70000000), 70000000) -- the rest is there
    end
  end)

  it("a source is a text, a reader, a file or a function", function()
    local file <close> = files.with "a,b\n1,2\n"
    local expected = { { "a", "b" }, { "1", "2" } }
    do
      local reader <close> = sio.open(file.path)
      equal(collect(csv.reader(reader)), expected)
    end
    local plain <close> = io.open(file.path)
    equal(collect(csv.reader(plain)), expected)
    equal(collect(csv.reader(io.lines(file.path), { lines = true })), expected)
    local session <close> = http.session()
    local stream <close> = session:stream("GET", origin.url .. "/bytes/10")
    equal(collect(csv.reader(stream)), { { "0123456789" } })
    misused("string, reader or function expected, got nil", csv.reader)
    misused("string, reader or function expected, got table", csv.reader, {})
    refused("Usage", "returned a number", collect, csv.reader(function() return 1 end))
  end)

  it("an error of the source is raised, and the next read goes on", function()
    local calls = 0
    local reader = csv.reader(function()
      calls = calls + 1
      if calls == 2 then error("lost", 0) end
      return ({ "a,b\n1", nil, ",2\n" })[calls]
    end)
    equal(reader:read_row(), { "a", "b" })
    equal(select(2, pcall(reader.read_row, reader)), "lost")
    equal({ reader:read_row(), reader:read_row() }, { { "1", "2" } })
  end)

  it("one task at a time reads", function()
    local reader = csv.reader(function() task.sleep(0.01) end)
    local other = task.spawn(reader.read_row, reader)
    task.checkpoint()
    misused("another task reads", reader.read_row, reader)
    other:await()
    equal(reader:read_row(), nil)
  end)

  it("wrong options are mistakes", function()
    misused("unknown option 'seperator' to 'reader'", csv.reader, "", { seperator = ";" })
    for _, separator in ipairs { "", ";;", "\n", '"' } do
      misused("bad option 'separator' to 'parse'", csv.parse, "", { separator = separator })
    end
    misused("bad option 'quote'", csv.parse, "", { quote = "''" })
    misused("bad option 'quote'", csv.parse, "", { quote = 1 })
    misused("bad option 'header'", csv.parse, "", { header = 1 })
    misused("bad option 'header' .*'a' twice", csv.parse, "", { header = { "a", "a" } })
    misused("bad option 'header' .*an empty list", csv.parse, "", { header = {} })
    misused("bad option 'max_row'", csv.parse, "", { max_row = 0 })
    misused("string expected, got nil", csv.parse)
    misuse("no field 'read', did you mean 'reader'", function() return csv.read end)
  end)
end)

describe("writing", function()
  it("a field is quoted if it has to be", function()
    equal(csv.format { { "a", "b c", 'q"q', "x,y", "l\nl", "r\rr", "", "'" } },
      'a,b c,"q""q","x,y","l\nl","r\rr",,\'\r\n')
    equal(csv.format { { "" }, { nil, n = 1 } }, '""\r\n""\r\n')
    equal(csv.format({ { 1, 2.5, true, json.null, false } }, { newline = "\n" }),
      "1,2.5,true,,false\n")
    equal(csv.format { { nil, "b", nil, n = 3 } }, ",b,\r\n")
    equal(csv.format({ { "a;b", "c,d" } }, { separator = ";" }), '"a;b";c,d\r\n')
    equal(csv.format({ { "a", 1 } }, { quote_all = true }), '"a","1"\r\n')
    equal(csv.format { { "\xef\xbb\xbfa", "\xff\xfe" } }, '"\xef\xbb\xbfa","\xff\xfe"\r\n')
  end)

  it("rows may be tables by the names of the columns", function()
    local options = { header = { "a", "b" }, newline = "\n" }
    equal(csv.format({ { b = 2, a = 1 }, { a = 3 }, { 4, 5 } }, options), "a,b\n1,2\n3,\n4,5\n")
    equal(csv.format({}, options), "a,b\n")
    misused("no column 'c' in the header", csv.format, { { c = 1 } }, options)
    misused("2 values expected, got 3", csv.format, { { 1, 2, 3 } }, options)
  end)

  it("formulas are guarded on request", function()
    local row = { "=1+1", "+1", "-1", "@x", "\t=1", -1, "a=1" }
    equal(csv.format({ row }, { guard_formulas = true }),
      '"\'=1+1","\'+1","\'-1","\'@x","\'\t=1",-1,a=1\r\n')
    equal(csv.format { { "=1+1", -1 } }, "=1+1,-1\r\n")
  end)

  it("a target is a writer or a function", function()
    local file <close> = files.temporary()
    local target <close> = sio.create(file.path)
    local writer = csv.writer(target, { header = { "x", "y" } })
    equal(writer:row { 1, 2 } == writer, true)
    equal(writer:rows { { x = 3 }, { 4, 5 } }, 2)
    equal(writer:rows(csv.reader "6,7\n8,9"), 2)
    target:close()
    equal(files.contents(file.path), "x,y\r\n1,2\r\n3,\r\n4,5\r\n6,7\r\n8,9\r\n")
    misused("writer or function expected, got string", csv.writer, "x")
    misused("writer or function expected, got table", csv.writer, {})
  end)

  it("what has no text is a mistake", function()
    for _, case in ipairs {
      { { { {} } }, "value 1 is a table" }, { { { 1, print } }, "value 2 is a function" },
      { { {} }, "a row without values" }, { { 1 }, "table expected, got number" },
      { { { a = 1, 2 } }, "a table with the key 'a'" }, { { { 1, nil, nil, nil, 5, 6 } }, "" },
      { 1, "list, reader or function expected" },
    } do
      if case[2] ~= "" then misused(case[2], csv.format, case[1]) end
    end
    misused("bad option 'newline'", csv.format, {}, { newline = "\r" })
    misused("unknown option 'heder'", csv.writer, print, { heder = {} })
  end)
end)

describe("both", function()
  it("random tables come back, in any pieces and with any separator", function()
    local bytes = { "a", "b", ",", ";", '"', "\n", "\r", " ", "\0", "\xff", "\xef\xbb\xbf", "'",
      "\t" }
    for round = 1, many(300) do
      local rows, columns = {}, math.random(1, 4)
      for i = 1, math.random(0, 5) do
        rows[i] = {}
        for k = 1, columns do
          local field = {}
          for n = 1, math.random(0, 5) do field[n] = bytes[math.random(#bytes)] end
          rows[i][k] = table.concat(field)
        end
      end
      local separator = ({ ",", ";", "\t", "\0" })[round % 4 + 1]
      local text = csv.format(rows, { separator = separator, quote_all = round % 3 == 0,
        newline = round % 2 == 0 and "\n" or nil })
      equal((csv.parse(text, { separator = separator })), rows, text)
      equal(collect(csv.reader(pieces(text, math.random(1, 9)), { separator = separator })), rows)
    end
  end)

  it("long texts leave the loop free", function()
    local rows = {}
    for i = 1, 200000 do rows[i] = { i, "text " .. i, "a,b", 'q"' } end
    local text = ticker.turns(50, function() return csv.format(rows) end)
    equal(#ticker.turns(50, function() return csv.parse(text) end), #rows)
    equal(ticker.turns(50, function()
      local n = 0
      for _ in csv.reader(text) do n = n + 1 end
      return n
    end), #rows)
  end)
end)
