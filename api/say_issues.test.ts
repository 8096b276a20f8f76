import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { CreateApplication, CreateEnvironment, CreateUser, ListQuery } from "../protocol/http_api.ts";
import { sayIssues } from "./say_issues.ts";

const say = (schema: z.ZodType, input: unknown) => {
  const result = schema.safeParse(input);
  return result.success ? [] : sayIssues(result.error.issues, input).map((e) => `${e.path}: ${e.message}`);
};

describe("a misfit in words", () => {
  it("tells what is missing from what is wrong", () => {
    expect(say(CreateUser, { username: "Mia", password: 5 })).toEqual([
      "username: 1 to 63 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit",
      "password: must be string",
      "role: is missing; expected string",
    ]);
    expect(say(CreateEnvironment, {})).toEqual([
      "name: is missing; expected string",
      "type: is missing; expected one of k8s, pm, mock",
    ]);
    expect(say(CreateEnvironment, [])).toEqual([": must be object"]);
  });

  it("names every unknown key at its place", () => {
    expect(say(CreateEnvironment, { name: "a", type: "pm", config: { nodes: 1 }, role: "x" })).toEqual([
      "config.nodes: is not a known key; remove it or check its spelling",
      "role: is not a known key; remove it or check its spelling",
    ]);
  });

  it("speaks for the branch of a union that was meant", () => {
    const config = {
      artifacts: { bin: { url: "ftp://x", sha256: "00" } },
      health: [{ http: { port: "http", expct: "2xx" } }],
    };
    expect(say(CreateApplication, { name: "a", config })).toEqual([
      "config.artifacts.bin.url: an http or https address",
      "config.artifacts.bin.sha256: 64 hexadecimal digits",
      "config.health.0.http.expct: is not a known key; remove it or check its spelling",
    ]);
  });

  it("says bounds with their unit", () => {
    expect(say(CreateApplication, { name: "a", description: "x".repeat(2001) })).toEqual([
      "description: must be at most 2000 characters",
    ]);
    expect(say(ListQuery, { limit: "500" })).toEqual(["limit: must be at most 200"]);
    expect(say(ListQuery, { limit: "x" })).toEqual(["limit: a number from 1 to 200"]);
  });
});
