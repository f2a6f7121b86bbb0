/* SPDX-License-Identifier: MIT */
#include "cli/up.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/crypto.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/json.h"
#include "cli/spec.h"

enum { FILE_MAX = 4 << 20, HASH_BYTES = 32, HASH_SHOWN = 16 };

/* ------------------------------------------------------------------------------------------- reading */

static char *read_text(const char *path, struct fail *f)
{
        CLEANUP(closep) int fd = -1;
        CLEANUP(freep) char *text = malloc(FILE_MAX);
        ssize_t n;

        fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
        n = fd < 0 || !text ? -1 : fd_read_all(fd, text, FILE_MAX);
        if (n >= 0) {
                text[n] = '\0';
                return TAKE_PTR(text);
        }
        fail_usage(f, "cannot read %s: %s", path, strerrordesc_np(errno));
        fail_hint(f, "'creche export' writes such a file; 'creche help up' shows what it looks like");
        return NULL;
}

static int refuse_line(int line, const char *why, struct fail *f)
{
        fail_usage(f, "line %d: %s", line, why);
        return fail_hint(f, "a line of a Procfile is 'NAME: COMMAND'; JSON begins with a '{'");
}

/* "web: ./server --port 80"; the rest is for /bin/sh. */
static int add_line(json_t *entries, char *text, int line, struct fail *f)
{
        char *name = text + strspn(text, " \t"), *colon = strchr(name, ':'), *command;
        json_t *entry;

        if (!*name || *name == '#')
                return 0;
        if (!colon || colon == name || strcspn(name, " \t") < (size_t)(colon - name))
                return refuse_line(line, "there is no name with a colon", f);
        *colon = '\0';
        command = colon + 1 + strspn(colon + 1, " \t");
        if (!*command)
                return refuse_line(line, "there is no command", f);
        entry = json_pack("{s:s, s:[s, s, s]}", "name", name, "argv", "/bin/sh", "-c", command);
        if (!entry)
                return refuse_line(line, "it is no UTF-8", f);
        json_array_append_new(entries, entry);
        return 0;
}

static int read_procfile(struct up_file *u, char *text, struct fail *f)
{
        int n = 0;

        u->entries = json_array();
        for (char *line; (line = strsep(&text, "\n"));) {
                size_t len = strlen(line);

                if (len && line[len - 1] == '\r')
                        line[len - 1] = '\0';
                if (add_line(u->entries, line, ++n, f) < 0)
                        return -1;
        }
        if (json_array_size(u->entries))
                return 0;
        /* What wrote it has failed, perhaps; with --remove-orphans it would end all there is. */
        fail_usage(f, "there is nothing in the file");
        return fail_hint(
                f, "a line of a Procfile is 'NAME: COMMAND'; for none at all say so: {\"processes\": []}");
}

static int refuse_entry(size_t i, const char *what, struct fail *f)
{
        fail_usage(f, "process %zu of the file: %s", i + 1, what);
        return fail_hint(
                f, "it is an object as for POST /v1/processes, with a name; 'creche help up' shows one");
}

static int check_entry(const json_t *entry, size_t i, struct fail *f)
{
        const char *name = json_text(entry, "name");

        if (!json_is_object(entry))
                return refuse_entry(i, "it is no object", f);
        if (!name || !*name)
                return refuse_entry(i, "it has no name", f);
        if (json_object_get(entry, "start"))
                return refuse_entry(i, "'start' is not for such a file: all of it is started", f);
        if (!json_object_get(entry, "argv") && !json_object_get(entry, "target"))
                return refuse_entry(i, "it has neither argv nor target", f);
        return 0;
}

