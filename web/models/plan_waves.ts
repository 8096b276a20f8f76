/** A plan's application tasks by how many others come before them, each with its parts. */
import type { Preview } from "../../protocol/http_api.ts";

type Planned = Preview["tasks"][number];

export function planWaves(tasks: Planned[]): { task: Planned; parts: Planned[] }[][] {
  const byKey = new Map(tasks.map((task) => [task.key, task]));
  const topOf = (key: string): string => {
    const parent = byKey.get(key)?.parentKey;
    return parent ? topOf(parent) : key;
  };
  const before = new Map<string, Set<string>>();
  for (const task of tasks) {
    const top = topOf(task.key);
    const needs = before.get(top) ?? new Set<string>();
    for (const key of task.dependsOn) if (byKey.has(key) && topOf(key) !== top) needs.add(topOf(key));
    before.set(top, needs);
  }
  const waves: { task: Planned; parts: Planned[] }[][] = [];
  const placed = new Set<string>();
  while (placed.size < before.size) {
    const ready = [...before].filter(([key, needs]) => !placed.has(key) && [...needs].every((one) => placed.has(one)));
    if (ready.length === 0) break; // a circle: the master refuses such a plan
    waves.push(ready.map(([key]) => ({
      task: byKey.get(key)!,
      parts: tasks.filter((task) => task.key !== key && topOf(task.key) === key),
    })));
    for (const [key] of ready) placed.add(key);
  }
  return waves;
}
