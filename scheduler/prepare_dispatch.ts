/** Turns a claimed task into the message its agent gets: spec, secrets sealed to that agent, a ticket for its blobs. */
import { CompactEncrypt, importJWK, SignJWT } from "jose";
import { AppError } from "../domain/app_error.ts";
import { parseImageRef, registrySecret } from "../domain/image_ref.ts";
import { readDocument } from "../db/blobs/freeze_document.ts";
import type { ClaimedTask } from "../db/tasks/claim_tasks.ts";
import { openSecrets } from "../db/secrets/read_secrets.ts";
import { FIRST_ACTIONS, Operation, RenderedSpec } from "../protocol/operation.ts";
import { PROTOCOL_OF_PARTS } from "../protocol/agent_messages.ts";
import type { Dispatch } from "../protocol/agent_messages.ts";
import type { Session } from "./agent_sessions.ts";
import type { SchedulerDeps } from "./deps.ts";

const SPECS_KEPT = 500;
const TICKET_LIFE = "24h";

type DispatchDeps = Pick<SchedulerDeps, "db" | "vault" | "secretSources" | "blobTicketKey" | "leaseSeconds">;

export function createDispatchMaker(deps: DispatchDeps): (task: ClaimedTask, session: Session) => Promise<Dispatch> {
  /** Frozen documents never change, so a hash is a safe key. */
  const specs = new Map<string, RenderedSpec>();
  const readSpec = async (sha256: string): Promise<RenderedSpec> => {
    const known = specs.get(sha256);
    if (known) return known;
    const spec = RenderedSpec.parse(await readDocument(deps.db.sql, sha256));
    if (specs.size >= SPECS_KEPT) specs.delete(specs.keys().next().value!);
    specs.set(sha256, spec);
    return spec;
  };
  return async (task, session) => {
    const spec = task.specSha256 ? await readSpec(task.specSha256) : null;
    // The spec was parsed when it was read, and has no second parse coming.
    const operation = Operation.parse({ ...task.payload, spec: null });
    requireKnown(operation, session);
    if (task.payload.action !== "remove") operation.spec = spec;
    return {
      type: "task.dispatch",
      taskId: task.id,
      fence: task.fence,
      attempt: task.attempt,
      operation,
      sealedSecrets: spec ? await sealSecrets(deps, task, session, spec) : null,
      blobTicket: spec ? await signTicket(deps, task, spec) : null,
      leaseSeconds: deps.leaseSeconds,
    };
  };
}

/** What an agent of the version before does not know is never sent to it. */
function requireKnown({ action, app }: Operation, { protocol, name }: Session): void {
  if (FIRST_ACTIONS.includes(action) || protocol >= PROTOCOL_OF_PARTS) return;
  throw new AppError(
    "conflict",
    "agent.outdated",
    `The agent on ${name} is too old for this part of the release of ${app} (${action}): upgrade the agent on ${name}, then try again.`,
  );
}

async function sealSecrets(
  deps: DispatchDeps,
  task: ClaimedTask,
  session: Session,
  spec: RenderedSpec,
): Promise<string | null> {
  const names = [...spec.secrets, ...registrySecretsOf(spec)];
  if (names.length === 0 || !session.sealingKey) return null;
  const values = await openSecrets(deps.db, deps.vault, {
    projectId: task.projectId,
    environmentId: task.environmentId,
    applicationId: task.appId!,
    names,
  }, deps.secretSources);
  const missing = spec.secrets.filter((name) => !Object.hasOwn(values, name));
  if (missing.length > 0) {
    throw new AppError(
      "invalid",
      "secret.missing",
      `${spec.application} needs the secret ${
        missing.join(", ")
      }, which has no value for this environment; set it with \`boreas secret set\` or under Settings.`,
    );
  }
  if (Object.keys(values).length === 0) return null;
  const key = await importJWK({ kty: "OKP", crv: "X25519", x: session.sealingKey }, "ECDH-ES");
  return await new CompactEncrypt(new TextEncoder().encode(JSON.stringify(values)))
    .setProtectedHeader({ alg: "ECDH-ES", enc: "A256GCM", taskId: task.id, fence: task.fence })
    .encrypt(key);
}

/** Whoever pulls an image may need its registry's login: it goes along when there is one, and to the engine alone. */
function registrySecretsOf({ runtime, artifacts }: RenderedSpec): string[] {
  const image = runtime.mode === "docker" ? artifacts[runtime.image] : undefined;
  const address = image?.kind === "image" ? parseImageRef(image.ref) : undefined;
  return address ? [registrySecret(address)] : [];
}

async function signTicket(deps: DispatchDeps, task: ClaimedTask, spec: RenderedSpec): Promise<string | null> {
  const sha = Object.values(spec.artifacts).flatMap((a) => (a.kind === "blob" ? [a.sha256] : []));
  if (spec.bundle) sha.push(spec.bundle.sha256);
  if (sha.length === 0) return null;
  return await new SignJWT({ sha, taskId: task.id }).setProtectedHeader({ alg: "HS256" }).setIssuer("boreas")
    .setAudience("boreas.blob").setIssuedAt().setExpirationTime(TICKET_LIFE).sign(deps.blobTicketKey);
}
