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
  flags: { name: string; short?: string; help: string; takesValue: boolean; takesFile: boolean }[];
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
      takesFile: spec.value === "FILE",
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
  const flag = ({ name, short, help, takesValue, takesFile }: Completed["flags"][number]) => {
    const about = `'[${quoted(help.replaceAll("[", "(").replaceAll("]", ")"))}]${
      takesValue ? `:value:${takesFile ? "_files" : " "}` : ""
    }'`;
    const long = `--${name}${takesValue ? "=" : ""}`;
    return short ? `'(-${short} --${name})'{-${short},${long}}${about}` : `'${long}'${about}`;
  };
  // The command itself is the first argument.
  const word = ({ words }: Completed) => words.length > 0 ? ` '2:word:(${words.join(" ")})'` : "";
  return `#compdef boreas
# Completion for zsh. Put it into a folder of $fpath as _boreas, or: source <(boreas completion zsh)
_boreas() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${described(name, summary)}`).join("\n")}
    'help:print how a command is used'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "\${words[2]}" in
${
    commands.map((command) =>
      `    ${command.name}) _arguments ${command.flags.map(flag).join(" ")} '1: : '${word(command)} ;;`
    ).join("\n")
  }
    help) (( CURRENT == 3 )) && _describe command commands ;;
  esac
}
if [ "$funcstack[1]" = _boreas ]; then _boreas "$@"; else compdef _boreas boreas; fi
`;
}

function fish(commands: readonly Completed[]): string {
  const line = (condition: string, rest: string) => `complete -c boreas -n '${condition}' ${rest}`;
  const value = ({ takesValue, takesFile }: Completed["flags"][number]) =>
    takesFile ? " -r -F" : takesValue ? " -x" : "";
  return `# Completion for fish. Load it with: boreas completion fish | source
# The words so far without flags: which command it is, and whether its own word comes next. A later word may be called
# as a command is.
function __boreas_words
  string match -v -- '-*' (commandline -opc)
end
function __boreas_needs_command
  test (count (__boreas_words)) -eq 1
end
function __boreas_in
  set -l words (__boreas_words)
  test (count $words) -gt 1; and test $words[2] = $argv[1]
end
function __boreas_after
  __boreas_in $argv[1]; and test (count (__boreas_words)) -eq 2
end
complete -c boreas -f
${
    commands.flatMap(({ name, summary, words, flags }) => [
      line("__boreas_needs_command", `-a ${name} -d '${quoted(summary)}'`),
      line("__boreas_after help", `-a ${name} -d '${quoted(summary)}'`),
      ...words.map((word) => line(`__boreas_after ${name}`, `-a ${word}`)),
      ...flags.map((flag) =>
        line(
          `__boreas_in ${name}`,
          `-l ${flag.name}${flag.short ? ` -s ${flag.short}` : ""}${value(flag)} -d '${quoted(flag.help)}'`,
        )
      ),
    ]).join("\n")
  }
`;
}
