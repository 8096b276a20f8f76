/** One look at what a gate names: a number of a Prometheus, or an answer over HTTP. Nobody there is an error, never a pass. */
import { fillAddress, fillQuery, fillText } from "../../domain/fill_gate.ts";
import type { GatePlaceholders } from "../../domain/fill_gate.ts";
import { judgeSamples, timingOf } from "../../domain/judge_gate.ts";
import type { Measured, MeasuredGate } from "../../domain/judge_gate.ts";
import { storableText } from "../../domain/storable_text.ts";
import { callOut, OutgoingError, readText } from "../gitops/outgoing_http.ts";
import type { OutgoingDeps } from "../gitops/outgoing_http.ts";
import { readSamples } from "./read_samples.ts";

export interface GateToMeasure {
  gate: MeasuredGate;
  values: GatePlaceholders;
  /** Of the environment, for a gate that names none. */
  server: string | null;
}

/** An instant query's answer: thousands of series still fit. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Of an HTTP gate; what it looks for stands at the beginning. */
const MAX_BODY_BYTES = 256 * 1024;
const MAX_NOTE = 500;

export async function measureGate(deps: OutgoingDeps, wanted: GateToMeasure): Promise<Measured> {
  try {
    const measured = await ("http" in wanted.gate ? measureHttp : measurePrometheus)(deps, wanted as never);
    return { ...measured, note: fitNote(measured.note) };
  } catch (error: unknown) {
    if (!(error instanceof OutgoingError)) throw error;
    const what = "http" in wanted.gate ? "the address" : "the Prometheus server";
    return { verdict: "error", value: null, note: fitNote(`${what}: ${error.message}`) };
  }
}

/** It quotes the other side. */
const fitNote = (note: string) => storableText(note.slice(0, MAX_NOTE));

type Of<K extends string> = Omit<GateToMeasure, "gate"> & { gate: Extract<MeasuredGate, Record<K, unknown>> };

async function measurePrometheus(deps: OutgoingDeps, { gate, values, server }: Of<"prometheus">): Promise<Measured> {
  const base = gate.server ?? server;
  if (!base) {
    const note =
      "no Prometheus server is named; write `server` at the gate, or config.prometheus.server of the environment";
    return { verdict: "error", value: null, note };
  }
  const filled = fillAddress(base, values);
  if (!URL.canParse(filled)) throw new OutgoingError(`${filled} is no address`);
  const url = new URL(filled);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/api/v1/query`;
  url.searchParams.set("query", fillQuery(gate.prometheus, values));
  const timeoutMs = timingOf(gate).timeoutSeconds * 1000;
  return await callOut(deps, url.href, { headers: { accept: "application/json" }, timeoutMs }, async (response) => {
    const text = await readText(response, MAX_ANSWER_BYTES);
    const answer = readSamples(text);
    if ("error" in answer) {
      throw new OutgoingError(answer.error ?? `it answered ${response.status} with something that is no query result`);
    }
    return judgeSamples(gate, answer.samples);
  });
}

async function measureHttp(deps: OutgoingDeps, { gate, values }: Of<"http">): Promise<Measured> {
  const expect = gate.expect ?? "2xx";
  const timeoutMs = timingOf(gate).timeoutSeconds * 1000;
  const status = /^[1-5](\d\d|xx)$/.test(expect) ? expect : undefined;
  // A status of its own is what the first answer is asked for: a redirect followed would be another's.
  const maxRedirects = status?.startsWith("3") ? 0 : undefined;
  return await callOut(deps, fillAddress(gate.http, values), { timeoutMs, maxRedirects }, async (response) => {
    const isStatus = (wanted: string) => String(response.status).startsWith(wanted.replaceAll("x", ""));
    const said = { value: response.status, note: `status ${response.status}` };
    if (status) {
      await response.body?.cancel();
      return { ...said, verdict: isStatus(status) ? "pass" : "fail" };
    }
    const text = await readText(response, MAX_BODY_BYTES);
    const wanted = fillText(expect, values);
    if (!isStatus("2xx")) return { ...said, verdict: "fail" };
    const has = text.includes(wanted);
    return { ...said, verdict: has ? "pass" : "fail", note: `${said.note}, ${has ? "with" : "without"} "${wanted}"` };
  });
}
