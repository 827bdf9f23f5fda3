-- SPDX-License-Identifier: MIT
-- septet.hash: digests and HMACs with the vectors of their standards, strict texts for bytes.
local hash, task = require "septet.hash", require "septet.task"
local files, ticker = require "files", require "ticker"
local refused = require("helpers").refused

local unhex = hash.unhex

local function misused(words, fn, ...)
  local given = table.pack(...)
  misuse(words, function() fn(table.unpack(given, 1, given.n)) end)
end

describe("digests", function()
  it("the digests of 'abc' are those of their standards", function()
    for algorithm, digest in pairs {
      md5 = "900150983cd24fb0d6963f7d28e17f72", sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d",
      sha224 = "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
      sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      sha384 = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358"
        .. "baeca134c825a7",
      sha512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836"
        .. "ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      sha512_256 = "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
      sha3_256 = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
      sha3_384 = "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f5"
        .. "39f1edf228376d25",
      sha3_512 = "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c9"
        .. "1a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
      blake2b = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792d"
        .. "c252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
      blake2s = "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
    } do
      equal({ hash.digest(algorithm, "abc"), hash[algorithm] "abc" }, { digest, digest }, algorithm)
      equal(hash.new(algorithm):update "a":update "":update "bc":hex(), digest, algorithm)
    end
  end)

  it("a digest has four forms", function()
    local raw = unhex "900150983cd24fb0d6963f7d28e17f72"
    equal({ hash.md5("abc", "raw"), hash.md5("abc", "hex"), hash.md5("abc", "base64"),
      hash.md5("abc", "base64url") },
      { raw, hash.hex(raw), "kAFQmDzST7DWlj99KOF/cg==", "kAFQmDzST7DWlj99KOF_cg" })
    local h = hash.new "md5":update "abc"
    equal({ h:raw(), h:hex(), h:base64(), h:base64url() },
      { raw, hash.hex(raw), hash.base64(raw), hash.base64url(raw) })
    equal(h:update "d":hex(), hash.md5 "abcd")
  end)

  it("any way of cutting a text gives its digest", function()
    for _ = 1, many(50) do
      local text, h = hash.random(math.random(0, 3000)), hash.new "sha256"
      local at = 1
      while at <= #text do
        local n = math.random(0, 700)
        h:update(text:sub(at, at + n - 1))
        at = at + n
      end
      equal(h:hex(), hash.sha256(text))
    end
    local large = ("\0\xff abc"):rep(500000)
    local core = debug.getregistry()["septet.core"]
    equal(hash.sha512(large), core.digest("sha512", large))
  end)

  it("long texts leave the loop free", function()
    local large = ("x"):rep(24 << 20)
    ticker.turns(20, function() return hash.sha3_512(large) end)
  end)

  it("one task at a time adds to a hash", function()
    local h, large = hash.new "sha1", ("x"):rep(4 << 20)
    local other = task.spawn(h.update, h, large)
    task.checkpoint()
    misused("another task adds bytes", h.update, h, "x")
    other:await()
    equal(h:update "":hex(), hash.sha1(large))
    other = task.spawn(h.update, h, large)
    task.checkpoint()
    other:cancel()
    task.wait { other }
    h:update "it may be used again"
  end)

  it("an unknown digest is a mistake, and the known one is named", function()
    misused("no digest 'sha255', did you mean 'sha256'", hash.new, "sha255")
    misused("no digest 'SHA%-256', did you mean 'sha256'", hash.digest, "SHA-256", "x")
    misused("#1 to 'hmac' %(no digest 'md6', did you mean 'md5'", hash.hmac, "md6", "k", "x")
    misused("#2 to 'file' %(no digest ''", hash.file, "x", "")
    misused("name of a digest expected, got nil", hash.new)
    misused("no digest 'md5\\x00'", hash.new, "md5\0")
    misused("unknown option 'kee' to 'new'", hash.new, "md5", { kee = "x" })
    misused("bad option 'key'", hash.new, "md5", { key = 1 })
    misused("hex, raw, base64 or base64url expected, got 'bin'", hash.md5, "x", "bin")
    misused("#1 to 'sha256' %(string expected, got nil", hash.sha256)
    local h = hash.new "md5"
    misused("#1 to 'update' %(string expected, got number", h.update, h, 1)
    misuse("no field 'sha255', did you mean 'sha256'", function() return hash.sha255 end)
  end)
end)

