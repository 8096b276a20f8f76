/** What becomes of a deployment when another of the same applications is in its way. Pure. */
export const CONCURRENCY_POLICIES = ["queue", "supersede", "reject"] as const;
export type ConcurrencyPolicy = (typeof CONCURRENCY_POLICIES)[number];
/**
 * `queue`: one after the other, in the order they came. `supersede`: a newer version ends older deployments that have not
 * begun, and waits for one that has (or has it cancelled). `reject`: refused while another is under way.
 */
export interface ConcurrencyInput {
  policy: ConcurrencyPolicy;
  /** Of `supersede`: what becomes of an older version's deployment that runs; `queue` unless told. */
  running?: "queue" | "cancel";
}

/** The environment's policy is the floor: the stricter of the two counts. */
export function stricter(
  plan: ConcurrencyInput | undefined,
  environment: ConcurrencyInput | undefined,
): ConcurrencyInput | undefined {
  if (!plan || !environment) return plan ?? environment;
  const rank = ({ policy }: ConcurrencyInput) => CONCURRENCY_POLICIES.indexOf(policy);
  if (rank(plan) !== rank(environment)) return rank(plan) > rank(environment) ? plan : environment;
  return environment.running ? environment : plan;
}
