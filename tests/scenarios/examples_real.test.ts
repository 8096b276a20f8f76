/**
 * Those folders of examples/ that are about machines, on real processes: a master, the agents of three machines, and a
 * Prometheus that scrapes the programs which they run.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createGitRemote } from "../helpers/git_remote.ts";
import { eventually, startAgent, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";
import { createPlayer } from "./support/example_world.ts";
import type { Asked, Step } from "./support/example_world.ts";
import { readRunning } from "./support/machines_say.ts";
import { startMetricsSource } from "./support/metrics_source.ts";
import type { MachineSample, MetricsSource } from "./support/metrics_source.ts";

interface RealStory {
  environments: Record<string, { machines: string[] }>;
  story: (Step | { runs: Runs })[];
}
/** What runs by then: the version of the last push, or of that one, the first being 1. */
interface Runs {
  application: string;
  environment: string;
  on: string[];
  push?: number;
}
const NAMES = ["m1", "m2", "m3"];
const ORDERS = 10;

describe("an example on machines", () => {
  const stateDirs = new Map<string, string>();
  let metrics: MetricsSource;
  let master: Master;
  let environmentId: string;

  /** As a shop's customers and then a scrape would: some orders at each machine, and what it says of them. */
  async function scrape(): Promise<MachineSample[]> {
    const found = await readRunning(stateDirs, "prod", "checkout");
    return await Promise.all([...found].map(async ([node, { version, ports }]) => {
      const at = `http://127.0.0.1:${ports.http}`;
      for (let order = 0; order < ORDERS; order++) await (await fetch(`${at}/`)).body?.cancel();
      const text = await (await fetch(`${at}/metrics`)).text();
      return { node, version, value: Number(/\} (\S+)$/m.exec(text)![1]) };
    }));
  }

  beforeAll(async () => {
    metrics = startMetricsSource(scrape);
    master = await startMaster({ BOREAS_ALLOW_NETWORKS: "127.0.0.1/32" });
    const config = { prometheus: { server: metrics.address } };
    environmentId = (await master.api("POST", "/environments", { name: "prod", type: "pm", config })).id;
    const { token } = await master.api("POST", "/enrollment-tokens", { environments: [environmentId], uses: 3 });
    for (const name of NAMES) stateDirs.set(name, await temporaryFolder(name));
    await Promise.all(
      NAMES.map((name) => startAgent({ url: master.url, token, name, stateDir: stateDirs.get(name)! })),
    );
    await eventually(async () => {
      const { items } = await master.api<{ items: { name: string; status: string }[] }>("GET", "/agents");
      return items.filter(({ name, status }) => NAMES.includes(name) && status === "connected").length === NAMES.length;
    }, "the agents connected");
  }, 200_000);
  afterAll(() => metrics?.close());

  for (const example of ["rolling-binaries", "canary-gate"]) {
    it(`${example} goes in the order, to the states and for the reasons that its expected.yaml has`, async () => {
      const folder = join(import.meta.dirname!, "../../examples", example);
      const { story, environments } = parse(await Deno.readTextFile(join(folder, "expected.yaml"))) as RealStory;
      expect(environments).toEqual({ prod: { machines: NAMES } });
      const remote = await createGitRemote();
      const repository = await master.api("POST", "/repositories", {
        ...{ url: `file://${remote.url}`, provider: "generic", webhookSecret: "a secret of examples", pollSeconds: 0 },
      });
      const api: Asked = {
        async request(method, path, body) {
          const { status, text } = await master.raw(method, `/api/v1${path}`, body, master.bearer());
          return { status, body: text === "" ? undefined : JSON.parse(text), text, headers: new Headers() };
        },
      };
      const play = createPlayer(api, remote, {
        ...{ folder, environments: { prod: environmentId }, repositoryId: repository.id },
      });
      const pushed: string[] = [];
      for (const step of story) {
        if (!("runs" in step)) {
          await play(step);
          if ("push" in step) pushed.push(`main-${(await remote.git("rev-parse", "HEAD")).slice(0, 12)}`);
          continue;
        }
        const { application, environment, on, push = pushed.length } = step.runs;
        const found = await readRunning(stateDirs, environment, application);
        const said = await Promise.all([...found].map(async ([node, { version, ports }]) => {
          const answer = await fetch(`http://127.0.0.1:${ports.http}/healthz`);
          return [node, version, await answer.text()];
        }));
        expect(said).toEqual(on.map((node) => [node, pushed[push - 1], "ok\n"]));
      }
    }, 200_000);
  }
});