-- RFC 4231, 4.2 to 4.8, and RFC 2202, 2 and 3: key, data, and the HMACs.
local VECTORS = {
  { ("\x0b"):rep(20), "Hi There",
    sha224 = "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
    sha256 = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    sha384 = "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af1"
      .. "52e8b2fa9cb6",
    sha512 = "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b"
      .. "274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    sha1 = "b617318655057264e28bc0b6fb378c8ef146be00" },
  { "Jefe", "what do ya want for nothing?",
    sha224 = "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
    sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    sha384 = "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b32"
      .. "39ecfab21649",
    sha512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d03"
      .. "4f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    md5 = "750c783e6ab0b503eaa86e310a5db738", sha1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
  { ("\xaa"):rep(20), ("\xdd"):rep(50),
    sha224 = "7fb3cb3588c6c1f6ffa9694d7d6ad2649365b0c1f65d69d1ec8333ea",
    sha256 = "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    sha384 = "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3a"
      .. "b6e101a34f27",
    sha512 = "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b4"
      .. "85a47e67c807b946a337bee8942674278859e13292fb",
    sha1 = "125d7342b9ac11cd91a39af48aa17b4f63f175d3" },
  { unhex "0102030405060708090a0b0c0d0e0f10111213141516171819", ("\xcd"):rep(50),
    sha224 = "6c11506874013cac6a2abc1bb382627cec6a90d86efc012de7afec5a",
    sha256 = "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    sha384 = "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8"
      .. "a386c674cffb",
    sha512 = "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679"
      .. "275cc5788063a5f19741120c4f2de2adebeb10a298dd",
    md5 = "697eaf0aca3a3aea3a75164746ffaa79", sha1 = "4c9007f4026250c6bc8414f9bf50c86c2d7235da" },
  { ("\x0c"):rep(20), "Test With Truncation", -- of which the RFC has the first 16 bytes
    sha224 = "0e2aea68a90c8d37c988bcdb9fca6fa8", sha256 = "a3b6167473100ee06e0c796c2955552b",
    sha384 = "3abf34c3503b2a23a46efc619baef897", sha512 = "415fad6271580a531d4179bc891d87a6",
    sha1 = "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04" },
  { ("\xaa"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
    sha224 = "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e",
    sha256 = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    sha384 = "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe829624"
      .. "8df163f44952",
    sha512 = "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0f"
      .. "d2215d6a1e5295e64f73f63f0aec8b915a985d786598" },
  { ("\xaa"):rep(131), "This is a test using a larger than block-size key and a larger than "
    .. "block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
    sha224 = "3a854166ac5d9f023f54d517d0b39dbd946770db9c2b95c9f6f565d1",
    sha256 = "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    sha384 = "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860"
      .. "e6110c46523e",
    sha512 = "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5e"
      .. "eb55c3e4de15134676fb6de0446065c97440fa8c6a58" },
  { ("\x0b"):rep(16), "Hi There", md5 = "9294727a3638bb1c13f48ef8158bfc9d" },
  { ("\xaa"):rep(16), ("\xdd"):rep(50), md5 = "56be34521d144c88dbb8c733f0e8b3f6" },
  { ("\x0c"):rep(16), "Test With Truncation", md5 = "56461ef2342edc00f9bab995690efd4c" },
  { ("\xaa"):rep(80), "Test Using Larger Than Block-Size Key - Hash Key First",
    md5 = "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd", sha1 = "aa4ae5e15272d00e95705637ce8a3b55ed402112" },
  { ("\xaa"):rep(80),
    "Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
    md5 = "6f630fad67cda0ee1fb1f562db3aa53e", sha1 = "e8e99d0f45237d786d6bbaa7965c7808bbff1a91" },
}

describe("HMACs", function()
  it("HMACs are those of RFC 4231 and RFC 2202", function()
    local compared = 0
    for i, vector in ipairs(VECTORS) do
      for algorithm, expected in pairs(vector) do
        if type(algorithm) == "string" then
          local key, data = vector[1], vector[2]
          local got = hash.hmac(algorithm, key, data)
          equal(got:sub(1, #expected), expected, i .. " " .. algorithm)
          local h = hash.new(algorithm, { key = key })
          for at = 1, #data, 7 do h:update(data:sub(at, at + 6)) end
          equal(h:hex(), got)
          equal(hash.hmac(algorithm, key, data, "raw"), unhex(got))
          compared = compared + 1
        end
      end
    end
    equal(compared, 7 * 4 + 7 + 7)
  end)

  it("keys and texts may be empty", function()
    equal(hash.hmac("sha256", "", ""),
      "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    equal(hash.new("sha256", { key = "" }):hex(), hash.hmac("sha256", "", ""))
    misused("#2 to 'hmac' %(string expected, got nil", hash.hmac, "sha256")
    misused("#3 to 'hmac' %(string expected, got nil", hash.hmac, "sha256", "x")
  end)
end)

describe("texts for bytes", function()
  it("base64 is that of RFC 4648, 10", function()
    for bytes, text in pairs {
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
      foobar = "Zm9vYmFy", ["\xfb\xff\xfe"] = "+//+",
    } do
      local for_url = text:gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" })
      local padded = text:gsub("[+/]", { ["+"] = "-", ["/"] = "_" })
      equal({ hash.base64(bytes), hash.unbase64(text), hash.base64url(bytes) },
        { text, bytes, for_url })
      equal({ hash.unbase64url(for_url), hash.unbase64url(padded) }, { bytes, bytes })
    end
  end)

  it("what is decoded was encoded", function()
    for n = 0, many(300) do
      local bytes = hash.random(n)
      equal(hash.unbase64(hash.base64(bytes)), bytes)
      equal(hash.unbase64url(hash.base64url(bytes)), bytes)
      equal(hash.unhex(hash.hex(bytes)), bytes)
      equal(hash.unhex(hash.hex(bytes):upper()), bytes)
    end
    for _, n in ipairs { 768 * 1024, 768 * 1024 + 1, 3 * 768 * 1024 - 1 } do
      local bytes = ("\0\xffab"):rep(n // 4 + 1):sub(1, n)
      equal(hash.unbase64(hash.base64(bytes)) == bytes, true)
      equal(hash.unbase64url(hash.base64url(bytes)) == bytes, true)
      equal(hash.unhex(hash.hex(bytes)) == bytes, true)
    end
  end)

  it("a text that is not what encoding returns is refused with its place", function()
    local long = hash.base64(("x"):rep(600 * 1024))
    for text, position in pairs {
      ["Zg"] = 3, ["Zg="] = 3, ["Z"] = 2, ["Zg==="] = 3, ["Zh=="] = 2, ["Zm9="] = 3, ["Zm9v "] = 5,
      ["Zm\n9v"] = 3, ["Zg==Zg=="] = 3, ["Zm-v"] = 3, ["=AAA"] = 1, ["A\0AA"] = 2, ["Zm9v="] = 5,
      ["\xff"] = 1, ["AA=A"] = 3, ["===="] = 1, ["AAAAA"] = 6, [long .. "A"] = #long + 2,
      [long:sub(1, 786430) .. "==" .. long] = 786431,
    } do
      local err = refused("HashError", "bad base64 at byte", hash.unbase64, text)
      equal({ err.code, err.position }, { "base64", position }, #text < 20 and text or #text)
    end
    for text, position in pairs { ["Zg="] = 3, ["Zh"] = 2, ["Zm+v"] = 3, ["A"] = 2, ["="] = 1 } do
      local err = refused("HashError", "bad base64url at byte", hash.unbase64url, text)
      equal({ err.code, err.position }, { "base64url", position }, text)
    end
    for text, position in pairs { ["0"] = 1, ["0g"] = 2, ["000"] = 3, [" 00"] = 1, ["0x00"] = 2,
      ["\0\0"] = 1 } do
      local err = refused("HashError", "bad hex at byte", hash.unhex, text)
      equal({ err.code, err.position }, { "hex", position }, text)
    end
    misused("#1 to 'unbase64' %(string expected, got nil", hash.unbase64)
    misused("#1 to 'hex' %(string expected, got number", hash.hex, 12)
  end)

  it("long texts are encoded and decoded beside other tasks", function()
    local large = ("\0\xffab"):rep(2 << 20)
    for encode, decode in pairs { base64 = "unbase64", hex = "unhex" } do
      local text = ticker.turns(20, function() return hash[encode](large) end)
      equal(#ticker.turns(20, function() return hash[decode](text) end), #large)
    end
  end)
end)

describe("secrets", function()
  it("random bytes differ", function()
    local seen = {}
    for _ = 1, 100 do
      local bytes = hash.random(16)
      equal({ #bytes, seen[bytes] }, { 16 })
      seen[bytes] = true
    end
    equal({ hash.random(0), #hash.random(1 << 20), #hash.random(8, "hex"),
      #hash.random(9, "base64url") }, { "", 1 << 20, 16, 12 })
    for _, n in ipairs { -1, 1.5, "1", (1 << 20) + 1, math.huge } do
      misused("#1 to 'random'", hash.random, n)
    end
    misused("#1 to 'random'", hash.random)
  end)

  it("texts are equal or not", function()
    equal({ hash.equal("", ""), hash.equal("a\0b", "a\0b"), hash.equal("a\0b", "a\0c"),
      hash.equal("a", "ab"), hash.equal("b", "a") }, { true, true, false, false, false })
    misused("#2 to 'equal'", hash.equal, "a")
  end)
end)

describe("files", function()
  it("the digest of a file is that of its bytes", function()
    for _, n in ipairs { 0, 1, 256 * 1024, 3000000 } do
      local bytes = ("\0\xffabc"):rep(n // 5 + 1):sub(1, n)
      local file <close> = files.with(bytes)
      equal(hash.file(file.path), hash.sha256(bytes))
      equal(hash.file(file.path, "md5", "raw"), hash.md5(bytes, "raw"))
    end
  end)

  it("a file that cannot be read is an IoError", function()
    local none <close> = files.temporary()
    local fifo <close> = files.fifo()
    for path, code in pairs { [none.path] = "ENOENT", ["/tmp"] = "EISDIR",
      ["/dev/zero"] = "EINVAL", [fifo.path] = "EINVAL" } do
      local err = raises_error({ kind = "IoError" }, hash.file, path)
      equal({ err.code, err.path }, { code, path })
    end
    misused("a NUL in the path", hash.file, "a\0b")
    misused("#1 to 'file'", hash.file)
  end)

  it("a cancelled wait leaves the loop and the pool usable", function()
    local file <close> = files.with(("x"):rep(40 << 20))
    local t = task.spawn(hash.file, file.path, "sha3_512")
    task.checkpoint()
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    ticker.waits(function() hash.file(file.path, "sha3_512") end)
  end)
end)
