-- SPDX-License-Identifier: MIT
-- Files that save and commit write: what the names of the target, its part and the part's meta may
-- stand for.
-- check: allow blocks
local http, task, sio = require "septet.http", require "septet.task", require "septet.io"
local files, origin = require "files", require "origin"

local URL = origin.url

-- Makes a folder, which is removed at the end of the block.
local function folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkdir -m 700 '%s'"):format(path)))
  return setmetatable({ path = path }, {
    __div = function(self, name) return self.path .. "/" .. name end,
    __close = function(self) os.execute(("rm -rf '%s'"):format(self.path)) end,
  })
end

local function shell(dir, command)
  assert(os.execute(("cd '%s' && umask 022 && %s"):format(dir.path, command)), command)
end

-- Returns the output of a command in the folder.
local function output(dir, command)
  local pipe <close> = assert(io.popen(("cd '%s' && %s"):format(dir.path, command)))
  return (pipe:read "a":gsub("%s+$", ""))
end

local body = origin.pattern(10)

-- Returns the number of requests that the origin receives while fn runs.
local function requests(fn)
  local mark = origin.mark()
  fn()
  return #origin.requests(mark)
end

describe("H-4: the target of a save", function()
  it("the target is written if it is a file or does not exist", function()
    local dir <close> = folder()
    shell(dir, "echo old > file")
    for _, name in ipairs { "file", "new" } do
      equal(http.save(URL .. "/bytes/10", dir / name).bytes, 10)
      equal(files.contents(dir / name), body)
    end
    equal(output(dir, "ls -A"), "file\nnew")
  end)

  it("the target is the file that links lead to, near and far, existing or not", function()
    local dir <close> = folder()
    shell(dir,
      "mkdir sub; echo old > real; echo old > sub/real; ln -s real near; ln -s sub/real far; "
      .. "ln -s near twice; ln -s \"$PWD/real\" absolute; ln -s ../real sub/up; "
      .. "ln -s sub/new dangling; ln -s sub other; ln -s dangling again")
    for name, real in pairs {
      near = "real", far = "sub/real", twice = "real", absolute = "real", ["sub/up"] = "real",
      dangling = "sub/new", again = "sub/new", ["other/real"] = "sub/real",
    } do
      shell(dir, "printf old > " .. real)
      local saved = http.save(URL .. "/bytes/10", dir / name)
      equal({ saved.bytes, saved.path }, { 10, dir / name }, name)
      equal(files.contents(dir / real), body, name)
      equal(output(dir, ("test -L '%s' || echo replaced"):format(name)),
        name == "other/real" and "replaced" or "", name)
    end
    equal(output(dir, "ls -A . sub | grep part"), "")
  end)

  it("a target that is no file is refused before a request", function()
    local dir <close> = folder()
    shell(dir, "mkfifo fifo; ln -s fifo pipe; mkdir folder; ln -s folder way; "
      .. "ln -s loop loop; ln -s there/not there")
    for name, code in pairs {
      fifo = "EINVAL", pipe = "EINVAL", folder = "EISDIR", way = "EISDIR", loop = "ELOOP",
      there = "ELOOP", ["missing/file"] = "ENOENT", ["fifo/file"] = "ENOTDIR",
    } do
      equal(requests(function()
        raises_error({ kind = "IoError", code = code }, http.save, URL .. "/bytes/10", dir / name)
      end), 0, name)
    end
    equal(output(dir, "test -p fifo && test -d folder && ls -A"),
      "fifo\nfolder\nloop\npipe\nthere\nway")
  end)

  it("the target keeps its permissions, and a new file has those of the umask", function()
    local dir <close> = folder()
    for _, mode in ipairs { "600", "640", "644", "666", "755", "400" } do
      shell(dir, ("rm -f file; echo old > file; chmod %s file"):format(mode))
      http.save(URL .. "/bytes/10", dir / "file")
      equal(output(dir, "stat -c %a file"), mode)
    end
    http.save(URL .. "/bytes/10", dir / "new")
    shell(dir, "echo x > other")
    local umask = tonumber(output(dir, "umask"), 8)
    equal(output(dir, "stat -c %a new"), ("%o"):format(438 & ~umask))
  end)
end)

