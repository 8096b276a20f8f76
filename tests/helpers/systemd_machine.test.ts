import { describe, expect, it } from "vitest";
import { component } from "./require_component.ts";
import { startSystemdMachine } from "./systemd_machine.ts";

const parts = [component("docker"), component("netns")];
const reason = parts.map((part) => part.reason).join("");

describe.skipIf(parts.some((part) => !part.available))(`a machine of the tests${reason}`, () => {
  it("runs units, keeps its disk through a cut of its power, and reaches only what it may", async () => {
    const server = Deno.serve({ hostname: "0.0.0.0", port: 0, onListen: () => {} }, () => new Response("the master\n"));
    const other = Deno.serve({ hostname: "0.0.0.0", port: 0, onListen: () => {} }, () => new Response("another\n"));
    const [port, otherPort] = [server, other].map((one) => (one.addr as Deno.NetAddr).port);
    const machine = await startSystemdMachine({
      network: "own",
      only: [{ port: port! }],
      hosts: { "boreas.test": "host" },
    });
    const unit = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
    await machine.copyIn(new TextEncoder().encode(unit), "/etc/systemd/system/example.service");
    await machine.run("systemctl enable --now example && sync");
    expect(await machine.run(`curl -sS http://boreas.test:${port}/`)).toBe("the master\n");
    expect(await machine.strayPackets()).toBe(0);
    const refused = await machine.attempt(`curl -sS --max-time 2 http://boreas.test:${otherPort}/`);
    expect(refused.code).not.toBe(0);
    expect(await machine.strayPackets()).toBeGreaterThan(0);
    expect(await machine.listening()).toEqual([]);
    await machine.kill();
    await machine.start();
    expect((await machine.run("systemctl is-active example")).trim()).toBe("active");
    expect(await machine.run('printf %s "$WORD"; cat', { env: { WORD: "of the environment" }, input: " and more" }))
      .toBe("of the environment and more");
    await Promise.all([server.shutdown(), other.shutdown()]);
  });
});
