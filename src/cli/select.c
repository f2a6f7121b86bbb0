/* SPDX-License-Identifier: MIT */
#include "cli/select.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/view.h"

enum { PAGE = 1000, CANDIDATES_SHOWN = 8 };

static const struct option_spec select_options[] = {
        OPTION("label", 'l', "KEY[=VALUE]", "all that have this label; all that are given must hold"),
        {0},
};

const struct option_group options_select = {"Which processes", select_options};

static int add_page(struct cli *c, const char *query, size_t limit, char **cursor, json_t *all,
                    struct fail *f)
{
        CLEANUP(json_putp) json_t *page = NULL;
        struct strbuf target = {0};
        int rc;

        strbuf_printf(&target, "/v1/processes?limit=%zu%s", limit, query);
        if (*cursor) {
                strbuf_str(&target, "&cursor=");
                url_encode(&target, *cursor);
        }
        rc = client_json(&c->client, "GET", strbuf_text(&target), NULL, &page, f);
        strbuf_done(&target);
        free(*cursor);
        *cursor = NULL;
        if (rc < 0)
                return -1;
        json_array_extend(all, json_object_get(page, "processes"));
        if (json_text(page, "next"))
                *cursor = strdup(json_text(page, "next"));
        return 0;
}

int select_list(struct cli *c, const char *query, size_t max, json_t **out, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = json_array();
        CLEANUP(freep) char *cursor = NULL;
        size_t had;

        do {
                had = json_array_size(all);
                if (add_page(c, query, max && max - had < PAGE ? max - had : PAGE, &cursor, all, f) < 0)
                        return -1;
        } while (cursor && (!max || json_array_size(all) < max));
        *out = TAKE_PTR(all);
        return 0;
}

void select_name(const json_t *process, struct strbuf *out)
{
        const char *name = json_text(process, "name") ?: "";

        text_escape(out, name, strlen(name), false);
        strbuf_printf(out, " (%" PRId64 ")", json_number(process, "id"));
}

void select_labels(const struct args *a, struct strbuf *out)
{
        const char *label;
        size_t at = 0;

        while ((label = args_next(a, "label", &at))) {
                strbuf_str(out, "&label=");
                url_encode(out, label);
        }
}

static bool is_id(const char *word)
{
        return *word && strspn(word, "0123456789") == strlen(word) && strlen(word) < 19;
}

static bool is_glob(const char *word)
{
        return strpbrk(word, "*?[") != NULL;
}

static bool has_ended(const json_t *process)
{
        const char *state = json_text(process, "state") ?: "";

        return strcmp(state, "initial") != 0 && strcmp(state, "starting") != 0 &&
               strcmp(state, "started") != 0;
}

/* The only one of @all that has not ended; NULL: none, or several. */
static json_t *only_one(json_t *all)
{
        json_t *found = NULL;

        if (json_array_size(all) == 1)
                return json_array_get(all, 0);
        for (size_t i = 0; i < json_array_size(all); i++) {
                json_t *p = json_array_get(all, i);

                if (has_ended(p))
                        continue;
                if (found)
                        return NULL;
                found = p;
        }
        return found;
}

/* Say which they could be. */
static int refuse_ambiguous(const char *word, json_t *all, struct fail *f)
{
        size_t n = json_array_size(all);
        struct strbuf b = {0};

        for (size_t i = 0; i < n && i < CANDIDATES_SHOWN; i++) {
                const json_t *p = json_array_get(all, i);

                strbuf_str(&b, i ? "; " : "");
                select_name(p, &b);
                strbuf_str(&b, ", ");
                view_status(p, &b);
        }
        fail_usage(f, "'%s' could be %zu processes", word, n);
        fail_hint(f, "say which, by its id: %s%s", strbuf_text(&b), n > CANDIDATES_SHOWN ? "; ..." : "");
        strbuf_done(&b);
        return -1;
}

