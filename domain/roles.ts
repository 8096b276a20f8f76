/** What a role may call. Three are always there, each with all of those before it; a team's own stands on one of them. */
export const BASE_ROLES = ["viewer", "deployer", "admin"] as const;
export type BaseRole = (typeof BASE_ROLES)[number];

export const isBaseRole = (name: string): name is BaseRole => (BASE_ROLES as readonly string[]).includes(name);
/** An unknown name counts as a viewer. */
export const rankOfBase = (name: string): number => Math.max(0, BASE_ROLES.indexOf(name as never));

export interface RoleHolder {
  role: string;
  /** What the role may call; absent for the three that are always there. */
  base?: BaseRole;
}
export const baseOf = ({ role, base }: RoleHolder): BaseRole => base ?? (isBaseRole(role) ? role : "viewer");
/** Whether a rule that names roles means this person. Who administers the project counts as every role. */
export const hasRole = (holder: RoleHolder, roles: readonly string[]): boolean =>
  roles.includes(holder.role) || baseOf(holder) === "admin";

/**
 * What a token is worth: what it was made for, and never more than its person is now. A name that a team added counts
 * only while the person has it.
 */
export function tokenRole(token: RoleHolder, owner: RoleHolder): RoleHolder {
  if (token.role === owner.role) return owner;
  const base = rankOfBase(baseOf(token)) <= rankOfBase(baseOf(owner)) ? baseOf(token) : baseOf(owner);
  return { role: base };
}
