/**
 * Whose clock decides over a lease: the database's, at the master; the agent's own monotonic one, at the agent. No wall
 * clock of any process, which a person or NTP may set (F21 and F22 set them on real processes).
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createLeaseKeeper } from "../../agents/lease_keeper.ts";
import { trustUntil } from "../../domain/lease_trust.ts";
import type { FromAgent } from "../../protocol/agent_messages.ts";
import { createVirtualClock } from "../helpers/virtual_clock.ts";

const root = new URL("../../", import.meta.url).pathname;
const sources = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true }).map(String)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.startsWith("schema"))
    .map((file) => ({ file: `${folder}/${file}`, text: readFileSync(join(root, folder, file), "utf8") }));

/** Instants by which work is handed out, taken back or led. */
const DUE = /\b(lease_expires_at|run_after|expires_at)\s*=\s*(?!=)([^\n]*)/g;
const BY_DATABASE =
  /^(null\b|boreas_now\(\)|excluded\.|case when .* then boreas_now\(\)|greatest\(run_after, boreas_now\(\)|greatest\(boreas_now\(\), case when .* then boreas_now\(\))/;
/** Not due dates of work, but of sign-ins, messages and the like: how long those live is nobody's lease. */
const NO_LEASES =
  /^db\/(sessions|tokens|enrollment|idempotency|users|blobs|notifications|statuses|agents\/enroll_agent)/;
/** A tick of a cron trigger is an instant that a time zone has: reckoned here from the database's clock. */
const TICKS = "db/triggers/claim_ticks.ts";

/** Parts of statements stand for what they say: the file's own, and the one that several files share. */
const PART = /const (\w+) = \(tx: Tx\)(?:: Fragment)? =>\s*tx`([^`]*)`/g;
const shared = readFileSync(join(root, "db/tasks/begin_wait.ts"), "utf8");
const replaceParts = (text: string, from: string) =>
  [...from.matchAll(PART)].reduce((whole, [, name, part]) => whole.replaceAll(`\${${name}(tx)}`, part!), text);
function withParts(text: string): string {
  const whole = text.replaceAll(/\$\{\s*(\w+)\(tx\)\s*\}/g, "${$1(tx)}");
  return replaceParts(replaceParts(replaceParts(whole, text), shared), shared);
}

/** What a statement writes by another clock than the database's. */
function findForeignClocks({ file, text: source }: { file: string; text: string }): string[] {
  const text = withParts(source);
  const written = NO_LEASES.test(file) ? [] : [...text.matchAll(DUE)]
    .filter(([, , value]) => !BY_DATABASE.test(value!.trim()))
    .map(([line]) => `${file}: ${line.trim()}`);
  const asked = [...text.matchAll(/(?<![\w.])(now|clock_timestamp|transaction_timestamp|statement_timestamp)\(\)/g)]
    .map(([call]) => `${file}: ${call}`);
  const passed = [...text.matchAll(/make_interval\([^)]*(?:clock|Date)[^)]*\)|\$\{[^}]*toISOString\(\)[^}]*\}/g)]
    .filter(() => file !== TICKS)
    .map(([part]) => `${file}: ${part}`);
  return [...written, ...asked, ...passed];
}

describe("leases", () => {
  it("begin and end by the database's clock alone, in every statement there is", () => {
    const all = sources("db");
    expect(all.filter(({ text }) => text.includes("lease_expires_at =")).map(({ file }) => file)).toEqual(
      expect.arrayContaining(["db/tasks/claim_tasks.ts", "db/tasks/accept_tasks.ts", "db/agents/connect_agent.ts"]),
    );
    expect(all.flatMap(findForeignClocks)).toEqual([]);
  });

  it.each([
    "update task set lease_expires_at = ${new Date(clock.now() + 30).toISOString()} where id = 1",
    "update task set lease_expires_at = now() + interval '30 seconds'",
    "update task set run_after = ${at}",
    "update task t set lease_expires_at = ${expires}::timestamptz",
  ])("would be missed here if written so: %s", (text) => {
    expect(findForeignClocks({ file: "db/tasks/x.ts", text })).not.toEqual([]);
  });

  it("are trusted by an agent by its monotonic clock alone, whatever its wall clock says or does", async () => {
    const clock = createVirtualClock();
    const sent: FromAgent[] = [];
    const told: string[] = [];
    const keeper = createLeaseKeeper({
      clock: {
        ...clock,
        now() {
          throw new Error("the wall clock was asked");
        },
      },
      suspendedBoundMs: 60_000,
      send: (message) => void sent.push(message),
      onSuspend: (task) => void told.push(`suspend ${task} at ${clock.monotonic()}`),
      onTrust: () => {},
      onLost: (task) => void told.push(`lost ${task} at ${clock.monotonic()}`),
    });
    keeper.connected(clock.monotonic(), 30);
    keeper.hold({ taskId: "t", fence: 1 }, 30);
    await clock.advance(10_000);
    const [first] = sent as Extract<FromAgent, { type: "lease.renew" }>[];
    await clock.advance(3_000);
    keeper.renewed({ type: "lease.renewed", taskIds: ["t"], lost: [], round: first!.round });
    // Three seconds on the way gave no trust: it counts from the moment the renewal was sent.
    const end = trustUntil(10_000, 30_000);
    await clock.advance(end - clock.monotonic() - 1);
    expect([keeper.isTrusted("t"), told]).toEqual([true, []]);
    await clock.advance(1);
    expect([keeper.isTrusted("t"), told]).toEqual([false, [`suspend t at ${end}`]]);
    keeper.stop();
  });

  it("are kept by an agent whose files ask no wall clock, but to note when an attempt began", () => {
    const asking = sources("agents").filter(({ text }) => /\.now\(\)/.test(text)).map(({ file }) => file);
    expect(asking.sort()).toEqual(["agents/task_board.ts", "agents/task_slot.ts"]);
  });
});
