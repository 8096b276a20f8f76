import { beforeAll, expect, it } from "vitest";
import { createEmbeddedIdentity } from "../agents/identity.ts";
import { freezeDocument } from "../db/blobs/freeze_document.ts";
import { DEFAULT_PROJECT, systemActor } from "../db/database.ts";
import { putSecret } from "../db/secrets/put_secret.ts";
import { createVault } from "../db/secrets/vault.ts";
import type { ClaimedTask } from "../db/tasks/claim_tasks.ts";
import { operationOf, specOf } from "../tests/helpers/pm_fixture.ts";
import { seedWorld } from "../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { PROTOCOL } from "../protocol/agent_messages.ts";
import type { Session } from "./agent_sessions.ts";
import { createDispatchMaker } from "./prepare_dispatch.ts";

let db: TestDatabase;
beforeAll(async () => void (db = await createTestDatabase()));

it("a registry's login goes along, sealed, with the task that pulls from it and with no other", async () => {
  const vault = await createVault(new Uint8Array(32).fill(7));
  const world = await seedWorld(db, { applications: { order: {} } });
  const actor = systemActor("test");
  const nobody = { environmentId: null, applicationId: null };
  await putSecret({ db, vault }, { name: "REGISTRY_AUTH_REG_EXAMPLE_COM", value: "all:everywhere", ...nobody }, actor);
  const mine = { environmentId: world.environmentId, applicationId: null };
  await putSecret({ db, vault }, { name: "REGISTRY_AUTH_REG_EXAMPLE_COM", value: "deployer:here", ...mine }, actor);
  await putSecret({ db, vault }, { name: "REGISTRY_AUTH_REG__EXAMPLE_COM", value: "someone:else", ...nobody }, actor);
  const { identity, sealingKey } = await createEmbeddedIdentity("agent");
  const make = createDispatchMaker({ db, vault, blobTicketKey: new Uint8Array(32).fill(9), leaseSeconds: 30 });
  const [app] = await db.sql<{ id: string }[]>`select id from application where name = 'order'`;
  const dispatch = async (ref: string, runtime: "docker" | "script" = "docker") => {
    const image = { kind: "image" as const, ref, digest: `sha256:${"0".repeat(64)}` };
    const spec = specOf(
      runtime === "docker" ? { mode: "docker", image: "image" } : { mode: "script", deploy: "deploy.sh" },
      { artifacts: { image } },
    );
    const specSha256 = await db.sql.begin((tx) => freezeDocument(tx, spec));
    const task: ClaimedTask = {
      ...{ id: db.newId(), deploymentId: db.newId(), projectId: DEFAULT_PROJECT, parentId: null, appId: app!.id },
      ...{ environmentId: world.environmentId, name: "order", agentId: "agent", fence: 1, attempt: 1, specSha256 },
      payload: { ...operationOf(spec), spec: undefined },
    };
    const { taskId, fence, sealedSecrets } = await make(task, { sealingKey, protocol: PROTOCOL.max } as Session);
    return sealedSecrets && await identity.openSecrets(sealedSecrets, { taskId, fence });
  };
  expect(await dispatch("reg.example.com/order")).toEqual({ REGISTRY_AUTH_REG_EXAMPLE_COM: "deployer:here" });
  expect(await dispatch("other.example.com/order")).toBeNull();
  expect(await dispatch("reg.example.com/order", "script")).toBeNull();
});
