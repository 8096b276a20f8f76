/**
 * How long an agent may believe in its lease, by its own monotonic clock. The master's lease begins when the database
 * writes it, which is after the agent sent the renewal that was acknowledged; counting from the moment of sending, less
 * a margin for scheduling and for clock rate, the agent always stops first. The margin is a tenth of the lease,
 * at least 250 ms. (The rule is that of River's leadership: trust ends early, measured from before the request.)
 */
export const trustMargin = (leaseMs: number): number => Math.max(250, leaseMs / 10);

/** The monotonic instant (ms) at which trust ends. */
export const trustUntil = (sentAt: number, leaseMs: number): number => sentAt + leaseMs - trustMargin(leaseMs);

/** Renew at a third of the lease: two renewals may be lost before trust ends. */
export const renewEvery = (leaseMs: number): number => leaseMs / 3;
