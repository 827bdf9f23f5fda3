-- SPDX-License-Identifier: MIT
--- Digests, HMACs, texts for bytes, and random bytes. All by OpenSSL's libcrypto.
---@class septet.hash
local hash = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local slices = require "septet.internal.slices"

local SLICE <const> = 512 * 1024 -- bytes that any digest takes in a few milliseconds
local DIGITS <const> = 192 * 1024 -- a multiple of 12, so that slices of bytes and digits fit

---@alias septet.Digest
---| "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512" | "sha512_256" | "sha3_256"
---| "sha3_384" | "sha3_512" | "blake2b" | "blake2s"
---@alias septet.HashForm "hex"|"raw"|"base64"|"base64url"

-- OpenSSL's names of the digests.
local DIGESTS = {
  md5 = "MD5", sha1 = "SHA1", sha224 = "SHA2-224", sha256 = "SHA2-256", sha384 = "SHA2-384",
  sha512 = "SHA2-512", sha512_256 = "SHA2-512/256", sha3_256 = "SHA3-256", sha3_384 = "SHA3-384",
  sha3_512 = "SHA3-512", blake2b = "BLAKE2B-512", blake2s = "BLAKE2S-256",
}

local FORMS = {
  raw = function(bytes) return bytes end, hex = core.hex,
  base64 = core.base64, base64url = function(bytes) return core.base64(bytes, true) end,
}

local function name_of(algorithm, position, what)
  local name = DIGESTS[algorithm]
  if name then return name end
  if type(algorithm) ~= "string" then
    args.usage("bad argument #%d to '%s' (name of a digest expected, got %s)", position, what,
      type(algorithm))
  end
  args.usage("bad argument #%d to '%s' (no digest '%s'%s)", position, what, algorithm,
    args.hint(algorithm:lower():gsub("[-/ ]", "_"), DIGESTS))
end

local function form_of(form, position, what, default)
  if form == nil then return FORMS[default or "hex"] end
  if FORMS[form] then return FORMS[form] end
  args.usage("bad argument #%d to '%s' (hex, raw, base64 or base64url expected, got %s)", position,
    what, type(form) == "string" and ("'%s'"):format(form) or type(form))
end

local function unavailable(algorithm)
  error(core.error { kind = "HashError", code = "unavailable", algorithm = algorithm,
    message = ("the digest '%s' is not offered by this OpenSSL"):format(algorithm) }, 0)
end

-- --- digests of bytes that come in parts ---

--- A digest, or an HMAC, of what was added so far.
---@class septet.Hash
---@field private state table
---@field private is_busy boolean|nil
local Hash = {}

