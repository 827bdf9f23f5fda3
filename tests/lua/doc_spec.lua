-- SPDX-License-Identifier: MIT
-- septet.doc.index: the entries of the API that are made of the annotations and docs/api.md.
local private = debug.getregistry()["septet.require"] -- of private modules
local index = private "septet.doc.index"

describe("index", function()
  it("an entry has its signature, its text and its example", function()
    local entry = index.find "task.every"
    equal({ entry.name, entry.kind, entry.async }, { "task.every", "function", true })
    equal(entry.signature, "task.every(seconds: number): fun(): integer")
    equal(entry.text:find("Returns an iterator", 1, true) ~= nil, true)
    equal(entry.example:find("task.every(0.01)", 1, true) ~= nil, true)
    equal(index.find "task.now".async, false)
  end)

  it("a function has the fields of its table of options", function()
    local entry, limits = index.find "http.session", {}
    for _, field in ipairs(entry.fields) do limits[field.name] = field end
    equal({ entry.options, limits.limit.type, limits.limit.default, limits.limit.optional },
      { "septet.SessionOptions", "integer", "64", true })
    equal(index.find "http.get".options, "septet.RequestOptions")
  end)

  it("a method is found by what its object is called in examples", function()
    for asked, name in pairs {
      ["session:get"] = "session:get", ["s:get"] = "session:get", ["Session:get"] = "session:get",
      ["session:get(url)"] = "session:get", ["r:lines"] = "stream:lines",
      ["response.status"] = "response.status", ["r.status"] = "response.status",
      ["septet.http.session"] = "http.session", ["http"] = "septet.http",
      ["SessionOptions"] = "septet.SessionOptions",
    } do
      equal(index.find(asked).name, name)
    end
    equal(index.find "task.gahter", nil)
  end)

  it("names are sorted, lead to entries, and are found by their ends", function()
    local names = index.names()
    for i, name in ipairs(names) do
      if i > 1 then equal(names[i - 1] < name, true) end
      equal(index.find(name).name, name)
      equal(type(index.find(name).text), "string")
    end
    equal(index.ending "gather", { "task.gather" })
    equal(index.hint "task.gahter", ", did you mean 'task.gather'?")
    equal(index.hint "gahter", ", did you mean 'gather'?")
  end)
end)
