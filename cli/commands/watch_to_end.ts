import type { Deployment } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import type { CommandContext } from "../command.ts";
import { CliError } from "../host.ts";
import { paint, printJson, sayDuration, sayWhat } from "../print.ts";
import { failedTasks, watchDeployment } from "../watch_deployment.ts";

/** `--watch`: progress on standard error, the outcome on standard output; 0 only when it ended as wished. */
export async function watchToEnd(
  context: CommandContext,
  api: ApiClient,
  id: string,
  goal: Deployment["status"] = "completed",
): Promise<number> {
  const { host } = context;
  const began = host.now();
  const interrupted = new AbortController();
  const unlisten = host.onInterrupt(() => interrupted.abort());
  try {
    const ended = await watchDeployment(api, id, {
      signal: interrupted.signal,
      say: (line, status) =>
        host.writeError(`${sayDuration(host.now() - began).padStart(7)}  ${paint(host, status, line)}\n`),
      onLost: (why) => host.writeError(`The connection was lost (${why}); trying again.\n`),
    });
    if (context.json) printJson(host, ended);
    else {
      host.write(
        `${sayWhat(ended)}: ${ended.status.replaceAll("_", " ")} after ${
          sayDuration(host.now() - began)
        }. ${ended.reason.text}\n`,
      );
      for (const task of failedTasks(ended)) {
        host.write(`  ${task.name}: ${task.reason.text}\n    boreas logs ${task.id}\n`);
      }
    }
    return ended.status === goal ? 0 : 1;
  } catch (error: unknown) {
    if (!interrupted.signal.aborted) throw error;
    throw new CliError(`Stopped watching; the deployment goes on. See it with \`boreas status ${id}\`.`);
  } finally {
    unlisten();
  }
}
