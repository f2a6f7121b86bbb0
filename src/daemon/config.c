/* SPDX-License-Identifier: MIT */
#include "daemon/config.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "settings/settings.h"

enum { OPT_HELP = 'h', OPT_VERSION = 'V' };

/* Where each setting goes to. */
static const size_t places[CRECHED_SETTINGS] = {
        [CRECHED_STATE_DIR] = offsetof(struct config, state_dir),
        [CRECHED_SOCKET] = offsetof(struct config, socket_path),
        [CRECHED_LISTEN] = offsetof(struct config, listen),
        [CRECHED_TLS_CERT] = offsetof(struct config, tls_cert),
        [CRECHED_TLS_KEY] = offsetof(struct config, tls_key),
        [CRECHED_TLS_CLIENT_CA] = offsetof(struct config, tls_client_ca),
        [CRECHED_INSECURE_HTTP] = offsetof(struct config, insecure_http),
        [CRECHED_USER] = offsetof(struct config, user),
        [CRECHED_POLICY] = offsetof(struct config, policy),
        [CRECHED_STOP_TIMEOUT] = offsetof(struct config, stop_timeout_us),
        [CRECHED_LOG_BUDGET] = offsetof(struct config, log_budget),
        [CRECHED_LOG_LEVEL] = offsetof(struct config, log_level),
        [CRECHED_HEADER_TIMEOUT] = offsetof(struct config, limits.head_us),
        [CRECHED_BODY_TIMEOUT] = offsetof(struct config, limits.body_us),
        [CRECHED_STREAM_TIMEOUT] = offsetof(struct config, limits.stream_us),
        [CRECHED_MAX_HEADER] = offsetof(struct config, limits.head_bytes),
        [CRECHED_MAX_BODY] = offsetof(struct config, limits.body_bytes),
        [CRECHED_MAX_BODIES] = offsetof(struct config, limits.bodies_bytes),
        [CRECHED_MAX_CONNECTIONS] = offsetof(struct config, limits.connections),
        [CRECHED_MAX_PEER_CONNECTIONS] = offsetof(struct config, limits.peer_connections),
        [CRECHED_MAX_PARKED] = offsetof(struct config, limits.parked),
        [CRECHED_MAX_CALLER_PARKED] = offsetof(struct config, limits.caller_parked),
        [CRECHED_KEEP_ENDED] = offsetof(struct config, keep.ended_us),
        [CRECHED_KEEP_ENDED_COUNT] = offsetof(struct config, keep.ended_count),
        [CRECHED_KEEP_DANGLING] = offsetof(struct config, keep.dangling_us),
        [CRECHED_KEEP_EVENTS] = offsetof(struct config, keep.events_us),
        [CRECHED_KEEP_EVENTS_COUNT] = offsetof(struct config, keep.events_count),
};

/* It has been checked. */
static void put(struct config *c, enum creched_setting i, const char *text)
{
        const struct setting *s = &setting_lists[SECTION_CRECHED].settings[i];
        void *at = (char *)c + places[i];
        int64_t number = 0;

        setting_number(s, text, &number);
        switch (s->kind) {
        case SETTING_PATH: setting_path(text, at); break;
        case SETTING_ADDRESS:
                snprintf(c->listen, sizeof(c->listen), "%s", strcmp(text, "none") ? text : "");
                break;
        case SETTING_NAME: snprintf(c->user, sizeof(c->user), "%s", text); break;
        case SETTING_WORD: c->log_level = (enum log_level)number; break;
        case SETTING_YES: c->insecure_http = number; break;
        case SETTING_NUMBER:
        case SETTING_TIME:
        case SETTING_LIMIT:
        case SETTING_COUNT:
        case SETTING_AGE: *(int64_t *)at = number; break;
        case SETTING_SWITCH:
        case SETTING_URL:
        case SETTING_SECRET: break;
        }
}

