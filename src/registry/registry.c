/* SPDX-License-Identifier: MIT */
/* Opening and stopping a registry, and the authkeys of its processes. */
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "registry/access.h"
#include "registry/internal.h"

enum { MAC_BYTES = 32, AUTHKEY_MAX = 128 };

#define AUTHKEY_PREFIX "ck-"

static struct registry *allocate(const struct registry_config *config)
{
        struct registry *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        r->config = *config;
        r->epfd = r->wakefd = r->ended_fd = -1;
        r->parent.null[0] = r->parent.null[1] = -1;
        r->sleeping_until = INT64_MAX;
        list_init(&r->all);
        list_init(&r->reap);
        list_init(&r->outbox);
        list_init(&r->strays);
        list_init(&r->queue);
        list_init(&r->settlers[0]);
        list_init(&r->settlers[1]);
        list_init(&r->settlers_new);
        list_init(&r->settlers_heard);
        token_table_init(&r->tokens);
        pthread_mutex_init(&r->lock, NULL);
        pthread_mutex_init(&r->queue_lock, NULL);
        pthread_cond_init(&r->queue_wake, NULL);
        return r;
}

static int open_events(struct registry *r, struct err *e)
{
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &r->wake_source};

        r->wake_source.kind = SOURCE_WAKE;
        r->epfd = epoll_create1(EPOLL_CLOEXEC);
        r->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (r->epfd < 0 || r->wakefd < 0 || r->ended_fd < 0 ||
            sys_epoll_ctl(r->epfd, EPOLL_CTL_ADD, r->wakefd, &ev) < 0)
                return err_set(e, ERR_INTERNAL, errno, "making an epoll");
        return 0;
}

static int open_files(struct registry *r, const struct boot *boot, struct err *e)
{
        const struct store_config sc = {.path = r->config.database,
                                        .dir = r->config.state_fd,
                                        .must_exist = r->config.must_exist,
                                        .boot = boot,
                                        .fatal = r->config.fatal,
                                        .fatal_arg = r->config.fatal_arg,
                                        .changed = retention_changed,
                                        .changed_arg = r};

        if (store_open(&sc, &r->store, e) < 0 ||
            journal_open(r->config.state_fd, "spawn.journal", &r->journal, e) < 0)
                return -1;
        r->next_id = store_last_id(r->store);
        return 0;
}

/* After the journal, which waits for whoever the last daemon was cloning. */
static int open_leaves(struct registry *r, struct err *e)
{
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &r->leaves_source};

        r->leaves_source.kind = SOURCE_LEAVES;
        if (r->config.leaves && leaves_open(r->config.state_fd, store_instance(r->store),
                                            r->config.leaves_base, &r->leaves, e) < 0)
                return -1;
        if (r->leaves && sys_epoll_ctl(r->epfd, EPOLL_CTL_ADD, leaves_fd(r->leaves), &ev) < 0)
                return err_set(e, ERR_INTERNAL, errno, "watching control groups");
        return 0;
}

static int open_all(struct registry *r, struct err *e)
{
        struct boot *boot = &r->boot;

        boot->pid_ns = procfs_pid_ns();
        /* Early: a child copies what has lower numbers. */
        if (bootstrap_parent_init(&r->parent, e) < 0 ||
            procfs_boot_id(boot->boot_id, sizeof(boot->boot_id), e) < 0 ||
            account_resolve(NULL, NULL, &r->account, e) < 0 || open_events(r, e) < 0 ||
            open_files(r, boot, e) < 0 || registry_tokens_load(r, e) < 0)
                return -1;
        if (open_leaves(r, e) < 0)
                return -1;
        peers_init(r, r->config.init_fd);
        r->forkserver = forkserver_new(r->config.exe, r->journal, peers_forkserver_born, r);
        if (!r->forkserver)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        if (r->config.privileged && forkserver_adopt(r->forkserver, r->config.privileged, e) < 0)
                return -1;
        if (recover_run(r, boot, e) < 0)
                return err_wrap(e, "recovering");
        anew_reap(r);
        peers_greet(r);
        return reaper_begin(r, e) < 0 || starters_begin(r, e) < 0 || retention_begin(r, e) < 0 ? -1 : 0;
}

int registry_open(const struct registry_config *config, struct registry **out, struct err *e)
{
        struct registry *r = allocate(config);

        if (!r)
                return err_set(e, ERR_UNAVAILABLE, 0, "out of memory");
        KILLPOINT("recover");
        if (open_all(r, e) < 0) {
                if (r->store)
                        store_forsake(r->store);
                registry_shut(r);
                return -1;
        }
        *out = r;
        return 0;
}

