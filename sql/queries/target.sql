-- SPDX-License-Identifier: MIT
-- Named targets. The reading queries share one list of columns, in the order of read_target() in store/targets.c.

-- fragment: target_columns
SELECT id, name, definition, created_at, updated_at

-- name: target_replace
-- changes() = 0: there is none of this name.
UPDATE target SET definition = :definition, updated_at = max(created_at, :at) WHERE name = :name;

-- name: target_insert
INSERT INTO target (name, definition, created_at, updated_at) VALUES (:name, :definition, :at, :at);

-- name: target_delete
DELETE FROM target WHERE name = :name;

-- name: target_get
-- include: target_columns
  FROM target WHERE name = :name;

-- name: target_list_descending
-- include: target_columns
  FROM target WHERE id < :after ORDER BY id DESC LIMIT :limit;

-- name: target_list_ascending
-- include: target_columns
  FROM target WHERE id > :after ORDER BY id ASC LIMIT :limit;
