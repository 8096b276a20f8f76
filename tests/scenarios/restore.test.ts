/**
 * A master is lost an hour after its backup, and another one goes on from that: the machine has worked on meanwhile, and
 * its newer tasks, releases and tickets are unknown to the state that is restored. It pins the authority of the master
 * that is lost.
 */
import { join } from "node:path";
import { readdir, stat } from "node:fs/promises";
import { expect, it, onTestFinished } from "vitest";
import { taskCommand } from "../../scripts/run_task.ts";
import { processesOf } from "../faults/support/process_tree.ts";
import { startRack } from "../faults/support/start_rack.ts";
import { eventually } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";

async function run(command: "backup" | "restore", dataDir: string, ...args: string[]) {
  const edit = () => `deno task --quiet database ${command} ${args.join(" ")}`;
  const { code, stderr } = await taskCommand(command, {
    env: { BOREAS_DATA_DIR: dataDir, BOREAS_LEASE_SECONDS: "3" },
    output: "piped",
    edit,
  })
    .output();
  return { code, said: new TextDecoder().decode(stderr) };
}

it(
  "goes on from a backup: the machine comes back, nothing of the lost time wins, and nothing starts unasked",
  async () => {
    const rack = await startRack({ BOREAS_PUBLIC_URL: "https://127.0.0.1:PORT", BOREAS_LISTEN: "0.0.0.0" });
    const { master } = rack;
    const folder = await temporaryFolder("backups");
    const file = join(folder, "boreas.backup");
    await rack.deploy(["short"]).then(([task]) => rack.ended(task!, "success"));
    const [held] = await rack.deploy(["stubborn"]);
    await rack.begun(held!);
    const before = await rack.read(held!.id);
    // If anything goes wrong below: neither it nor its agent would end by itself.
    onTestFinished(async () => {
      await rack.agent.kill("SIGKILL");
      for (const { group } of await processesOf(held!.id)) Deno.kill(-group, "SIGKILL");
    });

    const backedUp = await run("backup", master.dataDir, "--with-key", file);
    expect(backedUp).toMatchObject({ code: 0, said: expect.stringContaining("whoever reads it reads every secret") });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["boreas.backup"]);
    expect(await run("restore", master.dataDir, file)).toMatchObject({
      code: 1,
      said: expect.stringContaining("Another Boreas"),
    });

    // The time that is lost: a newer release of "short".
    await rack.deploy(["short"]).then(([task]) => rack.ended(task!, "success"));
    const [unknown] = await rack.plan(["short"]);
    await master.kill("SIGTERM");

    const fresh = await temporaryFolder("restored");
    const restored = await run("restore", fresh, file);
    expect(restored, restored.said).toMatchObject({ code: 0 });
    expect(restored.said).toContain("1 deployments that were running then are paused");
    await master.restart({ BOREAS_DATA_DIR: fresh });
    await eventually(async () => {
      const { items } = await master.api("GET", "/agents");
      return items.some((agent: { name: string; status: string }) =>
        agent.name === "rack-1" && agent.status === "connected"
      );
    }, "the machine is back");
    await eventually(
      async () => (await processesOf(held!.id)).length === 0,
      "the attempt of the time before has ended",
    );
    // The certificate is another one, of the same authority.
    expect(rack.master.fingerprint).toBe((await Deno.readTextFile(join(fresh, "ca.sha256"))).trim());
    expect(await Deno.readTextFile(join(fresh, "tls/server.pem")))
      .not.toBe(await Deno.readTextFile(join(master.dataDir, "tls/server.pem")));
    expect((await master.raw("GET", `/api/v1/tasks/${unknown!.id}`, undefined, master.bearer())).status).toBe(404);
    expect(await master.api("GET", `/deployments/${held!.deploymentId}`)).toMatchObject({
      status: "paused",
      reason: { code: "deployment.restored" },
    });
    const waiting = await rack.read(held!.id);
    expect(waiting).toMatchObject({ status: "pending", attempt: 1, reason: { code: "task.restored" } });
    expect(waiting.fence).toBeGreaterThan(before.fence + 1_000_000);

    // A person has looked.
    await master.api("POST", `/deployments/${held!.deploymentId}/resume`);
    await rack.begun(held!, 2);
    await master.api("POST", `/deployments/${held!.deploymentId}/cancel`);
    await rack.ended(held!, "cancelled");
    const [next] = await rack.plan(["short"]);
    await rack.start(next!.deploymentId);
    expect(await master.api("GET", `/deployments/${next!.deploymentId}`)).toMatchObject({
      reason: { code: "deployment.frozen" },
    });
    const { items: freezes } = await master.api("GET", "/freezes");
    for (const { id } of freezes) await master.api("POST", `/freezes/${id}/end`, { reason: "looked at" });
    await rack.start(next!.deploymentId);
    // Newer than the release that the machine took on in the time that is lost.
    expect(await rack.ended(next!, "success", "failed")).toMatchObject({ status: "success" });
    const starts = (await rack.ledger()).filter((line) => line.what === "start" && line.task === held!.id);
    expect(starts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(starts[1]!.fence).toBeGreaterThan(waiting.fence);
  },
  600_000,
);
