/* SPDX-License-Identifier: MIT */
#include "daemon/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "base/beneath.h"
#include "base/fd.h"

enum { KEY_BYTES = 32 };

/* 256 random bits as hexadecimal in @name, if there is no such file yet; then the first line of the file. */
static int load(int dir, const char *name, char text[TOKEN_MAX], struct err *e)
{
        unsigned char key[KEY_BYTES];
        char fresh[2 * KEY_BYTES + 2];

        if (beneath_read(dir, name, text, TOKEN_MAX) < 0) {
                if (errno != ENOENT)
                        return beneath_fail(e, "reading", name);
                if (gnutls_rnd(GNUTLS_RND_KEY, key, sizeof(key)) < 0)
                        return err_set(e, ERR_INTERNAL, 0, "no random numbers");
                for (int i = 0; i < KEY_BYTES; i++)
                        snprintf(fresh + 2 * i, 3, "%02x", key[i]);
                strcat(fresh, "\n");
                if (fd_write_file(dir, name, 0600, fresh, strlen(fresh), e) < 0)
                        return -1;
                strcpy(text, fresh);
                gnutls_memset(fresh, 0, sizeof(fresh));
        }
        text[strcspn(text, "\r\n")] = '\0';
        if (strlen(text) < 2 * KEY_BYTES)
                return err_set(e, ERR_INVALID, 0,
                               "the file '%s' of the state directory is shorter than %d characters: remove "
                               "it to have a "
                               "new one made",
                               name, 2 * KEY_BYTES);
        return 0;
}

int keys_load(int dir, char token[TOKEN_MAX], unsigned char secret[SECRET_SIZE], struct err *e)
{
        char hex[TOKEN_MAX];

        if (load(dir, "token", token, e) < 0 || load(dir, "secret", hex, e) < 0)
                return -1;
        for (int i = 0; i < SECRET_SIZE; i++)
                if (sscanf(hex + 2 * i, "%2hhx", &secret[i]) != 1)
                        return err_set(e, ERR_INVALID, 0, "secret is not hexadecimal");
        gnutls_memset(hex, 0, sizeof(hex));
        return 0;
}
