-- Transactions older than what this gives have ended, as far as they could write events: those of this database. All
-- events of theirs are there for a statement that begins after this one, and no other can ever come.
--
-- PostgreSQL's own answer (the snapshot's xmin) waits for every transaction that writes anywhere on the server: another
-- application's import would hold back all live views and messages for as long as it takes.
--
-- The snapshot comes first, the list of who works second: whoever is in the one and not in the other has ended meanwhile.
-- Sessions of other roles hide what they do, but not their transaction. Prepared ones are in no list: nothing of ours
-- makes them. It holds for READ COMMITTED, which is what we use, and on the server that writes, not on a standby of it.
create function boreas_settled_xid() returns xid8 language plpgsql volatile as $$
declare
  seen constant pg_snapshot := pg_current_snapshot();
  oldest xid8;
begin
  if pg_snapshot_xmin(seen) = pg_snapshot_xmax(seen) then
    return pg_snapshot_xmax(seen);
  end if;
  perform pg_stat_clear_snapshot(); -- a transaction is shown the same list each time otherwise
  select running into oldest from pg_snapshot_xip(seen) running
    where running::xid in (select backend_xid from pg_stat_activity where datname = current_database() and backend_xid is not null)
    order by running limit 1;
  return least(oldest, pg_snapshot_xmax(seen), pg_current_xact_id_if_assigned());
end $$;
