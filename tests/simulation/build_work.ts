/** Deployments of every shape that the twin knows: chains, joins, wholes of several machines, tasks for any agent. */
import { addTask } from "./memory_world.ts";
import type { NewTask } from "./store_world.ts";
import type { World } from "./world.ts";

export function buildWork(world: World): void {
  const { random, tables, machines, options } = world;
  const environmentId = world.newId();
  for (const { id, name } of machines) {
    // Only an agent of the master's own process needs no signature; what else tells them apart is words.
    tables.agents.set(id, { id, name, environments: [environmentId], embedded: true, sessionId: null, arrivals: 0 });
  }
  const add = (deploymentId: string, more: Omit<NewTask, "id" | "deploymentId">): string => {
    const id = world.newId();
    const target = machines.find((machine) => machine.id === more.targetAgentId);
    const operation = {
      kind: "simulated",
      action: "deploy",
      isRollback: false,
      deploymentId,
      applicationId: world.newId(),
      app: "app",
      versionId: environmentId,
      version: "v1",
      commit: null,
      environmentId,
      environment: "somewhere",
      target: target ? { id: target.id, name: target.name } : null,
      timeoutSeconds: random.happens(0.2) ? 2 * options.leaseSeconds : null,
      generation: 1,
      spec: null,
    };
    addTask(tables, { id, deploymentId, ...more }, { environmentId, operation });
    return id;
  };
  for (let n = 0; n < random.whole(1, 3); n++) {
    const deploymentId = world.newId();
    tables.deployments.set(deploymentId, {
      id: deploymentId,
      status: "running",
      onFailure: random.pick(["continue", "stop"]),
    });
    const above: string[] = [];
    for (let apps = 0; apps < random.whole(1, 4); apps++) {
      const dependsOn = above.filter(() => random.happens(0.4));
      const common = { dependsOn, maxAttempts: random.whole(1, 3) };
      if (random.happens(0.6)) {
        const targetAgentId = random.happens(0.3) ? random.pick(machines).id : undefined;
        above.push(add(deploymentId, { ...common, targetAgentId }));
        continue;
      }
      const parts = machines.filter(() => random.happens(0.6));
      if (parts.length === 0) parts.push(machines[0]!);
      const whole = add(deploymentId, { dependsOn, isLeaf: false, maxFailures: random.whole(0, 1) });
      for (const { id } of parts) add(deploymentId, { ...common, parentId: whole, targetAgentId: id });
      above.push(whole);
    }
  }
}
