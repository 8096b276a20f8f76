/** What an instant query of Prometheus answers: https://prometheus.io/docs/prometheus/latest/querying/api/ */

export interface Sample {
  value: number;
  /** Its labels, to tell it from the others. */
  name: string;
}
const MAX_LABELS = 200;

/** @returns the samples, or Prometheus' own words on what is wrong with the query (undefined: it is not its answer) */
export function readSamples(text: string): { samples: Sample[] } | { error: string | undefined } {
  let answer: Record<string, unknown>;
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch (error: unknown) {
    if (!(error instanceof SyntaxError)) throw error;
    return { error: undefined };
  }
  if (answer === null || typeof answer !== "object") return { error: undefined };
  if (answer.status === "error" && typeof answer.error === "string") return { error: answer.error };
  const data = answer.data as { resultType?: unknown; result?: unknown } | null | undefined;
  if (answer.status !== "success" || !data || !Array.isArray(data.result)) return { error: undefined };
  if (data.resultType === "scalar") return read([{ value: data.result }]);
  if (data.resultType === "vector") return read(data.result);
  return {
    error: `the query gives a ${
      String(data.resultType)
    }; a gate needs one number for each series, so an instant vector`,
  };
}

function read(result: unknown[]): { samples: Sample[] } | { error: string | undefined } {
  const samples: Sample[] = [];
  for (const one of result as ({ metric?: Record<string, unknown>; value?: unknown } | null)[]) {
    const value = Array.isArray(one?.value) ? parseNumber(one.value[1]) : undefined;
    if (value === undefined) return { error: undefined };
    samples.push({ value, name: sayLabels(one?.metric ?? {}) });
  }
  return { samples };
}

/** As Prometheus writes numbers, in text: also `NaN`, `+Inf`, `-Inf`. */
function parseNumber(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  if (text === "NaN") return NaN;
  const endless = /^([+-]?)Inf$/.exec(text);
  if (endless) return endless[1] === "-" ? -Infinity : Infinity;
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
}

const sayLabels = (metric: Record<string, unknown>): string =>
  Object.entries(metric).map(([key, value]) => `${key}=${String(value)}`).join(" ").slice(0, MAX_LABELS);
