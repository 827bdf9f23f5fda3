/* Where a session may connect to: lists of what is allowed and what is denied, by host, port and
 * address. A name is judged when a request starts; the address behind it when a socket is about to
 * be opened, and again where an open connection is about to be used, since names may lie. It knows
 * neither requests nor libcurl. */
#ifndef SPT_HTTP_POLICY_H
#define SPT_HTTP_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct spt_policy;

/* Makes a policy of rules: "host", "*.suffix", an address, a range as "10.0.0.0/8" or "fe80::/10",
 * ":port", and "private" in any case, for all addresses that are not public; each but a range with
 * ":port" behind it if it is for that port alone. Hosts are read as those of URLs are, and a rule
 * that no URL's host can be is none. What is denied is so whatever is allowed; where anything is
 * allowed, the rest is denied. Returns SEPTET_OK, SEPTET_ENOMEM, or SEPTET_EINVAL with the rule
 * that is none in `*bad`. NULL is made of no rules. */
int spt_policy_new(struct spt_policy **out, const char *const *allow, size_t n_allow,
                   const char *const *deny, size_t n_deny, const char **bad);
void spt_policy_free(struct spt_policy *policy);

/* What a policy says no by. */
struct spt_denial {
    const char *reason; /* "host", "port", "address"; static; NULL: it does not say no */
    const char *rule;   /* the policy's; NULL: nothing allows it */
};

/* May there be a request to this host, a name or an address as in a URL, and port? `*named` says
 * whether it is allowed by its name, whatever address is behind it; for the next. */
struct spt_denial spt_policy_host(const struct spt_policy *policy, const char *host, size_t len,
                                  int port, bool *named);

/* May there be a connection to this address? */
struct spt_denial spt_policy_address(const struct spt_policy *policy,
                                     const struct sockaddr *address, bool named);

/* The same for an address as text; one that is none is let pass: there is no connection to it. */
struct spt_denial spt_policy_text(const struct spt_policy *policy, const char *address, int port,
                                  bool named);

#endif
