/** The small values that `boreas.yaml` is made of. */
import { z } from "zod";
import { parseDuration, parseSize } from "../../domain/duration.ts";

/** A name that becomes part of paths, labels and unit names: so letters, digits and dashes only. */
export const Name = z.string().regex(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  "a name of 1 to 63 lower-case letters, digits and dashes, not beginning or ending with a dash",
  // Names become keys of plain objects, and each of those has this one already.
).refine((name) => name !== "constructor", "another name; this one is reserved").meta({ title: "name" });
/** The instant at its end has to be one that a database can name. */
const LONGEST_DAYS = 366;
export const Duration = z.string().refine((t) => parseDuration(t) !== undefined, "a duration such as 30s, 5m or 1h30m")
  .refine((t) => (parseDuration(t) ?? 0) <= LONGEST_DAYS * 86_400, `a duration of ${LONGEST_DAYS}d at most`)
  .meta({ title: "duration" });
export const Size = z.union([z.int().positive(), z.string()]).refine(
  (v) => parseSize(String(v)) !== undefined,
  "a size such as 512m or 1g",
).meta({ title: "size" });
/** A path inside the repository or the release: relative, without `..`, backslash or NUL. */
export const RelativePath = z.string().min(1).max(1024).refine(
  // deno-lint-ignore no-control-regex
  (p) => !p.startsWith("/") && !p.startsWith("-") && !/[\\\x00-\x1f]/.test(p) && !p.split("/").includes(".."),
  "a relative path that stays inside its folder",
).meta({ title: "path" });
/** A glob over repository paths: same rules as a path, with `*`, `**`, `?` and `{a,b}`. */
export const Glob = RelativePath.meta({ title: "glob" });
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits").meta({ title: "SHA-256" });
export const EnvironmentKey = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "letters, digits and underscores")
  .refine((k) => !k.startsWith("BOREAS_"), "a name that does not begin with BOREAS_, which Boreas sets itself")
  .meta({ title: "variable" });
// deno-lint-ignore no-control-regex
export const EnvironmentValue = z.string().max(32_768).refine((v) => !/\x00/.test(v), "text without a NUL character");
export const EnvironmentMap = z.record(
  EnvironmentKey,
  z.union([EnvironmentValue, z.number(), z.boolean()]).transform(String),
).meta({ title: "variables" });
export const Labels = z.record(
  z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/),
  z.string().max(63),
).meta({ title: "labels" });
/** A count, or a share such as `25%`. */
export const CountOrPercent = z.union([
  z.int().positive(),
  z.string().regex(/^(100|[1-9]?\d)%$/, "a count or a percentage"),
]).meta({ title: "count or share" });
export const Port = z.int().min(1).max(65_535).meta({ title: "port" });
export const HttpUrl = z.string().max(2048).refine((u) => /^https?:\/\/[^\s/]+/.test(u), "an http or https address")
  .meta({ title: "address" });
export const FileMode = z.string().regex(/^0?[0-7]{3}$/, 'a file mode such as "0640"').meta({ title: "file mode" });
