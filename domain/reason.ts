import { storableText } from "./storable_text.ts";

/**
 * Every state carries a reason that a person can act on. The code and its parameters let a client say it in another
 * language; the text is the English sentence. This table is the only place where a reason is worded.
 */
export interface Reason {
  code: string;
  params: Record<string, string | number>;
  text: string;
}

const SENTENCES = {
  // deployments
  "deployment.created": "Created and waiting for a person to start it.",
  "deployment.created_by_trigger": "Created by the {on} trigger for {ref}, waiting for a person to start it.",
  "deployment.waiting_for_builds": "{detail}",
  "deployment.builds_ready": "All artifacts are there; start it when you are ready.",
  "deployment.awaiting_approval": "Waiting for {missing} of {count} approvals.",
  "deployment.approvals_voided":
    "The plan has changed, so what was approved counts no more. Waiting for {missing} of {count} approvals.",
  "deployment.approval_expired_approved":
    "Approved, because nobody said no in time: {given} of {count} approvals were given.",
  "deployment.approval_expired": "Rejected: {given} of {count} approvals were given in time.",
  "deployment.approved": "Approved by {actor}.",
  "deployment.rejected": "Rejected by {actor}: {note}",
  "deployment.started": "Started by {actor}.",
  "deployment.queued": "Waiting for deployment {deploymentId} of the same applications to end.",
  "deployment.paused": "Paused by {actor}; running tasks go on, nothing new starts.",
  "deployment.stranded":
    "{applications} did not get this version: every machine of {needed}, which comes first, was left out. Deploy it again when they are back.",
  "deployment.restored":
    "Paused, because Boreas was restored from the backup of {at}: look at what runs now, then resume, cancel or roll back.",
  "deployment.paused_on_failure":
    "Paused because {task} failed: {detail} Decide: fail, retry, ignore or exclude it, or roll back.",
  "deployment.paused_on_failure_until":
    "Paused because {task} failed: {detail} Decide: fail, retry, ignore or exclude it, or roll back. Answers itself with {answer} at {until}.",
  "deployment.decided_fail": "{actor} decided that it has failed: {note} What runs comes to its end.",
  "deployment.decided": "{actor} decided: {choice} {task}. It goes on.",
  "deployment.decided_rollback": "Rolling back because {task} failed: {detail} Nobody decided otherwise in time.",
  "deployment.frozen":
    "Frozen until {until}: {why}. It starts by itself then; {roles} may start it before, with a reason.",
  "deployment.started_in_freeze": "Started by {actor} in spite of a freeze: {note}",
  "deployment.resumed": "Resumed by {actor}.",
  "deployment.completed": "{count} of {count} applications run version {version}.",
  "deployment.starting": "Made by the {actor}; it starts by itself.",
  "deployment.starting_fired": "Made by the trigger {trigger}, which {actor} fired; it starts by itself.",
  "deployment.nothing_to_do": "No application of this deployment changed.",
  "deployment.failed": "{task} failed: {detail}",
  "deployment.failed_many": "{failed} of {count} applications failed, first {task}: {detail}",
  "deployment.cancelling": "Cancelled by {actor}; waiting for the agents to confirm that running work has stopped.",
  "deployment.cancelled": "Cancelled by {actor}; running work has stopped.",
  "deployment.cancelled_prepared":
    "Cancelled by {actor}; running work has stopped. What was only prepared takes no requests, and is being ended: {places}.",
  "deployment.rolling_back": "Rolling back because {task} failed: {detail}",
  "deployment.rolling_back_asked": "Rolling back, asked by {actor}: {note}",
  "deployment.rolled_back": "What ran before runs again, because {detail}",
  "deployment.rolled_back_part":
    "What ran before runs again where there was trouble, and the others keep the new version, because {detail}",
  "deployment.rollback_failed": "The rollback failed at {task}: {detail} The targets need a person.",
  "deployment.superseded": "Replaced by {version}, which contains it.",
  "deployment.completed_without":
    "{count} of {count} applications run version {version}; left out: {machines}. What was left out gets it when it is back.",
  "deployment.completed_excluding":
    "{count} of {count} applications run version {version}, but not on {machines}: a person excluded it.",
  "deployment.removal_planned": "{applications} goes from {environment}; waiting for a person to start it.",
  "deployment.removed": "{applications} was removed from {environment}: nothing of it runs there any more.",
  "deployment.removed_without":
    "{applications} was removed from {environment}; left out: {machines}. It goes there when they are back.",
  "deployment.removed_excluding":
    "{applications} was removed from {environment}, but not from {machines}: a person excluded it.",
  "deployment.removal_stranded":
    "{applications} was not removed: {needed}, which needs it, could not go first, because all its machines were left out. Remove it again when they are back.",
  "deployment.removed_since":
    "{applications} was removed from there since this was planned; who names it deploys it there again.",
  "deployment.removal_catching_up": "{machine} is back; {applications} is removed there as well.",
  "deployment.catching_up": "{machine} is back; it gets version {version} of {applications}, which it missed.",
  "deployment.promoted": "Promoted by {actor}: {note} Waits and gates of what is being rolled out are passed over.",
  "deployment.checks_waived": "{actor} gave it a strategy without {what}: {note}",
  "deployment.rebatched": "{actor} changed the batches that had not begun: {batch} at a time.",
  "deployment.policy": "{detail}",
  // tasks
  "task.waiting_for_start": "The deployment has not been started.",
  "task.waiting_for_dependencies": "Waiting for {names}.",
  "task.ready": "Ready; waiting for a free agent.",
  "task.waiting_for_machine": "Waiting for {machine}, offline since {since}; gives up at {until}.",
  "task.waiting_for_machine_or_skip":
    "Waiting for {machine}, offline since {since}; goes on without it at {until}, and it catches up when it is back.",
  "task.waiting_for_cordoned":
    "Waiting for {machine}, which is cordoned; uncordon it before {until}, when it is given up.",
  "task.machine_cordoned": "{machine} stayed cordoned, so nothing could be done on it; uncordon it and try again.",
  "task.machine_missing": "{machine} was offline since {since} and did not come back in time.",
  "task.machine_revoked": "{machine} was revoked, so nothing can be done on it; enrol it again, or choose others.",
  "task.left_out_offline": "Left out: {machine} was offline since {since}. It gets {version} when it is back.",
  "task.left_out_cordoned": "Left out: {machine} is cordoned. It gets {version} when it is uncordoned.",
  "task.removal_left_out_offline":
    "Left out: {machine} was offline since {since}. The application is removed there when it is back.",
  "task.removal_left_out_cordoned":
    "Left out: {machine} is cordoned. The application is removed there when it is uncordoned.",
  "task.clean_up_waiting":
    "Waiting for {machine}, which is away: what was prepared there takes no requests, and is ended when it is back.",
  "task.measuring": "Being measured: the release goes on when it holds.",
  "task.awaiting_approval": "Waiting for a person's approval.",
  "task.watching": "Watching {application} until {until}: a release that turns bad is taken back.",
  "task.watching_blind":
    "Watching {application} for {machines}, which cannot say how it is; until {until} at the latest.",
  "task.watched": "Watched for {seconds} s, and nothing turned bad.",
  "task.turned_bad": "{machine} turned bad {seconds} s after the switch: {detail}",
  "task.wait_skipped": "The wait was ended by {actor}: {note}",
  "task.waiting_for_agent": "Ready; waiting for {agent} to connect.",
  "task.leased": "Handed to {agent}, attempt {attempt}.",
  "task.running": "Running on {agent}, attempt {attempt}.",
  "task.children_running": "{done} of {count} parts done.",
  "task.succeeded": "{detail}",
  "task.failed": "{detail}",
  "task.refused": "{agent} refused it: {detail}",
  "task.timed_out": "Gave up after {seconds} s: {detail}",
  "task.retrying": "Attempt {attempt} failed: {detail} Trying again in {seconds} s.",
  "task.lease_expired": "{agent} stopped renewing its lease (attempt {attempt}); handing it out again.",
  "task.master_restarted": "The master restarted during attempt {attempt}; starting attempt {next}.",
  "task.restored": "Boreas was restored from a backup that was made during attempt {attempt}; starting attempt {next}.",
  "task.agent_lost_it": "{agent} came back without this task (attempt {attempt}); handing it out again.",
  "task.losses_used_up":
    "Given up: handed out and lost {count} times, the last time with {agent}. Of its {attempt} attempts in all, agents said of {begun} that they had begun. Where they had, it may have ended its agent: look at the agent's log and memory. Where they had not, it was lost on its way, or ended its agent at once: look at the connections too. Then retry it.",
  "task.attempts_used_up": "Failed after {attempt} attempts, last: {detail}",
  "task.cancelling": "Cancel sent to {agent}; waiting for its word.",
  "task.cancelled": "{detail}",
  "task.skipped_dependency": "Skipped because {name} {outcome}.",
  "task.skipped_stopped": "Skipped: {detail}",
  "task.paused": "Waiting until {until}.",
  "task.pause_over": "The wait is over.",
  "task.measured": "Measured {note}: {verdict}.",
  "task.gate_measuring":
    "Measured {note}; wanted: {rule}. {passed} of {count} measurements passed; goes on until {until}.",
  "task.gate_passed": "Measured {note}; wanted: {rule}. {passed} of {count} measurements passed.",
  "task.gate_failed": "Measured {note}; wanted: {rule}.",
  "task.gate_no_data": "Nothing could be measured: {note}; wanted: {rule}. Without data this gate fails.",
  "task.gate_no_data_long": "Nothing could be measured for {seconds} s: {note}; wanted: {rule}.",
  "task.gate_waiting_for_data": "Nothing could be measured: {note}; wanted: {rule}. Waits for data until {until}.",
  "task.approval_given": "Waiting for {missing} of {count} approvals by {roles}.",
  "task.approval_given_until": "Waiting for {missing} of {count} approvals by {roles}, until {until}.",
  "task.approvals_voided":
    "The plan was changed by {actor}, so what was approved counts no more. Waiting for {count} approvals by {roles}.",
  "task.approved": "Approved by {actors}.",
  "task.rejected": "Rejected by {actor}: {note}",
  "task.approval_expired": "Rejected: {given} of {count} approvals were given in time.",
  "task.approval_expired_approved":
    "Approved, because nobody said no in time: {given} of {count} approvals were given.",
  "task.ignored": "Counts as done, because {actor} ignored its failure: {note} It had failed: {detail}",
  "task.excluded": "Excluded by {actor}: {note} {machine} keeps what it has until somebody asks for more.",
  "task.rollback_overdue": "Not back after {seconds} s, the most that this rollback may take.",
  "task.rollback_stuck": "Did not stop after {seconds} s, the most that this rollback may take; it was given up.",
  "task.parts_failed": "{failed} of {count} parts failed, first {task}: {detail}",
  "task.moved_on": "{detail} It goes to {agent}.",
  "task.nobody_can": "No agent of this environment that is connected can run it. {detail}",
  "task.unclaimed": "No agent was there to run it, for as long as it may take; nothing waits for it any longer.",
  "task.retry_asked": "Tried again by {actor}.",
  // versions
  "version.builds_waiting": "Waiting for {what}, checked {checked} ago, gives up at {until}.",
  "version.builds_expected": "Waiting for {what}, not looked for yet, gives up at {until}.",
  "version.builds_ready": "Every artifact is there and pinned.",
  "version.builds_failed": "{detail}",
  "version.reverted": "Marked as reverted by {actor}: {note}",
  "version.reverted_by_rollback": "Marked as reverted because {task} failed: {detail}",
  "version.unreverted": "Cleared by {actor}: {note}",
  "version.normal": "Recorded from {ref}.",
  // deliveries and repositories
  "delivery.received": "Received; waiting to be worked on.",
  "delivery.processing": "Being worked on, attempt {attempt}.",
  "delivery.retrying": "Attempt {attempt} failed: {detail} Trying again in {seconds} s.",
  "delivery.processed": "Recorded version {version}.",
  "delivery.processed_with_notes": "Recorded version {version}. {notes}",
  "delivery.reverted_version": "Nothing is deployed: {detail}",
  "delivery.known_version": "Version {version} was recorded before; nothing to do.",
  "delivery.pull_planned": "Planned pull request {number}. {told}",
  "delivery.ignored": "{detail}",
  "delivery.failed": "{detail}",
  "repository.ok": "Last read at {ref}.",
  "repository.failed": "{detail}",
  "repository.new": "Not read yet.",
  // what runs
  "application.health": "{application} on {target} is {health}.",
  "drift.found": "{application} on {target} differs from {version}: {detail}.",
  "drift.gone": "{application} on {target} is again what {version} says.",
  "drift.older_secret":
    "{application} on {target} uses an older value of {secret}; deploy it again, and it gets the new one.",
  "drift.not_healed": "{application} on {target} could not be applied again: {detail}",
  "drift.outdated": "{version} has been deployed since; there is nothing to apply again.",
  "drift.removed": "The application runs there no more; there is nothing to apply again.",
  "drift.healing": "{application} on {target} differs from {version}: {detail}. Applied again by drift healing.",
  // agents
  "agent.connected": "Connected.",
  "agent.disconnected": "Disconnected; it dials again by itself.",
  "agent.silent":
    "Nothing was heard of it for {seconds} s: the master it was connected to has ended. It dials again by itself.",
  "agent.never_connected": "Enrolled; has not connected yet.",
  "agent.revoked": "Revoked by {actor}.",
  "agent.key_renewed": "Uses new keys; the old ones are refused.",
  "agent.drained": "Empty: nothing runs on it, and nothing new is given to it.",
  // messages to people outside
  "notification.waiting": "Waiting to be sent.",
  "notification.collecting": "Waits {seconds} s, so that all of its kind goes out as one message.",
  "notification.sending": "Being sent.",
  "notification.sent": "Taken by {destination}.",
  "notification.retrying": "Attempt {attempt} failed: {detail}. Trying again in {seconds} s.",
  "notification.given_up": "Given up after {attempt} attempts, last: {detail}.",
  "notification.refused": "Not sent: {detail}.",
  "notification.over": "Not sent: it was over before it was due.",
  "notification.switched_off": "Not sent: the channel is switched off.",
  "notification.test": "{actor} wanted to see whether messages arrive here.",
  // triggers
  "trigger.deciding": "Being looked at.",
  "trigger.soaking": "{detail}",
  "trigger.fired": "Made a deployment of {version} to {environment}.",
  "trigger.would_fire": "Would deploy {version} to {environment}: {applications}. {detail}",
  "trigger.not_fired": "{detail}",
  // upgrades of agents
  "upgrade.running": "Started by {actor}: one machine first, then {batch} at a time.",
  "upgrade.completed": "{count} of {total} machines run {version}.",
  "upgrade.failed": "Stopped at {agent}: {detail}",
  "upgrade.cancelled": "Cancelled by {actor}; machines that had switched already keep {version}.",
  "upgrade.waiting": "Waits for its turn.",
  "upgrade.asked": "Was told to take {version}.",
  "upgrade.progress": "{detail}",
  "upgrade.succeeded": "Came back with {version}.",
  "upgrade.already": "Runs {version} already.",
  "upgrade.agent_failed": "{detail}",
  "upgrade.silent": "Said nothing for {seconds} s after it was told; it may still come back.",
  "upgrade.offline": "Was not connected when its turn came; upgrade it when it is back.",
  "upgrade.not_installed": "Was not installed by the install line, so it cannot replace itself.",
  "upgrade.newer": "Runs {from}, which is newer; only an explicit downgrade goes back.",
  "upgrade.stopped": "Was not told, because {agent} failed.",
  "upgrade.agent_cancelled": "Cancelled by {actor}.",
} as const;

export type ReasonCode = keyof typeof SENTENCES;
export const REASON_CODES = Object.keys(SENTENCES) as ReasonCode[];

/** Builds a reason; a parameter that is missing stays visible as `{name}`, so that a test or a person sees it. */
export function reason(code: ReasonCode, given: Record<string, string | number> = {}): Reason {
  const params = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, typeof value === "string" ? storableText(value) : value]),
  );
  const text = SENTENCES[code].replace(/\{(\w+)\}/g, (whole, name) => name in params ? String(params[name]) : whole);
  return { code, params, text };
}
