/** Sentences about failures that ask, and about freezes. */
export const enFailures = {
  "question.title": "How shall it go on?",
  "question.about": "Decide about {task}",
  "question.do.fail": "Let it fail",
  "question.do.retry": "Try again",
  "question.do.ignore": "Ignore",
  "question.do.exclude": "Exclude the machine",
  "question.ask.fail": "The deployment fails: what runs comes to its end, and nothing new starts.",
  "question.ask.retry": "{task} is done again. If it fails again, it asks again.",
  "question.ask.ignore":
    "{task} counts as done although it failed, and the deployment goes on. It says who decided so.",
  "question.ask.exclude":
    "{task} is left out of the rest of this deployment, keeps what it has, and does not catch up by itself.",
  "freeze.title": "Freezes",
  "freeze.do": "Freeze",
  "freeze.none": "Nothing is frozen here, and no freeze is planned.",
  "freeze.now": "Frozen",
  "freeze.next": "Next",
  "freeze.only": "Only {list}.",
  "freeze.override": "{role} may start something nevertheless, with a reason.",
  "freeze.end": "End the freeze",
  "freeze.end.ask": "What waited for its end starts.",
  "freeze.ask": "Nothing new starts here until then. What runs goes on, and rollbacks are never frozen.",
  "freeze.until": "Until",
  "freeze.role": "Role that may start something nevertheless (admins always may)",
  "freeze.start": "Start in spite of the freeze",
  "freeze.start.ask":
    "{environment} is frozen. Whoever starts {version} nevertheless says why; it is kept in the audit.",
} as const;
