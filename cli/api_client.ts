/** The REST API as functions, one per call that a command needs. Answers are parsed with the schemas the server uses. */
import {
  type Act,
  Agent,
  AgentRuntime,
  Application,
  ApprovalRequest,
  AppStateItem,
  Audit,
  Binding,
  Carriers,
  CommitStatus,
  CreatedEnrollmentToken,
  type CreateDeployment,
  CreatedToken,
  type CreateEnrollmentToken,
  type CreateEnvironment,
  type CreateFreeze,
  type CreateNotification,
  type CreateRemoval,
  type CreateRepository,
  type CreateToken,
  type CreateUpgrade,
  type CreateVersion,
  type DecideTask,
  Delivery,
  Deployment,
  DeploymentWithTasks,
  Environment,
  type FireTrigger,
  Freeze,
  Freezes,
  type Login,
  Notification,
  NotificationDelivery,
  Overview,
  Preview,
  type PreviewCommit,
  type PutSecret,
  Repository,
  Secret,
  Session,
  type StartDeployment,
  Task,
  Token,
  Trigger,
  TriggerRun,
  type UpdateAgent,
  type UpdateEnvironment,
  type UpdateNotification,
  type UpdateRepository,
  type UpdateTrigger,
  Upgrade,
  User,
  Version,
  VersionChanges,
  VersionStatus,
} from "../protocol/http_api.ts";
import type { LiveEvent } from "../protocol/live_events.ts";
import type { CliHost } from "./host.ts";
import { createTransport, type Query, type Schema, type Transport } from "./http.ts";
import { followLive, type LiveOptions } from "./live_stream.ts";
import type { SignIn } from "./sign_in.ts";

/** The input of a schema, before its defaults are filled in. */
type Input<S extends { _zod: { input: unknown } }> = S["_zod"]["input"];
type DeploymentAct =
  | "start"
  | "cancel"
  | "pause"
  | "resume"
  | "rollback"
  | "approve"
  | "reject"
  | "retry"
  | "skip"
  | "promote";

const PAGE = 200;
/** Each may do what those before it may. */
const RANKED_ROLES: readonly string[] = ["viewer", "deployer", "admin"];
const nothing: Schema<void> = { parse: () => undefined };

export type ApiClient = ReturnType<typeof createApiClient>;

