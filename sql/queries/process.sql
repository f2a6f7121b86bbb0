-- SPDX-License-Identifier: MIT
-- What creched asks of the table process. The reading queries share one list of columns, in the order of
-- enum column in store/row.c.

-- fragment: columns
SELECT id, name, identity, ifnull(parent, 0), lineage, state, start_method, daemon, argv, cwd, env, labels,
       stdout, stderr, timeout_us, grace_us, on_parent_death, created_at, started_at, stopped_at, joined_at,
       pid, start_ticks, exitcode, exit_reason, exit_errno, exit_stage, exit_detail, core_dumped, oom,
       requested_by, user_us, system_us, maxrss_bytes, minflt, majflt, inblock, oublock, nvcsw, nivcsw,
       stdout_bytes, stderr_bytes, run_as_user, run_as_group, target, only_targets

-- fragment: filter
       (:states = 0 OR instr(:state_names, ',' || state || ','))
   AND (:name IS NULL OR name = :name)
   AND (:daemon < 0 OR daemon = :daemon)
   AND (:start_method IS NULL OR start_method = :start_method)
   AND (:target IS NULL OR target = :target)
   AND (:since = 0 OR created_at >= :since)
   AND (:until = 0 OR created_at < :until)
   AND (:q IS NULL OR instr(name, :q)
        OR EXISTS (SELECT 1 FROM json_each(process.argv) WHERE type = 'text' AND instr(value, :q)))
   AND (NOT :dangling OR (joined_at IS NULL AND state IN ('stopped', 'failed', 'lost')))
   AND (:labels IS NULL OR NOT EXISTS (
           SELECT 1 FROM json_each(:labels) AS want
            WHERE NOT EXISTS (SELECT 1 FROM json_each(process.labels) AS have
                               WHERE have.key = want.value ->> 0
                                 AND (want.value ->> 1 IS NULL OR have.value = want.value ->> 1))))

-- fragment: told
-- What an event says of a process, and whether it was joined, in the order of enum told in store/records.c.
  name, lineage, exitcode, exit_reason, joined_at IS NOT NULL

-- name: process_insert
INSERT INTO process (id, name, identity, parent, lineage, state, start_method, daemon, argv, cwd, env, labels,
                     stdout, stderr, timeout_us, grace_us, on_parent_death, created_at, boot, request,
                     run_as_user, run_as_group, idempotency_key, idempotency_fingerprint, target, only_targets)
VALUES (:id, :name, :identity, :parent, :lineage, :state, :start_method, :daemon, :argv, :cwd, :env, :labels,
        :stdout, :stderr, :timeout, :grace, :on_parent_death, :created_at, :boot, :request,
        :run_as_user, :run_as_group, :idempotency_key, :idempotency_fingerprint, :target, :only_targets);

-- name: process_next_child
-- The next number under a parent; consumed by construction.
UPDATE process SET children = children + 1 WHERE id = :id RETURNING children;

-- name: process_by_key
SELECT id, idempotency_fingerprint, state, state = 'initial' AND request IS NULL FROM process
 WHERE ifnull(parent, 0) = :parent AND idempotency_key = :idempotency_key AND idempotency_key IS NOT NULL;

-- name: process_by_batch_key
-- Any process of the batch whose key is the first :batch_n characters of this one. ' ' and '!' are neighbours.
SELECT id, idempotency_fingerprint FROM process
 WHERE ifnull(parent, 0) = :parent AND idempotency_key > substr(:idempotency_key, 1, :batch_n) || ' '
   AND idempotency_key < substr(:idempotency_key, 1, :batch_n) || '!' AND idempotency_key IS NOT NULL
 LIMIT 1;

-- name: process_request
SELECT state, request, idempotency_key IS NOT NULL FROM process WHERE id = :id;

-- name: process_claim
-- .start() of a created process. changes() = 0: somebody else started or closed it.
UPDATE process
   SET state = 'starting', start_method = :start_method, daemon = :daemon, argv = :argv,
       cwd = :cwd, env = :env, labels = :labels, stdout = :stdout, stderr = :stderr, timeout_us = :timeout,
       grace_us = :grace, on_parent_death = :on_parent_death, run_as_user = :run_as_user,
       run_as_group = :run_as_group, boot = :boot, only_targets = :only_targets
 WHERE id = :id AND state = 'initial';

-- name: process_started
UPDATE process
   SET state = 'started', request = NULL, pid = :pid, start_ticks = :start_ticks, started_at = :started_at
 WHERE id = :id AND state = 'starting';

