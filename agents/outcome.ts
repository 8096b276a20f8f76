/** An operator's word made fit for the wire: within its limits, storable, and without the secrets it was given. */
import { storableText } from "../domain/storable_text.ts";
import { Outcome, type OutcomeInput } from "../protocol/operation.ts";
import { maskText } from "./redact.ts";

const MESSAGE = 8000;
const LINE = 2000;
const DETAILS = 128 * 1024;

export function tidyOutcome(input: OutcomeInput, secrets: string[]): Outcome {
  const mask = (text: string) => storableText(secrets.length > 0 ? maskText(text, secrets) : text);
  const clip = (text: string, length: number) =>
    text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
  let details = JSON.stringify(input.details ?? {});
  if (details.length > DETAILS) details = `{"omitted":"${details.length} characters of details"}`;
  const outcome = Outcome.safeParse({
    ...input,
    message: clip(mask(input.message), MESSAGE),
    lastLines: (input.lastLines ?? []).slice(-200).map((line) => clip(mask(line), LINE)),
    details: maskDeep(JSON.parse(details), mask),
  });
  if (outcome.success) return outcome.data;
  const message = clip(`The operator gave an outcome that is none: ${outcome.error.message}`, MESSAGE);
  return Outcome.parse({ status: "failed", code: "operator.outcome", message });
}

function maskDeep(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((item) => maskDeep(item, mask));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [mask(key), maskDeep(item, mask)]));
}
