/** Counts attempts in a sliding window. Redis shares the count between masters; memory serves one. */
export interface RateLimiter {
  kind: "redis" | "memory";
  /**
   * @param key what is counted, e.g. `login:127.0.0.1`
   * @returns 0 when allowed, else the seconds to wait
   */
  hit(key: string, limit: number, windowSeconds: number): Promise<number>;
}
