import type { Difference } from "../../operator.ts";
import type { AppRecord } from "../app_record.ts";
import { routedBy } from "../docker/public_port.ts";
import type { PmParts } from "../pm_parts.ts";

/** Whether requests to its public port still go to the release that serves; nothing when no proxy stands before it. */
export async function compareRoute({ router }: Pick<PmParts, "router">, record: AppRecord): Promise<Difference[]> {
  const { spec, ports } = record.current!;
  const routed = routedBy(record, spec.route, ports);
  if (!routed || !router) return [];
  const serving = await router.serving(routed.route);
  const expected = `${routed.backend.host}:${routed.backend.port}`;
  const actual = serving ? `${serving.host}:${serving.port}` : "nowhere";
  return actual === expected ? [] : [{ path: "route", expected, actual }];
}
