-- SPDX-License-Identifier: MIT
-- Who may call. The tables may change with the next migration; the views are a public interface.

-- Tokens that were minted. What is kept of a token is its hash: it is told once, to whoever minted it.
CREATE TABLE token (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL,
    scopes        TEXT NOT NULL,          -- 'read start'
    hash          BLOB NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256
    created_at    INTEGER NOT NULL,
    created_by    TEXT NOT NULL,
    expires_at    INTEGER,
    revoked_at    INTEGER,
    last_used_at  INTEGER
) STRICT;

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
           || printf('.%06dZ', last_used_at % 1000000) AS last_used_at
  FROM token;

-- The audit trail: who did what, each row in the same transaction as the change that it tells of. It only grows.
CREATE TABLE audit_entry (
    id       INTEGER PRIMARY KEY,         -- no row ever goes, so the next is the highest and one
    at       INTEGER NOT NULL,
    who      TEXT NOT NULL,               -- 'uid 0', 'token 3 (ci)', 'process 17', 'creche'
    uid      INTEGER,                     -- of the peer on the unix socket
    pid      INTEGER,
    address  TEXT,                        -- of the peer on TCP
    verb     TEXT NOT NULL,
    process  INTEGER,
    token    INTEGER,
    detail   TEXT,                        -- which signal, which scopes
    outcome  TEXT NOT NULL CHECK (outcome IN ('done', 'asked', 'undone'))
) STRICT;

CREATE INDEX audit_process ON audit_entry (process) WHERE process IS NOT NULL;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit_entry
BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows');
END;

CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit_entry
BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows');
END;

-- INSERT OR REPLACE would delete without asking the trigger for deletes.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit_entry
WHEN EXISTS (SELECT 1 FROM audit_entry WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail only grows');
END;

CREATE VIEW audit AS
SELECT id, strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch') || printf('.%06dZ', at % 1000000) AS at,
       who, uid, pid, address, verb, process, token, detail, outcome
  FROM audit_entry;
