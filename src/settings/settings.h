/* SPDX-License-Identifier: MIT */
/* settings/settings.h
 * What is set, and where: option, then CRECHE_* variable, then the user's creche.ini, then /etc/creche/creche.ini, then
 * the default.
 *
 * A file has the sections [creche] and [creched]; both are checked by either program. A key or section that there is not,
 * a value that is none, and a key that stands there twice are refused with file and line.
 *
 * Threads: before there are others: the environment and passwd are read.
 */
#ifndef CRECHE_SETTINGS_SETTINGS_H
#define CRECHE_SETTINGS_SETTINGS_H

#include <stdio.h>

#include "settings/setting.h"

#define SETTINGS_SYSTEM_FILE "/etc/creche/creche.ini"

/* From the least to the one that counts most. */
enum origin { ORIGIN_DEFAULT, ORIGIN_SYSTEM_FILE, ORIGIN_USER_FILE, ORIGIN_VARIABLE, ORIGIN_OPTION, ORIGINS };

struct chosen {
        char *text; /* NULL: nothing is said, and there is no default */
        enum origin origin;
        unsigned line; /* of the file */
};

struct settings {
        struct chosen chosen[SECTIONS][SETTINGS_MAX];
        char files[ORIGINS][PATH_MAX]; /* of the origins that are files, even if there is none; "": nowhere */
        /* Called for each thing that is wrong; NULL: nobody asks for more than the first. */
        void (*complain)(void *arg, const char *message);
        void *arg;
};

/** Zero @s, but for ->complain and ->arg, and take the defaults. Returns 0, or -1 with @e set, ERR_INTERNAL. */
int settings_begin(struct settings *s, struct err *e);
void settings_done(struct settings *s);

/** Take what the two files say, if they are there; what creched's socket is then is creche's default. @trusted: refuse a file that others than root and the effective user
 * could have written. Returns 0, or -1 with @e set, ERR_INVALID: what is wrong first. */
int settings_read_files(struct settings *s, bool trusted, struct err *e);

/** The same of the file at @path, as @origin, one of a file. 1: there is none, or none for us: its folder
 * is closed to us. */
int settings_read_path(struct settings *s, const char *path, enum origin origin, bool trusted, struct err *e);

/** Take what @f says, which is called @path. */
int settings_read_file(struct settings *s, FILE *f, const char *path, enum origin origin, struct err *e);

/** Take the variables of @section. Empty ones are as good as none to creche; to creched they are wrong. */
int settings_read_variables(struct settings *s, enum section section, struct err *e);

/** Take an option. */
int settings_option(struct settings *s, enum section section, int i, const char *text, struct err *e);

/** What creched can only be told together. Returns 0, or -1 with @e set. */
int settings_check_creched(const struct settings *s, struct err *e);

/** Give what the files say to the programs that this process becomes: as variables. */
int settings_export(const struct settings *s, enum section section, struct err *e);

/** Where it was said: "--listen", "CRECHE_LISTEN", "/etc/creche/creche.ini:3", "default". */
void settings_add_origin(const struct settings *s, enum section section, int i, struct strbuf *out);

static inline const char *settings_text(const struct settings *s, enum section section, int i)
{
        return s->chosen[section][i].text;
}

static inline enum origin settings_origin(const struct settings *s, enum section section, int i)
{
        return s->chosen[section][i].origin;
}

#endif
