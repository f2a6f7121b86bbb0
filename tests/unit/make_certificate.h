/* SPDX-License-Identifier: MIT */
/* tests/unit/make_certificate.h: certificates of the test's own, in its folder. */
#ifndef CRECHE_TESTS_MAKE_CERTIFICATE_H
#define CRECHE_TESTS_MAKE_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "transport/certificate.h"

struct made {
        const char *cert, *key; /* paths */
};

struct wanted {
        const char *name;      /* of its files */
        const char *host;      /* that it is for; NULL: of an authority */
        const char *purpose;   /* OID; NULL: any */
        const struct made *by; /* who signs it; NULL: it does itself */
        int64_t from_s, to_s;  /* valid, from now on */
};

/** The key's mode is 0600. */
struct made make_certificate(const struct wanted *w);

/** The certificate of a server that is called "creche.example", and "192.0.2.7". */
struct certificate *make_loaded_certificate(void);

#endif
