import { describe, expect, it } from "vitest";
import { ruleOf, whyNoVote } from "./approval_rule.ts";
import type { Authors, Voter } from "./approval_rule.ts";

const voter = (over: Partial<Voter> = {}): Voter => ({
  ...{ userId: "u-bob", username: "bob", email: "Bob@example.com", role: "lead", base: "viewer" },
  ...over,
});
const authors = (over: Partial<Authors> = {}): Authors => ({
  ...{ userId: "u-ann", createdBy: "ann", commitAuthor: "Cleo", commitEmail: "cleo@example.com" },
  ...over,
});
const code = (...args: Parameters<typeof whyNoVote>) => whyNoVote(...args)?.code;

describe("who may answer", () => {
  it("has one of the roles, whatever else the role may call", () => {
    const rule = ruleOf({ roles: ["lead", "ops"] });
    expect(code(rule, voter(), authors())).toBeUndefined();
    expect(code(rule, voter({ role: "deployer", base: undefined }), authors())).toBe("approval.role");
    expect(code(rule, voter({ role: "admin", base: undefined }), authors())).toBeUndefined();
  });

  it("may deploy, where no role is named", () => {
    expect(code(ruleOf({}), voter(), authors())).toBe("approval.role");
    expect(code(ruleOf({}), voter({ base: "deployer" }), authors())).toBeUndefined();
    expect(code(ruleOf({}), voter({ role: "viewer", base: undefined }), authors())).toBe("approval.role");
  });

  it("is not the one who made it, nor the one who wrote the commit", () => {
    const rule = ruleOf({ roles: ["lead"], notAuthor: true });
    expect(code(rule, voter(), authors())).toBeUndefined();
    expect(code(rule, voter(), authors({ userId: "u-bob" }))).toBe("approval.own");
    expect(code(rule, voter(), authors({ userId: null, createdBy: "bob" }))).toBe("approval.own");
    expect(code(rule, voter(), authors({ commitAuthor: "Bob" }))).toBe("approval.own");
    expect(code(rule, voter(), authors({ commitEmail: "bob@EXAMPLE.com" }))).toBe("approval.own");
    expect(code(rule, voter({ email: null }), authors({ commitEmail: null }))).toBeUndefined();
    expect(code(ruleOf({ roles: ["lead"] }), voter(), authors({ userId: "u-bob" }))).toBeUndefined();
  });

  it("stays another, where the environment asks for that and the file does not", () => {
    expect(ruleOf({ notAuthor: false }, { notAuthor: true }).notAuthor).toBe(true);
    expect(ruleOf({ expires: "4h", count: 2 })).toMatchObject({ expiresSeconds: 14_400, count: 2, onExpire: "reject" });
  });
});
