# SPDX-License-Identifier: MIT
"""Routes that ask for a digest, and check it."""

import hashlib
import re

from .response import FIN, KEEP, TEXT

PROVED = {}  # state of /prove, by key
ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


async def route_digest(request, response):
    user, password = "lion", "Circle of Life"
    algorithm = request.params.get("algorithm", "MD5")
    digest = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]

    def hashed(*parts):
        return digest(":".join(parts).encode()).hexdigest()

    given = dict(re.findall(r'(\w+)="?([^",]*)', request.headers.get("authorization", "")))
    secret, a2 = hashed(user, "here", password), hashed(request.method, request.target)
    nonce = "another nonce" if given and "stale" in request.params else "a nonce"
    proof = hashed(secret, nonce, given.get("nc", ""), given.get("cnonce", ""), "auth", a2)
    if given.get("response") == proof and given.get("username") == user:
        await response.echo(request)
        return KEEP
    challenge = f'Digest realm="here", nonce="{nonce}", qop="auth", algorithm={algorithm}'
    if given.get("nonce") == "a nonce" and nonce != "a nonce":
        challenge += ", stale=true"
    headers = [("WWW-Authenticate", challenge), ("X-Challenge", "1"), TEXT]
    if "close" in request.params:
        headers.append(("Connection", "close"))
    await response.whole(401, b"who are you?\n", *headers)
    return FIN if "close" in request.params else KEEP


def is_proof(request, given, challenge, uses):
    """Returns true if an Authorization answers a challenge, with the next count of its nonce."""
    name = challenge.get("algorithm") or "MD5"

    def hashed(*parts):
        data = b":".join(
            part if isinstance(part, bytes) else part.encode("latin-1") for part in parts
        )
        return hashlib.new(ALGORITHMS[name.removesuffix("-sess")], data).hexdigest()

    user, realm = "lion", challenge["realm"]
    secret = hashed(user, realm, "Circle of Life")
    if name.endswith("-sess"):
        secret = hashed(secret, challenge["nonce"], given.get("cnonce", ""))
    qop = given.get("qop")
    a2 = [request.method, request.target] + ([hashed(request.body)] if qop == "auth-int" else [])
    middle = [given.get("nc", ""), given.get("cnonce", ""), qop] if qop else []
    expected = {
        "username": hashed(user, realm) if challenge.get("userhash") else user, "realm": realm,
        "nonce": challenge["nonce"], "uri": request.target, "opaque": challenge.get("opaque"),
        "algorithm": challenge.get("algorithm"),
        "response": hashed(secret, challenge["nonce"], *middle, hashed(*a2)),
    }
    if "qop" in challenge:
        uses[challenge["nonce"]] = uses.get(challenge["nonce"], 0) + 1
        expected["nc"] = "%08x" % uses[challenge["nonce"]]
        if qop not in challenge["qop"].replace(" ", "").split(","):
            return False
    elif qop:
        return False
    return all(given.get(name) == value for name, value in expected.items())


async def route_prove(request, response):
    state = PROVED.setdefault(
        request.argument, {"n": 0, "stale": request.count("stale", 0), "uses": {}}
    )
    challenge = {name: request.params[name] for name in ("algorithm", "qop", "opaque", "userhash")
                 if name in request.params}
    challenge["realm"] = request.params.get("realm", "here")
    challenge["nonce"] = state.get("nonce") or f"{request.argument}-0"
    pairs = re.findall(
        r'(\w+)=(?:"((?:\\.|[^"\\])*)"|([^", ]*))', request.headers.get("authorization", "")
    )
    given = {name: re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in pairs}
    good = bool(given) and is_proof(request, given, challenge, state["uses"])
    if good and not state["stale"]:
        await response.echo(request)
        return KEEP
    if "fresh" in request.params:
        state["n"] += 1
        challenge["nonce"] = state["nonce"] = f"{request.argument}-{state['n']}"
    words = [
        'realm="%s"' % re.sub(r'(["\\])', r"\\\1", challenge["realm"]),
        f'nonce="{challenge["nonce"]}"',
    ]
    words += [f'qop="{challenge["qop"]}"'] if "qop" in challenge else []
    words += [f'opaque="{challenge["opaque"]}"'] if "opaque" in challenge else []
    words += [f"algorithm={challenge['algorithm']}"] if "algorithm" in challenge else []
    words += ["userhash=true"] if "userhash" in challenge else []
    if good:
        state["stale"] -= 1
        words.append("stale=true")
    headers = [
        ("WWW-Authenticate", value)
        for value in request.params.get("before", "").split("|")
        if value
    ]
    headers.append(("WWW-Authenticate", "Digest " + ", ".join(words)))
    await response.whole(401, b"x" * request.count("size", 4), TEXT, *headers)
    return KEEP


ROUTES = {
    "digest": route_digest,
    "prove": route_prove,
}
