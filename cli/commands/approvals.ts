/** What waits for a person's yes, and the answer: of a whole deployment, or of a step in the middle of one. */
import type { ApprovalRequest } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import { command } from "../command.ts";
import { findDeployment, isId } from "../find.ts";
import { CliError } from "../host.ts";
import { printList, printResult, sayAge, sayWhat, shortId } from "../print.ts";
import { watchToEnd } from "./watch_to_end.ts";

export const approvals = command({
  summary: "what waits for your approval",
  usage: "approvals [flags]",
  flags: { all: { type: "boolean", help: "also what waits for others, and why it is not yours" } },
  positionals: [0, 0],
  async run(context, _, flags) {
    const api = await context.api();
    const now = context.host.now();
    printList(
      context,
      await api.approvals({ all: flags.all }),
      ["deployment", "what", "version", "to", "missing", "by", "since", "until", "you"],
      (one) => [
        shortId(one.deploymentId),
        one.name
          ? `${one.applications.join(" ")}: ${one.name}`
          : one.removes
          ? `removal of ${one.applications.join(", ")}`
          : "the deployment",
        one.version,
        one.environment,
        `${one.missing} of ${one.count}`,
        one.roles.join(", ") || "deployers",
        sayAge(one.since, now),
        one.expiresAt ?? "-",
        one.mayVote ? "may answer" : one.why,
      ],
      "Nothing waits for your approval.",
    );
    return 0;
  },
});

const answer = (decision: "approve" | "reject", summary: string) =>
  command({
    summary,
    usage: `${decision} WHAT [flags]`,
    details:
      "WHAT is a deployment (its id, its beginning, or latest) or the id of a step that asks; see boreas approvals.",
    flags: {
      note: { type: "string", value: "TEXT", help: "why, for the record" },
      watch: { type: "boolean", short: "w", help: "follow the deployment to its end" },
    },
    positionals: [1, 1],
    async run(context, [wanted], flags) {
      const api = await context.api();
      const request = await findRequest(api, wanted!);
      const body = flags.note ? { note: flags.note } : {};
      if (request.taskId) await api.actOnTask(request.taskId, decision, body);
      else await api.actOnDeployment(request.deploymentId, decision, body);
      if (flags.watch) {
        // A whole deployment that is refused has ended as was wished.
        const goal = decision === "reject" && !request.taskId ? "cancelled" : "completed";
        return await watchToEnd(context, api, request.deploymentId, goal);
      }
      const now = request.taskId ? await api.task(request.taskId) : await api.deployment(request.deploymentId);
      const what = `${sayWhat(request)}${request.name ? `, ${request.name}` : ""}`;
      printResult(context, now, `${what}: ${now.status.replaceAll("_", " ")}. ${now.reason.text}`);
      return 0;
    },
  });

/** The one request that is meant; with several of a deployment, the server's word decides which of them is the caller's. */
async function findRequest(api: ApiClient, wanted: string): Promise<
  Pick<
    ApprovalRequest,
    "taskId" | "deploymentId" | "version" | "environment" | "applications" | "removes" | "name"
  >
> {
  const open = await api.approvals({ all: true });
  const exact = open.find((one) => one.id === wanted);
  if (exact) return exact;
  const asks = isId(wanted) && !open.some((one) => one.deploymentId === wanted);
  const deployment = asks ? await readDeployment(api, wanted) : await findDeployment(api, wanted);
  const of = open.filter((one) => one.deploymentId === deployment.id);
  const mine = of.filter((one) => one.mayVote);
  const [only, second] = mine.length > 0 ? mine : of;
  // Nothing asks: the server says so in its own words.
  if (!only) return { ...deployment, deploymentId: deployment.id, taskId: null, name: null };
  if (!second) return only;
  const ids = (mine.length > 0 ? mine : of).map((one) => `  ${one.id}  ${one.name ?? "the deployment itself"}`);
  throw new CliError([`${ids.length} steps of this deployment ask; name one by its id:`, ...ids].join("\n"));
}

/** An id that nothing open has: of a deployment, or of a step that has been answered. */
async function readDeployment(api: ApiClient, id: string) {
  const task = await api.task(id).catch(() => undefined);
  return await api.deployment(task?.deploymentId ?? id);
}

export const approve = answer("approve", "approve a deployment, or a step of one, that waits for it");
export const reject = answer("reject", "refuse what waits for approval");