static int refuse_unknown(const char *word, const char *states, struct fail *f)
{
        fail_set(f, ERR_NOT_FOUND, 0, "there is no process '%s'%s", word,
                 *states ? " that this could be done with now" : "");
        return fail_hint(f, "'creche ps -a' lists all there are; to start a new one: creche run -- COMMAND");
}

/* Those of the list with @query whose names are accepted. */
static int list_matching(struct cli *c, const char *query,
                         bool (*accepts)(const char *name, const char *word), const char *word, json_t **out,
                         struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        CLEANUP(json_putp) json_t *some = json_array();

        if (select_list(c, query, 0, &all, f) < 0)
                return -1;
        for (size_t i = 0; i < json_array_size(all); i++)
                if (accepts(json_text(json_array_get(all, i), "name") ?: "", word))
                        json_array_append(some, json_array_get(all, i));
        *out = TAKE_PTR(some);
        return 0;
}

static bool is_same(const char *name, const char *word)
{
        return !strcmp(name, word);
}

static bool begins_with(const char *name, const char *word)
{
        return !strncmp(name, word, strlen(word));
}

static bool matches(const char *name, const char *word)
{
        return fnmatch(word, name, 0) == 0;
}

/* Those that are called @word or, if nobody is, those whose names begin with it. */
static int list_named(struct cli *c, const char *word, const char *states, json_t **out, struct fail *f)
{
        struct strbuf exact = {0}, part = {0};
        int rc;

        strbuf_printf(&exact, "%s&name=", states);
        url_encode(&exact, word);
        strbuf_printf(&part, "%s&q=", states);
        url_encode(&part, word);
        rc = list_matching(c, strbuf_text(&exact), is_same, word, out, f);
        if (rc == 0 && !json_array_size(*out)) {
                json_decref(*out);
                *out = NULL;
                rc = list_matching(c, strbuf_text(&part), begins_with, word, out, f);
        }
        strbuf_done(&exact);
        strbuf_done(&part);
        return rc;
}

int select_own(struct cli *c, char query[SELECT_OWN_MAX], struct fail *f)
{
        CLEANUP(json_putp) json_t *self = NULL;

        snprintf(query, SELECT_OWN_MAX, "&parent=none");
        if (!getenv("CRECHE_AUTHKEY") || !c->client.where.token)
                return 0;
        if (client_get(&c->client, &self, f, "/v1/processes/self") == 0)
                snprintf(query, SELECT_OWN_MAX, "&parent=%" PRId64, json_number(self, "id"));
        return self || f->status != EXIT_NO_DAEMON ? 0 : -1;
}

static int select_last(struct cli *c, json_t **out, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        char query[SELECT_OWN_MAX];

        if (select_own(c, query, f) < 0 || select_list(c, query, 1, &all, f) < 0)
                return -1;
        if (!json_array_size(all)) {
                fail_set(f, ERR_NOT_FOUND, 0, "nothing has been started yet");
                return fail_hint(f, "creche run -- COMMAND");
        }
        *out = json_incref(json_array_get(all, 0));
        return 0;
}

int select_one(struct cli *c, const char *word, const char *states, json_t **out, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        json_t *one;

        if (is_id(word))
                return client_get(&c->client, out, f, "/v1/processes/%s", word);
        if (!strcmp(word, "@last"))
                return select_last(c, out, f);
        if (is_glob(word) ? list_matching(c, states, matches, word, &all, f) < 0
                          : list_named(c, word, states, &all, f) < 0)
                return -1;
        /* What is to be ended may have ended already: that is for the command to say. */
        if (!json_array_size(all) && *states && !is_glob(word))
                return select_one(c, word, "", out, f);
        if (!json_array_size(all))
                return refuse_unknown(word, states, f);
        one = only_one(all);
        if (!one)
                return refuse_ambiguous(word, all, f);
        *out = json_incref(one);
        return 0;
}

