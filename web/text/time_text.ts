/** Times for people. `units` come from the language: `{d, h, m, s}` and the word for "ago". */
export interface TimeWords {
  day: string;
  hour: string;
  minute: string;
  second: string;
  now: string;
  ago: (text: string) => string;
  ahead: (text: string) => string;
}

export function durationText(milliseconds: number, words: TimeWords): string {
  const ms = Math.max(0, milliseconds);
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} ${words.second}`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} ${words.second}`;
  if (whole < 3600) return pair(Math.floor(whole / 60), words.minute, whole % 60, words.second);
  if (whole < 86_400) return pair(Math.floor(whole / 3600), words.hour, Math.floor((whole % 3600) / 60), words.minute);
  return pair(Math.floor(whole / 86_400), words.day, Math.floor((whole % 86_400) / 3600), words.hour);
}

const pair = (large: number, largeWord: string, small: number, smallWord: string) =>
  `${large} ${largeWord}` + (small > 0 ? ` ${small} ${smallWord}` : "");

/** One unit is enough here: "3 min ago". */
export function agoText(instant: string, now: number, words: TimeWords): string {
  const distance = now - Date.parse(instant);
  const seconds = Math.round(Math.abs(distance) / 1000);
  if (seconds < 5) return words.now;
  const [count, word] = seconds < 60
    ? [seconds, words.second]
    : seconds < 3600
    ? [Math.floor(seconds / 60), words.minute]
    : seconds < 86_400
    ? [Math.floor(seconds / 3600), words.hour]
    : [Math.floor(seconds / 86_400), words.day];
  return distance >= 0 ? words.ago(`${count} ${word}`) : words.ahead(`${count} ${word}`);
}

/** How long something has run or ran; undefined before it starts. */
export function runTime(
  times: { startedAt: string | null; completedAt: string | null },
  now: number,
): number | undefined {
  if (!times.startedAt) return undefined;
  return (times.completedAt ? Date.parse(times.completedAt) : now) - Date.parse(times.startedAt);
}

export const bytesText = (bytes: number): string => {
  const units = ["B", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
};
