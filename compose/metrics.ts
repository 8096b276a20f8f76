/** Prometheus text of this process. Counts that need the database are the dashboard's matter, not a scrape's. */
import type { Leadership } from "../scheduler/leadership.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";

export interface MetricsParts {
  productVersion: string;
  stats: Scheduler["stats"];
  leadership: Leadership;
}

interface Metric {
  name: string;
  help: string;
  type: "gauge" | "counter";
  /** Labels in braces, or nothing -> value. */
  values: Record<string, number>;
}

export function createMetrics({ productVersion, stats, leadership }: MetricsParts): () => string {
  return () => {
    const { sessions, held, stale } = stats();
    const { rss, heapUsed } = Deno.memoryUsage();
    const gauge = (name: string, help: string, value: number): Metric => ({
      name,
      help,
      type: "gauge",
      values: { "": value },
    });
    const metrics: Metric[] = [
      {
        name: "boreas_info",
        help: "The running version.",
        type: "gauge",
        values: { [`{version="${productVersion}"}`]: 1 },
      },
      gauge("boreas_agents_connected", "Agents connected to this process.", sessions),
      gauge("boreas_tasks_held", "Tasks that agents of this process hold.", held),
      gauge(
        "boreas_leader_term",
        "The term in which this process leads; 0 while another does.",
        leadership.term() ?? 0,
      ),
      {
        name: "boreas_stale_writes_total",
        help: "Words of agents about leases that they no longer held; they were refused.",
        type: "counter",
        values: Object.fromEntries(Object.entries(stale).map(([kind, count]) => [`{kind="${kind}"}`, count])),
      },
      gauge("process_resident_memory_bytes", "Resident memory.", rss),
      gauge("boreas_heap_used_bytes", "JavaScript heap in use.", heapUsed),
    ];
    return metrics.map(({ name, help, type, values }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...Object.entries(values).map(([labels, value]) => `${name}${labels} ${value}`),
      ].join("\n") + "\n"
    ).join("");
  };
}
