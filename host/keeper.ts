/**
 * The keeper: one tiny fixed program beside every program we start, so that it, its output and its exit code survive the
 * agent. It runs in a session of its own; what it keeps runs in another one, so that killing that whole group leaves the
 * keeper alive to write down the exit code.
 *
 *   folder/claim     made first, by one keeper only: a folder never starts two programs
 *   folder/process   pid, boot id, keeper's pid, start time; written before the program begins
 *   folder/out/o.SSSS.NNNNNN   the output, exact bytes, 1 MiB each; SSSS grows when the disk was full for a while
 *   folder/exit      the exit code, 128 + n for signal n; written when the program itself has ended
 *   folder/drained   made when nobody holds the output any more
 *
 * A crash of the machine leaves `process` without `exit`, and another boot id tells.
 * `split` hands every read on at once, so a line is in the file when it was printed. Its `--filter` (GNU) lets the oldest
 * file go at each turn without a process that wakes up by itself; elsewhere a loop does it.
 * `find_tagged` tells a keeper by its name, `boreas-keeper`, the first argument of its shell. Then: folder, files to keep, PATH of the program, the program, its arguments.
 */
export const KEEPER = String.raw`
folder=$1 files=$2 path=$3
shift 3
mkdir "$folder/claim" 2>/dev/null || exit 0
mkdir -p "$folder/out"
exec 2>>"$folder/keeper.log"
# A handler, not '': children start with the default action again.
trap : HUP INT TERM QUIT USR1 USR2

boot=
read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id || boot=$(sysctl -n kern.boottime)

# A subshell redirects and not this one: what this shell says of a killed child is no output of the program.
if command -v setsid >/dev/null; then
  own_session() (exec setsid "$@" </dev/null 2>&1)
else
  own_session() (exec perl -MPOSIX=setsid -e 'setsid(); exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n"' "$@" </dev/null 2>&1)
fi

prune() {
  set -- o.*
  while [ $# -gt "$files" ]; do rm -f "$1"; shift; done
}

if split --filter=: </dev/null 2>/dev/null; then
  collect_series() {
    KEEP=$files LC_ALL=C SHELL=/bin/sh split -b 1048576 -a 6 \
      --filter='set -- o.*; while [ $# -ge "$KEEP" ]; do rm -f "$1"; shift; done; exec cat >"$FILE"' - "o.$1."
  }
else
  collect_series() { split -b 1048576 -a 6 - "o.$1."; }
  (cd "$folder/out" && while [ ! -e ../drained ]; do sleep 2; prune; done) &
fi

collect() {
  trap '' HUP INT TERM QUIT USR1 USR2
  unset BOREAS_TASK_ID # by it the program's strays are found and killed; the keeper is none
  cd "$folder/out" || exit
  series=1000
  # A full disk must not stop the program: what does not fit is thrown away, and the new series shows the gap.
  until collect_series "$series"; do
    series=$((series + 1))
    head -c 1048576 >/dev/null
  done
}

{
  # A unit's end signals everybody in it; this subshell must live to write down how its program ended.
  trap : HUP INT TERM QUIT USR1 USR2
  own_session sh -c '
    folder=$1 boot=$2 keeper=$3 path=$4
    shift 4
    read -r start 2>/dev/null <"/proc/$$/stat" || start=$(LC_ALL=C ps -o lstart= -p $$)
    printf "%s\n" $$ "$boot" "$keeper" "$start" >"$folder/process.new" && mv "$folder/process.new" "$folder/process" || exit 126
    PATH=$path
    exec "$@"
  ' keeper "$folder" "$boot" $$ "$path" "$@"
  printf '%s\n' $? >"$folder/exit.new"
  unset BOREAS_TASK_ID
  sync "$folder/exit.new"
  mv "$folder/exit.new" "$folder/exit"
} | collect
: >"$folder/drained"
`;
