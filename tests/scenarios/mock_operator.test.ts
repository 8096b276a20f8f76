import { expect, it } from "vitest";
import { eventually, startAgent, startMaster } from "../helpers/start_product.ts";

it("boreas operator mock enrols as a process of its own and plays what a mock environment is given", async () => {
  const master = await startMaster();
  const environment = await master.api("POST", "/environments", { name: "rehearsal", type: "mock" });
  const application = await master.api("POST", "/applications", { name: "order", type: "microservice", config: {} });
  const { id: versionId } = await master.api("POST", "/versions", { version: "v1", appBuilds: { order: {} } });
  // The one inside the master takes nothing, so that only this one can have done it.
  const { items: [embedded] } = await master.api("GET", "/agents");
  await master.api("POST", `/agents/${embedded.id}/cordon`);
  const { token } = await master.api("POST", "/enrollment-tokens", {
    environments: [environment.id],
    kind: "operator",
  });
  const operator = await startAgent({ url: master.url, token, name: "stand-in", program: "main.ts operator mock" });
  const { id } = await master.api("POST", "/deployments", { versionId, environmentId: environment.id });
  await master.api("POST", `/deployments/${id}/start`);
  await eventually(
    async () => (await master.api("GET", `/deployments/${id}`)).status === "completed",
    "the deployment is completed",
  );
  const { items } = await master.api("GET", `/tasks?deploymentId=${id}&tree=all`);
  const { items: agents } = await master.api("GET", "/agents");
  const standIn = agents.find((agent: { name: string }) => agent.name === "stand-in");
  expect(items.map((task: { agentId: string | null; status: string; appId: string }) => [task.status, task.appId]))
    .toContainEqual([
      "success",
      application.id,
    ]);
  expect(standIn).toMatchObject({ status: "connected" });
  expect(await operator.kill("SIGTERM")).toBe(0);
});
