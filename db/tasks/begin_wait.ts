/**
 * What a task `t` says, and when it is due, once nothing stands before it any more. A pause and a watch end by the clock,
 * a gate when it was measured, an approval when people have said yes; everything else is ready for an agent.
 */
import { reason } from "../../domain/reason.ts";
import type { Fragment } from "../client.ts";
import type { Tx } from "../database.ts";

/** For `run_after`. */
export const dueWhenBegun = (tx: Tx): Fragment =>
  tx`case when t.type in ('pause', 'gate') and t.payload ? 'pauseSeconds' then ${endOfWait(tx)} else t.run_after end`;

/** For `reason`. */
export const sayBegun = (tx: Tx): Fragment =>
  tx`case
      when t.type = 'pause' or t.payload ->> 'kind' = 'promoted' then jsonb_build_object('code', 'task.paused', 'params', jsonb_build_object('until', ${
    sayInstant(tx)
  }), 'text', 'Waiting until ' || ${sayInstant(tx)} || '.')
      when t.type = 'gate' and t.payload ->> 'kind' = 'watch' then jsonb_build_object('code', 'task.watching', 'params',
        jsonb_build_object('until', ${sayInstant(tx)}, 'application', t.payload ->> 'application'),
        'text', format('Watching %s until %s: a release that turns bad is taken back.', t.payload ->> 'application', ${
    sayInstant(tx)
  }))
      when t.type = 'gate' and not t.is_leaf then ${tx.json(reason("task.measuring") as never)}
      when t.type = 'approval' then coalesce(t.payload -> 'asks', ${tx.json(reason("task.awaiting_approval") as never)})
      else ${tx.json(reason("task.ready") as never)} end`;

const endOfWait = (tx: Tx) => tx`boreas_now() + make_interval(secs => (t.payload ->> 'pauseSeconds')::float8)`;
const sayInstant = (tx: Tx) => tx`to_char((${endOfWait(tx)}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;
