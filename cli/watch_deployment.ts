/**
 * Follows a deployment to its end over the live stream and says what happens: one line per change of a task or of the
 * deployment itself. It first subscribes, then reads the present state, so that nothing falls in between.
 */
import { type Deployment, type DeploymentWithTasks, isEnded, type Task } from "../protocol/http_api.ts";
import type { ApiClient } from "./api_client.ts";
import { CliError } from "./host.ts";
import { sayWhat } from "./print.ts";

export interface WatchOptions {
  signal?: AbortSignal;
  /** Called with each line of progress. */
  say?: (line: string, status: string) => void;
  onLost?: (why: string) => void;
}

/** The deployment as it ended. */
export async function watchDeployment(
  api: ApiClient,
  id: string,
  { signal, say = () => undefined, onLost }: WatchOptions = {},
): Promise<DeploymentWithTasks> {
  const seen = new Map<string, string>();
  const tell = (key: string, name: string, status: string, text: string, quiet = false) => {
    const news = `${status} ${text}`;
    if (seen.get(key) === news) return;
    seen.set(key, news);
    if (!quiet) say(`${name}: ${status.replaceAll("_", " ")}${text ? ` - ${text}` : ""}`, status);
  };
  const tellDeployment = (d: Deployment) => tell(d.id, sayWhat(d), d.status, d.reason.text);
  // A task that merely waits for its turn is no news; one that waits for time or for a machine is.
  const tellTask = (t: Task) =>
    tell(
      t.id,
      nameOf(t),
      t.status,
      t.reason.text,
      t.status === "pending" &&
        !/^task\.(waiting_for_(machine|cordoned)|watching|paused|approval|gate_)/.test(t.reason.code),
    );

  for await (const event of api.live([`deployment:${id}`], { signal, onLost })) {
    if (event.type === "stream" || event.type === "reset") {
      const now = await api.deployment(id);
      tellDeployment(now);
      now.tasks.forEach(tellTask);
      if (isEnded(now.status)) return now;
    } else if (event.type === "tasks") event.tasks.forEach(tellTask);
    else if (event.type === "deployment" && event.deployment.id === id) {
      if (isEnded(event.deployment.status)) {
        const last = await api.deployment(id);
        last.tasks.forEach(tellTask);
        tellDeployment(last);
        // It may have begun to roll back between the event and the reading.
        if (isEnded(last.status)) return last;
      } else tellDeployment(event.deployment);
    }
  }
  throw new CliError("Stopped watching; the deployment goes on.");
}

const nameOf = (task: Task): string =>
  (task.parentId === null ? "" : "  ") + task.name + (task.type === "deploy" ? "" : ` (${task.type})`);

/** What a person wants to know of a deployment that did not complete: which tasks failed, and why. */
export const failedTasks = (deployment: DeploymentWithTasks): Task[] =>
  deployment.tasks.filter((t) =>
    t.status === "failed" && !deployment.tasks.some((c) => c.parentId === t.id && c.status === "failed")
  );
