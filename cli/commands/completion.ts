import type { FlagSpec } from "../arguments.ts";
import { type Command, command } from "../command.ts";
import { sayCompletion, type Shell, SHELLS } from "../completion_script.ts";
import { usageError } from "../host.ts";

/** @param read the table that this command is itself part of */
export const completionOf = (
  read: () => { commands: Readonly<Record<string, Command>>; common: Readonly<Record<string, FlagSpec>> },
): Command =>
  command({
    summary: "print completion for bash, zsh or fish",
    usage: "completion [bash | zsh | fish]",
    details: `To load it:
  bash: source <(boreas completion bash)
  zsh:  boreas completion zsh > "\${fpath[1]}/_boreas"
  fish: boreas completion fish > ~/.config/fish/completions/boreas.fish`,
    flags: {},
    positionals: [0, 1],
    run({ host }, [shell]) {
      if (!(SHELLS as readonly string[]).includes(shell ?? "")) {
        throw usageError(`Say for which shell: boreas completion ${SHELLS.join(", ")}.`);
      }
      const { commands, common } = read();
      host.write(sayCompletion(shell as Shell, commands, common));
      return Promise.resolve(0);
    },
  });
