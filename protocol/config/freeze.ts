/** Times in which nothing is started, and what becomes of deployments that meet: of a Plan, and of an environment's policy. */
import { z } from "zod";
import { whyNoCron } from "../../domain/cron.ts";
import { CONCURRENCY_POLICIES } from "../../domain/concurrency.ts";
import { Duration, Name } from "./values.ts";

const window = {
  cron: z.string().min(9).describe("When it begins: minute, hour, day of month, month, day of week."),
  for: Duration.describe("How long it lasts."),
  tz: z.string().optional().meta({ description: "IANA time zone.", default: "UTC" }),
  applications: z.array(Name).min(1).optional().describe("Only these; all when absent."),
  override: z.strictObject({
    role: Name.describe("Who may start one nevertheless."),
    reason: z.enum(["required", "optional"]).optional().meta({
      description: "Whether they must say why.",
      default: "required",
    }),
  }).optional().describe("Without it admins alone may."),
};
type Window = { cron: string; tz?: string | undefined };
const isCron = ({ cron, tz }: Window, context: z.core.$RefinementCtx<Window>) => {
  const why = whyNoCron({ cron, tz });
  if (why !== undefined) context.addIssue({ code: "custom", path: ["cron"], message: why });
};

export const PolicyFreeze = z.strictObject(window).superRefine(isCron).meta({ title: "policy freeze" });
export const PlanFreeze = z.strictObject({ environment: Name.describe("Where nothing is started."), ...window })
  .superRefine(isCron).meta({ title: "freeze" });

export const Concurrency = z.strictObject({
  policy: z.enum(CONCURRENCY_POLICIES).describe(
    "What becomes of deployments that meet: one after the other, the newer version only, or the later one refused.",
  ),
  running: z.enum(["queue", "cancel"]).optional().meta({
    description: "Of supersede: what becomes of an older version's deployment that runs.",
    default: "queue",
  }),
}).superRefine(({ policy, running }, context) => {
  if (running === undefined || policy === "supersede") return;
  context.addIssue({ code: "custom", path: ["running"], message: "belongs to the policy supersede" });
}).meta({ title: "concurrency" });
