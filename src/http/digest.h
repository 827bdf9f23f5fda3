/* SPDX-License-Identifier: MIT */
/* Digest authentication (RFC 7616): reads challenges from a head and writes the header that answers
 * one. It knows no requests and no connections. */
#ifndef SPT_HTTP_DIGEST_H
#define SPT_HTTP_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { SPT_NONCES = 64 }; /* number of nonces with a count; a new one replaces the oldest */

/* The number of uses of each nonce, by a hash of it. Zeroed before its first use. */
struct spt_nonces {
    struct {
        uint64_t hash;
        uint32_t uses;
    } known[SPT_NONCES];
    unsigned next;
};

/* A challenge that can be answered. The strings are owned, without their quotes; NULL if absent. */
struct spt_challenge {
    char *realm, *nonce, *opaque;
    const char *algorithm; /* static name on the wire; NULL if the challenge names none */
    const char *md;        /* static: OpenSSL's name of the hash */
    const char *qop;       /* static, "auth" or "auth-int"; NULL if the challenge has none */
    bool session;          /* true for a "-sess" algorithm */
    bool stale;
    bool userhash;
};

/* What the answer to a challenge is computed from. */
struct spt_proof {
    const char *method, *target; /* as in the request line */
    const char *user, *password;
    const char *body; /* the whole body */
    size_t body_len;
};

/* Reads the first digest challenge in the lines of a head that can be answered correctly.
 * `has_body` is true if the bytes of the body are known, so that they can be hashed. Returns
 * SEPTET_OK, SEPTET_EINVAL if there is no such challenge, or SEPTET_ENOMEM. The caller releases `c`
 * in each case. */
int spt_digest_read_challenge(struct spt_challenge *c, const struct spt_buf *head, bool has_body);
void spt_digest_release_challenge(struct spt_challenge *c);

/* Makes the header "Authorization: Digest ..." and counts the use of the nonce. The caller frees it
 * with free(). Returns NULL if memory is out. */
char *spt_digest_line(const struct spt_challenge *c, const struct spt_proof *proof,
                      struct spt_nonces *nonces);

#endif
