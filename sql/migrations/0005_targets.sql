-- SPDX-License-Identifier: MIT
-- Named targets: what may be started by its name. The table may change with the next migration; the view is a public
-- interface.

CREATE TABLE target (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    definition  TEXT NOT NULL,            -- JSON, as it was put: argv, placeholders and what is fixed
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- Values of the environment are in no view.
CREATE VIEW targets AS
SELECT id, name, definition ->> '$.argv' AS argv, json_remove(definition, '$.env') AS definition,
       strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at,
       strftime('%Y-%m-%dT%H:%M:%S', updated_at / 1000000, 'unixepoch')
           || printf('.%06dZ', updated_at % 1000000) AS updated_at
  FROM target;

-- Which one a process was made from. The target may be another one, or gone, by now.
ALTER TABLE process ADD COLUMN target TEXT;
-- 'resize convert': its creator could start these targets only, and so can the process itself. NULL: anything.
ALTER TABLE process ADD COLUMN only_targets TEXT CHECK (only_targets <> '');
ALTER TABLE token ADD COLUMN only_targets TEXT CHECK (only_targets <> ''); -- the same

DROP VIEW processes;

CREATE VIEW processes AS
SELECT p.id, p.name, p.identity, p.parent, p.state, p.daemon, p.start_method, p.pid, p.exitcode,
       p.exit_reason, p.exit_errno, p.exit_stage, p.exit_detail, p.core_dumped, p.oom, p.requested_by,
       p.argv, p.cwd, p.env, p.labels, p.run_as_user, p.run_as_group,
       strftime('%Y-%m-%dT%H:%M:%S', p.created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', p.created_at % 1000000) AS created_at,
       strftime('%Y-%m-%dT%H:%M:%S', p.started_at / 1000000, 'unixepoch')
           || printf('.%06dZ', p.started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', p.stopped_at / 1000000, 'unixepoch')
           || printf('.%06dZ', p.stopped_at % 1000000) AS stopped_at,
       strftime('%Y-%m-%dT%H:%M:%S', p.joined_at / 1000000, 'unixepoch')
           || printf('.%06dZ', p.joined_at % 1000000) AS joined_at,
       p.user_us / 1e6 AS user_s, p.system_us / 1e6 AS system_s, p.maxrss_bytes,
       p.stdout_bytes, p.stderr_bytes, b.boot_id, p.start_ticks, p.target
  FROM process AS p
  LEFT JOIN boot AS b ON b.id = p.boot;

DROP VIEW tokens;

CREATE VIEW tokens AS
SELECT id, name, scopes,
       strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch')
           || printf('.%06dZ', created_at % 1000000) AS created_at,
       created_by,
       strftime('%Y-%m-%dT%H:%M:%S', expires_at / 1000000, 'unixepoch')
           || printf('.%06dZ', expires_at % 1000000) AS expires_at,
       strftime('%Y-%m-%dT%H:%M:%S', revoked_at / 1000000, 'unixepoch')
           || printf('.%06dZ', revoked_at % 1000000) AS revoked_at,
       strftime('%Y-%m-%dT%H:%M:%S', last_used_at / 1000000, 'unixepoch')
           || printf('.%06dZ', last_used_at % 1000000) AS last_used_at,
       only_targets
  FROM token;
