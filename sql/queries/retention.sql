-- SPDX-License-Identifier: MIT
-- What is over, oldest first: see model/retention.h.

-- fragment: over
  FROM process INDEXED BY process_over
 WHERE (state = 'stopped' OR state = 'failed' OR state = 'lost' OR state = 'closed')
   AND (joined_at IS NULL AND state <> 'closed') = :dangling

-- name: retention_due
-- Those that are over since before :before. What was started since this boot must have been before :ticks, in the
-- clock that nobody can set; what never ran, before the boot was as old as that.
SELECT id
-- include: over
   AND coalesce(joined_at, stopped_at, created_at) < :before
   AND (boot IS NOT :boot OR ifnull(start_ticks, 0) <= :ticks)
 ORDER BY coalesce(joined_at, stopped_at, created_at) LIMIT :limit;

-- name: retention_oldest
SELECT coalesce(joined_at, stopped_at, created_at)
-- include: over
 ORDER BY coalesce(joined_at, stopped_at, created_at) LIMIT 1;

-- name: retention_over
-- How many have been joined or closed.
SELECT ifnull(sum(n), 0) FROM tally WHERE state IN ('joined', 'closed');

-- name: retention_events_due
-- Ids are in the order of the commits, times may not be. Up to here they go: the last one in reach that is older than
-- :before and stands behind none that is not. One from the future tells nothing; it goes with one that follows it.
SELECT ifnull(max(id), 0) FROM event
 WHERE id >= :oldest AND id < :oldest + :limit AND at < :before
   AND id < ifnull((SELECT min(id) FROM event
                     WHERE id >= :oldest AND id < :oldest + :limit AND at >= :before AND at <= :now),
                   :oldest + :limit);

-- name: retention_event_at
SELECT at FROM event WHERE id = :id;

-- name: retention_events_delete
-- Always the oldest, so that who comes back with an id can be told whether it misses some.
DELETE FROM event WHERE id <= :last;

-- name: retention_deleted_last
-- The processes of which the last events tell that they were deleted.
SELECT process FROM event WHERE id > :after AND type = 'deleted';
