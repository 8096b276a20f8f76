import { z } from "zod";

export const Id = z.uuid();
/** RFC 3339 in UTC. */
export const Instant = z.string().meta({ format: "date-time" });
export const MaybeInstant = Instant.nullable();

/** RFC 9457. `detail` says what to do; `code` is stable. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
}).meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;

export const Reason = z.object({
  code: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number()])),
  text: z.string(),
}).meta({ id: "Reason" });

export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

/** Query of every list. Written as string + transform: a coerced number documents as "integer or null". */
export const ListQuery = z.object({
  limit: z.string().regex(/^\d{1,3}$/, "a number from 1 to 200").transform(Number).pipe(
    z.number().int().min(1).max(200),
  ).optional(),
  cursor: z.string().max(500).optional(),
});
export const ROLES = ["admin", "deployer", "viewer"] as const;
export type Role = (typeof ROLES)[number];