-- name: process_ended
-- The one terminal transition. changes() = 0: somebody recorded the end before us; say nothing twice.
UPDATE process
   SET state = :state, request = NULL, pid = :pid, start_ticks = :start_ticks, started_at = :started_at,
       stopped_at = :stopped_at, joined_at = :joined_at, exitcode = :exitcode, exit_reason = :exit_reason,
       exit_errno = :exit_errno, exit_stage = :exit_stage, exit_detail = :exit_detail,
       core_dumped = :core_dumped, oom = :oom, requested_by = :requested_by, user_us = :user_us,
       system_us = :system_us, maxrss_bytes = :maxrss, minflt = :minflt, majflt = :majflt,
       inblock = :inblock, oublock = :oublock, nvcsw = :nvcsw, nivcsw = :nivcsw,
       stdout_bytes = :stdout_bytes, stderr_bytes = :stderr_bytes
 WHERE id = :id AND state IN ('starting', 'started');

-- name: process_unstarted
-- It never ran. A created process becomes what it was; one that was to be started at once waits for its client
-- to repeat the request under its Idempotency-Key.
UPDATE process SET state = 'initial', boot = NULL WHERE id = :id AND state = 'starting';

-- name: process_discard
-- It never ran and nobody was told of it: the kernel had no room for it.
DELETE FROM process WHERE id = :id AND state = 'starting'
RETURNING
-- include: told
;

-- name: process_requested
UPDATE process SET requested_by = :requested_by WHERE id = :id AND state IN ('starting', 'started');

-- name: process_joined
UPDATE process SET joined_at = max(:joined_at, stopped_at)
 WHERE id = :id AND joined_at IS NULL AND (state = 'stopped' OR state = 'failed' OR state = 'lost');

-- name: process_rename
UPDATE process SET name = :name WHERE id = :id;

-- name: process_respecify
-- PATCH of a created process.
UPDATE process
   SET request = :request, start_method = :start_method, daemon = :daemon, argv = :argv, cwd = :cwd, env = :env,
       labels = :labels, stdout = :stdout, stderr = :stderr, timeout_us = :timeout, grace_us = :grace,
       on_parent_death = :on_parent_death, run_as_user = :run_as_user, run_as_group = :run_as_group
 WHERE id = :id AND state = 'initial';

-- name: process_close
UPDATE process SET state = 'closed', request = NULL
 WHERE id = :id AND (state = 'initial' OR state = 'stopped' OR state = 'failed' OR state = 'lost');

-- name: process_told
SELECT
-- include: told
  , state FROM process WHERE id = :id;

-- name: process_delete
DELETE FROM process WHERE id = :id AND state NOT IN ('starting', 'started')
RETURNING
-- include: told
;

-- name: process_get
-- include: columns
  FROM process WHERE id = :id;

-- name: process_open
-- include: columns
  , ifnull((SELECT boot_id = :boot_id AND pid_ns = :pid_ns FROM boot WHERE boot.id = process.boot), 0),
       idempotency_key IS NOT NULL
  FROM process INDEXED BY process_open WHERE state IN ('starting', 'started') AND (state = 'starting') = :starting
 ORDER BY id;

-- name: process_list_descending
-- include: columns
  FROM process WHERE id < :after AND
-- include: filter
   AND (:parent < 0 OR ifnull(parent, 0) = :parent)
 ORDER BY id DESC LIMIT :limit;

-- name: process_list_ascending
-- include: columns
  FROM process WHERE id > :after AND
-- include: filter
   AND (:parent < 0 OR ifnull(parent, 0) = :parent)
 ORDER BY id ASC LIMIT :limit;

-- name: process_list_open_descending
-- include: columns
  FROM process INDEXED BY process_open WHERE state IN ('starting', 'started') AND id < :after AND
-- include: filter
   AND (:parent < 0 OR ifnull(parent, 0) = :parent)
 ORDER BY id DESC LIMIT :limit;

-- name: process_list_open_ascending
-- include: columns
  FROM process INDEXED BY process_open WHERE state IN ('starting', 'started') AND id > :after AND
-- include: filter
   AND (:parent < 0 OR ifnull(parent, 0) = :parent)
 ORDER BY id ASC LIMIT :limit;

-- name: process_list_children_descending
-- include: columns
  FROM process INDEXED BY process_parent WHERE parent = :parent AND id < :after AND
-- include: filter
 ORDER BY id DESC LIMIT :limit;

-- name: process_list_children_ascending
-- include: columns
  FROM process INDEXED BY process_parent WHERE parent = :parent AND id > :after AND
-- include: filter
 ORDER BY id ASC LIMIT :limit;

-- name: process_list_subtree_descending
-- A process and all beneath it: '3/17/' up to '3/170', the next string that does not begin so.
-- include: columns
  FROM process WHERE (id = :self OR (lineage <> '' AND lineage >= :subtree AND lineage < :subtree_end))
   AND id < :after AND
-- include: filter
   AND (:parent < 0 OR ifnull(parent, 0) = :parent)
 ORDER BY id DESC LIMIT :limit;

-- name: process_list_subtree_ascending
-- include: columns
  FROM process WHERE (id = :self OR (lineage <> '' AND lineage >= :subtree AND lineage < :subtree_end))
   AND id > :after AND
-- include: filter
   AND (:parent < 0 OR ifnull(parent, 0) = :parent)
 ORDER BY id ASC LIMIT :limit;
