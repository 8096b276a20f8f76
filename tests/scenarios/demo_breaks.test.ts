/**
 * One product, started as a person starts it; each of the three services is broken in turn, and exactly that one must be
 * named as the cause. This is the demo's own story, so that the demo cannot tell another one.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApiClient } from "../../cli/api_client.ts";
import { createCliHost } from "../../compose/cli.ts";
import { createGitRemote, SERVICES } from "../../scripts/demo/git_remote.ts";
import { type Product, startProduct } from "../../scripts/demo/product.ts";
import {
  bindMachine,
  expectAnswers,
  expectCompleted,
  expectNotDeployedAgain,
  expectOrder,
  expectRolledBack,
  findOrMakeEnvironment,
  registerRepository,
  release,
  type Stage,
} from "../../scripts/demo/story.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";

let folder: string;
let product: Product | undefined;
let stage: Stage;
const said: string[] = [];
const say = (line: string) => void said.push(line);

beforeAll(async () => {
  folder = await temporaryFolder("breaks");
  product = await startProduct({ folder, say });
  const { url, password } = product;
  const host = createCliHost();
  const session = await createApiClient(host, { url }).login({ username: "admin", password });
  const api = createApiClient(host, { url, token: session.accessToken, refreshToken: session.refreshToken });
  const template = join(import.meta.dirname!, "../../examples/demo");
  const addressBook = join(folder, "addresses");
  const remote = await createGitRemote({ folder: join(folder, "remote"), template, addressBook });
  const environment = await findOrMakeEnvironment(api, "demo");
  const repository = await registerRepository(api, remote);
  await bindMachine(api, environment, hostname());
  stage = { api, remote, environment, repository };
}, 180_000);
afterAll(async () => {
  await product?.stop();
}, 180_000);

describe("a push to a real remote", () => {
  it("starts the three services in the declared order", async () => {
    const { deployment } = await release(stage, "v1", undefined, say);
    expectCompleted(deployment);
    expectOrder(deployment, await expectAnswers(stage, "v1"));
  }, 180_000);

  it.each(SERVICES)("goes back by itself when %s is broken, and names it alone as the cause", async (service) => {
    const { commit, deployment } = await release(stage, `broken-${service}`, service, say);
    const version = await expectRolledBack(stage, deployment, service);
    expect(version.reason.text).toContain(service);
    expect((await expectAnswers(stage, "v1")).map((answer) => answer.service)).toEqual([...SERVICES]);
    await expectNotDeployedAgain(stage, commit);
  }, 180_000);
});
