import { z } from "zod";
import { BASE_ROLES } from "../../domain/roles.ts";
import { Name } from "../config/values.ts";
import { Id, Instant, MaybeInstant } from "./common.ts";

/** For clients, which may not reach into the domain. */
export { baseOf } from "../../domain/roles.ts";

/** By which an author of commits is known, and where letters to this person go. */
const Email = z.string().max(254).regex(/^[^\s@<>]+@[^\s@<>]+$/, "an e-mail address");

export const User = z.object({
  id: Id,
  username: z.string(),
  /** One of the three that are always there, or one that the team added. */
  role: z.string(),
  /** What the role may call; absent means what its name says. */
  base: z.enum(BASE_ROLES).optional(),
  email: z.string().nullable().default(null),
  createdAt: Instant,
}).meta({ id: "User" });
export type User = z.infer<typeof User>;
export const CreateUser = z.strictObject({
  username: z.string().regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    "1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit",
  ),
  password: z.string().min(10).max(200),
  role: Name,
  email: Email.nullable().optional(),
});
export const UpdateUser = z.strictObject({
  password: z.string().min(10).max(200),
  role: Name,
  email: Email.nullable(),
}).partial();

export const Login = z.strictObject({ username: z.string().max(200), password: z.string().max(200) });
export const Session = z.object({
  accessToken: z.string(),
  refreshToken: z.string(),
  /** Seconds the access token is good for. */
  expiresIn: z.number().int(),
  user: User,
}).meta({ id: "Session" });
export type Session = z.infer<typeof Session>;
export const Refresh = z.strictObject({ refreshToken: z.string().max(500).optional() });

export const Token = z.object({
  id: Id,
  name: z.string(),
  /** Whose it is. */
  username: z.string(),
  role: z.string(),
  createdAt: Instant,
  expiresAt: MaybeInstant,
  lastUsedAt: MaybeInstant,
}).meta({ id: "Token" });
export type Token = z.infer<typeof Token>;
export const CreateToken = z.strictObject({
  name: z.string().min(1).max(100),
  /** The creator's own, or one of the three that may call no more than it. */
  role: Name.optional(),
  expiresInSeconds: z.int().min(60).max(366 * 86_400).optional(),
});
/** The secret is shown here once and never again. */
export const CreatedToken = Token.extend({ token: z.string() });
export type CreatedToken = z.infer<typeof CreatedToken>;

export const Audit = z.object({
  id: Id,
  at: Instant,
  actor: z.string(),
  action: z.string(),
  target: z.string(),
  detail: z.record(z.string(), z.unknown()),
  ip: z.string().nullable(),
  hash: z.string().nullable(),
}).meta({ id: "Audit" });
