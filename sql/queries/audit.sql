-- SPDX-License-Identifier: MIT
-- The audit trail. The reading queries share one list of columns, in the order of read_entry() in store/audit.c.

-- fragment: audit_columns
SELECT id, at, who, uid, pid, address, verb, process, token, detail, outcome

-- fragment: audit_filter
   AND (:since = 0 OR at >= :since)
   AND (:until = 0 OR at < :until)
   AND (:process = 0 OR process = :process)
   AND (:who IS NULL OR who = :who)

-- name: audit_insert
INSERT INTO audit_entry (at, who, uid, pid, address, verb, process, token, detail, outcome)
VALUES (:at, :who, :uid, :pid, :address, :verb, :process, :token, :detail, :outcome);

-- name: audit_list_descending
-- include: audit_columns
  FROM audit_entry WHERE id < :after
-- include: audit_filter
 ORDER BY id DESC LIMIT :limit;

-- name: audit_list_ascending
-- include: audit_columns
  FROM audit_entry WHERE id > :after
-- include: audit_filter
 ORDER BY id ASC LIMIT :limit;

-- name: audit_process_descending
-- What was done to one process: its index is walked.
-- include: audit_columns
  FROM audit_entry INDEXED BY audit_process WHERE process = :process AND process IS NOT NULL AND id < :after
-- include: audit_filter
 ORDER BY id DESC LIMIT :limit;

-- name: audit_process_ascending
-- include: audit_columns
  FROM audit_entry INDEXED BY audit_process WHERE process = :process AND process IS NOT NULL AND id > :after
-- include: audit_filter
 ORDER BY id ASC LIMIT :limit;