export function createApiClient(
  host: Pick<CliHost, "fetch" | "wait" | "now">,
  signIn: SignIn | { url: string },
  onRenewed?: (signIn: SignIn) => Promise<void>,
) {
  const transport: Transport = createTransport(host, signIn, onRenewed);
  const { call } = transport;
  const get = <T>(schema: Schema<T>, path: string, query?: Query) => call(schema, "GET", path, { query });
  const post = <T>(schema: Schema<T>, path: string, body: unknown = {}) => call(schema, "POST", path, { body });
  const patch = <T>(schema: Schema<T>, path: string, body: unknown) => call(schema, "PATCH", path, { body });

  /** Newest first, page by page, until `enough` items are there or the list ends. */
  async function list<T>(item: Schema<T>, path: string, query: Query = {}, enough = 10_000): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | undefined;
    do {
      const page = await get(pageOf(item), path, { ...query, limit: Math.min(PAGE, enough - items.length), cursor });
      items.push(...page.items);
      cursor = page.nextCursor ?? undefined;
    } while (cursor && items.length < enough);
    return items;
  }

  return {
    url: transport.url,
    transport,
    login: (body: Input<typeof Login>) => post(Session, "/auth/login", body),
    logout: (refreshToken: string) => post(nothing, "/auth/logout", { refreshToken }),
    me: () => get(User, "/auth/me"),
    tokens: () => list(Token, "/tokens"),
    createToken: (body: Input<typeof CreateToken>) => post(CreatedToken, "/tokens", body),
    deleteToken: (id: string) => call(nothing, "DELETE", `/tokens/${id}`),
    audit: (filter: { actor?: string; action?: string; target?: string }, enough: number) =>
      list(Audit, "/audit", filter, enough),
    /** The roles that may make a call (`POST /deployments/{id}/start`), lowest first; undefined for no such call. */
    async allowedRoles(wanted: string): Promise<readonly string[] | undefined> {
      const [method = "", path = ""] = wanted.split(" ");
      const { paths } = await get(openApi, "/openapi.json");
      const role = (paths[`/api/v1${path}`] ?? paths[path])?.[method.toLowerCase()]?.["x-boreas-role"];
      if (role === undefined) return undefined;
      if (role === "public") return RANKED_ROLES;
      // What agents prove in a way of their own is no person's to do.
      return RANKED_ROLES.includes(role) ? RANKED_ROLES.slice(RANKED_ROLES.indexOf(role)) : [];
    },

    overview: () => get(Overview, "/overview"),
    live: (topics: readonly string[], options?: LiveOptions): AsyncGenerator<LiveEvent> =>
      followLive(transport, host, topics, options),

    environments: () => list(Environment, "/environments"),
    createEnvironment: (body: Input<typeof CreateEnvironment>) => post(Environment, "/environments", body),
    updateEnvironment: (id: string, body: Input<typeof UpdateEnvironment>) =>
      patch(Environment, `/environments/${id}`, body),
    environmentStatus: (id: string) => list(AppStateItem, `/environments/${id}/status`),

    applications: () => list(Application, "/applications"),
    applicationsIn: (state: string) => list(Application, "/applications", { state }),
    settleApplication: (id: string, act: "approve" | "dismiss") => post(Application, `/applications/${id}/${act}`),
    handOver: (id: string, repositoryId: string) =>
      post(Application, `/applications/${id}/hand-over`, { repositoryId }),
    bindings: (id: string) => list(Binding, `/applications/${id}/environments`),
    /** What runs there, as its agents see it now. */
    resources: (id: string, environmentId: string) =>
      list(AppStateItem, `/applications/${id}/environments/${environmentId}/resources`),

    repositories: () => list(Repository, "/repositories"),
    createRepository: (body: Input<typeof CreateRepository>) => post(Repository, "/repositories", body),
    updateRepository: (id: string, body: Input<typeof UpdateRepository>) =>
      patch(Repository, `/repositories/${id}`, body),
    syncRepository: (id: string) => post(nothing, `/repositories/${id}/sync`),
    deliveries: (id: string, enough = 50) => list(Delivery, `/repositories/${id}/deliveries`, {}, enough),
    commitStatuses: (id: string, filter: { commit?: string } = {}, enough = 50) =>
      list(CommitStatus, `/repositories/${id}/statuses`, filter, enough),
    resendStatus: (id: string, statusId: string) =>
      post(CommitStatus, `/repositories/${id}/statuses/${statusId}/resend`),

    versions: (query: Query = {}, enough?: number) => list(Version, "/versions", query, enough),
    version: (id: string) => get(Version, `/versions/${id}`),
    versionChanges: (id: string, since: string, limit: number) =>
      get(VersionChanges, `/versions/${id}/changes`, { since, limit }),
    carriers: (sha: string) => get(Carriers, `/commits/${sha}/deployments`),
    versionStatus: (id: string) => get(VersionStatus, `/versions/${id}/status`),
    createVersion: (body: Input<typeof CreateVersion>) => post(Version, "/versions", body),
    revertVersion: (id: string, reason: string) => post(Version, `/versions/${id}/revert`, { reason }),
    unrevertVersion: (id: string, reason: string) => post(Version, `/versions/${id}/unrevert`, { reason }),

    triggers: () => list(Trigger, "/triggers"),
    updateTrigger: (id: string, body: Input<typeof UpdateTrigger>) => patch(Trigger, `/triggers/${id}`, body),
    fireTrigger: (id: string, body: Input<typeof FireTrigger>) => post(TriggerRun, `/triggers/${id}/fire`, body),
    triggerRuns: (id: string, enough = 20) => list(TriggerRun, `/triggers/${id}/runs`, {}, enough),
    triggerRun: (id: string) => get(TriggerRun, `/trigger-runs/${id}`),

    deployments: (query: Query = {}, enough?: number) => list(Deployment, "/deployments", query, enough),
    deployment: (id: string) => get(DeploymentWithTasks, `/deployments/${id}`),
    createDeployment: (body: CreateDeployment) => post(Deployment, "/deployments", body),
    createRemoval: (body: CreateRemoval) => post(Deployment, "/deployments/removals", body),
    previewRemoval: (body: CreateRemoval) => post(Preview, "/deployments/removals/preview", body),
    previewCommit: (body: PreviewCommit) => post(Preview, "/deployments/preview", body),
    previewDeployment: (body: CreateDeployment) => post(Preview, "/deployments/preview", body),
    actOnDeployment: (id: string, act: DeploymentAct, body: Input<typeof Act> = {}) =>
      post(nothing, `/deployments/${id}/${act}`, body),

    startDeployment: (id: string, body: StartDeployment) => post(nothing, `/deployments/${id}/start`, body),
    decideTask: (id: string, body: DecideTask) => post(nothing, `/tasks/${id}/decide`, body),
    freezes: async () => (await get(Freezes, "/freezes")).items,
    createFreeze: (body: CreateFreeze) => post(Freeze, "/freezes", body),
    endFreeze: (id: string, reason: string) => post(nothing, `/freezes/${id}/end`, { reason }),

    changeBatch: (id: string, batch: number | string) =>
      patch(DeploymentWithTasks, `/deployments/${id}`, { strategy: { batch } }),

    task: (id: string) => get(Task, `/tasks/${id}`),
    actOnTask: (id: string, act: "approve" | "reject", body: Input<typeof Act> = {}) =>
      post(nothing, `/tasks/${id}/${act}`, body),
    /** What waits for the caller's approval; with `all` also what waits for others. */
    approvals: ({ all, deploymentId }: { all?: boolean; deploymentId?: string } = {}) =>
      list(ApprovalRequest, "/approvals", {
        ...(all ? { all: "true" } : {}),
        ...(deploymentId ? { deploymentId } : {}),
      }),
    /** The stored bytes from an offset on, as much as the server gives at once, and where to read on. */
    async taskLog(
      id: string,
      offset = 0,
      limit?: number,
    ): Promise<{ bytes: Uint8Array<ArrayBuffer>; nextOffset: number }> {
      const response = await transport.send("GET", `/tasks/${id}/logs`, {
        query: { offset, limit },
        headers: { accept: "*/*" },
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      return { bytes, nextOffset: Number(response.headers.get("x-next-offset") ?? offset + bytes.length) };
    },

    secrets: (query: Query = {}) => list(Secret, "/secrets", query),
    putSecret: (body: Input<typeof PutSecret>) => call(Secret, "PUT", "/secrets", { body }),
    deleteSecret: (id: string) => call(nothing, "DELETE", `/secrets/${id}`),
    notifications: () => list(Notification, "/notifications"),
    createNotification: (body: Input<typeof CreateNotification>) => post(Notification, "/notifications", body),
    updateNotification: (id: string, body: Input<typeof UpdateNotification>) =>
      patch(Notification, `/notifications/${id}`, body),
    deleteNotification: (id: string) => call(nothing, "DELETE", `/notifications/${id}`),
    testNotification: (id: string) => post(NotificationDelivery, `/notifications/${id}/test`),
    notificationDeliveries: (id: string, enough = 50) =>
      list(NotificationDelivery, `/notifications/${id}/deliveries`, {}, enough),
    redeliverNotification: (id: string, deliveryId: string) =>
      post(NotificationDelivery, `/notifications/${id}/deliveries/${deliveryId}/redeliver`),

    agents: () => list(Agent, "/agents"),
    updateAgent: (id: string, body: Input<typeof UpdateAgent>) => patch(Agent, `/agents/${id}`, body),
    actOnAgent: (id: string, act: "cordon" | "uncordon" | "drain" | "approve" | "rotate") =>
      post(Agent, `/agents/${id}/${act}`),
    agent: (id: string) => get(Agent, `/agents/${id}`),
    upgradeAgents: (body: CreateUpgrade) => post(Upgrade, "/agents/upgrade", body),
    upgrade: (id: string) => get(Upgrade, `/agent-upgrades/${id}`),
    cancelUpgrade: (id: string) => post(Upgrade, `/agent-upgrades/${id}/cancel`),
    revokeAgent: (id: string) => call(nothing, "DELETE", `/agents/${id}`),
    async runtimes() {
      const { items } = await get(runtimeList, "/install/runtimes");
      return items;
    },
    uploadRuntime: (os: string, arch: string, packed: Uint8Array<ArrayBuffer>) =>
      call(AgentRuntime, "PUT", `/install/runtimes/${os}/${arch}`, {
        bytes: packed,
        headers: { "content-type": "application/gzip" },
      }),
    createEnrollmentToken: (body: Input<typeof CreateEnrollmentToken>) =>
      post(CreatedEnrollmentToken, "/enrollment-tokens", body),
  };
}

const pageOf = <T>(item: Schema<T>): Schema<{ items: T[]; nextCursor: string | null }> => ({
  parse(value) {
    const { items, nextCursor } = (value ?? {}) as { items?: unknown; nextCursor?: string | null };
    if (!Array.isArray(items)) throw new Error("expected {items, nextCursor}");
    return { items: items.map((i) => item.parse(i)), nextCursor: nextCursor ?? null };
  },
});
const runtimeList: Schema<{ items: AgentRuntime[] }> = {
  parse: (value) => ({ items: (value as { items: unknown[] }).items.map((item) => AgentRuntime.parse(item)) }),
};
const openApi: Schema<{ paths: Record<string, Record<string, { "x-boreas-role"?: string }>> }> = {
  parse: (value) => value as ReturnType<typeof openApi.parse>,
};
