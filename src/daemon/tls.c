/* SPDX-License-Identifier: MIT */
#include "daemon/tls.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

static int load(const struct config *c, struct certificate **out, struct err *e)
{
        const struct certificate_files files = {.cert = c->tls_cert,
                                                .key = c->tls_key,
                                                .client_ca = *c->tls_client_ca ? c->tls_client_ca : NULL};

        *out = NULL;
        return *c->tls_cert ? certificate_load(&files, out, e) : 0;
}

int tls_check(const struct config *c, struct err *e)
{
        struct certificate *loaded;
        int rc = load(c, &loaded, e);

        if (rc == 0 && loaded && certificate_check_time(loaded, clock_now_us(), e) < 0)
                rc = err_wrap(e, "%s", c->tls_cert);
        certificate_free(loaded);
        return rc;
}

int tls_load(const struct config *c, struct certificate **out, struct err *e)
{
        char expires[CLOCK_TEXT_MAX];
        struct err late;

        if (load(c, out, e) < 0)
                return -1;
        if (!*out)
                return 0;
        /* GnuTLS would write the secrets of each connection to the file that this names. */
        unsetenv("SSLKEYLOGFILE");
        log_info("tls.loaded", "cert=%s expires=%s client_ca=%s", log_quote(c->tls_cert),
                 clock_text(certificate_expires_us(*out), expires), log_quote(c->tls_client_ca));
        if (certificate_check_time(*out, clock_now_us(), &late) < 0)
                log_warn("tls.not_valid", "cert=%s error=%s", log_quote(c->tls_cert), log_quote(late.msg));
        return 0;
}
