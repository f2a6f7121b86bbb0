/* SPDX-License-Identifier: MIT */
#include "store/row.h"

#include "base/err.h"

/* The order of the fragment "columns" in sql/queries/process.sql. */
enum column {
        COL_ID,
        COL_NAME,
        COL_IDENTITY,
        COL_PARENT,
        COL_LINEAGE,
        COL_STATE,
        COL_START_METHOD,
        COL_DAEMON,
        COL_ARGV,
        COL_CWD,
        COL_ENV,
        COL_LABELS,
        COL_STDOUT,
        COL_STDERR,
        COL_TIMEOUT,
        COL_GRACE,
        COL_ON_PARENT_DEATH,
        COL_CREATED_AT,
        COL_STARTED_AT,
        COL_STOPPED_AT,
        COL_JOINED_AT,
        COL_PID,
        COL_START_TICKS,
        COL_EXITCODE,
        COL_EXIT_REASON,
        COL_EXIT_ERRNO,
        COL_EXIT_STAGE,
        COL_EXIT_DETAIL,
        COL_CORE_DUMPED,
        COL_OOM,
        COL_REQUESTED_BY,
        COL_USER_US,
        COL_SYSTEM_US,
        COL_MAXRSS,
        COL_MINFLT,
        COL_MAJFLT,
        COL_INBLOCK,
        COL_OUBLOCK,
        COL_NVCSW,
        COL_NIVCSW,
        COL_STDOUT_BYTES,
        COL_STDERR_BYTES,
        COL_USER,
        COL_GROUP,
        COL_TARGET,
        COL_ONLY_TARGETS,
        COL_COUNT,
};

const int row_columns = COL_COUNT;

static char *text(sqlite3_stmt *s, int col)
{
        return (char *)sqlite3_column_text(s, col);
}

static int64_t integer(sqlite3_stmt *s, int col)
{
        return sqlite3_column_int64(s, col);
}

/* A word that the SQL CHECK has let in is one that we know; 0 is for NULL. */
static int word(sqlite3_stmt *s, int col, int (*parse)(const char *))
{
        const char *t = text(s, col);
        int v = t ? parse(t) : 0;

        return v < 0 ? 0 : v;
}

/* Nothing took less than no time, whoever has written that. */
static int64_t duration(sqlite3_stmt *s, int col)
{
        int64_t us = integer(s, col);

        return us < 0 ? 0 : us;
}

static void read_usage(sqlite3_stmt *s, struct process *p)
{
        p->has_usage = sqlite3_column_type(s, COL_USER_US) != SQLITE_NULL;
        if (!p->has_usage)
                return;
        p->usage = (struct usage){
                .user_us = duration(s, COL_USER_US),
                .system_us = duration(s, COL_SYSTEM_US),
                .maxrss_bytes = integer(s, COL_MAXRSS),
                .minflt = integer(s, COL_MINFLT),
                .majflt = integer(s, COL_MAJFLT),
                .inblock = integer(s, COL_INBLOCK),
                .oublock = integer(s, COL_OUBLOCK),
                .nvcsw = integer(s, COL_NVCSW),
                .nivcsw = integer(s, COL_NIVCSW),
        };
}

static void read_exit(sqlite3_stmt *s, struct process_exit *x)
{
        const char *errno_name = text(s, COL_EXIT_ERRNO);

        *x = (struct process_exit){
                .reason = (enum exit_reason)word(s, COL_EXIT_REASON, exit_reason_parse),
                .exitcode = (int)integer(s, COL_EXITCODE),
                .core_dumped = integer(s, COL_CORE_DUMPED),
                .oom = sqlite3_column_type(s, COL_OOM) == SQLITE_NULL ? -1 : (int)integer(s, COL_OOM),
                .errnum = errno_name ? err_errno_parse(errno_name) : 0,
                .stage = text(s, COL_EXIT_STAGE),
                .detail = text(s, COL_EXIT_DETAIL),
        };
}

void row_read(sqlite3_stmt *s, struct process *p)
{
        *p = (struct process){
                .id = integer(s, COL_ID),
                .name = text(s, COL_NAME),
                .identity = text(s, COL_IDENTITY),
                .parent = integer(s, COL_PARENT),
                .lineage = text(s, COL_LINEAGE),
                .state = (enum process_state)word(s, COL_STATE, process_state_parse),
                .start_method = (enum start_method)word(s, COL_START_METHOD, start_method_parse),
                .daemon = integer(s, COL_DAEMON),
                .argv_json = text(s, COL_ARGV),
                .cwd = text(s, COL_CWD),
                .user = text(s, COL_USER),
                .group = text(s, COL_GROUP),
                .target = text(s, COL_TARGET),
                .only_targets = text(s, COL_ONLY_TARGETS),
                .env_json = text(s, COL_ENV),
                .labels_json = text(s, COL_LABELS),
                .out = (enum output)word(s, COL_STDOUT, output_parse),
                .err = (enum output)word(s, COL_STDERR, output_parse),
                .timeout_us = integer(s, COL_TIMEOUT),
                .grace_us = integer(s, COL_GRACE),
                .on_parent_death = (int)integer(s, COL_ON_PARENT_DEATH),
                .created_us = integer(s, COL_CREATED_AT),
                .started_us = integer(s, COL_STARTED_AT),
                .stopped_us = integer(s, COL_STOPPED_AT),
                .joined_us = integer(s, COL_JOINED_AT),
                .pid = (pid_t)integer(s, COL_PID),
                .start_ticks = (uint64_t)integer(s, COL_START_TICKS),
                .requested_by = text(s, COL_REQUESTED_BY),
                .log_bytes = {integer(s, COL_STDOUT_BYTES), integer(s, COL_STDERR_BYTES)},
        };
        read_exit(s, &p->exit);
        read_usage(s, p);
}
