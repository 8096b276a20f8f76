-- The only clock that decides: the database's. Tests set `boreas.now` to move it; nothing else may.
create function boreas_now() returns timestamptz language sql volatile parallel restricted as $$
  select coalesce(nullif(current_setting('boreas.now', true), '')::timestamptz, clock_timestamp())
$$;
