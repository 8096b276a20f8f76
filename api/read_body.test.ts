import { expect, it } from "vitest";
import { createClock } from "../host/clock.ts";
import { createBodyReader } from "./read_body.ts";

const limits = { maxBytes: 1000, timeoutMs: 10_000, maxTogether: 1500, alwaysBytes: 100 };
const request = (size: number) => new Request("http://x/", { method: "POST", body: new Uint8Array(size) });

it("large bodies share what memory there is, until they were dealt with; small ones always get through", async () => {
  const readBody = createBodyReader(createClock(), limits);
  let finish = () => {};
  const held = new Promise<void>((resolve) => (finish = resolve));
  const first = readBody(request(900), (bytes) => held.then(() => bytes.length));
  await expect(readBody(request(900), (bytes) => bytes.length)).rejects.toMatchObject({ code: "request.busy" });
  expect(await readBody(request(100), (bytes) => bytes.length)).toBe(100);
  finish();
  expect(await first).toBe(900);
  expect(await readBody(request(900), (bytes) => bytes.length)).toBe(900);
});

it("a body whose handling fails gives its memory back", async () => {
  const readBody = createBodyReader(createClock(), limits);
  const fail = () => Promise.reject(new Error("no"));
  for (let n = 0; n < 3; n++) await expect(readBody(request(900), fail)).rejects.toThrow("no");
  expect(await readBody(request(900), (bytes) => bytes.length)).toBe(900);
});
