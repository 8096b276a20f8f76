const UNIT_SECONDS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `5m`, `1h30m`, `500ms` -> seconds; undefined when it is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(ms|s|m|h|d))+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) seconds += Number(count) * UNIT_SECONDS[unit!]!;
  return seconds;
}

const UNIT_BYTES: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** `512m`, `1g`, `64k`, `1000` -> bytes; undefined when it is not a size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)([kmg]?)$/.exec(text);
  return match ? Number(match[1]) * UNIT_BYTES[match[2]!]! : undefined;
}
