-- SPDX-License-Identifier: MIT
-- Tokens. The reading queries share one list of columns, in the order of read_token() in store/tokens.c.

-- fragment: token_columns
SELECT id, name, scopes, created_by, created_at, expires_at, revoked_at, last_used_at, only_targets

-- name: token_insert
INSERT INTO token (name, scopes, hash, created_at, created_by, expires_at, only_targets)
VALUES (:name, :scopes, :hash, :created_at, :created_by, :expires_at, :only_targets) RETURNING id;

-- name: token_revoke
-- changes() = 0: there is none, or it has been revoked before, which stays as it is.
UPDATE token SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL;

-- name: token_used
UPDATE token SET last_used_at = max(ifnull(last_used_at, 0), :at) WHERE id = :id;

-- name: token_get
-- include: token_columns
  FROM token WHERE id = :id;

-- name: token_by_hash
-- include: token_columns
  FROM token WHERE hash = :hash;

-- name: token_live
-- Those that may be used at :now.
-- include: token_columns
  , hash FROM token WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now);

-- name: token_list_descending
-- include: token_columns
  FROM token WHERE id < :after ORDER BY id DESC LIMIT :limit;

-- name: token_list_ascending
-- include: token_columns
  FROM token WHERE id > :after ORDER BY id ASC LIMIT :limit;
