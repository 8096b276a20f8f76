/** Every folder of examples/ does what is written beside it. */
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createTestDatabase } from "../helpers/test_database.ts";
import { type ExampleWorld, openExample } from "./support/example_world.ts";

const root = join(import.meta.dirname!, "../../examples");
/** These run on real machines: `deno task demo`, the tests of containers, and `examples_real.test.ts`. */
const ON_MACHINES = ["demo", "docker", "rolling-binaries", "canary-gate"];
const folders = [...Deno.readDirSync(root)].filter((entry) => entry.isDirectory).map((entry) => entry.name).sort();

const onMock = folders.filter((folder) => !ON_MACHINES.includes(folder));
const databases = new Map(await Promise.all(onMock.map(async (name) => [name, await createTestDatabase()] as const)));
let world: ExampleWorld | undefined;
afterEach(async () => {
  await world?.stop();
  world = undefined;
});

describe("an example", () => {
  for (const name of onMock) {
    it(`${name} goes in the order, to the states and for the reasons that its expected.yaml has`, async () => {
      expect([...Deno.readDirSync(join(root, name))].map((entry) => entry.name)).toEqual(
        expect.arrayContaining(["README.md", "boreas.yaml", "expected.yaml"]),
      );
      world = await openExample(databases.get(name)!, join(root, name));
      await world.play();
    });
  }
});
