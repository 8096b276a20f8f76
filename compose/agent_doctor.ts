/** `boreas agent doctor [--json]`: is this machine fit for an agent, and what to do where it is not. */
import type { DoctorCheck } from "../domain/doctor_report.ts";
import { isFit, judgeClock, judgeSpace, sayDoctor } from "../domain/doctor_report.ts";
import {
  canListen,
  freeBytes,
  hasEngine,
  hasProgram,
  isFolder,
  lookAtMaster,
  missingPermissions,
  missingPrograms,
  tryWriting,
} from "../host/doctor.ts";
import { PROTOCOL } from "../protocol/agent_messages.ts";
import { withAgentConfig } from "./agent_config.ts";
import { findMaster, stateDirOf } from "./agent_enrollment.ts";
import { readSecretFile } from "./data_folder.ts";
import { PRODUCT_VERSION } from "./product_version.ts";
import type { Env } from "./settings.ts";

const ok = (name: string, detail: string): DoctorCheck => ({ name, status: "ok", detail });
const fail = (name: string, detail: string, advice: string): DoctorCheck => ({ name, status: "fail", detail, advice });
const warn = (name: string, detail: string, advice: string): DoctorCheck => ({ name, status: "warn", detail, advice });

/** @returns the exit code: 0 when an agent can work here */
export async function runAgentDoctor(given: Env, asJson: boolean): Promise<number> {
  const checks = await examine(given);
  const fit = isFit(checks);
  if (asJson) console.log(JSON.stringify({ fit, version: PRODUCT_VERSION, protocol: PROTOCOL, checks }));
  else {
    console.log(sayDoctor(checks));
    console.log(
      fit ? "\nThis machine is fit for an agent." : "\nThis machine is not fit for an agent yet; see FAIL above.",
    );
  }
  return fit ? 0 : 1;
}

async function examine(given: Env): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [
    ok("release", `Boreas ${PRODUCT_VERSION} on Deno ${Deno.version.deno}, ${Deno.build.target}.`),
  ];
  let env: Env;
  try {
    env = await withAgentConfig(given);
  } catch (error: unknown) {
    return [...checks, fail("configuration", sayError(error), "Mend the file, or run the install line again.")];
  }
  const stateDir = stateDirOf(env);
  checks.push(
    rights(),
    await programs(),
    ...await stateFolder(stateDir),
    await enrolment(stateDir, env),
    ...await master(env),
    await systemd(),
    await engine(),
    await ports(),
  );
  return checks;
}

function rights(): DoctorCheck {
  const missing = missingPermissions();
  if (missing.length > 0) {
    return fail(
      "rights",
      `The runtime was started without --allow-${missing.join(", --allow-")}.`,
      "Start the agent by its launcher or unit, which give it what it needs.",
    );
  }
  if (Deno.uid() === 0) return ok("rights", "Runs as root: it can start programs as any user that its policy allows.");
  return warn(
    "rights",
    `Runs as user ${Deno.uid()}.`,
    "Programs run as this user only, and systemd units of their own are out of reach.",
  );
}

async function programs(): Promise<DoctorCheck> {
  const missing = await missingPrograms();
  if (missing.length === 0) return ok("programs", "Everything that programs are started and kept with is there.");
  return fail("programs", `Missing: ${missing.join(", ")}.`, "Install coreutils and util-linux.");
}

async function stateFolder(stateDir: string): Promise<DoctorCheck[]> {
  const why = await tryWriting(stateDir);
  if (why) {
    return [
      fail(
        "state folder",
        `${stateDir} cannot be written: ${why}.`,
        "Give it to the agent's user, or set BOREAS_STATE_DIR.",
      ),
    ];
  }
  const free = await freeBytes(stateDir);
  return [
    ok("state folder", `${stateDir} takes files and brings them to the disk.`),
    ...free === undefined ? [] : [judgeSpace(stateDir, free)],
  ];
}

async function enrolment(stateDir: string, env: Env): Promise<DoctorCheck> {
  const file = await readSecretFile(`${stateDir}/identity.json`);
  if (file === undefined) {
    const hasToken = Boolean(env("BOREAS_TOKEN") || env("BOREAS_TOKEN_FILE"));
    if (hasToken) return ok("enrolment", "Not enrolled yet; a token is there.");
    return warn(
      "enrolment",
      "Not enrolled yet.",
      "Make a token in the dashboard, under Agents, and run the line it shows.",
    );
  }
  const { name, releaseKey } = JSON.parse(file) as { name: string; releaseKey?: string };
  if (releaseKey) return ok("enrolment", `Enrolled as ${name}; releases must carry the pinned signature.`);
  return ok("enrolment", `Enrolled as ${name}; the key of releases is pinned at its next connection.`);
}

async function master(env: Env): Promise<DoctorCheck[]> {
  const proxy = env("HTTPS_PROXY") || env("https_proxy");
  try {
    const address = await findMaster(env);
    const way = address.proxy ? ` through the proxy ${address.proxy.host}` : "";
    const { status, skewSeconds } = await lookAtMaster(address);
    if (status >= 500) {
      return [
        fail("master", `${address.url.origin} answers ${status}${way}.`, "Look at the master: its /v1/ready says why."),
      ];
    }
    const trust = address.url.protocol === "http:"
      ? "without encryption, within this machine"
      : address.ca
      ? "with the pinned authority"
      : "with an authority of this system";
    return [
      ok("master", `${address.url.origin} answers${way}, ${trust}.`),
      ...skewSeconds === null ? [] : [judgeClock(skewSeconds)],
    ];
  } catch (error: unknown) {
    const advice = proxy
      ? `Check BOREAS_URL, and that the proxy ${URL.canParse(proxy) ? new URL(proxy).host : proxy} leads there.`
      : "Check BOREAS_URL, name resolution and the firewall: one outbound connection to it must be possible.";
    return [fail("master", sayError(error), advice)];
  }
}

async function systemd(): Promise<DoctorCheck> {
  if (await isFolder("/run/systemd/system") && await hasProgram("systemctl")) {
    return ok("systemd", "Applications get units of their own.");
  }
  return warn(
    "systemd",
    "It does not run here.",
    "Applications are kept by the agent itself; limits of memory and CPU do not apply.",
  );
}

async function engine(): Promise<DoctorCheck> {
  if (await hasEngine()) return ok("container engine", "It answers on /var/run/docker.sock.");
  return warn(
    "container engine",
    "None answers on /var/run/docker.sock.",
    "Without one, docker applications are refused here.",
  );
}

async function ports(): Promise<DoctorCheck> {
  const why = await canListen();
  if (why === undefined) return ok("ports", "Applications can be given ports on this machine.");
  return fail(
    "ports",
    `Nothing may listen on 127.0.0.1: ${why}.`,
    "Look at what confines the agent: its unit, SELinux, AppArmor.",
  );
}

const sayError = (error: unknown): string => error instanceof Error ? error.message : String(error);