--- Adds bytes. Other tasks may run while many are added.
---@param bytes string
---@return septet.Hash the same
function Hash:update(bytes)
  args.string(bytes, 1, "update")
  if self.is_busy then args.usage "another task adds bytes to this hash" end
  if #bytes <= SLICE then
    self.state:update(bytes, 1, #bytes)
    return self
  end
  self.is_busy = true
  local ok, err, traceback = core.try(slices.each, bytes,
    function(first, last) self.state:update(bytes, first, last) end, SLICE)
  self.is_busy = nil
  if not ok then core.raise(err, traceback) end
  return self
end

for name, write in pairs(FORMS) do
  Hash[name] = function(self) return write(self.state:finish()) end
end

local hash_meta = { __name = "septet.Hash", __metatable = false, __index = Hash }
args.methods(Hash, "hash", { [hash_meta] = true })
args.fields(Hash, "hash", "", "is_busy")

local function new(algorithm, position, what, key)
  local state = core.hash_new(name_of(algorithm, position, what), key)
  return setmetatable({ state = state or unavailable(algorithm) }, hash_meta)
end

local new_options = { key = "secret" }

---@class septet.HashOptions
---@field key string|nil makes it an HMAC; none

--- Returns a digest of nothing, to which bytes are added.
---@param algorithm septet.Digest
---@param options septet.HashOptions|nil
---@return septet.Hash
function hash.new(algorithm, options)
  options = args.options(options, new_options, "new")
  return new(algorithm, 1, "new", options.key)
end

--- Returns the digest of a text. Other tasks may run during that of a long one.
---@param algorithm septet.Digest
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.digest(algorithm, bytes, form)
  local h = new(algorithm, 1, "digest")
  args.string(bytes, 2, "digest")
  local write = form_of(form, 3, "digest")
  return write(h:update(bytes).state:finish())
end

--- Returns the HMAC of a text (RFC 2104).
---@param algorithm septet.Digest
---@param key string
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.hmac(algorithm, key, bytes, form)
  name_of(algorithm, 1, "hmac")
  args.string(key, 2, "hmac")
  args.string(bytes, 3, "hmac")
  local write = form_of(form, 4, "hmac")
  return write(new(algorithm, 1, "hmac", key):update(bytes).state:finish())
end

--- Waits for the digest of a file. Raises IoError.
---@async
---@param path string
---@param algorithm septet.Digest|nil "sha256" by default
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.file(path, algorithm, form)
  args.string(path, 1, "file")
  algorithm = algorithm == nil and "sha256" or algorithm
  local name, write = name_of(algorithm, 2, "file"), form_of(form, 3, "file")
  return write(core.hash_file(name, path) or unavailable(algorithm))
end

for algorithm in pairs(DIGESTS) do
  hash[algorithm] = function(bytes, form)
    args.string(bytes, 1, algorithm)
    local write = form_of(form, 2, algorithm)
    return write(new(algorithm, 1, algorithm):update(bytes).state:finish())
  end
end

-- --- texts for bytes ---

local function encoder(name, encode)
  return function(bytes)
    args.string(bytes, 1, name)
    return slices.map(bytes, encode, DIGITS)
  end
end

local function decoder(name, what, decode)
  return function(text)
    args.string(text, 1, name)
    local out = {}
    slices.each(text, function(first, last)
      local slice = #text <= DIGITS and text or text:sub(first, last)
      local bytes, bad = decode(slice, last == #text)
      if not bytes then
        error(core.error { kind = "HashError", code = what, position = first + bad - 1,
          message = ("bad %s at byte %d"):format(what, first + bad - 1) }, 0)
      end
      out[#out + 1] = bytes
    end, DIGITS)
    return core.join(out)
  end
end

--- Returns bytes in base64, with padding (RFC 4648).
---@type fun(bytes: string): string
hash.base64 = encoder("base64", FORMS.base64)

--- Returns bytes in base64 with the alphabet for URLs, without padding.
---@type fun(bytes: string): string
hash.base64url = encoder("base64url", FORMS.base64url)

--- Returns bytes in hexadecimal, in lower case.
---@type fun(bytes: string): string
hash.hex = encoder("hex", core.hex)

--- Returns the bytes of a text in base64. Raises HashError for anything that `base64` does not
--- return.
---@type fun(text: string): string
hash.unbase64 = decoder("unbase64", "base64",
  function(text, at_end) return core.unbase64(text, false, at_end) end)

--- Returns the bytes of a text in base64 for URLs, with or without padding. Raises HashError.
---@type fun(text: string): string
hash.unbase64url = decoder("unbase64url", "base64url",
  function(text, at_end) return core.unbase64(text, true, at_end) end)

--- Returns the bytes of a text in hexadecimal, in either case. Raises HashError.
---@type fun(text: string): string
hash.unhex = decoder("unhex", "hex", core.unhex)

-- --- secrets ---

--- Returns n random bytes that nothing can guess.
---@param n integer up to 1 MiB
---@param form septet.HashForm|nil "raw" by default
---@return string
function hash.random(n, form)
  if math.type(n) ~= "integer" or n < 0 or n > 1024 * 1024 then
    args.usage("bad argument #1 to 'random' (a whole number up to 1048576 expected, got %s)",
      math.type(n) and tostring(n) or type(n))
  end
  return form_of(form, 2, "random", "raw")(core.random_bytes(n))
end

--- Compares two texts in a time that does not depend on where they differ.
---@param a string
---@param b string
---@return boolean
function hash.equal(a, b)
  args.string(a, 1, "equal")
  args.string(b, 2, "equal")
  return core.equal(a, b)
end

return args.module(hash, "septet.hash")