static int read_json(struct up_file *u, const char *text, struct fail *f)
{
        json_error_t error;
        CLEANUP(json_putp) json_t *file = json_loads(text, JSON_REJECT_DUPLICATES, &error);
        const char *key, *project = json_text(file, "project");
        json_t *value;

        if (!file) {
                fail_usage(f, "line %d: %s", error.line, error.text);
                return fail_hint(f, "a file that begins with a '{' is JSON; 'creche export' writes one");
        }
        json_object_foreach(file, key, value)
        {
                if (strcmp(key, "project") != 0 && strcmp(key, "processes") != 0) {
                        fail_usage(f, "the file has '%s', which means nothing", key);
                        return fail_hint(f, "there are project and processes");
                }
        }
        u->entries = json_incref(json_object_get(file, "processes"));
        if (!json_is_array(u->entries)) {
                fail_usage(f, "the file has no array 'processes'");
                return fail_hint(f, "{\"processes\": [{\"name\": \"web\", \"argv\": [\"./server\"]}]}");
        }
        for (size_t i = 0; i < json_array_size(u->entries); i++)
                if (check_entry(json_array_get(u->entries, i), i, f) < 0)
                        return -1;
        if (project && !u->project)
                u->project = strdup(project);
        return 0;
}

/* Where the file lies; for stdin, where we are. "": nowhere that can be named. */
static void folder_of(const char *path, char dir[PATH_MAX])
{
        char whole[PATH_MAX];

        if (!strcmp(path, "-") ? !getcwd(dir, PATH_MAX) : !realpath(path, whole))
                *dir = '\0';
        else if (strcmp(path, "-") != 0)
                snprintf(dir, PATH_MAX, "%s", dirname(whole));
}

/* A program named as ./server is one of that directory. */
static void add_folders(struct up_file *u, const char *dir)
{
        for (size_t i = 0; i < json_array_size(u->entries); i++) {
                json_t *entry = json_array_get(u->entries, i);

                if (!json_object_get(entry, "cwd") && !json_object_get(entry, "target") &&
                    !json_object_get(entry, "user"))
                        json_object_set_new(entry, "cwd", json_string(dir));
        }
}

int up_file_read(struct up_file *u, const struct cli *c, const char *path, const char *project,
                 struct fail *f)
{
        CLEANUP(freep) char *text = read_text(path, f);
        char dir[PATH_MAX];
        int rc;

        *u = (struct up_file){.project = project ? strdup(project) : NULL};
        if (!text)
                return -1;
        rc = text[strspn(text, " \t\r\n")] == '{' ? read_json(u, text, f) : read_procfile(u, text, f);
        if (rc < 0)
                return -1;
        folder_of(path, dir);
        if (*dir && utf8_is_valid(dir, strlen(dir)) && spec_shares_directories(c))
                add_folders(u, dir);
        if (!u->project)
                u->project = strdup(strcmp(path, "-") && *dir ? basename(dir) : "default");
        return u->project ? 0 : fail_set(f, ERR_INTERNAL, ENOMEM, "reading %s", path);
}

void up_file_done(struct up_file *u)
{
        json_decref(u->entries);
        free(u->project);
}

/* ----------------------------------------------------------------------------------------- comparing */

static bool has_name(const json_t *names, const char *name)
{
        for (size_t i = 0; i < json_array_size(names); i++)
                if (!strcmp(json_string_value(json_array_get(names, i)) ?: "", name))
                        return true;
        return false;
}

/* Of the environment only names can be seen. */
static bool is_same_env(json_t *wanted, const json_t *names)
{
        const char *name;
        json_t *value;

        if (json_object_size(wanted) != json_array_size(names))
                return false;
        json_object_foreach(wanted, name, value)
        {
                if (!has_name(names, name))
                        return false;
        }
        return true;
}

/* Ours come and go. */
static bool is_same_labels(json_t *wanted, json_t *had)
{
        CLEANUP(json_putp) json_t *a = json_copy(wanted), *b = json_copy(had);

        json_object_del(a, UP_PROJECT);
        json_object_del(a, UP_SPEC);
        json_object_del(b, UP_PROJECT);
        json_object_del(b, UP_SPEC);
        return json_equal(a, b);
}

static bool is_same_member(const char *key, json_t *wanted, const json_t *process)
{
        json_t *had = json_object_get(process, key);

        if (!strcmp(key, "env"))
                return is_same_env(wanted, had);
        if (!strcmp(key, "labels"))
                return is_same_labels(wanted, had);
        return !had || json_equal(wanted, had);
}

static bool can_be_seen(const char *key)
{
        static const char *const keys[] = {"argv",   "cwd",          "daemon", "env",
                                           "labels", "start_method", "target"};

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                if (!strcmp(keys[i], key))
                        return true;
        return false;
}

