/** What pages say about triggers. */
export const enTriggers = {
  "triggers.none": "No triggers",
  "triggers.none.hint":
    "Each new version waits for a person in every environment it is bound to. Triggers stand in the Plan of a repository's boreas.yaml.",
  "trigger.on": "On",
  "trigger.next": "Next tick",
  "trigger.last": "Last event, and why",
  "trigger.off": "Off",
  "trigger.start": "Its deployments",
  "trigger.start.auto": "start by themselves",
  "trigger.start.approve": "wait for approval",
  "trigger.start.manual": "wait for a person to start them",
  "trigger.environment.missing": "there is none of this name yet",
  "trigger.runs": "Events, and why it did or did not fire",
  "trigger.runs.none": "No event yet",
  "trigger.deployment": "Deployment",
  "trigger.dry.run": "dry run",
  "trigger.enable": "Switch on",
  "trigger.disable": "Switch off",
  "trigger.fire": "Fire",
  "trigger.try": "Dry run",
  "trigger.fire.title": "Fire {name}",
  "trigger.fire.text":
    "Deploys to {environment}, as far as the environment's policy lets it. A dry run only says what would happen.",
  "trigger.fire.version": "Version (optional)",
  "trigger.fire.version.hint": "A name, latest, or latest-verified:ENVIRONMENT; what the trigger says when empty.",
  "delivery.triggers": "Why each trigger did or did not fire",
} as const;
