import { describe, it } from "vitest";
import { findTagged } from "../host/process_table.ts";
import { clock, createContext, createPmFixture, operationOf, specOf } from "../tests/helpers/pm_fixture.ts";
import type { MockScript } from "../protocol/config/application.ts";
import type { Operation } from "../protocol/operation.ts";
import { conformanceCases } from "./conformance.ts";
import { partCases } from "./conformance_parts.ts";
import type { ConformanceFixture } from "./conformance.ts";
import { createMockOperator } from "./mock/mock_operator.ts";

/** A mock acts by what it logs: a start is a first line. */
async function mockFixture(): Promise<ConformanceFixture> {
  const begun = new Map<string, number>();
  const running = new Set<string>();
  const watched = (): ReturnType<typeof createMockOperator> => {
    const mock = createMockOperator({ clock });
    return {
      ...mock,
      run: (operation, context) => {
        const log = context.log;
        context.log = (data, position) => {
          if (position === 1) begun.set(context.taskId, (begun.get(context.taskId) ?? 0) + 1);
          running.add(context.taskId);
          return log(data, position);
        };
        return mock.run(operation, context).finally(() => running.delete(context.taskId));
      },
    };
  };
  const operation = (script: MockScript): Promise<Operation> =>
    Promise.resolve({ ...operationOf(specOf({ mode: "mock", script })), kind: "mock" });
  return {
    operator: watched(),
    restart: async () => watched(),
    context: createContext,
    prints: (texts) => operation({ steps: [{ log: texts.map((text) => text.replace(/\n$/, "")) }] }),
    hangs: () => operation({ steps: [{ log: ["up"] }], hang: true }),
    briefly: () => operation({ steps: [{ log: ["up"], duration: "500ms" }] }),
    fails: () => operation({ steps: [{ name: "start" }], failAtStep: 1 }),
    script: async (ending, as) => {
      const bad: MockScript = ending === "well" ? {} : { failHook: as.hook?.name, failGate: 1 };
      return { ...await operation(bad), ...as };
    },
    starts: async (taskId) => begun.get(taskId) ?? 0,
    acts: async (taskId) => running.has(taskId),
    close: async () => {},
  };
}

/** Every start writes a line outside of what the operator knows. */
const LEDGER = 'echo "$BOREAS_TASK_ID" >> "$LEDGER"';

function pmFixture(mode: "binary" | "script") {
  return async (): Promise<ConformanceFixture> => {
    const pm = await createPmFixture();
    const ledger = `${pm.folder}/ledger`;
    await Deno.writeTextFile(ledger, "", { mode: 0o666 });
    const operation = async (text: string, generation?: number): Promise<Operation> => {
      const tar = await pm.freeze({ run: { text: `#!/bin/sh\n${LEDGER}\n${text}\n`, mode: 0o755 } });
      const spec = mode === "binary"
        ? specOf({ mode, artifact: "bin", exec: ["./run"] }, { artifacts: { bin: tar } })
        : specOf({ mode, deploy: "run" }, { bundle: tar });
      const over = generation === undefined ? {} : { generation };
      return operationOf({ ...spec, env: { LEDGER: ledger } }, over);
    };
    const stay = mode === "binary" ? "exec sleep 600" : "";
    const hang = mode === "binary"
      // Never healthy: the task goes on until its deadline.
      ? async () => {
        const hanging = await operation("echo up; exec sleep 600");
        return { ...hanging, spec: { ...hanging.spec!, health: [{ exec: ["false"] }], deadlineSeconds: 600 } };
      }
      : () => operation("echo up; exec sleep 600");
    const brief = mode === "binary"
      // Healthy when it has written its file.
      ? async () => {
        const deploying = await operation("echo up; sleep 0.5; touch ready; exec sleep 600");
        return { ...deploying, spec: { ...deploying.spec!, health: [{ exec: ["test", "-e", "ready"] }] } };
      }
      : () => operation("echo up; sleep 0.5");
    return {
      operator: pm.operator,
      restart: async () => {
        const operator = pm.createOperator();
        await operator.start!();
        return operator;
      },
      context: (over) => pm.context(over),
      prints: (texts) => operation(`cat <<'TEXT'\n${texts.join("").replace(/\n$/, "")}\nTEXT\n${stay}`),
      hangs: hang,
      briefly: brief,
      fails: () => operation("echo no >&2; exit 3"),
      async script(ending, as) {
        const bundle = await pm.freeze({ run: `${LEDGER}\necho hooked\nexit ${ending === "well" ? 0 : 4}\n` });
        const { spec, ...rest } = await operation("true");
        return { ...rest, spec: { ...spec!, bundle }, ...as };
      },
      starts: async (taskId) => (await Deno.readTextFile(ledger)).split("\n").filter((line) => line === taskId).length,
      acts: async (taskId, fence) => {
        const tags = fence === undefined ? [] : [`BOREAS_FENCE=${fence}`];
        return (await findTagged([`BOREAS_TASK_ID=${taskId}`, ...tags])).length > 0;
      },
      close: () => pm.close(),
    };
  };
}

describe.each([
  ["mock", mockFixture],
  ["pm, binary", pmFixture("binary")],
  ["pm, script", pmFixture("script")],
])("the %s operator", (_name, create) => {
  for (const { name, run } of [...conformanceCases, ...partCases]) {
    it(name, async () => {
      const fixture = await create();
      try {
        await run(fixture);
      } finally {
        await fixture.close();
      }
    });
  }
});