/* Add those of @more that @all does not have. */
static void add_new(json_t *all, json_t *more)
{
        if (!json_array_size(all)) {
                json_array_extend(all, more);
                return;
        }
        for (size_t i = 0; i < json_array_size(more); i++) {
                json_t *p = json_array_get(more, i);
                bool there = false;

                for (size_t k = 0; k < json_array_size(all) && !there; k++)
                        there = json_number(json_array_get(all, k), "id") == json_number(p, "id");
                if (!there)
                        json_array_append(all, p);
        }
}

static int add_labelled(struct cli *c, const struct args *a, json_t *all, struct fail *f)
{
        CLEANUP(json_putp) json_t *some = NULL;
        struct strbuf query = {0};
        int rc;

        strbuf_str(&query, a->command->states ?: "");
        select_labels(a, &query);
        rc = select_list(c, strbuf_text(&query), 0, &some, f);
        strbuf_done(&query);
        if (rc == 0 && !json_array_size(some)) {
                fail_set(f, ERR_NOT_FOUND, 0, "no process has %s",
                         a->operands_n ? "these labels" : "this label");
                return fail_hint(f, "'creche ps -o wide' shows labels");
        }
        if (rc == 0)
                add_new(all, some);
        return rc;
}

static int add_word(struct cli *c, const char *word, const char *states, json_t *all, struct fail *f)
{
        CLEANUP(json_putp) json_t *some = NULL;
        json_t *one = NULL;

        if (!is_glob(word)) {
                if (select_one(c, word, states, &one, f) < 0)
                        return -1;
                some = json_pack("[o]", one);
        } else {
                if (list_matching(c, states, matches, word, &some, f) < 0)
                        return -1;
                if (!json_array_size(some))
                        return refuse_unknown(word, states, f);
        }
        add_new(all, some);
        return 0;
}

int select_all(struct cli *c, const struct args *a, json_t **out, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = json_array();

        if (!a->operands_n && !args_has(a, "label")) {
                fail_usage(f, "'creche %s' needs to know which processes", a->command->name);
                return fail_hint(f, "say ids, names, a glob, @last or -l KEY=VALUE; 'creche ps' lists them");
        }
        if (args_has(a, "label") && add_labelled(c, a, all, f) < 0)
                return -1;
        for (int i = 0; i < a->operands_n; i++)
                if (add_word(c, a->operands[i], a->command->states ?: "", all, f) < 0)
                        return -1;
        *out = TAKE_PTR(all);
        return 0;
}

/* Do @act with each of @all; *@status: of the first failure. Those that it was done with into *@out. */
static int each(struct cli *c, const struct args *a, json_t *all, select_act *act, json_t **out, int *status,
                struct fail *f)
{
        CLEANUP(json_putp) json_t *done = json_array();

        for (size_t i = 0; i < json_array_size(all); i++) {
                progress_set(i);
                if (act(c, a, json_array_get(all, i), f) == 0) {
                        json_array_append(done, json_array_get(all, i));
                        continue;
                }
                if (json_array_size(all) == 1 || f->status == EXIT_NO_DAEMON)
                        return -1;
                fail_tell(f);
                *status = *status ?: f->status;
        }
        *out = TAKE_PTR(done);
        return 0;
}

int select_each(struct cli *c, const struct args *a, select_act *one, select_act *after, struct fail *f)
{
        CLEANUP(json_putp) json_t *all = NULL;
        CLEANUP(json_putp) json_t *done = NULL;
        CLEANUP(json_putp) json_t *ended = NULL;
        int status = 0, rc;

        if (select_all(c, a, &all, f) < 0)
                return -1;
        progress_begin(a, a->command->past, json_array_size(all));
        rc = each(c, a, all, one, &done, &status, f);
        if (rc == 0 && after) {
                progress_begin(a, "ended", json_array_size(done));
                rc = each(c, a, done, after, &ended, &status, f);
        }
        progress_end();
        return rc < 0 ? -1 : status;
}
