/**
 * `deno task demo`: the main job on real input, unattended; exits 0 when all of it was seen to work. It does what a
 * person would do from outside: signs in over REST, pushes with Git, asks the services over HTTP.
 */
import type { ApiClient } from "../../cli/api_client.ts";
import { CliError } from "../../cli/host.ts";
import { failedTasks } from "../../cli/watch_deployment.ts";
import type { DeploymentWithTasks } from "../../protocol/http_api.ts";
import { type ServiceName, SERVICES } from "./git_remote.ts";
import { type Product, stopProduct } from "./product.ts";
import {
  expectAnswers,
  expectCompleted,
  expectNotDeployedAgain,
  expectOrder,
  expectRolledBack,
  release,
  type Stage,
} from "./story.ts";
import { findServer, setStage } from "./set_stage.ts";
import { createTimeline, type Timeline } from "./timeline.ts";
import { StoryError } from "./wait_until.ts";

/** As a shell says it of a program that SIGINT ended. */
const INTERRUPTED = 130;

interface Options {
  keep: boolean;
  /** The folder of an earlier run that was kept. */
  end?: string;
  breaks: ServiceName;
}

export async function runDemo(argv: readonly string[], write: (text: string) => void): Promise<number> {
  const options = readOptions(argv);
  if (typeof options === "string") {
    write(`${options}\n`);
    return 2;
  }
  if (options.end) {
    await stopProduct(options.end);
    await Deno.remove(options.end, { recursive: true });
    return 0;
  }
  const timeline = createTimeline(write);
  const folder = await Deno.makeTempDir({ prefix: "boreas-demo-" });
  let product: Product | undefined;
  let lastDeployment: { api: ApiClient; deployment: DeploymentWithTasks } | undefined;
  let interrupted: Promise<void> | undefined;
  const interrupt = () => {
    write("\nInterrupted; ending Boreas and the services.\n");
    interrupted ??= endAll().then(() => Deno.exit(INTERRUPTED));
  };
  Deno.addSignalListener("SIGINT", interrupt);
  let worked = false;
  try {
    const server = await timeline.step("find a Boreas", () => findServer(folder, timeline.note), ({ api }) => api.url);
    product = server.product;
    const stage = await setStage(server, folder, timeline);
    await tellStory(stage, options.breaks, timeline, (deployment) => lastDeployment = { api: stage.api, deployment });
    worked = true;
  } catch (error: unknown) {
    // What fails now fails because it was taken away.
    if (interrupted) await interrupted;
    if (!(error instanceof Error)) throw error;
    const known = error instanceof StoryError || error instanceof CliError;
    write(`\nThe demo failed at: ${timeline.current() ?? "its start"}\n${known ? error.message : error.stack}\n`);
    if (lastDeployment) write(await sayFailure(lastDeployment.api, lastDeployment.deployment));
    if (product) write(`\nLast lines of ${product.logFile}:\n${(await product.lastLines(15)).join("\n")}\n`);
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
  }
  if (options.keep && product) {
    write(`\nIt goes on running: ${product.url}\nSign in as admin with the password ${product.password}\n`);
    write(`End it and its services with: deno task demo --end=${folder}\n`);
  } else if (product) await timeline.step("end Boreas and the services", endAll);
  write(`\n${timeline.summary()}`);
  write(worked ? "\nThe demo worked.\n" : `\nThe demo did not work. Everything it wrote is in ${folder}\n`);
  // What failed is left for a person to look at.
  if (worked && !options.keep) await Deno.remove(folder, { recursive: true });
  return worked ? 0 : 1;

  async function endAll(): Promise<void> {
    // Also when it is interrupted before the product was there.
    await stopProduct(folder);
    if (interrupted) await Deno.remove(folder, { recursive: true });
  }
}

function readOptions(argv: readonly string[]): Options | string {
  const options: Options = { keep: false, breaks: "payment-service" };
  for (const word of argv) {
    const breaks = SERVICES.find((service) => word === `--break=${service}`);
    if (word === "--keep") options.keep = true;
    else if (word.startsWith("--end=")) options.end = word.slice("--end=".length);
    else if (breaks) options.breaks = breaks;
    else return `Unknown argument ${word}; there is --keep, --end=FOLDER and --break=${SERVICES.join("|")}.`;
  }
  return options;
}

async function tellStory(
  stage: Stage,
  breaks: ServiceName,
  timeline: Timeline,
  onDeployment: (deployment: DeploymentWithTasks) => void,
): Promise<void> {
  const push = async (edition: string, broken?: ServiceName) => {
    const released = await release(stage, edition, broken, timeline.note);
    onDeployment(released.deployment);
    return released;
  };
  const inOrder = await timeline.step("push v1: it runs, in order", async () => {
    const { deployment } = await push("v1");
    expectCompleted(deployment);
    const answers = await expectAnswers(stage, "v1");
    expectOrder(deployment, answers);
    return answers;
  }, (answers) => answers.map((a) => a.service).join(" -> "));
  timeline.note(`started: ${inOrder.map((a) => `${a.service} ${a.startedAt.slice(11, 23)}`).join(", ")}`);

  await timeline.step("push v2: it rolls forward", async () => {
    const { deployment } = await push("v2");
    expectCompleted(deployment);
    return await expectAnswers(stage, "v2");
  }, () => "all three answer v2");

  const { commit } = await timeline.step(`push v3, ${breaks} broken: it goes back`, async () => {
    const { commit, deployment } = await push("v3", breaks);
    const version = await expectRolledBack(stage, deployment, breaks);
    await expectAnswers(stage, "v2");
    return { commit, version };
  }, ({ version }) => `all three answer v2; ${version.version} is marked ${version.status}`);

  await timeline.step("the bad commit once more: nothing is deployed", async () => {
    const why = await expectNotDeployedAgain(stage, commit);
    await expectAnswers(stage, "v2");
    return why;
  }, (why) => why.split(". ")[0]!);
}

/** For a person who has to find out: which task, why, its last lines, and where the whole log is. */
async function sayFailure(api: ApiClient, deployment: DeploymentWithTasks): Promise<string> {
  let text = `\nDeployment ${deployment.id}: ${deployment.status}. ${deployment.reason.text}\n`;
  for (const task of failedTasks(deployment)) {
    const lines = new TextDecoder().decode((await api.taskLog(task.id)).bytes).trimEnd().split("\n").slice(-15);
    text += `${task.name} failed: ${task.reason.text}\n${lines.map((line) => `  | ${line}`).join("\n")}\n`;
    text += `  its whole log: ${api.url}/api/v1/tasks/${task.id}/logs\n`;
  }
  return text;
}

if (import.meta.main) {
  const encoder = new TextEncoder();
  const code = await runDemo(Deno.args, (text) => void Deno.stdout.writeSync(encoder.encode(text)));
  Deno.exit(code);
}
