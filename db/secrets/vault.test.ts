import { expect, it } from "vitest";
import { createVault } from "./vault.ts";

const key = (fill: number) => new Uint8Array(32).fill(fill);

it("opens what it sealed, and seals the same value differently each time", async () => {
  const vault = await createVault(key(1));
  const [a, b] = [await vault.seal("t:1:c", "hunter2 ✓"), await vault.seal("t:1:c", "hunter2 ✓")];
  expect(a).not.toEqual(b);
  expect(await vault.open("t:1:c", a)).toBe("hunter2 ✓");
});

it("refuses a value that was moved to another row", async () => {
  const vault = await createVault(key(1));
  await expect(vault.open("t:2:c", await vault.seal("t:1:c", "secret"))).rejects.toThrow();
});

it("refuses another master key with a sentence that says what to set", async () => {
  const sealed = await (await createVault(key(1))).seal("t:1:c", "secret");
  await expect((await createVault(key(2))).open("t:1:c", sealed)).rejects.toThrow(/BOREAS_SECRET_KEY/);
});

it("refuses changed bytes", async () => {
  const vault = await createVault(key(1));
  const sealed = await vault.seal("t:1:c", "secret");
  sealed[sealed.length - 1]! ^= 1;
  await expect(vault.open("t:1:c", sealed)).rejects.toThrow();
});
