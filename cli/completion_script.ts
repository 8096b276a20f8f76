/** Completion for shells, from the table of commands: so it knows what `--help` knows. Pure. */
import type { FlagSpec } from "./arguments.ts";
import type { Command } from "./command.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

interface Completed {
  name: string;
  summary: string;
  /** Words that may follow it: `version create`. */
  words: string[];
  flags: { name: string; short?: string; help: string; takesValue: boolean }[];
}

export function sayCompletion(
  shell: Shell,
  commands: Readonly<Record<string, Command>>,
  common: Readonly<Record<string, FlagSpec>>,
): string {
  const all = Object.entries(commands).map(([name, command]): Completed => ({
    name,
    summary: command.summary,
    words: wordsOf(name, command.usage),
    flags: Object.entries({ ...command.flags, ...common }).map(([flag, spec]) => ({
      name: flag,
      short: spec.short,
      help: spec.help,
      takesValue: spec.type !== "boolean",
    })),
  }));
  return { bash, zsh, fish }[shell](all);
}

/** `version [list | create VERSION]` -> list, create: small letters alone are typed as they stand. */
export const wordsOf = (name: string, usage: string): string[] =>
  [
    ...new Set([...usage.matchAll(/(?:\[|\| ?)([a-z][a-z-]*)/g)].map((match) => match[1]!)),
  ].filter((word) => word !== "flags" && word !== name);

const candidates = ({ words, flags }: Completed) => [...words, ...flags.map(({ name }) => `--${name}`)].join(" ");

function bash(commands: readonly Completed[]): string {
  return `# Completion for bash. Load it with: source <(boreas completion bash)
_boreas() {
  local word="\${COMP_WORDS[COMP_CWORD]}" options=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    options="${commands.map(({ name }) => name).join(" ")} help"
  else
    case "\${COMP_WORDS[1]}" in
${commands.map((command) => `      ${command.name}) options="${candidates(command)}" ;;`).join("\n")}
      help) options="${commands.map(({ name }) => name).join(" ")}" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$options" -- "$word"))
}
complete -o default -F _boreas boreas
`;
}

/** Within single quotes of a shell. */
const quoted = (text: string) => text.replaceAll("'", "'\\''");

function zsh(commands: readonly Completed[]): string {
  // A colon parts a name from its description, brackets a flag from its.
  const described = (name: string, help: string) => `'${name}:${quoted(help.replaceAll(":", "\\:"))}'`;
  const flag = ({ name, help, takesValue }: Completed["flags"][number]) =>
    `'--${name}${takesValue ? "=" : ""}[${quoted(help.replaceAll("[", "(").replaceAll("]", ")"))}]${
      takesValue ? ":value:_files" : ""
    }'`;
  return `#compdef boreas
# Completion for zsh. Put it into a folder of $fpath as _boreas, or: source <(boreas completion zsh)
_boreas() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${described(name, summary)}`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "\${words[2]}" in
${
    commands.map((command) =>
      `    ${command.name}) _arguments ${command.flags.map(flag).join(" ")} '*:word:(${command.words.join(" ")})' ;;`
    ).join("\n")
  }
  esac
}
compdef _boreas boreas
`;
}

function fish(commands: readonly Completed[]): string {
  const line = (condition: string, rest: string) => `complete -c boreas -n '${condition}' ${rest}`;
  return `# Completion for fish. Load it with: boreas completion fish | source
complete -c boreas -f -n __fish_use_subcommand
${
    commands.flatMap(({ name, summary, words, flags }) => [
      line("__fish_use_subcommand", `-a ${name} -d '${quoted(summary)}'`),
      ...words.map((word) => line(`__fish_seen_subcommand_from ${name}`, `-a ${word}`)),
      ...flags.map(({ name: flag, short, help, takesValue }) =>
        line(
          `__fish_seen_subcommand_from ${name}`,
          `-l ${flag}${short ? ` -s ${short}` : ""}${takesValue ? " -r" : ""} -d '${quoted(help)}'`,
        )
      ),
    ]).join("\n")
  }
`;
}
