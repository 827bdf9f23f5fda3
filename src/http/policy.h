/* SPDX-License-Identifier: MIT */
/* Where a session may connect to: lists of allowed and denied hosts, ports and addresses. A name is
 * checked when a request starts. As a name may resolve to any address, its address is checked
 * before a socket is opened, and again before an open connection is used. It knows neither requests
 * nor libcurl. */
#ifndef SPT_HTTP_POLICY_H
#define SPT_HTTP_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct spt_policy;

/* Makes a policy from rules. A rule is a "host", a "*.suffix", an address, a range such as
 * "10.0.0.0/8" or "fe80::/10", or ":port". The rule "private", in any case, stands for all
 * addresses that are not public. Any rule but a range may end in ":port" to apply to that port
 * alone. Hosts are read like those of URLs, and a rule that no URL's host can match is invalid.
 *
 * A denied target is denied even if it is also allowed. If there are rules that allow, all other
 * targets are denied. Without any rules, `*out` is NULL. Returns SEPTET_OK, SEPTET_ENOMEM, or
 * SEPTET_EINVAL with the invalid rule in `*bad`. */
int spt_policy_new(struct spt_policy **out, const char *const *allow, size_t n_allow,
                   const char *const *deny, size_t n_deny, const char **bad);
void spt_policy_free(struct spt_policy *policy);

/* Why a policy denies a target. */
struct spt_denial {
    /* static, "host", "port" or "address", or "permit" (permit.h); NULL if it is allowed */
    const char *reason;
    const char *rule; /* borrowed from the policy; NULL if no rule allows it */
};

/* Checks a request to a host, which is a name or an address as in a URL, and a port. Sets `*named`
 * to true if the name is allowed, whatever its address; the functions below take it. */
struct spt_denial spt_policy_host(const struct spt_policy *policy, const char *host, size_t len,
                                  int port, bool *named);

/* Checks a connection to an address. */
struct spt_denial spt_policy_address(const struct spt_policy *policy,
                                     const struct sockaddr *address, bool named);

/* Like spt_policy_address(), but takes the address as text. Text that is not an address is allowed,
 * as there is no connection to it. */
struct spt_denial spt_policy_text(const struct spt_policy *policy, const char *address, int port,
                                  bool named);

#endif
