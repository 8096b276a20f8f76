/** Words that the master itself puts into reasons, and instants, for who reads them in another language. Pure. */
import type { Reason } from "./reason.ts";

/** @param texts also has `word:PARAMETER:VALUE`: another word for a parameter that is that value and nothing else */
export const sayWords = (params: Reason["params"], texts: Partial<Record<string, string>>): Reason["params"] =>
  Object.fromEntries(
    Object.entries(params).map(([name, value]) => [name, texts[`word:${name}:${value}`] ?? value]),
  );

const INSTANT = /\b(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?Z/g;

/** For pages and messages that do not know their reader's clock: to the minute, and which clock it is. */
export const sayInstants = (text: string, language: "en" | "zh"): string =>
  text.replace(INSTANT, language === "zh" ? "$1年$2月$3日 $4（UTC）" : "$1-$2-$3 $4 UTC");
