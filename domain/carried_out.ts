/**
 * What the grammar of `boreas.yaml` knows and this release does not do yet. Whoever writes it hears so by name and line:
 * a gate or a hook that is silently passed over would be worse than none. When something gets built, its row goes.
 */
export interface NotCarriedOut {
  path: (string | number)[];
  message: string;
}
type Json = Record<string, unknown>;

interface Rule {
  path: string[];
  /** For the documentation. */
  said: string;
  refuse: (value: unknown) => string | undefined;
}
const isOneOf = (...values: unknown[]) => Object.assign((value: unknown) => values.includes(value), { values });
const present = (value: unknown) => value !== undefined;
type Applies = ((value: unknown) => boolean) & { values?: unknown[] };
const rule = (path: string, applies: Applies, what: string, instead: string): Rule => ({
  path: path.split("."),
  said: `\`${path}\`${(applies.values ?? []).map((value) => ` \`${value}\``).join(" or")}: ${instead}.`,
  refuse: (value) =>
    applies(value) ? `${what} is understood but not carried out by this release; ${instead}` : undefined,
});

const STRATEGY = [
  rule("strategy.type", isOneOf("canary", "blueGreen"), "this strategy", "use all or rolling"),
];
const APPLICATION = [
  ...STRATEGY,
  ...["preDeploy", "preSwitch", "postDeploy", "onRollback", "onFailure"].map((hook) =>
    rule(`hooks.${hook}`, present, "this hook", "do it in the deploy script for now")
  ),
];
const PLAN = [
  ...STRATEGY,
];

/** One sentence per thing, for the documentation. */
export function sayNotCarriedOut(): string[] {
  return [...new Set([...APPLICATION, ...PLAN].map(({ said }) => said))];
}

/** @param document a parsed `Application` or `Plan` */
export function findNotCarriedOut(document: Readonly<Json>): NotCarriedOut[] {
  if (document.kind === "Plan") return check(document, PLAN, []);
  const overlays = Object.entries((document.environments ?? {}) as Record<string, Json>);
  return [
    ...check(document, APPLICATION, []),
    ...overlays.flatMap(([name, overlay]) => check(overlay, APPLICATION, ["environments", name])),
  ];
}

function check(value: Readonly<Json>, rules: readonly Rule[], at: string[]): NotCarriedOut[] {
  return rules.flatMap(({ path, refuse }) => {
    const message = refuse(path.reduce<unknown>((here, key) => (here as Json | undefined | null)?.[key], value));
    return message === undefined ? [] : [{ path: [...at, ...path], message }];
  });
}
