/** The watch over releases, on real programs: a health check that fails after a while, an end, and what an agent says of it. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { createPmFixture, operationOf, SERVER, serverCommand, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";
import { eventually } from "../../tests/helpers/start_product.ts";
import type { RenderedSpec } from "../../protocol/operation.ts";
import type { Operator } from "../operator.ts";

let pm: PmFixture;
let artifact: Awaited<ReturnType<PmFixture["freeze"]>>;
const BREAKABLE = SERVER.replace(
  "return new Response(",
  `if (new URL(request.url).pathname === "/break") globalThis.broken = true;
  if (globalThis.broken) return new Response("broken", { status: 500 });
  return new Response(`,
);

beforeAll(async () => {
  pm = await createPmFixture();
  artifact = await pm.freeze({ "server.ts": BREAKABLE });
});
afterAll(() => pm.close());

const watched = (application: string, over: Partial<RenderedSpec> = {}) =>
  specOf({ mode: "binary", artifact: "bin", exec: serverCommand, ports: { http: "auto" } }, {
    application,
    artifacts: { bin: artifact },
    health: [{ http: { port: "http", path: "/" }, every: "250ms", fall: 2 }],
    watchAfterSeconds: 60,
    ...over,
  });
async function look(operator: Operator, application: string) {
  return (await Array.fromAsync(operator.observe())).find((one) => one.application === application);
}
async function release(application: string, over: Partial<RenderedSpec> = {}) {
  const operator = pm.createOperator();
  await operator.start!();
  let changes = 0;
  operator.onChange!(() => changes++);
  const outcome = await operator.run(operationOf(watched(application, over)), pm.context());
  expect(outcome.status, outcome.message).toBe("success");
  const ask = (path: string) => fetch(`http://127.0.0.1:${(outcome.details!.ports as { http: number }).http}${path}`);
  return { operator, ask, changes: () => changes };
}
const turnedBad = (operator: Operator, application: string) =>
  eventually(async () => (await look(operator, application))?.details.turnedBad as string, "it turned bad");

it("tells by itself, once, that a check fails again and again", async () => {
  const { operator, ask, changes } = await release("fails");
  expect((await look(operator, "fails"))!.details).not.toHaveProperty("turnedBad");
  await (await ask("/break")).text();
  expect(await turnedBad(operator, "fails")).toMatch(/answered 500, expected 2xx, 2 times in a row/);
  expect(changes()).toBe(1);
});

it("tells that a program ended, though it was started again", async () => {
  const { operator, ask } = await release("ends");
  await (await ask("/exit")).text();
  expect(await turnedBad(operator, "ends")).toMatch(/ended and was started again/);
});

it("leaves alone what does not ask to be watched, and judges a new release anew", async () => {
  const plain = await release("plain", { watchAfterSeconds: 0 });
  await (await plain.ask("/break")).text();
  const { operator, ask } = await release("again");
  await (await ask("/break")).text();
  await turnedBad(operator, "again");
  const next = operationOf(watched("again", { env: { NEW: "yes" } }), { version: "v2" });
  expect((await operator.run(next, pm.context())).status).toBe("success");
  expect((await look(operator, "again"))!.details).not.toHaveProperty("turnedBad");
  expect((await look(plain.operator, "plain"))!).toMatchObject({ health: "degraded" });
  expect((await look(plain.operator, "plain"))!.details).not.toHaveProperty("turnedBad");
});
