/* Digest authentication (RFC 7616): challenges read from a head, and the header that answers one.
 * It knows no requests and no connections. */
#ifndef SPT_HTTP_DIGEST_H
#define SPT_HTTP_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { SPT_NONCES = 64 }; /* whose uses are counted; the oldest is forgotten for the next one */

/* How often each nonce was used, by a hash of it. Zeroed before its first use. */
struct spt_nonces {
    struct {
        uint64_t hash;
        uint32_t uses;
    } known[SPT_NONCES];
    unsigned next;
};

/* A challenge that can be answered. The strings are owned, without their quotes; NULL: there is
 * none. */
struct spt_challenge {
    char *realm, *nonce, *opaque;
    const char *algorithm; /* static: as it is named on the wire; NULL: the challenge names none */
    const char *md;        /* static: OpenSSL's name of the hash */
    const char *qop;       /* static: "auth" or "auth-int"; NULL: the challenge knows of none */
    bool session;          /* the algorithm is a "-sess" */
    bool stale;
    bool userhash;
};

/* What a request is to prove. */
struct spt_proof {
    const char *method, *target; /* as they stand in the request's first line */
    const char *user, *password;
    const char *body; /* the whole of it */
    size_t body_len;
};

/* Reads the first challenge for a digest, of those in the lines of a head, that can be answered
 * rightly. With `has_body`, the bytes of the body are known, so that they can be hashed. Returns
 * SEPTET_OK, SEPTET_EINVAL where there is none, or SEPTET_ENOMEM. `c` is to be released in each
 * case. */
int spt_challenge_read(struct spt_challenge *c, const struct spt_buf *head, bool has_body);
void spt_challenge_release(struct spt_challenge *c);

/* Makes "Authorization: Digest ..." and counts the use of the nonce. Returns NULL out of memory;
 * free() it. */
char *spt_digest_line(const struct spt_challenge *c, const struct spt_proof *proof,
                      struct spt_nonces *nonces);

#endif