static void empty_table(struct registry *r)
{
        list_for_each_safe (node, &r->all)
                table_remove(r, container_of(node, struct child, all));
}

void registry_shut(struct registry *r)
{
        if (!r)
                return;
        starters_end(r);
        backup_end(r);
        retention_end(r);
        reaper_end(r);
        forkserver_free(r->forkserver);
        store_close(r->store);
        exits_reap(r);
        peers_flush(r);
        peers_done(r);
        anew_forget(r);
        empty_table(r);
        leaves_close(r->leaves);
        journal_close(r->journal);
        timers_done(&r->timers);
        closep(&r->epfd);
        closep(&r->wakefd);
        closep(&r->ended_fd);
        bootstrap_parent_done(&r->parent);
        token_table_done(&r->tokens);
        pthread_mutex_destroy(&r->lock);
        pthread_mutex_destroy(&r->queue_lock);
        pthread_cond_destroy(&r->queue_wake);
        gnutls_memset(r->config.secret, 0, sizeof(r->config.secret));
        free(r);
}

void registry_stop(struct registry *r)
{
        __atomic_store_n(&r->stopping, true, __ATOMIC_RELEASE);
}

void registry_signal_all(struct registry *r, int signo, bool daemonic, const char *verb)
{
        pthread_mutex_lock(&r->lock);
        r->all_signo = signo; /* for those that are being cloned right now */
        r->all_daemonic = daemonic;
        list_for_each (node, &r->all) {
                struct child *c = container_of(node, struct child, all);

                if ((daemonic && !c->rec.daemon) || c->exit_seen || c->pidfd < 0)
                        continue;
                free(c->rec.requested_by);
                c->rec.requested_by = strdup(verb);
                child_signal(c, signo);
        }
        pthread_mutex_unlock(&r->lock);
}

size_t registry_active(struct registry *r, int64_t *ids, size_t max)
{
        size_t n = 0;

        pthread_mutex_lock(&r->lock);
        list_for_each (node, &r->all) {
                const struct process *p = &container_of(node, struct child, all)->rec;

                if (p->state != PROCESS_STARTING && p->state != PROCESS_STARTED)
                        continue;
                if (n < max)
                        ids[n] = p->id;
                n++;
        }
        for (size_t i = n; i < max; i++)
                ids[i] = 0;
        /* A start enters the table before it stops being counted here: none is missed. */
        n += r->starts_outside;
        pthread_mutex_unlock(&r->lock);
        return n;
}

bool registry_is_stuck(struct registry *r)
{
        bool stuck = r->starts_outside == 0;

        pthread_mutex_lock(&r->lock);
        list_for_each (node, &r->all) {
                const struct child *c = container_of(node, struct child, all);

                stuck = stuck && (c->exit_seen || c->undone || c->rec.state == PROCESS_INITIAL);
        }
        pthread_mutex_unlock(&r->lock);
        return stuck;
}

struct probe_op {
        struct store_job job;
        atomic_bool *answered;
};

static int probe_run(struct store_job *job, struct db *db, struct err *e)
{
        (void)job;
        (void)db;
        (void)e;
        return 0;
}

static void probe_done(struct store_job *job, const struct err *e)
{
        struct probe_op *op = container_of(job, struct probe_op, job);

        (void)e;
        atomic_store(op->answered, true);
        free(op);
}

int registry_probe(struct registry *r, atomic_bool *answered)
{
        struct probe_op *op = malloc(sizeof(*op));

        if (!op)
                return -1;
        *op = (struct probe_op){.job = {.run = probe_run, .done = probe_done}, .answered = answered};
        store_submit(r->store, &op->job);
        return 0;
}

int registry_ended_fd(struct registry *r)
{
        return r->ended_fd;
}

static int mac(struct registry *r, const void *data, size_t n, unsigned char out[MAC_BYTES])
{
        return gnutls_hmac_fast(GNUTLS_MAC_SHA256, r->config.secret, sizeof(r->config.secret), data, n, out);
}

/* Made from the secret, the id and the time of creation, so nothing of it needs to be stored. */
static void authkey(struct registry *r, const struct process *p, char out[AUTHKEY_MAX])
{
        char text[80];
        unsigned char digest[MAC_BYTES];
        int n = snprintf(text, sizeof(text), "authkey %" PRId64 " %" PRId64, p->id, p->created_us);

        mac(r, text, (size_t)n, digest);
        n = snprintf(out, AUTHKEY_MAX, AUTHKEY_PREFIX "%" PRId64 "-", p->id);
        for (size_t i = 0; i < MAC_BYTES; i++)
                n += snprintf(out + n, AUTHKEY_MAX - (size_t)n, "%02x", digest[i]);
}

