import { expect, it } from "vitest";
import { component } from "../../tests/helpers/require_component.ts";
import { createNamespace } from "../../tests/helpers/network_namespace.ts";
import { passOnWaiting, SETTING } from "./waiting_connections.ts";

const netns = component("netns");
const module = new URL("./waiting_connections.ts", import.meta.url).href;

it.skipIf(!netns.available)(
  `has the kernel pass on what waits, with no more than an agent may${netns.reason}`,
  async () => {
    const space = await createNamespace();
    try {
      const inside = async (...command: string[]) => {
        const { stdout } = await new Deno.Command("ip", { args: ["netns", "exec", space.name, ...command] }).output();
        return new TextDecoder().decode(stdout).trim();
      };
      // What the kernel of this machine has, and lets root change here.
      const isPossible = await inside("sh", "-c", `echo 0 >${SETTING} && echo yes`) === "yes";
      const program = `import { passOnWaiting } from "${module}"; console.log(await passOnWaiting());`;
      const allowed = ["--allow-net", "--allow-env", "--allow-sys", "--allow-read", "--allow-write", "--allow-run"];
      const file = await Deno.makeTempFile({ suffix: ".ts" });
      await Deno.writeTextFile(file, program);
      const ran = await inside(Deno.execPath(), "run", "--no-config", ...allowed, file);
      await Deno.remove(file);
      expect(ran).toBe(String(isPossible));
      if (isPossible) expect(await inside("cat", SETTING)).toBe("1");
    } finally {
      await space.remove();
    }
  },
);

it("says so where the kernel knows no such thing", async () => {
  expect(await passOnWaiting("/proc/sys/net/ipv4/no_such_thing")).toBe(false);
});
