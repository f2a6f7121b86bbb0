-- SPDX-License-Identifier: MIT
-- An event tells what somebody who follows them would ask for next: the process may be gone by then.

ALTER TABLE event RENAME TO event_before;

-- What happened, in order; each row in the same transaction as the change that it tells of.
CREATE TABLE event (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    process      INTEGER NOT NULL,
    type         TEXT NOT NULL,            -- the state that was entered, or 'deleted'
    name         TEXT NOT NULL DEFAULT '', -- of the process, as the next three: as it was then
    lineage      TEXT NOT NULL DEFAULT '', -- says who may see the event
    exitcode     INTEGER,
    exit_reason  TEXT
) STRICT;

INSERT INTO event (id, at, process, type, name, lineage, exitcode, exit_reason)
SELECT e.id, e.at, e.process, e.type, ifnull(p.name, ''), ifnull(p.lineage, ''),
       CASE WHEN e.type IN ('stopped', 'failed', 'lost', 'closed') THEN p.exitcode END,
       CASE WHEN e.type IN ('stopped', 'failed', 'lost', 'closed') THEN p.exit_reason END
  FROM event_before AS e
  LEFT JOIN process AS p ON p.id = e.process
 ORDER BY e.id;

DROP TABLE event_before;

-- A public view, as processes is.
CREATE VIEW events AS
SELECT id,
       strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch') || printf('.%06dZ', at % 1000000) AS at,
       process, type, name, exitcode, exit_reason
  FROM event;