void registry_authkey(struct registry *r, const struct process *p, char *out, size_t size)
{
        char key[AUTHKEY_MAX];

        authkey(r, p, key);
        snprintf(out, size, "CRECHE_AUTHKEY=%s", key);
        explicit_bzero(key, sizeof(key));
}

static void caller_of(struct caller *who, const struct process *p)
{
        *who = (struct caller){
                .process = p->id, .daemonic = p->daemon, .scopes = SCOPE_ALL & ~(unsigned)SCOPE_ADMIN};
        snprintf(who->identity, sizeof(who->identity), "%s", p->identity);
        snprintf(who->subtree, sizeof(who->subtree), "%s%" PRId64 "/", p->lineage, p->id);
        snprintf(who->user, sizeof(who->user), "%s", p->user ? p->user : "");
        snprintf(who->group, sizeof(who->group), "%s", p->group ? p->group : "");
        snprintf(who->targets, sizeof(who->targets), "%s", p->only_targets ?: "");
        snprintf(who->who, sizeof(who->who), "process %" PRId64, p->id);
}

/* Under the lock: @id if its token counts, as long as it lives; NULL. */
static struct child *find_living(struct registry *r, int64_t id)
{
        struct child *c = table_find(r, id);

        return c && c->durable && process_state_is_open(c->rec.state) ? c : NULL;
}

int registry_authenticate(struct registry *r, const char *token, struct caller *who, struct err *e)
{
        char key[AUTHKEY_MAX];
        struct child *c;
        int64_t id = 0;
        bool ok = false;

        if (!strncmp(token, TOKEN_PREFIX, strlen(TOKEN_PREFIX)))
                return registry_token_use(r, token, who, e);
        if (sscanf(token, AUTHKEY_PREFIX "%18" SCNd64, &id) != 1)
                return err_set(e, ERR_UNAUTHENTICATED, 0, "the token is unknown");
        pthread_mutex_lock(&r->lock);
        c = find_living(r, id);
        if (c) {
                authkey(r, &c->rec, key);
                /* The whole of it, so that there is one way to write it. */
                ok = strlen(token) == strlen(key) && gnutls_memcmp(key, token, strlen(key)) == 0;
                explicit_bzero(key, sizeof(key));
                if (ok)
                        caller_of(who, &c->rec);
        }
        pthread_mutex_unlock(&r->lock);
        return ok ? 0 : err_set(e, ERR_UNAUTHENTICATED, 0, "the token is unknown, or its process has ended");
}

int registry_recheck(struct registry *r, const struct caller *who, struct err *e)
{
        bool lives = true;

        if (who->process) {
                pthread_mutex_lock(&r->lock);
                lives = find_living(r, who->process);
                pthread_mutex_unlock(&r->lock);
        }
        if (!lives)
                return err_set(e, ERR_UNAUTHENTICATED, 0, "the process of the token has ended");
        return token_table_check(&r->tokens, who, clock_now_us(), e);
}

void registry_fingerprint(struct registry *r, const void *body, size_t n, unsigned char out[32])
{
        mac(r, body, n, out);
}

int registry_info(struct registry *r, struct registry_info *info, struct err *e)
{
        *info = (struct registry_info){0};
        if (store_counts(r->store, info->counts, e) < 0)
                return -1;
        snprintf(info->boot_id, sizeof(info->boot_id), "%s", r->boot.boot_id);
        snprintf(info->instance, sizeof(info->instance), "%s", store_instance(r->store));
        info->disk_full = store_troubles(r->store) & STORE_FULL;
        info->database_gone = store_troubles(r->store) & STORE_GONE;
        info->log_held = store_troubles(r->store) & STORE_HELD;
        pthread_mutex_lock(&r->lock);
        info->init_pid = r->init.number ? r->init_pid : 0;
        info->unwritten = r->unwritten;
        info->separated = r->config.privileged;
        info->forkserver_dead = info->separated && !peer_lives(r, PEER_FORKSERVER + 1);
        pthread_mutex_unlock(&r->lock);
        info->active = registry_active(r, NULL, 0);
        snprintf(info->user, sizeof(info->user), "%s", r->account.name);
        info->leaves = r->leaves != NULL;
        info->tell_oom = leaves_tell_oom(r->leaves);
        info->stopping = __atomic_load_n(&r->stopping, __ATOMIC_ACQUIRE);
        return 0;
}

const struct registry_stats *registry_stats(const struct registry *r)
{
        return &r->stats;
}

const struct store_stats *registry_store_stats(const struct registry *r)
{
        return store_stats(r->store);
}
