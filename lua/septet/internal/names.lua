-- SPDX-License-Identifier: MIT
-- What other libraries call our functions and options, for hints in errors.
local names = {}

-- Our names for functions of other libraries, by the module or kind of object.
names.fields = {
  ["septet.task"] = { create_task = "spawn", go = "spawn", start = "spawn", run = "spawn",
    all = "gather", any = "race", delay = "sleep", yield = "checkpoint", time = "now",
    with_timeout = "timeout", nursery = "group",
    scheduler = "spawn", wait_for = "timeout", interval = "every", await = "gather" },
  ["septet.sync"] = { queue = "channel", Queue = "channel", mutex = "lock", Lock = "lock",
    condition = "event", Event = "event", chan = "channel" },
  ["septet.json"] = { parse = "decode", loads = "decode", load = "decode", stringify = "encode",
    dumps = "encode", dump = "encode" },
  ["septet.http"] = { fetch = "get", client = "session", Session = "session",
    request = "session", download = "save", del = "delete" },
  ["septet.process"] = { exec = "run", popen = "spawn", call = "run", execute = "run",
    system = "run", start = "spawn", execFile = "run", Popen = "spawn", check_output = "run" },
  process = { terminate = "close", send_signal = "kill", signal = "kill", communicate = "wait",
    poll = "wait", returncode = "wait", id = "pid", write = "stdin" },
  ["septet.io"] = { lines = "open", read = "open", write = "create" },
  ["septet.url"] = { urljoin = "resolve", join = "resolve", urlparse = "parse", split = "parse",
    format = "build", escape = "encode", quote = "encode", unescape = "decode", unquote = "decode",
    canonical = "normalize", canonicalize = "normalize", urlencode = "query" },
  ["septet.hash"] = { sum = "digest", sign = "hmac", b64encode = "base64", b64decode = "unbase64",
    encode = "base64", decode = "unbase64", tohex = "hex", fromhex = "unhex", compare = "equal",
    bytes = "random", sha3 = "sha3_256" },
  url = { hostname = "host", username = "user", pathname = "path", search = "query",
    hash = "fragment", protocol = "scheme", searchParams = "params", href = "tostring(u)" },
  ["septet.net"] = { open = "connect", dial = "connect", tcp = "connect", socket = "connect",
    bind = "listen", server = "listen", serve = "listen" },
  ["septet.fs"] = { unlink = "remove", rm = "remove", rmtree = "remove", rmdir = "remove",
    delete = "remove", makedirs = "mkdir", mkdirs = "mkdir", move = "rename", mv = "rename",
    cp = "copy", readdir = "list", listdir = "list", scandir = "walk", find = "walk",
    read_file = "read", write_file = "write", lstat = "stat", tmpfile = "temp_file",
    mkdtemp = "temp_dir", tempdir = "temp_dir", lines = "tail" },
  ["septet.trace"] = { on = "subscribe", print = "lines" },
  ["septet.testing"] = { tick = "advance", sleep = "advance" },
  task = { join = "await", wait = "await", get = "await", kill = "cancel", abort = "cancel",
    state = "status" },
  channel = { put = "send", push = "send", get = "recv", pop = "recv", receive = "recv" },
  sender = { put = "send", push = "send" },
  future = { resolve = "set", complete = "set", reject = "fail", get = "await", wait = "await" },
  event = { signal = "set", fire = "set", notify = "set" },
  semaphore = { wait = "acquire", down = "acquire", post = "release", up = "release",
    signal = "release" },
  lock = { lock = "acquire", unlock = "release" },
  connection = { receive = "read", recv = "read", send = "write", getpeername = "peer",
    getsockname = "local_address", settimeout = "set_timeout" },
  server = { getsockname = "port", listen = "accept" },
  group = { create_task = "spawn", start_soon = "spawn", go = "spawn", add = "spawn" },
  response = { status_code = "status", code = "status", content = "body", data = "body",
    elapsed = "times", is_success = "ok", raise = "raise_for_status" },
  session = { fetch = "get", del = "delete", download = "save" },
}

-- Our options by their names in other libraries: a hint, and an option that the function must take
-- for the hint to apply.
names.options = {
  data = { "'body', 'form' or 'json'", "body" }, query = { "'params'", "params" },
  method = { "session:request(method, url, options)", "params" },
  verify = { "tls = { insecure = true }", "tls" },
  ssl = { "'tls'", "tls" }, insecure = { "tls = { insecure = true }", "tls" },
  max_connections = { "'limit'", "limit" },
  read = { "'idle' or 'first_byte'", "idle" }, max = { "'attempts'", "attempts" },
  total_retries = { "'retries'", "retries" }, follow_redirects = { "'redirects'", "redirects" },
  allow_redirects = { "'redirects'", "redirects" }, files = { "'multipart'", "multipart" },
  concurrency = { "'limit'", "limit" }, [1] = { "'user' and 'password'", "password" },
}

return names
