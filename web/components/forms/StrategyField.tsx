/** A strategy for one deployment: a kind to begin with, and its text as it would stand in a file. */
import { useLayoutEffect, useState } from "preact/hooks";
import type { CreateDeployment } from "../../../protocol/http_api.ts";
import { t } from "../../i18n/locale.ts";
import { problemText } from "../../models/toast_model.ts";
import { SelectField, TextField } from "../Field.tsx";

export type Strategy = NonNullable<CreateDeployment["strategy"]>;
/** What was written, as far as it can be read; undefined: each application has its own. */
export type ChosenStrategy = { strategy?: Strategy; error?: string };

const OWN = "own";
const TEXTS = {
  all: "type: all\n",
  rolling: "type: rolling\nbatch: 25%\nmaxFailures: 0\n",
  canary: "type: canary\nsteps:\n  - target: 1\n  - pause: 10m\n  - target: 100%\n    batch: 25%\n",
  blueGreen: "type: blueGreen\nhold: 10m\n",
};
const KINDS = Object.keys(TEXTS) as (keyof typeof TEXTS)[];

export function StrategyField({ onChange, problem }: {
  onChange: (chosen: ChosenStrategy) => void;
  problem?: string;
}) {
  const [kind, setKind] = useState<string>(OWN);
  const [text, setText] = useState("");
  const [error, setError] = useState<string>();
  useLayoutEffect(() => {
    let isOld = false;
    // While it is read, nothing is deployed by the strategy of before; nor where what reads it does not come.
    if (kind !== OWN) onChange({ error: "" });
    const reading = read(kind === OWN ? undefined : text);
    reading.catch((error: unknown): ChosenStrategy => ({ error: problemText(error) })).then((chosen) => {
      if (isOld) return;
      setError(chosen.error);
      onChange(chosen);
    });
    return () => void (isOld = true);
  }, [kind, text]);
  return (
    <>
      <SelectField
        label={t("deploy.strategy")}
        value={kind}
        onValue={(value) => {
          setKind(value);
          if (value !== OWN) setText(TEXTS[value as keyof typeof TEXTS]);
        }}
        options={[
          { value: OWN, text: t("deploy.strategy.own") },
          ...KINDS.map((value) => ({ value, text: t(`deploy.strategy.${value}`) })),
        ]}
      />
      {kind !== OWN && (
        <TextField
          label={t("deploy.strategy.text")}
          value={text}
          onValue={setText}
          rows={Math.min(12, text.split("\n").length)}
          mono
          hint={t("deploy.strategy.hint")}
          error={error ?? problem}
        />
      )}
    </>
  );
}

/** What reads a file reads this, mistakes and all; it comes only once somebody writes one. */
async function read(text: string | undefined): Promise<ChosenStrategy> {
  if (text === undefined) return {};
  const { parseDocuments, sayProblem, Strategy } = await import("../../../protocol/config_file.ts");
  const { documents, problems } = parseDocuments(Strategy, "", text);
  if (problems.length > 0) return { error: problems.map((one) => sayProblem(one).replace(/^:/, "")).join("\n") };
  return documents.length === 1 ? { strategy: documents[0] } : { error: t("deploy.strategy.unread") };
}