static int fill(struct config *c, const struct settings *s, struct err *e)
{
        *c = (struct config){0};
        for (int i = 0; i < CRECHED_SETTINGS; i++)
                if (settings_text(s, SECTION_CRECHED, i))
                        put(c, (enum creched_setting)i, settings_text(s, SECTION_CRECHED, i));
        c->policy_given = settings_origin(s, SECTION_CRECHED, CRECHED_POLICY) > ORIGIN_DEFAULT;
        if (settings_check_creched(s, e) < 0)
                return -1;
        if (snprintf(c->database, PATH_MAX, "%s/registry.db", c->state_dir) >= PATH_MAX)
                return err_set(e, ERR_INVALID, 0, "state-dir: the path is too long");
        return 0;
}

static void print_help(void)
{
        struct strbuf b = {0};

        strbuf_str(&b, "usage: creched [OPTION]...\n\n"
                       "The durable process registry: serves the REST API on a unix socket and on TCP.\n"
                       "Runs in the foreground, under creche-init.\n\n");
        for (int i = 0; i < CRECHED_SETTINGS; i++) {
                const struct setting *s = &setting_lists[SECTION_CRECHED].settings[i];
                char left[64], variable[VARIABLE_MAX];

                snprintf(left, sizeof(left), "--%s %s", s->name, s->value);
                setting_variable(s, variable);
                strbuf_printf(&b, "  %-36s %s", left, s->help);
                setting_add_default(s, &b);
                strbuf_printf(&b, "\n  %-36s [%s]\n", "", variable);
        }
        strbuf_printf(&b, "  %-36s %s\n  %-36s %s\n", "-h, --help", "this text", "--version", "the version");
        strbuf_printf(
                &b,
                "\nOptions go before variables, variables before the section [creched] of\n"
                "$XDG_CONFIG_HOME/creche/creche.ini (~/.config/creche/creche.ini), and that before the one\n"
                "of %s. 'creche config' shows what is in force, and why.\n",
                SETTINGS_SYSTEM_FILE);
        printf("%s", strbuf_text(&b));
        strbuf_done(&b);
}

static int read_options(int argc, char **argv, struct settings *s, struct err *e)
{
        struct option options[CRECHED_SETTINGS + 3] = {{0}};
        int opt, index = 0;

        for (int i = 0; i < CRECHED_SETTINGS; i++)
                options[i] = (struct option){setting_lists[SECTION_CRECHED].settings[i].name,
                                             required_argument, NULL, 0};
        options[CRECHED_SETTINGS] = (struct option){"help", no_argument, NULL, OPT_HELP};
        options[CRECHED_SETTINGS + 1] = (struct option){"version", no_argument, NULL, OPT_VERSION};

        opterr = 0;
        while ((opt = getopt_long(argc, argv, "h", options, &index)) != -1) {
                if (opt == OPT_HELP) {
                        print_help();
                        return 1;
                }
                if (opt == OPT_VERSION) {
                        printf("creched %s\n", CRECHE_VERSION);
                        return 1;
                }
                if (opt == '?')
                        return err_set(e, ERR_INVALID, 0, "unknown option, or one without its value: '%s'",
                                       argv[optind - 1]);
                if (settings_option(s, SECTION_CRECHED, index, optarg, e) < 0)
                        return -1;
        }
        if (optind < argc)
                return err_set(e, ERR_INVALID, 0, "'%s' is no option", argv[optind]);
        return 0;
}

/* --help is answered whatever the files say. */
static int read_all(struct settings *s, int argc, char **argv, bool files, struct err *e)
{
        int rc = settings_begin(s, e);

        if (rc == 0)
                rc = read_options(argc, argv, s, e);
        if (rc != 0)
                return rc;
        settings_done(s);
        optind = 0;
        if (settings_begin(s, e) < 0 || (files && settings_read_files(s, geteuid() == 0, e) < 0) ||
            settings_read_variables(s, SECTION_CRECHED, e) < 0)
                return -1;
        return read_options(argc, argv, s, e);
}

int config_read(int argc, char **argv, bool files, struct config *c, struct err *e)
{
        CLEANUP(settings_done) struct settings s = {.complain = NULL};
        int rc = read_all(&s, argc, argv, files, e);

        if (rc == 0)
                rc = fill(c, &s, e);
        if (rc == 0 && files)
                rc = settings_export(&s, SECTION_CRECHED, e);
        return rc;
}