describe("H-4: a part", function()
  it("a part is readable by its owner alone while it is written", function()
    local dir <close> = folder()
    local first
    local saving = task.spawn(http.save, URL .. "/drip?bytes=30&interval=0.05", dir / "file",
      { resume = true })
    while not saving:status():find "done" do
      local mode = output(dir, "stat -c %a file.part 2>/dev/null")
      if mode ~= "" then first = first or mode end
      task.sleep(0.01)
    end
    equal(first, "600")
  end)

  it("a part or meta that is a link, has two names or is no file is refused at once", function()
    for _, name in ipairs { "file.part", "file.part.meta" } do
      for _, made in ipairs {
        { "ln -s real %s", "ELOOP" }, { "ln -s nothing %s", "ELOOP" }, { "ln real %s", "EMLINK" },
        { "mkfifo %s", "EINVAL" }, { "mkdir %s", "EISDIR" },
      } do
        local dir <close> = folder()
        shell(dir, "echo precious > real")
        shell(dir, made[1]:format(name))
        equal(requests(function()
          raises_error({ kind = "IoError", code = made[2] }, http.save, URL .. "/bytes/10",
            dir / "file", { resume = true })
        end), 0)
        equal(files.contents(dir / "real"), "precious\n")
        equal(files.contents(dir / "file"), nil)
      end
    end
  end)

  it("a part of an earlier save becomes readable by its owner alone", function()
    local dir <close> = folder()
    shell(dir, "echo left > file.part; chmod 666 file.part")
    local saving = task.spawn(http.save, URL .. "/drip?bytes=30&interval=0.05", dir / "file")
    while output(dir, "stat -c %a file.part 2>/dev/null") == "666" do task.sleep(0.01) end
    equal(output(dir, "stat -c %a file.part"), "600")
    saving:await()
  end)

  it("a part that is replaced while it is written is not committed", function()
    for _, made in ipairs { "echo theirs > x", "ln -s real x", "cp file.part x", "mkfifo x" } do
      local dir <close> = folder()
      shell(dir, "echo real > real")
      local saving = task.spawn(pcall, http.save, URL .. "/drip?bytes=30&interval=0.05",
        dir / "file")
      while output(dir, "ls file.part 2>/dev/null") == "" do task.sleep(0.01) end
      shell(dir, made .. " && mv -f x file.part")
      local ok, err = saving:await()
      equal({ ok, err.kind, err.code }, { false, "IoError", "ENOENT" })
      equal({ files.contents(dir / "file"), files.contents(dir / "real") }, { nil, "real\n" })
    end
  end)
end)

describe("H-4: commit", function()
  local function written(dir)
    local w = sio.create(dir / "g.part", { digest = "md5" })
    w:write "mine"
    return w
  end

  it("commit fails if the name now stands for another file", function()
    for _, made in ipairs {
      "echo THEIRS > x && mv x g.part", "rm g.part", "rm g.part && ln -s real g.part",
      "mv g.part other", "cp g.part x && mv x g.part", "rm g.part && mkfifo g.part",
    } do
      local dir <close> = folder()
      shell(dir, "echo real > real")
      local w <close> = written(dir)
      shell(dir, made)
      raises_error({ kind = "IoError", code = "ENOENT" }, w.commit, w, dir / "g")
      equal({ files.contents(dir / "g"), files.contents(dir / "real") }, { nil, "real\n" })
    end
  end)

  it("commit fails if the target is no file", function()
    for made, code in pairs { ["mkfifo g"] = "EINVAL", ["mkdir g"] = "EISDIR" } do
      local dir <close> = folder()
      shell(dir, made)
      local w <close> = written(dir)
      raises_error({ kind = "IoError", code = code }, w.commit, w, dir / "g")
      equal(files.contents(dir / "g.part"), "mine")
    end
  end)

  it("commit keeps the permissions of the replaced file", function()
    for _, mode in ipairs { "600", "640", "664" } do
      local dir <close> = folder()
      shell(dir, ("echo old > g; chmod %s g"):format(mode))
      local w <close> = written(dir)
      w:commit(dir / "g")
      equal({ output(dir, "stat -c %a g"), files.contents(dir / "g") }, { mode, "mine" })
    end
  end)
end)
