import { baseOf } from "../../protocol/http_api.ts";
import { nearest } from "../arguments.ts";
import { command } from "../command.ts";
import { CliError, usageError } from "../host.ts";
import { printResult } from "../print.ts";
import type { ApiClient } from "../api_client.ts";
import { findDeployment } from "../find.ts";
import type { CommandContext } from "../command.ts";

/** A person's verb -> the call it is. Who may call what is the server's to say. */
const VERBS: Record<string, string> = {
  "view": "GET /deployments",
  "deploy": "POST /deployments",
  "start": "POST /deployments/{id}/start",
  "approve": "POST /deployments/{id}/approve",
  "cancel": "POST /deployments/{id}/cancel",
  "rollback": "POST /deployments/{id}/rollback",
  "logs": "GET /tasks/{id}/logs",
  "create-version": "POST /versions",
  "revert-version": "POST /versions/{id}/revert",
  "apply-environment": "POST /environments",
  "apply-repository": "POST /repositories",
  "enrol-agent": "POST /enrollment-tokens",
  "revoke-agent": "DELETE /agents/{id}",
  "manage-users": "POST /users",
  "read-audit": "GET /audit",
};

export const canI = command({
  summary: "whether your role may do something",
  usage: "can-i VERB",
  details: `VERB is one of ${
    Object.keys(VERBS).join(", ")
  },\nor a call such as "POST /deployments". "approve DEPLOYMENT" asks of one that waits: its rules, and not the call alone, decide.\nThe exit code is 0 for yes, 1 for no.`,
  flags: {},
  positionals: [1, 2],
  async run(context, words) {
    const wanted = words.join(" ");
    const call = VERBS[words[0] === "approve" ? "approve" : wanted] ??
      (/^[A-Z]+ \//.test(wanted) ? wanted.replaceAll(/:(\w+)/g, "{$1}") : undefined);
    if (!call) {
      const near = nearest(wanted, Object.keys(VERBS));
      throw usageError(`Unknown verb "${wanted}"${near ? `; did you mean ${near}?` : "; see boreas can-i --help."}`);
    }
    const api = await context.api();
    const user = await api.me();
    if (words[0] === "approve" && words[1] !== undefined) return await sayApproval(context, api, words[1]);
    const roles = await api.allowedRoles(call);
    if (!roles) throw new CliError(`${api.url} knows no call ${call}.`);
    const allowed = roles.includes(baseOf(user));
    printResult(
      context,
      { verb: wanted, call, role: user.role, allowed },
      allowed
        ? `Yes: as ${user.role} you may${
          wanted === "approve" ? ", where a rule asks for your role: boreas can-i approve DEPLOYMENT" : ""
        }.`
        : `No: it takes ${roles[0] ? `the role ${roles[0]}` : "an agent"}; ${user.username} is ${user.role}.`,
    );
    return allowed ? 0 : 1;
  },
});

/** Who may answer is decided by the environment, or by the step that asks; the server tells which of them are the caller's. */
async function sayApproval(context: CommandContext, api: ApiClient, wanted: string): Promise<number> {
  const { id } = await findDeployment(api, wanted);
  const open = await api.approvals({ all: true, deploymentId: id });
  const [mine] = open.filter((one) => one.mayVote);
  const why = mine
    ? `Yes: ${
      mine.name ?? "the deployment"
    } waits for ${mine.missing} of ${mine.count} approvals, and yours would count.`
    : `No: ${open[0]?.why ?? "nothing of it waits for an approval."}`;
  printResult(context, { verb: "approve", deploymentId: id, allowed: mine !== undefined, why }, why);
  return mine ? 0 : 1;
}