/* Of all that the entry says; of secrets the names, so that nothing of them is in a label. */
static bool hash_of(const json_t *request, char out[2 * HASH_SHOWN + 1])
{
        CLEANUP(json_putp) json_t *copy = json_deep_copy(request);
        json_t *labels = json_object_get(copy, "labels"), *secrets = json_object_get(copy, "secrets"), *value;
        unsigned char hash[HASH_BYTES];
        const char *name;
        char *text;
        bool done;

        json_object_del(labels, UP_PROJECT);
        json_object_del(labels, UP_SPEC);
        if (!json_object_size(labels))
                json_object_del(copy, "labels");
        json_object_foreach(secrets, name, value)
        {
                json_object_set_new(secrets, name, json_null());
        }
        text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
        done = text && gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), hash) == 0;
        free(text);
        for (size_t i = 0; done && i < HASH_SHOWN; i++)
                snprintf(out + 2 * i, 3, "%02x", hash[i]);
        return done;
}

/* null is ours. An array of what is not there into @f. */
static int fill_in(json_t *values, const char *member, struct fail *f)
{
        const char *name;
        json_t *value;

        json_object_foreach(values, name, value)
        {
                const char *ours = getenv(name);

                if (!json_is_null(value))
                        continue;
                if (!ours) {
                        fail_usage(f, "%s: the value of %s is not in the file, and not in our environment",
                                   member, name);
                        return fail_hint(f, "%s=... creche up ..., or write it into the file", name);
                }
                json_object_set_new(values, name, json_string(ours));
        }
        return 0;
}

json_t *up_request(const json_t *entry, const char *project, struct fail *f)
{
        CLEANUP(json_putp) json_t *request = json_deep_copy(entry);
        char hash[2 * HASH_SHOWN + 1] = "";
        json_t *labels;

        if (json_is_null(json_object_get(request, "cwd")))
                json_object_del(request, "cwd");
        if (fill_in(json_object_get(request, "env"), "env", f) < 0 ||
            fill_in(json_object_get(request, "secrets"), "secrets", f) < 0)
                return NULL;
        labels = json_object_get(request, "labels");
        if (!labels)
                json_object_set_new(request, "labels", labels = json_object());
        if (!hash_of(request, hash)) {
                fail_set(f, ERR_INTERNAL, ENOMEM, "reading what shall run");
                return NULL;
        }
        json_object_set_new(labels, UP_PROJECT, json_string(project));
        json_object_set_new(labels, UP_SPEC, json_string(hash));
        return TAKE_PTR(request);
}

/* Whether the entry says what the API does not tell of a process. */
static bool says_more(json_t *entry)
{
        const char *key, *name;
        json_t *value, *ours;

        json_object_foreach(entry, key, value)
        {
                if (strcmp(key, "name") != 0 && !can_be_seen(key))
                        return true;
        }
        json_object_foreach(json_object_get(entry, "env"), name, ours)
        {
                if (!json_is_null(ours))
                        return true;
        }
        return false;
}

/* One that was exported carries the hash of what was asked for then, and says less than that. */
bool up_is_same(json_t *entry, const json_t *process, struct strbuf *differs)
{
        const char *had = json_text(json_object_get(process, "labels"), UP_SPEC);
        const char *has = json_text(json_object_get(entry, "labels"), UP_SPEC);
        CLEANUP(json_putp) json_t *request = NULL;
        struct fail f;
        const char *key;
        json_t *value;

        json_object_foreach(entry, key, value)
        {
                if (can_be_seen(key) && !is_same_member(key, value, process))
                        strbuf_printf(differs, "%s%s", differs->len ? ", " : "", key);
        }
        if (differs->len)
                return false;
        if (!says_more(entry) && (!had || (has && !strcmp(had, has))))
                return true;
        request = had ? up_request(entry, "", &f) : NULL;
        if (request && !strcmp(json_text(json_object_get(request, "labels"), UP_SPEC), had))
                return true;
        strbuf_str(differs, "what cannot be seen of it: values of env, limits, ...");
        return false;
}
