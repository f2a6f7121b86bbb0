-- SPDX-License-Identifier: MIT
-- What happened. An event is written in the transaction of its change; the only writer gives ids in the order
-- of the commits, so whoever has read up to an id has missed none before it.

-- name: event_insert
-- One row of values: INSERT ... SELECT may fail halfway, and SQLite copies each page before it changes it.
INSERT INTO event (at, process, type, name, lineage, exitcode, exit_reason)
VALUES (:at, :process, :type, :name, :lineage, :exitcode, :exit_reason);

-- name: event_range
-- The oldest that is there (0: none), and the newest ever given.
SELECT ifnull((SELECT min(id) FROM event), 0),
       ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0);

-- fragment: event_columns
SELECT id, at, process, type, name, lineage, exitcode, exit_reason
  FROM event WHERE id >= :first AND id <= :last

-- fragment: event_filter
   AND (:process = 0 OR process = :process)
   AND (:types = 0 OR instr(:type_names, ',' || type || ','))
   AND (:self = 0 OR process = :self OR (lineage >= :subtree AND lineage < :subtree_end))

-- name: event_list_ascending
-- include: event_columns
-- include: event_filter
 ORDER BY id ASC LIMIT :limit;

-- name: event_list_descending
-- include: event_columns
-- include: event_filter
 ORDER BY id DESC LIMIT :limit;
