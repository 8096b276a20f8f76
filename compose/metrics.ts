/** Prometheus text of this process. Counts that need the database are the dashboard's matter, not a scrape's. */
export interface MetricsParts {
  productVersion: string;
  sessions(): { sessions: number; held: number };
}

export function createMetrics(parts: MetricsParts): () => string {
  return () => {
    const { sessions, held } = parts.sessions();
    const { rss, heapUsed } = Deno.memoryUsage();
    const lines: [name: string, help: string, value: number, labels?: string][] = [
      ["boreas_info", "The running version.", 1, `{version="${parts.productVersion}"}`],
      ["boreas_agents_connected", "Agents connected to this process.", sessions],
      ["boreas_tasks_held", "Tasks that agents of this process hold.", held],
      ["process_resident_memory_bytes", "Resident memory.", rss],
      ["boreas_heap_used_bytes", "JavaScript heap in use.", heapUsed],
    ];
    return lines.map(([name, help, value, labels = ""]) =>
      `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name}${labels} ${value}\n`
    ).join("");
  };
}
